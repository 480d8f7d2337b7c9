import Foundation
import Testing

/// Commands on a real model, where one lies beside the package: `../shared/data/stories260K`.
@Suite struct AskCommandTests {
  static let stories = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().appending(path: "../shared/data/stories260K").standardizedFileURL
  static var hasStories: Bool {
    FileManager.default.fileExists(atPath: stories.appending(path: "model.safetensors").path)
  }

  @Test(.enabled(if: hasStories)) func greedyTextIsThatOfTransformers() throws {
    struct Golden: Decodable {
      let prompt: String
      let text: String
    }
    let golden = try JSONDecoder().decode(
      Golden.self, from: Data(contentsOf: Self.stories.appending(path: "greedy.json")))
    let arguments = ["ask", "--raw", "--model", Self.stories.path, "--max-tokens", "100", "--temperature", "0"]
    for threads in ["1", "2", "3"] {
      let found = try StitchProcess.run(arguments + ["--threads", threads, golden.prompt])
      #expect(found == .init(status: 0, output: Data(golden.text.utf8), complaint: ""))
    }
    #expect(try StitchProcess.run(arguments, input: Data(golden.prompt.utf8)).text == golden.text)

    // Token for token.
    struct Reply: Decodable {
      let tokens: [Int]
      let text: String
      let finish_reason: String
    }
    let json = try StitchProcess.run(arguments + ["--json", golden.prompt])
    let reply = try JSONDecoder().decode(Reply.self, from: json.output)
    let ids = try StitchProcess.run(["tokenize", "--model", Self.stories.path, golden.text])
    let prompt = try StitchProcess.run(["tokenize", "--model", Self.stories.path, golden.prompt])
    let all = ids.text.split(whereSeparator: \.isWhitespace).map { Int($0)! }
    let start = prompt.text.split(whereSeparator: \.isWhitespace).count
    #expect(reply.tokens == Array(all[start...]) && golden.prompt + reply.text == golden.text)
    #expect(reply.finish_reason == "length")
  }

  @Test(.enabled(if: hasStories)) func theSameSeedGivesTheSameText() throws {
    func text(_ seed: String) throws -> String {
      try StitchProcess.run([
        "ask", "Once", "--raw", "--model", Self.stories.path, "--max-tokens", "30", "--temperature", "1", "--top-p",
        "0.95", "--seed", seed,
      ]).text
    }
    #expect(try text("5") == text("5"))
    #expect(try text("5") != text("6"))
  }

  @Test(.enabled(if: hasStories)) func scoresAddUp() throws {
    struct Report: Decodable {
      let tokens: Int
      let mean_nll: Double
      let perplexity: Double
      let nll: [Double]
    }
    let text = Data("Once upon a time, there was a little girl named Lily.\n".utf8)
    try StitchProcess.withTemporaryDirectory { directory in
      let file = directory.appending(path: "text.txt")
      try text.write(to: file)
      let found = try StitchProcess.run(["score", file.path, "--model", Self.stories.path, "--json"])
      let report = try JSONDecoder().decode(Report.self, from: found.output)
      let ids = try StitchProcess.run(["tokenize", "--model", Self.stories.path], input: text)
      #expect(report.tokens == ids.text.split(whereSeparator: \.isWhitespace).count)
      #expect(report.nll.count == report.tokens)
      #expect(abs(report.nll.reduce(0, +) / Double(report.tokens) - report.mean_nll) < 1e-9)
      #expect(abs(exp(report.mean_nll) - report.perplexity) < 1e-9 && report.perplexity < 5)
      #expect(try StitchProcess.run(["score", "-", "--model", Self.stories.path, "--json"], input: text) == found)
      #expect(try StitchProcess.run(["score", file.path, "--model", Self.stories.path]).text.contains("perplexity"))
    }
  }

  /// What is piped comes after the prompt and an empty line.
  @Test func pipedTextFollowsThePrompt() throws {
    try Workspace.with { workspace in
      func prompt(_ arguments: [String], _ input: String) throws -> Int {
        let outcome = try workspace.run(
          ["ask", "--raw", "--max-tokens", "1", "--json", "--model", workspace.model.path] + arguments,
          input: Data(input.utf8))
        #expect(outcome.status == 0, "\(outcome.complaint)")
        let report = try #require(try JSONSerialization.jsonObject(with: outcome.output) as? [String: Any])
        return try #require(report["prompt_tokens"] as? Int)
      }
      let whole = try prompt([], "ab\n\ncd ef")
      #expect(try prompt(["ab"], "cd ef") == whole)
      #expect(try prompt(["ab"], "") < whole)
    }
  }

  /// A negative number is a value, of which it is said which there are.
  @Test func negativeValuesAreValues() throws {
    for (option, values) in [("--max-tokens", "must be 0 or more"), ("--temperature", "a value 0 or more")] {
      let outcome = try StitchProcess.run(["ask", option, "-1", "x"])
      #expect(outcome.status == 2 && outcome.complaint.contains(option) && outcome.complaint.contains(values))
    }
  }

  @Test func failuresAreOneLineAndExitCode2() throws {
    try StitchProcess.withTemporaryDirectory { directory in
      let empty = directory.appending(path: "empty.txt")
      try Data().write(to: empty)
      let model = Self.hasStories ? Self.stories.path : "/no/such"
      var cases: [([String], String)] = [
        (["ask", "x", "--model", "/no/such"], "/no/such"), (["score", "/no/such", "--model", model], "/no/such"),
        (["ask", "x", "--model", model, "--top-p", "0"], "top-p"),
        (["ask", "x", "--model", model, "--temperature", "warm"], "warm"),
        (["ask", "x", "--model", model, "--family", "y"], "--family"), (["ask", "x", "--threads", "0"], "--threads"),
      ]
      if Self.hasStories {
        let foreign = directory.appending(path: "foreign")
        try FileManager.default.copyItem(at: Self.stories, to: foreign)
        let weights = foreign.appending(path: "model.safetensors")
        cases += [
          (["score", empty.path, "--model", model], "nothing to score"),
          (["ask", "", "--model", model], "empty"),
          (["ask", String(repeating: "word ", count: 2000), "--raw", "--model", model], "512"),
        ]
        try (try Data(contentsOf: weights)).dropLast(100).write(to: weights)
        cases.append((["ask", "x", "--model", foreign.path], weights.path))
      }
      for (arguments, part) in cases {
        let outcome = try StitchProcess.run(arguments)
        #expect(outcome.status == 2 && outcome.output.isEmpty, "\(arguments)")
        #expect(outcome.complaint.hasPrefix("stitch: ") && outcome.complaint.contains(part), "\(outcome.complaint)")
        #expect(outcome.complaint.filter { $0 == "\n" }.count == 1, "\(outcome.complaint)")
      }
    }
  }

  /// On the toy family, whose vocabulary is SentencePiece's.
  @Test func aReplyKeepsTheFormThatIsAskedFor() throws {
    try StitchProcess.withTemporaryDirectory { directory in
      let schema = directory.appending(path: "schema.json")
      try Data(
        #"{"type": "object", "properties": {"n": {"type": "integer", "maximum": 20, "minimum": 10}, "ok": {"type": "boolean"}}, "required": ["n", "ok"]}"#
          .utf8
      ).write(to: schema)
      func ask(_ options: [String]) throws -> StitchProcess.Outcome {
        try StitchProcess.run(["ask", "what is 3 + 4?", "--family", "weights/tiny", "--temperature", "1"] + options)
      }
      struct Reply: Decodable {
        let n: Int
        let ok: Bool
      }
      for seed in ["1", "2", "3"] {
        let outcome = try ask(["--schema", schema.path, "--seed", seed])
        #expect(outcome.status == 0, "\(outcome.complaint)")
        let reply = try JSONDecoder().decode(Reply.self, from: outcome.output)
        #expect((10...20).contains(reply.n))
      }
      #expect(["ab", "ac"].contains(try ask(["--grammar", try grammar("root ::= \"a\" [bc]", in: directory)]).text))
      // What is cut off is no whole document.
      let cut = try ask(["--schema", schema.path, "--max-tokens", "2"])
      #expect(cut.status == 1 && cut.complaint.contains("raise --max-tokens"))
      for (options, cause) in [
        (["--schema", "{\"type\": \"strin\"}"], "is no type"), (["--schema", directory.path + "/none"], "none"),
        (["--grammar", try grammar("root ::= x", in: directory)], "rule “x”"),
        (["--schema", schema.path, "--json-object"], "exclude one another"),
      ] {
        let refused = try ask(options)
        #expect(
          refused.status == 2 && refused.text.isEmpty && refused.complaint.contains(cause), "\(refused.complaint)")
      }
    }
  }

  private func grammar(_ text: String, in directory: URL) throws -> String {
    let file = directory.appending(path: "\(UUID().uuidString).gbnf")
    try Data(text.utf8).write(to: file)
    return file.path
  }
}
