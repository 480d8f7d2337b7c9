import ArgumentParser
import ChatEngine
import ChatReplay
import ChatScript
import ChatTUI
import Foundation
import LLaMAStitch
import Support

struct Replay: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Run scripted conversations and check what is answered.",
    discussion: """
      Scripts are YAML or JSON Lines; a saved conversation is one too. The same script, family, adapter and seed give the \
      same tokens every time. Exit code 0 if all holds, 1 if something does not, 2 if something could not run.

      Example: stitch replay tests/*.yaml --junit report.xml
      """)

  @Argument(help: "Scripts, or folders of them.") var scripts: [String]
  @OptionGroup var family: FamilyOptions
  @OptionGroup var cache: CacheOptions
  @Option(help: ArgumentHelp("Where a script names no seed.", valueName: "n")) var seed: UInt64 = 0
  @Option(help: ArgumentHelp("Threads to compute with; results do not depend on it.", valueName: "n")) var threads: Int?
  @Option(help: ArgumentHelp("Only scripts whose path contains this.", valueName: "text")) var filter: String?
  @Option(
    name: .customLong("repeat"),
    help: ArgumentHelp("Run each so often, and check that the tokens are the same.", valueName: "n"))
  var times = 1
  @Flag(help: "End at the first script that does not pass.") var failFast = false
  @Flag(help: "Write what was answered into the scripts, as what is expected, and show what changed.") var update =
    false
  @Flag(help: "Compute every conversation from its beginning instead of going on from what is cached.") var noCache =
    false
  @Flag(name: .shortAndLong, help: "Print every reply.") var verbose = false
  @Option(help: ArgumentHelp("Write a JUnit report.", valueName: "file")) var junit: String?
  @Flag(help: "Print one JSON document.") var json = false

  func validate() throws {
    try Check.range("--repeat", times, 1...1000)
    if let threads { try Check.threads(threads) }
    if scripts.isEmpty { throw ValidationError("name at least one script") }
  }

  func run() throws {
    let files = try self.files()
    var report = ReplayReport([])
    for file in files {
      let result = try replay(file)
      report.results.append(result)
      if failFast && result.status != .passed { break }
    }
    if let junit { try AtomicFile.write(Data(report.junit.utf8), to: URL(fileURLWithPath: junit)) }
    if json { try Console.write(json: report) } else { try Console.write(text: report.text(verbose: verbose)) }
    if report.exitStatus != 0 { throw ExitCode(report.exitStatus) }
  }

  /// The scripts in order, those of folders by name.
  private func files() throws -> [URL] {
    var files: [URL] = []
    for path in scripts {
      let url = URL(fileURLWithPath: path)
      var isDirectory: ObjCBool = false
      guard FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory), isDirectory.boolValue else {
        files.append(url)
        continue
      }
      let found = try FileManager.default.contentsOfDirectory(at: url, includingPropertiesForKeys: nil)
        .filter { ["yaml", "yml", "jsonl"].contains($0.pathExtension) }
      if found.isEmpty { throw ValidationError("\(path) has no scripts (.yaml, .yml, .jsonl)") }
      files += found.sorted { $0.path < $1.path }
    }
    let chosen = filter.map { text in files.filter { $0.path.contains(text) } } ?? files
    if chosen.isEmpty { throw ValidationError("no script's path contains “\(filter ?? "")”") }
    return chosen
  }

  private func replay(_ file: URL) throws -> ReplayResult {
    let script: Script
    do { script = try Script(contentsOf: file) } catch { return ReplayResult(script: file.relativePath, error: error) }
    if update && script.format == .savedConversation {
      return ReplayResult(
        script: script.file,
        error: CommandError.malformed(
          file.relativePath, expected: "a saved conversation says what was said; --update changes scripts only"))
    }
    let first = try run(script)
    if update && first.error == nil { try write(first, of: script, to: file) }
    for round in 1..<max(1, times) where first.error == nil {
      let again = try run(script)
      var result = first
      if let difference = again.firstDifference(from: first) ?? again.error {
        result.error = "run \(round + 1) differs: \(difference)"
        return result
      }
    }
    return first
  }

  private func run(_ script: Script) throws -> ReplayResult {
    let directory: URL
    do { directory = try FamilyLocator().locate(script.family ?? family.family) } catch {
      return ReplayResult(script: script.file, error: error)
    }
    var options = FamilyBackend.Options(family: directory)
    options.adapter = try script.adapter.map { try AdapterChoice($0) } ?? family.adapterChoice()
    if let threads { options.threads = threads }
    options.reusesCache = !noCache
    options.cacheType = cache.cache ?? .f32
    options.keepsSnapshots = false
    let backend = FamilyBackend(options)
    var chat = ChatUIOptions()
    chat.stitch = family.stitch
    chat.sampling.seed = seed
    let threads = options.threads
    let instructions =
      InferenceKernels.best.name + (options.cacheType == .f32 ? "" : ", \(options.cacheType.rawValue) cache")
    var replayer = Replayer(script, backend: backend, options: chat)
    return replayer.run { summary in
      ReplayResult.Ground(
        family: summary.name, identity: backend.identity ?? "", adapterStep: summary.adapterStep,
        adapterHash: summary.adapterHash,
        threads: threads, instructionSet: instructions, seed: script.seed ?? seed, version: Stitch.configuration.version
      )
    }
  }

  private func write(_ result: ReplayResult, of script: Script, to file: URL) throws {
    let text = try String(contentsOf: file, encoding: .utf8)
    let update = ScriptUpdate(text, script: script, result: result)
    for omission in update.leftOut {
      Console.complain("\(file.relativePath):\(omission.line): not updated: \(omission.reason)")
    }
    if update.text == text { return }
    // The file may be spelt in a way that this did not see through: what it does must stay what it was.
    let again = try? Script(update.text, file: script.file, folder: file.deletingLastPathComponent())
    guard again?.steps.map(\.action) == script.steps.map(\.action) else {
      return Console.complain(
        "\(file.relativePath): not updated: its spelling leaves no room for it; write each step on lines of its own")
    }
    Console.log(Console.harmless(([file.relativePath] + update.differences).joined(separator: "\n")) + "\n")
    try AtomicFile.write(Data(update.text.utf8), to: file)
  }
}
