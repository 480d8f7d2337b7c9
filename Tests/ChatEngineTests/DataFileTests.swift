import ChatEngine
import FamilyFixture
import Foundation
import LLaMAStitch
import Testing
import Tokenizer

@Suite struct DataFileTests {
  private func read(_ content: Data) throws -> DataFile {
    let url = FileManager.default.temporaryDirectory.appendingPathComponent("stitch-data-\(UUID().uuidString)")
    try content.write(to: url)
    defer { try? FileManager.default.removeItem(at: url) }
    return try DataFile(url)
  }

  private func read(_ content: String) throws -> DataFile { try read(Data(content.utf8)) }

  @Test func alpaca() throws {
    let file = try read(
      #"[{"instruction": "Add.", "input": "1 2", "output": "3"}, {"instruction": "Hi", "input": "", "output": "Ho"}]"#)
    #expect(file.conversations == [[.user("Add.\n\n1 2"), .assistant("3")], [.user("Hi"), .assistant("Ho")]])
    #expect(file.skipped.isEmpty)
  }

  @Test func seedTasks() throws {
    let file = try read(
      #"{"id": "seed_task_0", "instruction": "Sort.", "instances": [{"input": "b a", "output": "a b"}, {"input": "", "output": ""}, {"input": "d c", "output": "c d"}]}"#
    )
    #expect(
      file.conversations == [[.user("Sort.\n\nb a"), .assistant("a b")], [.user("Sort.\n\nd c"), .assistant("c d")]])
  }

  @Test func messagesAndShareGPT() throws {
    let file = try read(
      """
      {"messages": [{"role": "system", "content": "s"}, {"role": "user", "content": "u"}, {"role": "assistant", "content": "a"}]}
      {"conversations": [{"from": "human", "value": "u"}, {"from": "gpt", "value": "a"}]}

      {"text": "plain"}
      """)
    #expect(
      file.records == [
        .conversation([.system("s"), .user("u"), .assistant("a")]), .conversation([.user("u"), .assistant("a")]),
        .text("plain"),
      ])
  }

  /// What only a model's own template has a place for is kept as it is.
  @Test func tools() throws {
    let lines = [
      #"{"tools": [{"b": 1, "a": 2}], "messages": [{"role": "user", "content": "u"}, {"role": "assistant", "content": "a"}]}"#,
      #"{"messages": [{"role": "assistant", "content": null, "tool_calls": [{"id": "x"}]}, {"role": "tool", "content": "t"}]}"#,
    ]
    let file = try read(
      lines.joined(separator: "\n") + "\n"
        + #"{"messages": [{"role": "user", "content": "u"}, {"role": "tool", "content": "t"}]}"#)
    #expect(file.records == (try lines.map { .request(try TemplateRequest(utf8: Array($0.utf8))) }))
    #expect(file.conversations.isEmpty && file.sources.map(\.line) == [1, 2])
    #expect(file.skipped.map(\.description) == ["line 3: no turn of the assistant to learn from"])
    // A list is no other file.
    let list = try read("[" + lines.joined(separator: ",") + "]")
    #expect(list.records.count == 2 && list.skipped.isEmpty)
  }

  /// A system prompt beside the turns, one that says otherwise that it is not learned, and the older way to call.
  @Test func toolsSpelledOtherwise() throws {
    let file = try read(
      #"""
      {"system": "s", "tools": [{"name": "f"}], "messages": [{"role": "user", "content": "u"}, {"role": "assistant", "content": "a"}]}
      {"messages": [{"role": "user", "content": "u"}, {"role": "assistant", "content": "x", "train": false}, {"role": "user", "content": "v"}, {"role": "assistant", "content": "a"}]}
      {"messages": [{"role": "user", "content": "u"}, {"role": "assistant", "content": null, "function_call": {"name": "f", "arguments": "{}"}}, {"role": "function", "name": "f", "content": "1"}, {"role": "assistant", "content": "a"}]}
      """#)
    let requests = file.records.compactMap { if case .request(let request) = $0 { request } else { nil } }
    try #require(requests.count == 3)
    #expect(requests[0].texts == ["s", "u", "a"] && !requests[0].usesTools)
    #expect(requests[2].usesTools && requests[2].withoutTools().leftOut == 2)
    let learned = try ChatTemplate(.chatml).encodeForTraining(
      requests[1], tokenizer: ByteTokenizer(roles: ["<|im_end|>"]))
    let text = zip(learned.tokens, learned.lossMask).filter(\.1).map(\.0)
    #expect(text.contains(Int(UInt8(ascii: "a"))) && !text.contains(Int(UInt8(ascii: "x"))))
  }

  /// Text in parts is joined, a developer speaks as the system does, and what is no text is named.
  @Test func partsAndDevelopers() throws {
    let file = try read(
      #"""
      {"messages": [{"role": "developer", "content": "d"}, {"role": "user", "content": [{"type": "text", "text": "u"}, {"type": "input_text", "text": "v"}]}, {"role": "assistant", "content": ["a"]}]}
      {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}, {"role": "assistant", "content": "a"}]}
      {"system": "s", "conversations": [{"from": "human", "value": "u"}, {"from": "gpt", "value": "a"}]}
      """#)
    #expect(
      file.conversations == [
        [.system("d"), .user("u\nv"), .assistant("a")], [.system("s"), .user("u"), .assistant("a")],
      ])
    #expect(
      file.skipped.map(\.description) == ["line 2: turn 1 has a part of the type “image_url”; only text can be learned"]
    )
  }

  /// Prompts and replies under all the names they have, as texts or as turns.
  @Test func promptsAndCompletions() throws {
    let file = try read(
      #"""
      {"prompt": "u", "completion": "a"}
      {"prompt": [{"role": "user", "content": "u"}], "completion": [{"role": "assistant", "content": "a"}]}
      {"question": "u", "answer": "a"}
      {"system": "s", "prompt": "u", "response": "a"}
      {"prompt": "u", "chosen": [{"role": "user", "content": "u"}, {"role": "assistant", "content": "a"}], "rejected": "b"}
      {"input": "u", "output": "a"}
      {"prompt": "u"}
      """#)
    let plain = [ChatMessage.user("u"), .assistant("a")]
    #expect(file.conversations == [plain, plain, plain, [.system("s")] + plain, plain, plain])
    #expect(file.skipped.map(\.description) == ["line 7: “prompt” without a reply (“completion”)"])
  }

  /// The model is not taught to say nothing, however a reply that is empty is spelled.
  @Test func emptyRepliesAreLeftOut() throws {
    let file = try read(
      #"""
      {"messages": [{"role": "user", "content": "u"}, {"role": "assistant", "content": ""}]}
      {"conversations": [{"from": "human", "value": "u"}, {"from": "gpt", "value": " \n"}]}
      {"prompt": "u", "completion": ""}
      {"instruction": "u", "output": " "}
      {"instruction": "u", "instances": [{"input": "", "output": ""}]}
      {"prompt": "u", "completion": "a"}
      """#)
    #expect(file.conversations == [[.user("u"), .assistant("a")]])
    #expect(file.skipped.map(\.line) == [1, 2, 3, 4, 5] && file.skipped[0].reason == "a reply is empty")
  }

  /// Lines end as they do on any system, a byte order mark is no text, and numbers of lines stay right.
  @Test(arguments: ["\n", "\r\n", "\r"]) func linesOfEverySystem(end: String) throws {
    let lines = [
      "\u{FEFF}" + #"{"prompt": "u", "completion": "a"}"#, "", "{", #"{"prompt": "v", "completion": "b"}"#,
    ]
    let file = try read(lines.joined(separator: end))
    #expect(file.conversations == [[.user("u"), .assistant("a")], [.user("v"), .assistant("b")]])
    #expect(file.sources.map(\.line) == [1, 4] && file.skipped.map(\.line) == [3])
    let text = try read(["one", "two", "", "three"].joined(separator: end))
    #expect(text.records == [.text("one\ntwo"), .text("three")])
  }

  @Test func tables() throws {
    let file = try read(
      Data("prompt,completion\r\n\"Say \"\"hi\"\", please\",hi\r\n\"two\nlines\",b\r\nc,\r\n".utf8))
    #expect(
      file.conversations == [[.user("Say \"hi\", please"), .assistant("hi")], [.user("two\nlines"), .assistant("b")]])
    #expect(file.skipped.map(\.description) == ["row 4: “prompt” without a reply (“completion”)"])
    #expect(try read("instruction\toutput\nu\ta\n").conversations == [[.user("u"), .assistant("a")]])
    // Prose is no table.
    #expect(try read("The prompt, as I said.\nAnd more.").records == [.text("The prompt, as I said.\nAnd more.")])
  }

  /// Files that are no text in UTF-8 are named as what they are.
  @Test(arguments: [
    (Data([0x1F, 0x8B, 8, 0]), "gzip"), (Data("PAR1....".utf8), "Parquet"), (Data([0x50, 0x4B, 3, 4]), "ZIP"),
    (Data([0xFF, 0xFE, 0x61, 0]), "UTF-16"), (Data([0x61, 0, 0x62, 0, 0x63, 0]), "UTF-16"),
    (Data([0xFF, 0x61]), "UTF-8"),
  ]) func othersAreNamed(content: Data, name: String) throws {
    let error = try #require(throws: DataError.self) { try read(content) }
    #expect("\(error)".contains(name), "\(error)")
  }

  @Test func plainText() throws {
    #expect(try read("one\ntwo\n\nthree\n").records == [.text("one\ntwo"), .text("three\n")])
  }

  @Test func brokenLinesAreNamedByTheirNumber() throws {
    let file = try read(
      """
      {"messages": [{"role": "user", "content": "u"}, {"role": "assistant", "content": "a"}]}
      {"messages": [{"role": "user", "content": "u"}]}

      {"messages":
      {"instruction": "x"}
      {"messages": [{"role": "robot", "content": "u"}]}
      {"other": 1}
      """)
    #expect(file.records.count == 1)
    #expect(
      file.skipped.map(\.description) == [
        "line 2: no turn of the assistant to learn from", "line 4: not valid JSON",
        "line 5: “instruction” without “output”",
        "line 6: a turn has the unknown role “robot”",
        "line 7: none of the fields messages, conversations, prompt, question, instruction or text is there",
      ])
  }

  /// Plain text begins as the tokenizer has it, and ends.
  @Test func documentsBeginAsTheTokenizerSays() throws {
    for (addsBosToken, start) in [(true, [256]), (false, [])] as [(Bool, [Int32])] {
      let documents = try TrainingText.documents(
        [.text("ab")], tokenizer: ByteTokenizer(addsBosToken: addsBosToken), template: .fallback)
      #expect(documents == [TrainingExample(text: start + [97, 98, 257])])
    }
  }

  /// Where a teacher speaks to every token, texts are examples, too, in pieces.
  @Test func textsAreExamplesWhereTheirPiecesHaveALength() throws {
    let file = try read(
      Data(
        """
        {"text": "abcde"}
        {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}
        """.utf8))
    func examples(_ length: Int?) throws -> [TrainingExample] {
      try TrainingText.examples(
        file, tokenizer: ByteTokenizer(addsBosToken: true), template: .fallback, contextLength: 1000, textLength: length
      ).examples
    }
    #expect(try examples(nil).count == 1)
    #expect(try examples(100).first == TrainingExample(text: [256, 97, 98, 99, 100, 101, 257]))
    let pieces = try examples(4)
    #expect(pieces.dropLast().map(\.tokens) == [[256, 97, 98, 99], [99, 100, 101, 257]])
    #expect(try pieces.last == examples(nil).first)
  }

  @Test func unusableFiles() throws {
    func message(_ content: Data) -> String {
      do {
        _ = try read(content)
        return ""
      } catch { return "\(error)" }
    }
    #expect(message(Data("{\n".utf8)).contains("no usable example (line 1: not valid JSON)"))
    #expect(message(Data()).contains("no usable example"))
    #expect(message(Data([0x7B, 0xFF, 0xFE])).contains("it is not UTF-8 text"))
    #expect(message(Data("[1, ".utf8)).contains("begins like a JSON array"))
    #expect(message(Data("[1, 2]".utf8)).contains("element 1: not a JSON object"))
  }
}
