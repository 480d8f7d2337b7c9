import Foundation
import Testing

@Suite struct TokenizeCommandTests {
  /// A directory with a tokenizer made by `stitch train-tokenizer`.
  static func withModel(_ body: (String) throws -> Void) throws {
    try StitchProcess.withTemporaryDirectory { directory in
      let lines = (0..<50).flatMap { ["{\"text\": \"the cat sat on mat \($0)\"}", "{\"text\": \"one\\ntwo, three\"}"] }
      let data = directory.appending(path: "data.jsonl")
      try Data(lines.joined(separator: "\n").utf8).write(to: data)
      let output = directory.appending(path: "tokenizer.model").path
      let trained = try StitchProcess.run([
        "train-tokenizer", "--data", data.path, "--vocabulary-size", "300", "--output", output, "--control-symbol",
        "<|user|>",
      ])
      #expect(trained == .init(status: 0, output: Data(), complaint: ""))
      try body(directory.path)
    }
  }

  @Test func roundTripOfBytes() throws {
    try Self.withModel { model in
      for text in ["the cat", "", "\n", "a\u{0}b\n\n  c  \r\n😀", "<|user|></s>"] {
        let ids = try StitchProcess.run(["tokenize", "--model", model], input: Data(text.utf8))
        #expect(ids.status == 0 && ids.text.hasSuffix("\n") && ids.complaint.isEmpty)
        let back = try StitchProcess.run(["tokenize", "--decode", "--model", model], input: ids.output)
        #expect(back == .init(status: 0, output: Data(text.utf8), complaint: ""))
      }
    }
  }

  @Test func argumentsAndFilesAreTheSame() throws {
    try Self.withModel { model in
      let fromArgument = try StitchProcess.run(["tokenize", "the cat", "--model", model])
      let fromInput = try StitchProcess.run(
        ["tokenize", "--model", model + "/tokenizer.model"], input: Data("the cat".utf8))
      #expect(fromArgument == fromInput)
      #expect(try StitchProcess.run(["tokenize", fromArgument.text, "--decode", "--model", model]).text == "the cat")
    }
  }

  @Test func manyTextsALine() throws {
    try Self.withModel { model in
      let texts = ["the cat", "", "one\n", "\u{0}é😀 </s>"]
      let lines = try texts.map { String(decoding: try JSONEncoder().encode($0), as: UTF8.self) + "\n" }.joined()
      let ids = try StitchProcess.run(["tokenize", "--lines", "--model", model], input: Data(lines.utf8))
      #expect(ids.status == 0 && ids.complaint.isEmpty)
      let lists = ids.text.split(separator: "\n", omittingEmptySubsequences: false).dropLast()
      try #require(lists.count == texts.count)
      for (text, list) in zip(texts, lists) {
        let alone = try StitchProcess.run(["tokenize", "--model", model], input: Data(text.utf8)).text
        #expect("[" + alone.dropLast().replacing(" ", with: ",") + "]" == list)
      }
      let back = try StitchProcess.run(["tokenize", "--lines", "--decode", "--model", model], input: ids.output)
      let decoded = try back.text.split(separator: "\n").map {
        try JSONDecoder().decode(String.self, from: Data($0.utf8))
      }
      #expect(decoded == texts)
    }
  }

  @Test func failuresAreOneLineAndExitCode2() throws {
    try Self.withModel { model in
      let cases: [([String], String)] = [
        (["tokenize", "x", "--model", "/no/such"], "there is no model /no/such"),
        (["tokenize", "x", "--model", model + "/data.jsonl"], "is not a SentencePiece model"),
        (["tokenize", "--decode", "300", "--model", model], "token 300 is outside the vocabulary (0 to 299)"),
        (["tokenize", "--decode", "5 x", "--model", model], "'x' is not a token id"),
        (["tokenize", "--lines", "\"a\"\nb", "--model", model], "line 2: invalid JSON"),
        (["tokenize", "--lines", "[1]", "--model", model], "line 1: give a JSON string"),
        (["tokenize", "--lines", "--decode", "[1, \"a\"]", "--model", model], "line 1: give a JSON list"),
        (["tokenize", "x"], "--model"), (["no-such-command"], "no-such-command"),
        (["--no-such-option"], "--no-such-option"),
        (["train-tokenizer", "--data", "/no/such", "--vocabulary-size", "300", "--output", model + "/x"], "/no/such"),
        (
          ["train-tokenizer", "--data", model + "/data.jsonl", "--vocabulary-size", "9", "--output", model + "/x"],
          "size 9"
        ),
      ]
      for (arguments, part) in cases {
        let outcome = try StitchProcess.run(arguments)
        #expect(outcome.status == 2 && outcome.output.isEmpty)
        #expect(outcome.complaint.hasPrefix("stitch: ") && outcome.complaint.contains(part))
        #expect(outcome.complaint.filter { $0 == "\n" }.count == 1 && outcome.complaint.hasSuffix("\n"))
      }
    }
  }

  @Test func helpAndVersion() throws {
    for arguments in [["--help"], ["tokenize", "--help"], ["--version"], ["help", "tokenize"]] {
      let outcome = try StitchProcess.run(arguments)
      #expect(outcome.status == 0 && !outcome.output.isEmpty && outcome.complaint.isEmpty)
    }
  }
}
