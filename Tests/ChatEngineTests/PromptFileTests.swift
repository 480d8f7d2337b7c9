import ChatEngine
import Foundation
import Testing

@Suite struct PromptFileTests {
  private func read(_ content: String) throws -> PromptFile {
    let url = FileManager.default.temporaryDirectory.appendingPathComponent("stitch-prompts-\(UUID().uuidString)")
    try Data(content.utf8).write(to: url)
    defer { try? FileManager.default.removeItem(at: url) }
    return try PromptFile(url)
  }

  @Test func plainTextIsAPromptALine() throws {
    let file = try read("one two\n\n  three \r\nfour\u{2028}five")
    #expect(file.prompts == ["one two", "three", "four", "five"].map { [.user($0)] })
    #expect(file.skipped.isEmpty)
  }

  @Test func repliesMayBeMissing() throws {
    let file = try read(
      """
      {"messages":[{"role":"system","content":"s"},{"role":"user","content":"u"}]}
      {"messages":[{"role":"user","content":"u"},{"role":"assistant","content":"a"}]}
      {"conversations":[{"from":"human","value":"1"},{"from":"gpt","value":"2"},{"from":"human","value":"3"}]}
      {"instruction":"Add.","input":"1 2"}
      {"instruction":"Sort.","instances":[{"input":"b a"},{"input":"d c","output":"c d"}]}
      {"text":"t"}
      {"prompt":"p"}
      """)
    #expect(
      file.prompts == [
        [ChatMessage(role: .system, content: "s"), .user("u")], [.user("u")],
        [.user("1"), .assistant("2"), .user("3")],
        [.user("Add.\n\n1 2")], [.user("Sort.\n\nb a")], [.user("Sort.\n\nd c")], [.user("t")], [.user("p")],
      ])
  }

  @Test func whatIsNoPromptIsNamed() throws {
    let file = try read(
      """
      {"messages":[{"role":"assistant","content":"a"}]}
      {"prompt":""}
      {"messages":[{"role":"user","content":[{"type":"image_url"}]},{"role":"assistant","content":"a"}]}
      {broken
      {"prompt":"p"}
      """)
    #expect(file.prompts == [[.user("p")]])
    #expect(file.skipped.map(\.line).sorted() == [1, 2, 3, 4])
    #expect(throws: DataError.self) { try read("{\"prompt\":\"\"}") }
    #expect(throws: DataError.self) { try read("\n \n") }
    // Training still wants replies.
    let url = FileManager.default.temporaryDirectory.appendingPathComponent("stitch-prompts-\(UUID().uuidString)")
    try Data("{\"prompt\":\"p\"}\n{\"instruction\":\"i\"}\n".utf8).write(to: url)
    defer { try? FileManager.default.removeItem(at: url) }
    #expect(throws: DataError.self) { try DataFile(url) }
  }
}
