import ChatEngine
import ChatTUI
import Conversations
import Foundation
import Testing

private func file(_ path: String, _ text: String, tokens: Int) -> AttachedFile {
  var file = AttachedFile(path: path, bytes: text.utf8.count, text: text)
  file.tokens = TokenCount(tokens)
  return file
}

private func read(_ file: AttachedFile) -> FileReading { FileReading(word: file.path, outcome: .file(file)) }

@Suite struct PathWordTests {
  private func mentions(_ text: String) -> [String] { PathWords.mentions(in: Array(text)) }

  @Test func mentionsBeginWords() {
    #expect(mentions("sum up @a.txt, then @\"my notes.txt\" and @a.txt,") == ["a.txt,", "my notes.txt"])
    #expect(mentions("@first\n@~/x") == ["first", "~/x"])
    #expect(mentions("me@example.org \"@quoted\" (@x) @ alone").isEmpty)
    #expect(mentions("@\"open quote") == ["\"open"])
    #expect(mentions((1...100).map { "@\($0)" }.joined(separator: " ")).count == 32)
  }

  @Test func commandsHaveSeveral() throws {
    #expect(try Command.parse("/file a.txt 'b c.txt' \"d\"") == .file(.add(["a.txt", "b c.txt", "d"])))
    #expect(try Command.parse("/file") == .file(.list) && Command.parse("/file cut") == .file(.cut))
    #expect(try Command.parse("/file -") == .file(.remove([])) && Command.parse("/file - 2") == .file(.remove(["2"])))
    #expect(try Command.parse("/file ./cut") == .file(.add(["./cut"])))
  }

  private func complete(_ line: String) -> (line: String, choices: [String]) {
    PathCompletion.complete(line, home: "/home/me") { directory in
      directory == "." ? ["a.txt", "two words.md", "two weeks.md", "sub/", "bad\u{1B}name"] : ["inner.txt"]
    }
  }

  @Test func tabCompletesMentions() {
    #expect(complete("read @a").line == "read @a.txt ")
    #expect(complete("read @su").line == "read @sub/" && complete("read @sub/").line == "read @sub/inner.txt ")
    #expect(complete("read @two wo").line == "read @two wo")
    #expect(complete("read @tw").line == "read @\"two w")
    #expect(complete("read @tw").choices == ["two weeks.md", "two words.md"])
    #expect(complete("read @\"two wo").line == "read @\"two words.md\" ")
    #expect(complete("/file a.txt su").line == "/file a.txt sub/")
    #expect(complete("/file \"two we").line == "/file \"two weeks.md\" ")
    #expect(complete("/file two").line == "/file \"two w")
    // What cannot be written is not offered.
    #expect(complete("@b").line == "@b" && !PathCompletion.applies(to: "me@a") && PathCompletion.applies(to: "x @a"))
  }

  @Test func inTheMiddleOfAMessage() {
    var state = readyState()
    state.type("sum up @a please")
    for _ in 0..<7 { state.press(.left) }
    #expect(state.apply(.key(KeyPress(.tab))) == [.completePath(line: "sum up @a")])
    state.apply(.completed(line: "sum up @a", to: "sum up @a.txt ", choices: []))
    #expect(state.editor.text == "sum up @a.txt  please" && state.editor.cursor == 14)
  }

  /// Enter right behind Tab sends what is completed, as it does when there is time between them.
  @Test func enterWaitsForWhatTabCompletes() {
    var state = readyState()
    state.type("/file a")
    #expect(state.apply(.key(KeyPress(.tab))) == [.completePath(line: "/file a")])
    #expect(state.apply(.key(KeyPress(.enter))) == [] && state.editor.text == "/file a")
    #expect(
      state.apply(.completed(line: "/file a", to: "/file a.txt ", choices: []))
        == [.readFiles(["a.txt"], for: .attach)])
    #expect(state.editor.isEmpty && state.completing == nil)
    // Twice does not wait.
    state.type("/file b")
    _ = state.apply(.key(KeyPress(.tab)))
    _ = state.apply(.key(KeyPress(.enter)))
    #expect(state.apply(.key(KeyPress(.enter))) == [.readFiles(["b"], for: .attach)])
    #expect(state.apply(.completed(line: "/file b", to: "/file b.txt ", choices: [])) == [])
    // What is written on is not sent when the rest comes.
    state.type("/file c")
    _ = state.apply(.key(KeyPress(.tab)))
    _ = state.apply(.key(KeyPress(.enter)))
    state.type("d")
    #expect(state.apply(.completed(line: "/file c", to: "/file c.txt ", choices: [])) == [])
    #expect(state.editor.text == "/file cd")
  }
}

@Suite struct AttachmentTests {
  @Test func aFileIsFencedSafely() {
    let hostile = AttachedFile(path: "a\u{1B}]0;\nb", bytes: 9, text: "x\n````\n```\ny")
    #expect(hostile.block == "File a?]0;?b:\n`````\nx\n````\n```\ny\n`````")
    let plain = AttachedFile(path: "n.txt", bytes: 4, text: "one\n")
    #expect(AttachedFile.message("read", with: [plain]) == "read\n\nFile n.txt:\n```\none\n```")
    let message = AttachedFile.message("read", with: [hostile, plain])
    let (text, blocks) = MessageFile.split(message, [MessageFile(hostile), MessageFile(plain)])
    #expect(text == "read" && blocks == [hostile.block, plain.block])
    // What a damaged conversation says of its files is not believed.
    var wrong = MessageFile(plain)
    for length in [0, -1, 10_000] {
      wrong.length = length
      #expect(MessageFile.split("abc", [wrong]).text == "abc")
    }
  }

  @Test func attachedSentAndGone() throws {
    var state = readyState()
    #expect(state.apply(.submit("/file n.txt")) == [.readFiles(["n.txt"], for: .attach)])
    #expect(state.isAwaitingAnswer)
    let notes = file("n.txt", "the sea is wet\n", tokens: 14)
    state.apply(.filesRead(.attach, [read(notes)]))
    #expect(!state.isAwaitingAnswer && state.attachments.files == [notes])
    #expect(state.lastNotice == "Attached to the next message: n.txt, 15 bytes, 14 tokens.")
    #expect(state.screen().contains { $0.contains("With n.txt, 15 bytes, 14 tokens, 3% of the context") })
    // Alone it is no message.
    state.press(.enter)
    #expect(state.hint?.text.contains("write what to do") == true && state.activeReply == nil)
    state.type("what is wet?")
    let effects = state.press(.enter)
    guard case .startReply(_, let messages, _, _)? = effects.last else {
      Issue.record("\(effects)")
      return
    }
    #expect(messages.last?.content == "what is wet?\n\nFile n.txt:\n```\nthe sea is wet\n```")
    #expect(state.attachments.files.isEmpty)
    // The transcript names it.
    let screen = state.screen()
    #expect(screen.contains { $0.contains("› what is wet?") } && screen.contains { $0.contains("+ n.txt, 15 bytes") })
    #expect(!screen.contains { $0.contains("the sea is wet") })
  }

  @Test func takenAway() {
    var state = readyState()
    state.apply(.filesRead(.attach, ["a", "b", "c"].map { read(file($0, $0, tokens: 5)) }))
    state.apply(.submit("/file - 2 a"))
    #expect(state.attachments.files.map(\.path) == ["c"])
    state.apply(.submit("/file - nowhere"))
    #expect(state.hint?.isWarning == true && state.attachments.files.count == 1)
    state.apply(.submit("/file"))
    #expect(state.lastNotice?.hasSuffix("\n1 c, 1 byte, 5 tokens") == true)
    state.apply(.submit("/file -"))
    #expect(state.attachments.files.isEmpty)
    state.apply(.submit("/file"))
    #expect(state.lastNotice?.contains("No file goes with") == true)
  }

  @Test func mentionsShowBeforeTheyAreSent() {
    var state = readyState()
    var asked: [Effect] = []
    for character in "see @n" { asked += update(&state, .key(KeyPress(.character(character)))) }
    #expect(asked == [.readFiles(["n"], for: .look)])
    let notes = file("n", "wet", tokens: 9)
    state.apply(.filesRead(.look, [read(notes)]))
    #expect(state.screen().contains { $0.contains("With n, 3 bytes, 9 tokens") })
    #expect(state.press(.enter) == [.readFiles(["n"], for: .send("see @n"))])
    #expect(state.isAwaitingAnswer && state.activeReply == nil)
    let effects = state.apply(.filesRead(.send("see @n"), [read(notes)]))
    guard case .startReply(_, let messages, _, _)? = effects.last else {
      Issue.record("\(effects)")
      return
    }
    #expect(messages.last?.content == "see @n\n\nFile n:\n```\nwet\n```")
    #expect(state.editor.isEmpty && !state.screen().contains { $0.contains("With n,") })
  }

  @Test func whatIsNoFileIsAWord() {
    var state = readyState()
    state.apply(.submit("hello @anna"))
    let effects = state.apply(
      .filesRead(.send("hello @anna"), [FileReading(word: "anna", outcome: .missing("no such file"))]))
    #expect(state.conversation.messages.map(\.content) == ["hello @anna"])
    #expect(effects.contains { if case .startReply = $0 { true } else { false } })
    // What is there and cannot be sent is no word.
    var other = readyState()
    other.apply(.submit("see @/dev"))
    other.apply(.filesRead(.send("see @/dev"), [FileReading(word: "/dev", outcome: .refused("/dev is a directory"))]))
    #expect(other.conversation.messages.isEmpty && other.editor.text == "see @/dev")
    #expect(other.hint?.text == "not sent: /dev is a directory")
  }

  @Test func whatDoesNotFitIsAskedAbout() {
    var state = readyState()
    let book = file("book", String(repeating: "word ", count: 4000), tokens: 4000)
    state.apply(.submit("/file book"))
    state.apply(.filesRead(.attach, [read(book)]))
    // 512 of context, a tenth for the reply, 32 for what stands around.
    #expect(state.lastNotice?.contains("book has 4000 tokens, and 429 fit. Enter attaches") == true)
    #expect(state.attachments.files.isEmpty)
    state.press(.escape)
    #expect(state.attachments.question == nil && state.press(.enter) == [])

    state.apply(.submit("/file book"))
    state.apply(.filesRead(.attach, [read(book)]))
    #expect(state.press(.enter) == [.cutFiles([book], tokens: 429, message: nil)])
    var cut = file("book", "word word", tokens: 420)
    cut.isCut = true
    state.apply(.filesCut([cut], message: nil))
    #expect(state.attachments.files == [cut] && !state.isAwaitingAnswer)
    #expect(state.lastNotice?.contains("book, the beginning of 9 bytes, 420 tokens") == true)
    // There is no room for another.
    state.apply(.submit("/file book2"))
    state.apply(.filesRead(.attach, [read(file("book2", "x", tokens: 400))]))
    #expect(state.lastNotice?.contains("nothing more fits") == true && state.attachments.question == nil)
  }

  @Test func ofAMessageTheFileIsCutWhereEnterSaysSo() {
    var state = readyState()
    let book = file("book", String(repeating: "word ", count: 4000), tokens: 4000)
    state.apply(.submit("see @book"))
    state.apply(.filesRead(.send("see @book"), [read(book)]))
    #expect(state.activeReply == nil && state.editor.text == "see @book" && state.hint?.isWarning == true)
    let question = state.attachments.question
    #expect(state.press(.enter) == [.cutFiles([book], tokens: question!.room, message: "see @book")])
    var cut = file("book", "word word", tokens: 4)
    cut.isCut = true
    let effects = state.apply(.filesCut([cut], message: "see @book"))
    guard case .startReply(_, let messages, _, _)? = effects.last else {
      Issue.record("\(effects)")
      return
    }
    #expect(messages.last?.content == "see @book\n\nFile book, the beginning of it:\n```\nword word\n```")
    // Another message is no answer.
    var other = readyState()
    other.apply(.submit("see @book"))
    other.apply(.filesRead(.send("see @book"), [read(book)]))
    other.type(" instead")
    #expect(other.press(.enter) == [.readFiles(["book"], for: .send("see @book instead"))])
    #expect(other.attachments.question == nil)
  }

  @Test func editedAndHeldBackItKeepsItsFiles() {
    var state = readyState()
    let notes = file("n", "wet", tokens: 9)
    state.apply(.filesRead(.attach, [read(notes)]))
    state.type("first")
    state.press(.enter)
    let id = state.activeReply!
    state.apply(.reply(id: id, .failed(.conversationTooLong(messagesToDrop: 2))), .replyEnded(id: id))
    #expect(state.editor.text == "first" && state.attachments.files.map(\.block) == [notes.block])
    state.apply(.key(.control("u")))
    state.exchange("again", "yes")
    #expect(state.conversation.messages[0].content == AttachedFile.message("again", with: [notes]))
    state.apply(.submit("/edit"))
    #expect(state.editor.text == "again" && state.attachments.files.map(\.block) == [notes.block])
    state.press(.escape)
    #expect(state.attachments.files.isEmpty)
    state.apply(.submit("/edit once more"))
    #expect(state.conversation.messages.map(\.content) == [AttachedFile.message("once more", with: [notes])])
  }

  @Test func scriptsSendWhatTheySay() throws {
    var state = readyState()
    state.attachments.takesMentions = false
    let effects = state.apply(.submit("see @n"))
    #expect(effects.contains { if case .startReply = $0 { true } else { false } })
    #expect(!effects.contains { if case .readFiles = $0 { true } else { false } })
  }

  @Test func readAndCutForReal() async throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "attached-\(UUID())")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let path = folder.appending(path: "n.txt").path
    try Data((1...500).map { "line \($0)\r\n" }.joined().utf8).write(to: URL(fileURLWithPath: path))
    let backend = ScriptedBackend()
    let queue = ActionQueue(wake: {})
    let effects = EffectRunner(backend: backend, queue: queue)
    func next() async throws -> Action {
      for _ in 0..<2000 {
        if let action = queue.drain().first { return action }
        try await Task.sleep(for: .milliseconds(5))
      }
      throw CancellationError()
    }
    effects.run(.readFiles(["\(path),", "\(folder.path)/none", "/dev/zero"], for: .send("x")))
    guard case .filesRead(.send("x"), let readings) = try await next(), case .file(let file) = readings[0].outcome,
      case .missing = readings[1].outcome, case .refused(let why) = readings[2].outcome
    else {
      Issue.record("no file was read")
      return
    }
    #expect(file.path == path && file.text.hasPrefix("line 1\nline 2\n") && file.tokens.isEstimate)
    #expect(why.hasPrefix("/dev/zero is a device"))
    effects.run(.cutFiles([file], tokens: 200, message: nil))
    guard case .filesCut(let cut, message: nil) = try await next(), let first = cut.first else {
      Issue.record("nothing was cut")
      return
    }
    #expect(first.isCut && first.tokens.count <= 200 && first.tokens.count > 150 && file.text.hasPrefix(first.text))
    #expect(first.text.hasSuffix("\n"))
  }

  @Test func conversationsRemember() throws {
    let desk = try Desk()
    defer { desk.cleanUp() }
    let notes = file("n", "wet", tokens: 9)
    try desk.apply(.filesRead(.attach, [read(notes)]))
    try desk.exchange("see", "yes")
    let message = AttachedFile.message("see", with: [notes])
    #expect(desk.recorded.contains(.user(message, files: [MessageFile(notes)])))
    let saved = try desk.store.read(desk.state.journal.id!)
    #expect(saved.items.first == .user(message, files: [MessageFile(notes)]) && saved.firstQuestion == "see")
    let text = String(decoding: ConversationExport.json(saved), as: UTF8.self)
    #expect(text.contains("\"path\" : \"n\"") && text.contains("File n:"))
    // Opened again it is as it was.
    let other = try Desk(beside: desk)
    try other.apply(.submit("/open \(desk.state.journal.id!)"))
    #expect(other.state.conversation.messages == desk.state.conversation.messages)
    let turn = other.state.conversation.userTurn(1)
    #expect(turn?.written == "see" && turn?.files.map(\.block) == [notes.block])
  }
}
