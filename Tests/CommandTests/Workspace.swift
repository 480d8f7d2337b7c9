import FamilyFixture
import Foundation
import LLaMAStitch
import Support
import Testing

/// A directory with a family, a model and data to damage, and the check that a command refuses what is wrong with them.
struct Workspace {
  let directory: URL
  var family: URL { directory.appending(path: "family") }
  /// The family's anchor `small` as a model directory of its own.
  var model: URL { directory.appending(path: "model") }
  var text: URL { directory.appending(path: "text.txt") }
  var lesson: URL { directory.appending(path: "lesson.jsonl") }
  /// What a command would write.
  var output: URL { directory.appending(path: "output") }
  /// The user's own directories; not part of the snapshot where a command may rightly write there.
  var home: URL { directory.appending(path: "home") }

  static func with(_ body: (Workspace) throws -> Void) throws {
    try StitchProcess.withTemporaryDirectory { directory in
      let workspace = Workspace(directory: directory.resolvingSymlinksInPath())
      try RandomFamily.make(at: workspace.family)
      try workspace.makeModel("small", at: workspace.model)
      try Data("the cat sat on the mat\n".utf8).write(to: workspace.text)
      try Data(RandomFamily.lesson(count: 12).utf8).write(to: workspace.lesson)
      try body(workspace)
    }
  }

  /// An anchor of the family, with its tokenizer.
  func makeModel(_ anchor: String, at url: URL) throws {
    try FileManager.default.copyItem(at: family.appending(path: "anchors/\(anchor)"), to: url)
    try FileManager.default.copyItem(
      at: family.appending(path: "tokenizer.model"), to: url.appending(path: "tokenizer.model"))
  }

  /// A plan for a network that trains within seconds.
  /// - Parameter atOnce: tokens of a micro-batch; `nil`: as many as suit.
  func pretrainingPlan(tokens: Int, perStep: Int, atOnce: Int? = nil) throws -> URL {
    let plan = directory.appending(path: "plan.yaml")
    let lines = [
      "hiddenSize: 16", "intermediateSize: 32", "blockCount: 1", "headCount: 2", "contextLength: 16",
      "tokens: \(tokens)", "tokensPerStep: \(perStep)", "learningRate: 0.003", "seed: 5",
      atOnce.map { "tokensAtOnce: \($0)" } ?? "",
    ]
    try Data(lines.joined(separator: "\n").utf8).write(to: plan)
    return plan
  }

  /// Runs `body` on a copy of a file's directory entry: afterwards the file is as it was.
  func restoring(_ file: URL, _ body: () throws -> Void) throws {
    let kept = directory.appending(path: "kept-\(UUID().uuidString)")
    try FileManager.default.copyItem(at: file, to: kept)
    try body()
    try? FileManager.default.removeItem(at: file)
    try FileManager.default.moveItem(at: kept, to: file)
  }

  /// Replaces text in a file, which must be there.
  func replace(_ old: String, by new: String, in file: URL) throws {
    let text = try String(contentsOf: file, encoding: .utf8)
    try #require(text.contains(old), "\(file.lastPathComponent) has no \(old)")
    try Data(text.replacing(old, with: new).utf8).write(to: file)
  }

  /// Where the program finds and puts a user's files.
  var environment: [String: String] {
    Dictionary(uniqueKeysWithValues: ["XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME"].map { ($0, home.path) })
  }

  func run(_ arguments: [String], input: Data = Data(), output: FileHandle? = nil) throws -> StitchProcess.Outcome {
    try StitchProcess.run(arguments, input: input, environment: environment, output: output)
  }

  /// The program, not started yet, without input.
  func process(_ arguments: [String]) -> Process {
    let process = Process()
    process.executableURL = StitchProcess.executable
    process.arguments = arguments
    process.environment = StitchProcess.environment.merging(environment) { $1 }
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = FileHandle.nullDevice
    process.standardError = FileHandle.nullDevice
    return process
  }

  /// Expects exit code 2, nothing on standard output, one line on standard error that holds all of `parts`, and
  /// every file as it was.
  /// - Parameter lines: more than one where the work had begun: what was done comes first.
  func expectRefusal(
    _ arguments: [String], _ parts: [String], input: Data = Data(), lines: Int = 1,
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let before = try snapshot()
    let outcome = try run(arguments, input: input)
    let note = Comment(rawValue: "\(arguments.joined(separator: " "))\n\(outcome.complaint)")
    #expect(outcome.status == 2, note, sourceLocation: sourceLocation)
    #expect(outcome.output.isEmpty, note, sourceLocation: sourceLocation)
    let written = outcome.complaint.split(separator: "\n", omittingEmptySubsequences: false)
    let complaint = written.dropLast().last ?? ""
    #expect(complaint.hasPrefix("stitch: "), note, sourceLocation: sourceLocation)
    #expect(written.count == lines + 1 && written.last == "", note, sourceLocation: sourceLocation)
    for part in parts where !complaint.contains(part) {
      Issue.record("“\(part)” is missing in: \(outcome.complaint)", sourceLocation: sourceLocation)
    }
    #expect(try snapshot() == before, note, sourceLocation: sourceLocation)
  }

  /// Every path below the directory with the file's content, or what kind of thing it is.
  func snapshot() throws -> [String: String] {
    var found: [String: String] = [:]
    let paths = try FileManager.default.subpathsOfDirectory(atPath: directory.path)
    // Any command may remember the digest of a file that it has read.
    let remembered = ["home", "home/stitch", "home/stitch/digests"]
    for path in paths where !remembered.contains(path) && !path.hasPrefix("home/stitch/digests/") {
      let url = directory.appending(path: path)
      let type = try FileManager.default.attributesOfItem(atPath: url.path)[.type] as? FileAttributeType
      found[path] =
        type == .typeRegular
        ? SHA256.hexadecimal(of: Array(try Data(contentsOf: url))) : type?.rawValue ?? "unknown"
    }
    return found
  }
}
