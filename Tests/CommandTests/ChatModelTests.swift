import Foundation
import Testing

/// A small chat model as its makers would publish it, with byte-level BPE and a Jinja template, beside what transformers
/// makes of it (scripts/chat_model_fixture.py).
@Suite struct ChatModelTests {
  private static let model = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appending(
    path: "Fixtures/chat-model")

  private struct Expected: Decodable {
    struct Reply: Decodable {
      var prompt: String
      var promptTokens: Int
      var tokens: [Int]
      var text: String
    }
    var replies: [Reply]
    var text: String
    var losses: [Double]
  }

  private struct Answer: Decodable {
    var promptTokens: Int
    var tokens: [Int]
    var text: String
    var finishReason: String
  }

  private struct Scores: Decodable { var nll: [Double] }

  /// What commands print is spelled in snake case.
  private func decoded<Value: Decodable>(_ data: Data) throws -> Value {
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    return try decoder.decode(Value.self, from: data)
  }

  private func expected() throws -> Expected {
    try JSONDecoder().decode(Expected.self, from: Data(contentsOf: Self.model.appending(path: "expected.json")))
  }

  private func expectReplies(_ workspace: Workspace, of model: URL) throws {
    for reply in try expected().replies {
      let asked = try workspace.run(["ask", reply.prompt, "--model", model.path, "--max-tokens", "40", "--json"])
      try #require(asked.status == 0, "\(asked.complaint)")
      let answer: Answer = try decoded(asked.output)
      #expect(answer.promptTokens == reply.promptTokens && answer.tokens == reply.tokens && answer.text == reply.text)
      #expect(answer.finishReason == "stop")
    }
  }

  @Test func repliesAndLossesAreThoseOfTransformers() throws {
    try Workspace.with { workspace in
      try expectReplies(workspace, of: Self.model)
      let expected = try expected()
      let text = workspace.directory.appending(path: "prose.txt")
      try Data(expected.text.utf8).write(to: text)
      let scored = try workspace.run(["score", text.path, "--model", Self.model.path, "--json"])
      let found = (try decoded(scored.output) as Scores).nll
      try #require(found.count == expected.losses.count)
      for (ours, theirs) in zip(found, expected.losses) { #expect(abs(ours - theirs) < 1e-4) }
    }
  }

  /// The number of tokens that continuing a text begins with.
  private func promptTokens(_ text: String, _ workspace: Workspace, of model: URL) throws -> Int {
    let asked = try workspace.run(["ask", text, "--raw", "--model", model.path, "--max-tokens", "1", "--json"])
    try #require(asked.status == 0, "\(asked.complaint)")
    return (try decoded(asked.output) as Answer).promptTokens
  }

  /// The model has a token to begin a text with, and its texts begin without, as transformers and llama.cpp have it.
  @Test func aTextBeginsAsTheTokenizerSays() throws {
    try Workspace.with { workspace in
      let prompt = "Once upon a time"
      let ids = try workspace.run(["tokenize", prompt, "--model", Self.model.path]).text.split(separator: " ")
      #expect(try promptTokens(prompt, workspace, of: Self.model) == ids.count)
      let copy = workspace.directory.appending(path: "copy")
      try FileManager.default.copyItem(at: Self.model, to: copy)
      let configuration = copy.appending(path: "tokenizer_config.json")
      let text = try String(contentsOf: configuration, encoding: .utf8)
      try Data(text.replacing("{", with: "{\"add_bos_token\": true,", maxReplacements: 1).utf8).write(to: configuration)
      #expect(try promptTokens(prompt, workspace, of: copy) == ids.count + 1)

      let name = Data("tokenizer.ggml.add_bos_token".utf8)
      for (model, expected) in [(Self.model, false), (copy, true)] {
        let file = workspace.directory.appending(path: "\(expected).gguf")
        let written = try workspace.run([
          "export", "--family", model.path, "--format", "gguf", "--output", file.path,
        ])
        try #require(written.status == 0, "\(written.complaint)")
        #expect(try promptTokens(prompt, workspace, of: file) == ids.count + (expected ? 1 : 0))
        // A byte, 0 or 1, after its type: a flag (7), or a number (0) in other writers' files.
        var data = try Data(contentsOf: file)
        let place = try #require(data.range(of: name)).upperBound
        #expect(Array(data[place..<place + 5]) == [7, 0, 0, 0, expected ? 1 : 0])
        data[place] = 0
        try data.write(to: file)
        #expect(try promptTokens(prompt, workspace, of: file) == ids.count + (expected ? 1 : 0))
        // A file that does not say: not in this way to cut text.
        data[place - 1] = UInt8(ascii: "x")
        try data.write(to: file)
        #expect(try promptTokens(prompt, workspace, of: file) == ids.count)
      }
      // Texts of a SentencePiece vocabulary begin with it, if the file does not say.
      let pieces = URL(fileURLWithPath: #filePath)
        .appending(path: "../../LLaMAStitchTests/Fixtures/gguf/tiny.gguf").standardizedFileURL
      #expect(try !Data(contentsOf: pieces).contains(name))
      let letters = try workspace.run(["tokenize", "abba", "--model", pieces.path]).text.split(separator: " ")
      #expect(try promptTokens("abba", workspace, of: pieces) == letters.count + 1)
    }
  }

  /// Its vocabulary, template and weights go through a GGUF file and come back.
  @Test func aFileOfItRepliesTheSame() throws {
    try Workspace.with { workspace in
      let file = workspace.directory.appending(path: "chat-model.F16.gguf")
      let written = try workspace.run([
        "export", "--family", Self.model.path, "--format", "gguf", "--output", file.path,
      ])
      try #require(written.status == 0, "\(written.complaint)")
      try expectReplies(workspace, of: file)
    }
  }

  /// Two such models, from a directory and a file with names that no id could have, without template and calibration text.
  @Test func twoOfThemAreAFamily() throws {
    try Workspace.with { workspace in
      let first = workspace.directory.appending(path: "Chat Model-2B Instruct!")
      let second = workspace.directory.appending(path: "other/Chat-Model-2B_Instruct!.gguf")
      try FileManager.default.copyItem(at: Self.model, to: first)
      try FileManager.default.createDirectory(
        at: second.deletingLastPathComponent(), withIntermediateDirectories: true)
      let written = try workspace.run([
        "export", "--family", Self.model.path, "--format", "gguf", "--output", second.path,
      ])
      try #require(written.status == 0, "\(written.complaint)")
      // Of what makers say of writing, the last word counts.
      let defaults = first.appending(path: "generation_config.json")
      try Data("{\"do_sample\": true, \"temperature\": 0.25, \"top_k\": 1, \"eos_token_id\": [3]}".utf8).write(
        to: defaults)
      let family = workspace.directory.appending(path: "two")
      let built = try workspace.run([
        "family", "build", "--anchor", first.path, "--anchor", second.path, "--output", family.path,
      ])
      try #require(built.status == 0, "\(built.complaint)")
      let shown = try workspace.run(["family", "show", family.path, "--json"])
      for id in ["Chat_Model_2B_Instruct_", "Chat_Model_2B_Instruct__2"] {
        #expect(shown.text.contains("\"\(id)\""), "\(shown.text)")
        let asked = try workspace.run(["ask", "What is 2+2?", "--family", family.path, "--stitch", id])
        #expect(asked.text == "2+2 is 4.", "\(asked.text)\(asked.complaint)")
      }
      let named = workspace.directory.appending(path: "named")
      let own = workspace.directory.appending(path: "own.json")
      let arguments = [
        "family", "build", "--anchor", "short=\(first.path)", "--anchor", second.path, "--output", named.path,
        "--generation-config", own.path,
      ]
      let refused = try workspace.run(arguments)
      #expect(refused.status == 2 && refused.complaint.contains(own.path), "\(refused.complaint)")
      #expect(!FileManager.default.fileExists(atPath: named.path))
      try Data("{\"repetition_penalty\": 1.1}".utf8).write(to: own)
      let again = try workspace.run(arguments)
      try #require(again.status == 0, "\(again.complaint)")
      let ownSettings = try workspace.run(["chat", "--family", named.path, "--print-config"])
      for line in ["temperature: 0\n", "repeat: 1.1\n"] {
        #expect(ownSettings.text.contains(line), "\(ownSettings.text)\(ownSettings.complaint)")
      }
      #expect(
        try workspace.run(["ask", "What is 2+2?", "--family", named.path, "--stitch", "short"]).text == "2+2 is 4.")
      let settings = try workspace.run(["chat", "--family", family.path, "--print-config", "--top-p", "0.5"])
      for line in ["temperature: 0.25\n", "top_k: 1\n", "top_p: 0.5\n"] {
        #expect(settings.text.contains(line), "\(settings.text)\(settings.complaint)")
      }
    }
  }
}
