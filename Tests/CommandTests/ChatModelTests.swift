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
      let family = workspace.directory.appending(path: "family")
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
      // The same model twice is none.
      let link = workspace.directory.appending(path: "link")
      try FileManager.default.createSymbolicLink(at: link, withDestinationURL: first)
      try workspace.expectRefusal(
        [
          "family", "build", "--anchor", first.path, "--anchor", link.path, "--output",
          workspace.directory.appending(path: "twice").path,
        ],
        ["give each anchor once"])
    }
  }
}
