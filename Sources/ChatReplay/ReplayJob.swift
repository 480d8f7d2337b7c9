import ChatEngine
import ChatScript
import ChatTUI
import Foundation
import Support

/// `stitch replay`: runs scripted conversations, compares repetitions, and writes what was answered back into scripts.
public struct ReplayJob {
  /// Scripts, or folders of them.
  public var scripts: [String]
  /// The family where a script names none; `nil` for the default.
  public var family: String?
  /// The chat's options; what a script says wins.
  public var chat = ChatUIOptions()
  /// Only scripts whose path contains this.
  public var filter: String?
  /// How often each is run; the tokens must be the same.
  public var times = 1
  /// Whether to end at the first script that does not pass.
  public var failsFast = false
  /// Whether what was answered is written into the scripts.
  public var updates = false
  /// What computes, and the program's version, for reports.
  public var instructionSet = ""
  public var version = ""
  /// The engine for a family, with the adapter that the script names, if it does.
  private let engine: (URL, AdapterChoice?) throws -> FamilyBackend.Options

  public init(scripts: [String], engine: @escaping (URL, AdapterChoice?) throws -> FamilyBackend.Options) {
    self.scripts = scripts
    self.engine = engine
  }

  /// Why nothing could be run.
  public enum Failure: Error, CustomStringConvertible {
    case emptyFolder(String)
    case nothingMatches(filter: String)
    case notAScript(file: String)

    public var description: String {
      switch self {
      case .emptyFolder(let path): "\(path) has no scripts (.yaml, .yml, .jsonl)"
      case .nothingMatches(let filter): "no script's path contains “\(filter)”"
      case .notAScript(let file): "\(file): a saved conversation says what was said; --update changes scripts only"
      }
    }
  }

  /// - Parameters:
  ///   - note: receives lines for people: what changed in scripts.
  ///   - complain: receives what could not be changed in them.
  /// - Throws: `Failure`, `FileError`; what goes wrong within a script is part of the report.
  public func run(note: (String) -> Void, complain: (String) -> Void) throws -> ReplayReport {
    var report = ReplayReport([])
    for file in try files() {
      let result = try replay(file, note: note, complain: complain)
      report.results.append(result)
      if failsFast && result.status != .passed { break }
    }
    return report
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
      if found.isEmpty { throw Failure.emptyFolder(path) }
      files += found.sorted { $0.path < $1.path }
    }
    let chosen = filter.map { text in files.filter { $0.path.contains(text) } } ?? files
    if chosen.isEmpty { throw Failure.nothingMatches(filter: filter ?? "") }
    return chosen
  }

  private func replay(
    _ file: URL, note: (String) -> Void, complain: (String) -> Void
  ) throws -> ReplayResult {
    let script: Script
    do { script = try Script(contentsOf: file) } catch { return ReplayResult(script: file.relativePath, error: error) }
    if updates && script.format == .savedConversation {
      return ReplayResult(script: script.file, error: Failure.notAScript(file: file.relativePath))
    }
    let first = try run(script)
    if updates && first.error == nil { try update(script, with: first, in: file, note: note, complain: complain) }
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
    let options: FamilyBackend.Options
    do {
      let directory = try FamilyLocator().locate(script.family ?? family)
      options = try engine(directory, script.adapter.map { try AdapterChoice($0) })
    } catch { return ReplayResult(script: script.file, error: error) }
    let backend = FamilyBackend(options)
    var replayer = Replayer(script, backend: backend, options: chat)
    return replayer.run { summary in
      ReplayResult.Ground(
        family: summary.name, identity: backend.identity ?? "", adapterStep: summary.adapterStep,
        adapterHash: summary.adapterHash, threads: options.threads, instructionSet: instructionSet,
        seed: script.seed ?? chat.sampling.seed, version: version)
    }
  }

  private func update(
    _ script: Script, with result: ReplayResult, in file: URL, note: (String) -> Void, complain: (String) -> Void
  ) throws {
    let text = try String(contentsOf: file, encoding: .utf8)
    let update = ScriptUpdate(text, script: script, result: result)
    for omission in update.leftOut {
      complain("\(file.relativePath):\(omission.line): not updated: \(omission.reason)")
    }
    if update.text == text { return }
    // The file may be spelt in a way that this did not see through: what it does must stay what it was.
    // A text that is no script any more is refused like one that does something else.
    let again = try? Script(update.text, file: script.file, folder: file.deletingLastPathComponent())
    guard again?.steps.map(\.action) == script.steps.map(\.action) else {
      return complain(
        "\(file.relativePath): not updated: its spelling leaves no room for it; write each step on lines of its own")
    }
    note(([file.relativePath] + update.differences).joined(separator: "\n"))
    try AtomicFile.write(Data(update.text.utf8), to: file)
  }
}
