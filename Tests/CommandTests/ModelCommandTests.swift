import Foundation
import Testing

/// Single models: by directory, by file and by name, in every command that takes one.
@Suite struct ModelCommandTests {
  /// The workspace's small anchor as a GGUF file.
  private func gguf(_ workspace: Workspace, named name: String = "small-model.F32.gguf") throws -> URL {
    let file = workspace.directory.appending(path: name)
    let written = try workspace.run([
      "export", "--family", workspace.family.path, "--stitch", "small", "--format", "gguf", "--output", file.path,
    ])
    #expect(written.status == 0, "\(written.complaint)")
    return file
  }

  private func packs(_ workspace: Workspace) -> [String] {
    let directory = workspace.home.appending(path: "stitch/models").path
    return ((try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? []).filter { !$0.hasPrefix(".") }
  }

  @Test func aFileIsPackedOnceAndAnswersLikeTheDirectory() throws {
    try Workspace.with { workspace in
      let file = try gguf(workspace)
      func ask(_ model: URL) throws -> StitchProcess.Outcome {
        try workspace.run(["ask", "hello there", "--raw", "--max-tokens", "12", "--model", model.path])
      }
      let first = try ask(file)
      #expect(first.status == 0 && first.complaint.contains("packing small-model.F32.gguf, once"), "\(first.complaint)")
      #expect(packs(workspace).count == 1 && packs(workspace)[0].hasPrefix("small-model.F32-"))
      let again = try ask(file)
      #expect(again.complaint.isEmpty && again.output == first.output)
      #expect(try ask(workspace.model).output == first.output)
      // Another file of the same content is the same model.
      let copy = workspace.directory.appending(path: "small-model.F32.copy/small-model.F32.gguf")
      try FileManager.default.createDirectory(at: copy.deletingLastPathComponent(), withIntermediateDirectories: true)
      try FileManager.default.copyItem(at: file, to: copy)
      #expect(try ask(copy.deletingLastPathComponent()).output == first.output)
      #expect(packs(workspace).count == 1)
      // A damaged file is packed to nothing.
      let damaged = workspace.directory.appending(path: "damaged.gguf")
      try Data(contentsOf: file).prefix(5_000).write(to: damaged)
      let refused = try ask(damaged)
      #expect(refused.status == 2 && refused.complaint.contains("damaged.gguf"), "\(refused.complaint)")
      #expect(packs(workspace).count == 1)

      let list = try workspace.run(["models", "list"])
      #expect(list.text.contains("smollm2-135m") && list.text.contains(packs(workspace)[0]), "\(list.text)")
      let removed = try workspace.run(["models", "remove", packs(workspace)[0]])
      #expect(removed.status == 0 && packs(workspace).isEmpty)
      #expect(FileManager.default.fileExists(atPath: file.path))
    }
  }

  @Test func aModelInPartsIsNamedByAnyOfThem() throws {
    let fixtures = URL(fileURLWithPath: #filePath)
      .appending(path: "../../LLaMAStitchTests/Fixtures/gguf").standardizedFileURL
    try Workspace.with { workspace in
      let folder = workspace.directory.appending(path: "parts")
      try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
      let parts = (1...3).map { folder.appending(path: "tiny-0000\($0)-of-00003.gguf") }
      for part in parts {
        try FileManager.default.copyItem(at: fixtures.appending(path: part.lastPathComponent), to: part)
      }
      func arguments(_ model: URL) -> [String] {
        ["ask", "abba", "--raw", "--max-tokens", "6", "--temperature", "0", "--model", model.path]
      }
      let whole = try workspace.run(arguments(fixtures.appending(path: "tiny.gguf")))
      #expect(whole.status == 0, "\(whole.complaint)")
      for model in [folder] + parts {
        let answer = try workspace.run(arguments(model))
        #expect(answer.status == 0 && answer.output == whole.output, "\(answer.complaint)")
      }
      // Packed once, beside the whole one; any part is part of the key.
      #expect(
        packs(workspace).count == 2 && packs(workspace).allSatisfy { $0.hasPrefix("tiny-") }, "\(packs(workspace))")
      var last = try Data(contentsOf: parts[2])
      last[last.count - 40] ^= 1
      try last.write(to: parts[2])
      #expect(try workspace.run(arguments(parts[0])).status == 0)
      #expect(packs(workspace).count == 3)
      try FileManager.default.removeItem(at: parts[1])
      for model in [folder, parts[0], parts[2]] {
        try workspace.expectRefusal(arguments(model), [parts[1].path, "part 2 of the 3", "is missing"])
      }
      try workspace.expectRefusal(
        ["import", parts[0].path, "--output", workspace.output.path], [parts[1].path, "is missing"])
      #expect(packs(workspace).count == 3)
    }
  }

  /// What its makers would have holds where the person says nothing.
  @Test func aModelBringsItsWayToWrite() throws {
    try Workspace.with { workspace in
      let configuration = workspace.model.appending(path: "tokenizer_config.json")
      try Data("{\"chat_template\": \"tiny\"}".utf8).write(to: configuration)
      func ask(_ more: String...) throws -> StitchProcess.Outcome {
        let outcome = try workspace.run(
          ["ask", "hello there", "--max-tokens", "24", "--json", "--model", workspace.model.path] + more)
        #expect(outcome.status == 0, "\(outcome.complaint)")
        return outcome
      }
      func settings(_ more: String...) throws -> String {
        let outcome = try workspace.run(
          ["chat", "--plain", "--model", workspace.model.path] + more, input: Data("/set\n/quit\n".utf8))
        return outcome.text
      }
      struct Reply: Decodable {
        var tokens: [Int]
        var finishReason: String
      }
      func reply(_ outcome: StitchProcess.Outcome) throws -> Reply {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        return try decoder.decode(Reply.self, from: outcome.output)
      }
      let greedy = try reply(ask())
      #expect(try settings().contains("temperature 0"))
      let file = workspace.model.appending(path: "generation_config.json")
      try Data("{\"do_sample\": true, \"temperature\": 3.5, \"top_k\": 40, \"top_p\": 0.95}".utf8).write(to: file)
      #expect(try reply(ask()).tokens != greedy.tokens)
      #expect(try reply(ask("--temperature", "0")).tokens == greedy.tokens)
      let shown = try settings("--top-k", "7")
      #expect(
        shown.contains("temperature 3.5") && shown.contains("top_p 0.95") && shown.contains("top_k 7"), "\(shown)")
      let printed = try workspace.run(["chat", "--model", workspace.model.path, "--print-config", "--top-k", "7"])
      for line in ["temperature: 3.5\n", "top_p: 0.95\n", "top_k: 7\n"] {
        #expect(printed.text.contains(line), "\(printed.text)\(printed.complaint)")
      }
      // The first token that it writes ends a text, says the file.
      try Data("{\"eos_token_id\": [\(greedy.tokens[0])]}".utf8).write(to: file)
      let ended = try reply(ask())
      #expect(ended.tokens.isEmpty && ended.finishReason == "stop", "\(ended)")
      try Data("{\"do_sample\": true, \"temperature\": -1}".utf8).write(to: file)
      for command in ["ask", "chat"] {
        try workspace.expectRefusal(
          [command, "--model", workspace.model.path] + (command == "ask" ? ["x"] : ["--plain"]),
          ["generation_config.json", "temperature is -1", "delete it"])
      }
    }
  }

  /// Files as converters of old and other programs write them, through the program.
  @Test func anOddFileAnswers() throws {
    try Workspace.with { workspace in
      let fixture = URL(fileURLWithPath: #filePath)
        .appending(path: "../../LLaMAStitchTests/Fixtures/gguf/odd.gguf").standardizedFileURL
      func ask(_ file: URL) -> [String] {
        ["ask", "abba", "--raw", "--max-tokens", "200", "--model", file.path]
      }
      // The embedding has eight rows that are no tokens: none is written, however often is drawn.
      let drawn = try workspace.run(ask(fixture) + ["--temperature", "4", "--top-k", "0"])
      #expect(drawn.status == 0, "\(drawn.complaint)")
      #expect(packs(workspace).count == 1)
      let pack = workspace.home.appending(path: "stitch/models").appending(path: packs(workspace)[0])
      let defaults = try String(contentsOf: pack.appending(path: "generation_config.json"), encoding: .utf8)
      #expect(defaults.contains("\"temperature\" : 0.5"), "\(defaults)")
      let damaged = workspace.directory.appending(path: "damaged.gguf")
      var data = try Data(contentsOf: fixture)
      data.replaceSubrange(data.count - 34..<data.count - 32, with: [0xFF, 0x7F])
      try data.write(to: damaged)
      let refused = try workspace.run(ask(damaged))
      #expect(
        refused.status == 2 && refused.complaint.contains("“output.weight” has values that are"), "\(refused.complaint)"
      )
      #expect(packs(workspace).count == 1)
    }
  }

  @Test func aModelIsAFamilyOfOne() throws {
    try Workspace.with { workspace in
      // Alpaca's preamble alone would fill its context.
      let configuration = workspace.model.appending(path: "tokenizer_config.json")
      try Data("{\"chat_template\": \"tiny\"}".utf8).write(to: configuration)
      let file = try gguf(workspace)
      let chat = try workspace.run(
        ["chat", "--plain", "--model", file.path, "--max-tokens", "4"], input: Data("hello\n/quit\n".utf8))
      #expect(chat.status == 0, "\(chat.complaint)")
      let shown = try workspace.run(["family", "show", workspace.model.path, "--json"])
      #expect(shown.text.contains("\"id\" : \"model\""), "\(shown.text)\(shown.complaint)")
      // It learns, and what it learned is a family.
      let adapted = try workspace.run([
        "adapt", "--family", workspace.model.path, "--data", workspace.lesson.path, "--steps", "2", "--output",
        workspace.output.path,
      ])
      #expect(adapted.status == 0, "\(adapted.complaint)")
      let score = try workspace.run(["score", workspace.text.path, "--family", workspace.output.path])
      #expect(score.status == 0, "\(score.complaint)")
      #expect(!FileManager.default.fileExists(atPath: workspace.model.appending(path: "family.json").path))

      let script = workspace.directory.appending(path: "script.yaml")
      try Data("steps:\n  - user: hello\n    expect: {max_tokens: 128}\n".utf8).write(
        to: script)
      let replayed = try workspace.run(["replay", script.path, "--model", workspace.model.path])
      #expect(replayed.status == 0, "\(replayed.complaint)\(replayed.text)")
    }
  }

  @Test func whatIsNoModelIsRefused() throws {
    try Workspace.with { workspace in
      try workspace.expectRefusal(
        ["ask", "x", "--model", "smollm2-135n"], ["smollm2-135n", "did you mean smollm2-135m"])
      try workspace.expectRefusal(
        ["ask", "x", "--model", "smollm2-135m"], ["stitch models pull smollm2-135m", "93 MB"])
      try workspace.expectRefusal(
        ["tokenize", "x", "--model", "smollm2-135m"], ["stitch models pull smollm2-135m", "93 MB"])
      try workspace.expectRefusal(
        ["tokenize", "x", "--model", "smollm2-135n"], ["smollm2-135n", "did you mean smollm2-135m"])
      try workspace.expectRefusal(["ask", "x", "--model", workspace.text.path], [workspace.text.path, "GGUF"])
      try workspace.expectRefusal(["ask", "x", "--model", workspace.home.path], ["no model"])
      try workspace.expectRefusal(["models", "pull", "gpt-7"], ["gpt-7", "stitch models list"])
      try workspace.expectRefusal(["models", "remove", "smollm2-135m"], ["nothing of smollm2-135m is here"])
      try workspace.expectRefusal(
        ["models", "pull", "smollm2-135m", "--wheel", workspace.text.path], [workspace.text.path, "SHA-256"])
      try workspace.expectRefusal(
        ["chat", "--model", workspace.model.path, "--family", workspace.family.path], ["--model does not go with"])
    }
  }
}
