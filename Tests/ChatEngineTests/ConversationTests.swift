import ChatEngine
import Conversations
import Foundation
import Synchronization
import Testing

/// A folder for conversations, removed at the end.
final class ConversationFixture: Sendable {
  let root: URL
  let store: ConversationStore
  private let reported = Mutex<[RecorderEvent]>([])

  init() throws {
    root = FileManager.default.temporaryDirectory.appendingPathComponent("stitch-conversations-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: root, withIntermediateDirectories: true)
    store = ConversationStore(root: root)
  }

  deinit { try? FileManager.default.removeItem(at: root) }

  static let family = FamilyReference(name: "tiny", identity: "abc", directory: "/families/tiny")

  func recorder() -> ConversationRecorder {
    ConversationRecorder(store: store, program: "stitch test") { [self] event in reported.withLock { $0.append(event) }
    }
  }

  var events: [RecorderEvent] { reported.withLock { $0 } }

  /// Saves a conversation and closes its file.
  func save(_ records: [ConversationRecord], family: FamilyReference? = family) throws -> String {
    let recorder = recorder()
    recorder.record([.begin(family: family, parent: nil)] + records)
    recorder.attach(nil)
    guard case .created(let id)? = events.last else { throw CocoaError(.fileWriteUnknown) }
    return id
  }

  func append(_ text: String, to id: String) throws {
    let handle = try FileHandle(forWritingTo: store.file(id))
    try handle.seekToEnd()
    try handle.write(contentsOf: Data(text.utf8))
    try handle.close()
  }

  func lines(_ id: String) throws -> [Substring] {
    try String(contentsOf: store.file(id), encoding: .utf8).split(separator: "\n", omittingEmptySubsequences: false)
  }

  static let start = ConversationRecord.ReplyStart(
    stitch: "small-large@2", adapter: AdapterReference(step: 40, hash: "ff00"), options: options)

  static let options = {
    var options = ReplyOptions()
    options.temperature = 0.75
    options.topP = 0.9
    options.seed = .max - 1
    return options
  }()

  static let stamp = ReplyStamp(
    stitch: "small-large@2", adapterStep: 40, tokens: 3, tokensPerSecond: 12.5, finish: .stop, contextTokens: 20,
    droppedMessages: 2, adapterHash: "ff00")

  static func settings() -> ConversationSettings {
    var settings = ConversationSettings()
    settings.system = "be \"kind\""
    settings.sampling = options
    settings.sampling.seed = 7
    settings.nextSeed = 7
    settings.stitch = "small"
    settings.adapter = AdapterReference(step: nil, hash: nil)
    return settings
  }
}

@Suite struct ConversationFileTests {
  let fixture: ConversationFixture

  init() throws { fixture = try ConversationFixture() }

  @Test func whatIsRecordedIsRead() throws {
    let hostile = "a\u{1B}[2J\u{7}\"\\\u{0}\r\n\u{2028}\u{9B}1m 漢字 👩‍👩‍👧"
    let id = try fixture.save([
      .settings(ConversationFixture.settings()), .user(hostile), .reply(ConversationFixture.start), .text("one"),
      .text(hostile), .text("e"), .text("\u{301}"), .end(.finished(ConversationFixture.stamp)),
      .notice("Training finished", isWarning: false), .title("A\u{1B}title"), .user("q"),
      .reply(ConversationFixture.start), .end(.failed("out of memory")),
    ])
    let saved = try fixture.store.read(id)
    #expect(saved.id == id && saved.program == "stitch test" && saved.family == ConversationFixture.family)
    #expect(abs(saved.created.timeIntervalSinceNow) < 3600 && saved.problems.isEmpty)
    #expect(saved.title == "A\u{1B}title")
    var reply = SavedReply(
      stitch: "small-large@2", adapter: ConversationFixture.stamp.adapter, options: ConversationFixture.options)
    reply.text = "one" + hostile + "e\u{301}"
    reply.end = .finished(ConversationFixture.stamp)
    var failed = SavedReply(
      stitch: "small-large@2", adapter: ConversationFixture.stamp.adapter, options: ConversationFixture.options)
    failed.end = .failed("out of memory")
    #expect(
      saved.items == [
        .user(hostile), .reply(reply), .notice("Training finished", isWarning: false), .user("q"), .reply(failed),
      ])
    // The seed wraps as it does in the chat; the adapter is the one used last.
    var settings = ConversationFixture.settings()
    settings.nextSeed = .max
    settings.adapter = ConversationFixture.stamp.adapter
    #expect(saved.settings == settings)
    #expect(saved.turns == 3 && saved.stitches == ["small-large@2"] && saved.firstQuestion == hostile)
    // One line a record, and nothing in them that a terminal obeys.
    let bytes = try Data(contentsOf: fixture.store.file(id))
    #expect(bytes.filter { $0 == 0x0A }.count == 14)
    #expect(!bytes.contains { ($0 < 0x20 && $0 != 0x0A) || $0 == 0x7F })
  }

  @Test func onlyTheUserMayReadIt() throws {
    let id = try fixture.save([.user("secret")])
    let modes = try [fixture.store.file(id), fixture.store.directory].map {
      try FileManager.default.attributesOfItem(atPath: $0.path)[.posixPermissions] as? Int
    }
    #expect(modes == [0o600, 0o700])
  }

  @Test func editsDropWhatFollows() throws {
    let id = try fixture.save([
      .user("a"), .reply(ConversationFixture.start), .text("A"), .end(.stopped), .user("b"), .drop(keep: 1),
      .reply(ConversationFixture.start), .text("AA"), .end(.stopped), .drop(keep: 99),
    ])
    let saved = try fixture.store.read(id)
    guard saved.items.count == 2, case .reply(let reply) = saved.items[1] else {
      Issue.record("\(saved.items)")
      return
    }
    #expect(reply.text == "AA" && reply.end == .stopped && saved.problems.isEmpty)
  }

  @Test func aContinuedReplyIsOne() throws {
    var more = ConversationFixture.start
    more.continues = true
    more.stitch = "large"
    let id = try fixture.save([
      .user("a"), .reply(ConversationFixture.start), .text("one"), .end(.finished(ConversationFixture.stamp)),
      .notice("between", isWarning: false), .reply(more), .text(" two"), .end(.stopped),
    ])
    guard case .reply(let reply)? = try fixture.store.read(id).items.dropFirst().first else {
      Issue.record("no reply")
      return
    }
    #expect(reply.text == "one two" && reply.stitch == "large" && reply.end == .stopped)
  }

  @Test func aTornLastLineIsDroppedSilently() throws {
    let id = try fixture.save([.user("a"), .reply(ConversationFixture.start), .text("one"), .text(" two")])
    let whole = try fixture.store.read(id)
    let bytes = try Data(contentsOf: fixture.store.file(id))
    let lastLine = bytes.dropLast().lastIndex(of: 0x0A)! + 1
    // Wherever the last line is cut, the rest is as it was.
    for end in lastLine..<bytes.count {
      try bytes[..<end].write(to: fixture.store.file(id))
      let saved = try fixture.store.read(id)
      guard case .reply(let reply)? = saved.items.last else {
        Issue.record("no reply at \(end)")
        return
      }
      #expect(
        reply.text == "one" && reply.end == nil && saved.problems.isEmpty && saved.items.count == whole.items.count)
    }
    // Going on after it leaves no damage behind.
    let recorder = fixture.recorder()
    #expect(try recorder.prepare(id).obstacle == nil)
    recorder.attach(id)
    recorder.record([.user("b")])
    let saved = try fixture.store.read(id)
    #expect(saved.problems.isEmpty && saved.items.last == .user("b") && saved.items.count == 3)
  }

  @Test(arguments: [
    #"{"type":"user","text":"x","files":[{"path":"a","bytes":1,"tokens":1,"length":-9223372036854775808}]}"#,
    #"{"type":"user","text":"x","files":[{"path":"a","bytes":1,"tokens":9223372036854775807,"length":1}]}"#,
    #"{"type":"end","finish":"stop","stitch":"s","tokens":1,"tokens_per_second":1,"context_tokens":9223372036854775807}"#,
    #"{"type":"end","finish":"stop","stitch":"s","tokens":-1,"tokens_per_second":1,"context_tokens":1}"#,
  ]) func aNumberThatCannotBeIsDamage(_ line: String) throws {
    let id = try fixture.save([.user("a")])
    try fixture.append(line + "\n", to: id)
    let saved = try fixture.store.read(id)
    #expect(saved.items == [.user("a")] && saved.problems.count == 1 && saved.problems[0].contains("cannot be"))
  }

  @Test func aDamagedLineIsSaidAndSkipped() throws {
    let id = try fixture.save([.user("a")])
    try fixture.append(
      "{\"type\":\"user\"}\nnonsense\n\u{0}\u{1B}\n{\"type\":\"later\"}\n{\"type\":\"text\",\"text\":\"lost?\"}\n",
      to: id)
    try fixture.append(
      "{\"type\":\"drop\",\"keep\":-1}\n{\"type\":\"end\",\"finish\":\"odd\"}\n{\"type\":\"user\",\"text\":\"b\"}\n",
      to: id)
    let saved = try fixture.store.read(id)
    let file = fixture.store.file(id).path
    #expect(saved.problems.count == 6)
    #expect(saved.problems[0] == "\(file), line 3: a field of “user” is missing; this line is left out")
    #expect(saved.problems[1].hasPrefix("\(file), line 4: not a record"))
    #expect(saved.problems[3].contains("line 6: unknown record “later”"))
    #expect(saved.problems[5] == "\(file): and 1 more, left out too")
    // Text without its beginning is kept.
    var orphan = SavedReply(stitch: "unknown")
    orphan.text = "lost?"
    #expect(saved.items == [.user("a"), .reply(orphan), .user("b")])
  }

  @Test func settingsOutOfRangeAreDamage() throws {
    let id = try fixture.save([.user("a")])
    try fixture.append(
      #"{"type":"settings","settings":{"system":"","next_seed":0,"sampling":{"temperature":0,"repetition_penalty":1,"seed":0,"max_tokens":-5}}}"#
        + "\n", to: id)
    let saved = try fixture.store.read(id)
    #expect(saved.settings == ConversationSettings() && saved.problems.count == 1)
  }

  @Test func otherFilesAreRefusedInOneLine() throws {
    let id = try fixture.save([.user("a")])
    let file = fixture.store.file(id)
    func expect(_ content: String, _ error: ConversationError) throws {
      try Data(content.utf8).write(to: file)
      #expect(throws: error) { try fixture.store.read(id) }
      #expect(!"\(error)".contains("\n"))
    }
    try expect("", .notAConversation(file: file.path))
    try expect("{\"type\":\"conversation\",\"form", .notAConversation(file: file.path))
    try expect("hello\n", .notAConversation(file: file.path))
    try expect("{\"type\":\"user\",\"text\":\"a\"}\n", .notAConversation(file: file.path))
    try expect("{\"type\":\"conversation\",\"format\":2}\n{\"what\":1}\n", .unknownFormat(file: file.path, format: 2))
    // One bad file does not hide the others.
    let other = try fixture.save([.user("b")])
    let listing = try ConversationLibrary(store: fixture.store).find("")
    #expect(listing.conversations.map(\.id) == [other] && listing.unreadable.count == 1)
  }
}

@Suite struct ConversationStoreTests {
  let fixture: ConversationFixture

  init() throws { fixture = try ConversationFixture() }

  /// As a search is typed: whoever asked last is answered, and last.
  @Test(.timeLimit(.minutes(20))) func ofSearchesInARowTheLastIsAnswered() async throws {
    let wanted = try fixture.save([.user("apples")])
    _ = try fixture.save([.user("apes")])
    let library = ConversationLibrary(store: fixture.store)
    let answers = Mutex<[(text: String, ids: [String])]>([])
    await withCheckedContinuation { done in
      for length in 0...4 {
        let text = String("appl".prefix(length))
        library.find(text, refreshes: length == 0) { result in
          answers.withLock { $0.append((text, (try? result.get())?.conversations.map(\.id) ?? [])) }
          if length == 4 { done.resume() }
        }
      }
    }
    let last = answers.withLock(\.last)
    #expect(last?.text == "appl" && last?.ids == [wanted])
  }

  @Test func nothingIsMadeBeforeThereIsSomethingToSave() throws {
    let recorder = fixture.recorder()
    recorder.record([.user("nobody began")])
    #expect(!FileManager.default.fileExists(atPath: fixture.store.directory.path))
    #expect(try fixture.store.ids() == [])
    #expect(throws: ConversationError.noneYet(directory: fixture.store.directory.path)) {
      try fixture.store.find("2026")
    }
  }

  @Test func findsByTheBeginningOfAnID() throws {
    let ids = try [fixture.save([.user("a")]), fixture.save([.user("b")])]
    #expect(Set(try fixture.store.ids()) == Set(ids))
    #expect(try fixture.store.find(ids[0]) == ids[0])
    #expect(ids[0].wholeMatch(of: /\d{8}-\d{6}-[0-9a-z]{4}/) != nil)
    #expect(throws: ConversationError.self) { try fixture.store.find("2") }
    #expect(throws: ConversationError.unknown(id: "1", directory: fixture.store.directory.path)) {
      try fixture.store.find("1")
    }
    // Names that lead elsewhere.
    let outside = fixture.root.appendingPathComponent("20200101-000000-aaaa.jsonl")
    try FileManager.default.copyItem(at: fixture.store.file(ids[0]), to: outside)
    for name in [
      "", "../20200101-000000-aaaa", "..", "/", "2026\n", "20200101-000000-aaaa/../x", "\u{1B}[2J", "٢٠٢٦", "2026*",
    ] {
      #expect(throws: ConversationError.notAnID(name)) { try fixture.store.find(name) }
      #expect("\(ConversationError.notAnID(name))".unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.value != 0x7F })
    }
    // Other files in the folder are none of ours.
    for name in ["notes.txt", "..jsonl", "a.jsonl", "20260101-000000-AAAA.jsonl", "20260101-000000-aaaa.jsonl.lock"] {
      try Data("x".utf8).write(to: fixture.store.directory.appendingPathComponent(name))
    }
    try FileManager.default.createDirectory(
      at: fixture.store.file("20260101-000000-aaaa"), withIntermediateDirectories: false)
    #expect(Set(try fixture.store.ids()) == Set(ids))
  }

  @Test func theLatestOfAFamilyIsTheOneWrittenToLast() throws {
    let other = FamilyReference(name: "other", identity: "def", directory: "/o")
    #expect(throws: ConversationError.noneOfFamily(name: "other", directory: fixture.store.directory.path)) {
      try fixture.store.latest(of: [other])
    }
    let ids = try [
      fixture.save([.user("a")]), fixture.save([.user("b")]), fixture.save([.user("c")], family: other),
    ]
    for (age, id) in [(10.0, ids[0]), (20, ids[1]), (5, ids[2])] {
      try FileManager.default.setAttributes(
        [.modificationDate: Date(timeIntervalSinceNow: -age)], ofItemAtPath: fixture.store.file(id).path)
    }
    #expect(try fixture.store.latest(of: [ConversationFixture.family]) == ids[0])
    #expect(try fixture.store.latest(of: [other]) == ids[2])
    #expect(try fixture.store.ids() == [ids[2], ids[0], ids[1]])
  }

  @Test func twoProgramsDoNotAppendToOneFile() throws {
    let first = fixture.recorder()
    first.record([.begin(family: nil, parent: nil), .user("a")])
    guard case .created(let id)? = fixture.events.last else { throw CocoaError(.fileWriteUnknown) }
    let second = fixture.recorder()
    let opened = try second.prepare(id)
    #expect(opened.obstacle == .inUse(id: id) && opened.conversation.items == [.user("a")])
    second.attach(nil)
    second.record([.user("not mine")])
    #expect(throws: ConversationError.inUse(id: id)) { try fixture.store.delete(id) }
    // It may branch.
    second.record([.begin(family: nil, parent: .init(id: id, turns: 1)), .user("a"), .user("b")])
    first.record([.text("x")])
    #expect(try fixture.store.ids().count == 2)
    // Once the first one is done, the second one may.
    first.attach(nil)
    #expect(try second.prepare(id).obstacle == nil)
    second.attach(nil)
    try fixture.store.delete(id)
    #expect(try fixture.store.ids().count == 1)
    #expect(
      try FileManager.default.contentsOfDirectory(atPath: fixture.store.directory.path).contains { $0.hasPrefix(id) }
        == false)
  }

  @Test func deletingAsksForTheWholeID() throws {
    let id = try fixture.save([.user("a")])
    #expect(throws: ConversationError.incompleteID(String(id.dropLast()), whole: id)) {
      try fixture.store.delete(String(id.dropLast()))
    }
    #expect(throws: ConversationError.notAnID("../\(id)")) { try fixture.store.delete("../\(id)") }
    try fixture.store.delete(id)
    #expect(try fixture.store.ids() == [])
  }

  @Test func aFolderThatCannotBeUsedIsSaidOnceAndNothingIsLost() throws {
    try Data("in the way".utf8).write(to: fixture.store.directory)
    let recorder = fixture.recorder()
    recorder.record([.begin(family: nil, parent: nil), .user("a")])
    recorder.record([.reply(ConversationFixture.start)])
    recorder.record([.text("one"), .end(.stopped)])
    guard fixture.events.count == 1, case .failed(let message) = fixture.events[0] else {
      Issue.record("\(fixture.events)")
      return
    }
    #expect(message.contains(fixture.store.directory.path) && !message.contains("\n"))
    try FileManager.default.removeItem(at: fixture.store.directory)
    recorder.record([.user("b")])
    #expect(fixture.events.contains(.recovered))
    let saved = try fixture.store.read(fixture.store.find("2"))
    #expect(saved.items.count == 3 && saved.items.last == .user("b") && saved.problems.isEmpty)
  }
}

@Suite struct ConversationSearchTests {
  let fixture: ConversationFixture

  init() throws { fixture = try ConversationFixture() }

  @Test func findsTheLine() async throws {
    let long = String(repeating: "word ", count: 40)
    let first = try fixture.save([
      .user("What is the capital of FRANCE?\nAnd of Spain?"), .reply(ConversationFixture.start),
      // Over the edges of pieces.
      .text("Par"), .text("is.\n\(long)and the Élysée is th"), .text("ere"), .end(.stopped),
    ])
    let second = try fixture.save([.user("hello"), .title("Paris, a title")])
    let library = ConversationLibrary(store: fixture.store)
    #expect(Set(try library.find("").conversations.map(\.id)) == [first, second])
    #expect(
      try library.find("france").conversations.map(\.matches) == [
        [.init(turn: 1, role: .user, line: "What is the capital of FRANCE?")]
      ])
    let paris = try library.find("paris").conversations
    #expect(Set(paris.map(\.id)) == [first, second])
    #expect(paris.first { $0.id == first }?.matches == [.init(turn: 2, role: .assistant, line: "Paris.")])
    #expect(paris.first { $0.id == second }?.matches == [])
    let palace = try #require(try library.find("élysée is there").conversations.first?.matches.first)
    #expect(palace.line.hasPrefix("…") && palace.line.hasSuffix("word and the Élysée is there"))
    #expect(palace.line.count < 60)
    #expect(try library.find("berlin").conversations.isEmpty)
    let answer = try await withCheckedThrowingContinuation { done in
      library.find("SPAIN", refreshes: true) { done.resume(with: $0) }
    }
    #expect(answer.conversations.map(\.id) == [first])
  }

  @Test func emptyConversationsAreNotListed() throws {
    _ = try fixture.save([.settings(ConversationSettings())])
    #expect(try ConversationLibrary(store: fixture.store).find("").conversations.isEmpty)
  }
}

@Suite struct ConversationExportTests {
  let fixture: ConversationFixture

  init() throws { fixture = try ConversationFixture() }

  private func conversation() throws -> SavedConversation {
    let id = try fixture.save([
      .settings(ConversationFixture.settings()), .user("a\u{1B}[2J?"), .reply(ConversationFixture.start),
      .text("  An *answer*.\n"), .end(.finished(ConversationFixture.stamp)), .title("My\u{9B} title"),
    ])
    return try fixture.store.read(id)
  }

  @Test func markdown() throws {
    let saved = try conversation()
    let file = fixture.root.appendingPathComponent("chat.md")
    try ConversationExport.write(saved, to: file)
    #expect(
      try String(contentsOf: file, encoding: .utf8) == """
        # My? title

        \(saved.id) · family tiny · \(saved.created.formatted(.iso8601))

        ## System

        be "kind"

        ## You

        a\u{FFFD}[2J?

        ## Assistant

        An *answer*.

        *small-large@2 · step 40 · adapter ff00 · temperature 0.75 · seed 18446744073709551614 · 3 tokens*

        """)
  }

  @Test func json() throws {
    struct Document: Decodable {
      struct Message: Decodable {
        var role: String
        var content: String
        var stitch: String?
        var finish: String?
      }
      var id: String
      var messages: [Message]
    }
    let saved = try conversation()
    let file = fixture.root.appendingPathComponent("chat.JSON")
    try ConversationExport.write(saved, to: file)
    let document = try JSONDecoder().decode(Document.self, from: Data(contentsOf: file))
    #expect(document.id == saved.id && document.messages.map(\.role) == ["system", "user", "assistant"])
    #expect(document.messages[2].content == "  An *answer*.\n" && document.messages[2].stitch == "small-large@2")
  }

  @Test func neverOverwrites() throws {
    let saved = try conversation()
    let file = fixture.root.appendingPathComponent("there.md")
    try Data("mine".utf8).write(to: file)
    #expect(throws: ConversationError.exportExists(file: file.path)) { try ConversationExport.write(saved, to: file) }
    #expect(try String(contentsOf: file, encoding: .utf8) == "mine")
    let odd = fixture.root.appendingPathComponent("chat.pdf")
    #expect(throws: ConversationError.exportKind(file: odd.path)) { try ConversationExport.write(saved, to: odd) }
    let nowhere = fixture.root.appendingPathComponent("no/such/chat.md")
    #expect(throws: ConversationError.self) { try ConversationExport.write(saved, to: nowhere) }
  }
}
