import FamilyFixture
import Foundation
import LLaMAStitch
import Testing
import Tokenizer

/// Where output goes and what may be in it.
@Suite struct OutputTests {
  @Test func fullDisk() throws {
    try Workspace.with { workspace in
      let family = workspace.family.path
      let commands: [([String], String)] = [
        (["ask", "x", "--raw", "--family", family], ""), (["ask", "x", "--family", family, "--json"], ""),
        (["family", "show", family], ""),
        (["family", "show", family, "--json"], ""),
        (["score", workspace.text.path, "--model", workspace.model.path], ""),
        (["tokenize", "x", "--model", workspace.model.path], ""), (["--help"], ""), (["--version"], ""),
        (["chat", "--plain", "--family", family], "hello\n"),
      ]
      for (arguments, input) in commands {
        let full = try FileHandle(forWritingTo: URL(filePath: "/dev/full"))
        let outcome = try workspace.run(arguments, input: Data(input.utf8), output: full)
        #expect(outcome.status == 2, "\(arguments)")
        #expect(
          outcome.complaint
            == "stitch: cannot write standard output: no space left on device; free some space, or use another directory\n",
          "\(arguments)")
      }
    }
  }

  @Test func closedPipe() throws {
    try Workspace.with { workspace in
      let family = workspace.family.path
      for (arguments, input) in [
        (["ask", "x", "--raw", "--family", family], ""), (["family", "show", family], ""), (["--help"], ""),
        (["chat", "--plain", "--family", family], "hello\n"),
      ] {
        let pipe = Pipe()
        try pipe.fileHandleForReading.close()
        let outcome = try workspace.run(arguments, input: Data(input.utf8), output: pipe.fileHandleForWriting)
        #expect(outcome.status == -SIGPIPE && outcome.complaint.isEmpty, "\(arguments): \(outcome)")
      }
    }
  }

  /// A model that answers anything with ESC and the one-character form of `ESC [`, in turns.
  private static func writeHostileModel(at url: URL, tokenizer: any Tokenizer, tokenizerFile: URL) throws {
    func token(_ piece: String) throws -> Int { try #require(tokenizer.token(forPiece: piece)) }
    let (escape, lead, control) = (try token("<0x1B>"), try token("<0xC2>"), try token("<0x9B>"))
    let configuration = LlamaConfiguration(
      vocabularySize: tokenizer.vocabularySize, hiddenSize: 8, intermediateSize: 8, blockCount: 2, headCount: 2,
      contextLength: 128)
    // Blocks add nothing; a token's direction, given by its row of the embedding, decides on the next one alone.
    var embedding = [Float](repeating: 0, count: tokenizer.vocabularySize * 8)
    var head = embedding
    for index in 0..<tokenizer.vocabularySize {
      embedding[index * 8 + (index == escape ? 1 : index == lead ? 2 : 0)] = 1
    }
    head[escape * 8] = 1
    head[lead * 8 + 1] = 1
    head[control * 8 + 2] = 1
    var weights: [LlamaTensor: VectorView] = [:]
    for tensor in configuration.tensorShapes {
      let count = tensor.shape.reduce(1, *)
      weights[tensor.tensor] = FloatBuffer([Float](repeating: tensor.shape.count == 1 ? 1 : 0, count: count)).vector
    }
    weights[.embedding] = FloatBuffer(embedding).vector
    weights[.head] = FloatBuffer(head).vector
    try ModelDirectory.write(
      to: url, configuration: configuration, files: ["tokenizer.model": Data(contentsOf: tokenizerFile)]
    ) { weights[$0]! }
  }

  @Test func controlCharactersOfAModel() throws {
    try Workspace.with { workspace in
      let tokenizerFile = workspace.model.appending(path: "tokenizer.model")
      let tokenizer = try loadTokenizer(from: workspace.model.path)
      let names = ["small", "large"].map { workspace.directory.appending(path: $0) }
      for url in names { try Self.writeHostileModel(at: url, tokenizer: tokenizer, tokenizerFile: tokenizerFile) }
      let calibration = workspace.directory.appending(path: "calibration.txt")
      try Data((0..<30).map { "hello number \($0)" }.joined(separator: "\n\n").utf8).write(to: calibration)
      let built = try workspace.run(
        ["family", "build", "--template", "tiny", "--calibration", calibration.path, "--output", workspace.output.path]
          + names.flatMap { ["--anchor", $0.path] })
      #expect(built.status == 0, "\(built.complaint)")

      let ask = ["ask", "x", "--max-tokens", "9", "--family", workspace.output.path, "--stitch", "large"]
      // In a file it is what the model said.
      let said = "\u{1B}\u{9B}\u{1B}\u{9B}\u{1B}\u{9B}"
      #expect(try workspace.run(ask).text == said)
      #expect(try workspace.run(ask + ["--json"]).text.contains(#"\u001b\u009b"#))
      for arguments in [ask, ask + ["--json"], ask + ["--raw"]] {
        let shown = try onTerminal(arguments, workspace)
        #expect(shown.contains { $0 == UInt8(ascii: "\n") })
        let text = String(decoding: shown, as: UTF8.self)
        #expect(
          text.unicodeScalars.allSatisfy { $0 == "\n" || $0 == "\r" || $0.properties.generalCategory != .control },
          "\(text.debugDescription)")
      }
      #expect(
        try String(decoding: onTerminal(ask, workspace), as: UTF8.self) == String(repeating: "\u{FFFD}", count: 6)
          + "\r\n")
      // A plain chat is for terminals, wherever it goes.
      let chat = try workspace.run(
        ["chat", "--plain", "--max-tokens", "9", "--family", workspace.output.path, "--stitch", "large"],
        input: Data("hello\u{1B}[2J\n".utf8))
      #expect(chat.status == 0 && chat.complaint.isEmpty)
      #expect(chat.text.contains("assistant> \u{241B}\u{FFFD}\u{241B}\u{FFFD}\u{241B}\u{FFFD}\n"))
      #expect(chat.text.unicodeScalars.allSatisfy { $0 == "\n" || $0.properties.generalCategory != .control })
    }
  }

  private func onTerminal(_ arguments: [String], _ workspace: Workspace) throws -> Data {
    let terminal = try PseudoTerminal()
    let process = workspace.process(arguments)
    process.standardOutput = terminal.handle
    try terminal.start(process)
    var shown = Data()
    while let more = try terminal.read() { shown += more }
    process.waitUntilExit()
    #expect(process.terminationStatus == 0)
    return shown
  }
}
