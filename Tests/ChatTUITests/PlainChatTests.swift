import ChatEngine
import ChatTUI
import Conversations
import Foundation
import Testing

/// Runs `body` on a thread of its own: a plain chat blocks its thread, and the few threads that tests share are needed
/// by its backend.
func onItsOwnThread<Result: Sendable>(_ body: @escaping @Sendable () throws -> Result) async throws -> Result {
  try await withCheckedThrowingContinuation { continuation in
    Thread { continuation.resume(with: Swift.Result { try body() }) }.start()
  }
}

@Suite struct PlainChatTests {
  @Test func conversation() async throws {
    let (status, text) = try await onItsOwnThread {
      var lines = ["evil", "/stitch 1", "", "/stich", "hello"].makeIterator()
      var text = ""
      let status = try runPlainChat(
        backend: ScriptedBackend(), options: ChatUIOptions(), input: { lines.next() }, output: { text += $0 },
        isInteractive: false)
      return (status, text)
    }
    #expect(status == 0)
    #expect(
      text == """
        you> evil
        assistant> Before ␛[31mred␛[0m ␛]0;title␇ after \u{FFFD}gnp.exe\u{FFFD}.
        [large · step 400 · 52.1 tok/s]
        you> /stitch 1
        * small from the next reply on
        you> /stich
        * no command /stich; did you mean /stitch? (a message may begin with //)
        you> hello
        assistant> You said “hello”. 12 + 7 = 19.
        [small · step 400 · 52.1 tok/s]

        """)
  }

  @Test func comparisonsOneAfterTheOther() async throws {
    let (status, text) = try await onItsOwnThread {
      var lines = ["/compare 1 9 -- hello", "/keep 1", "/train", "/auto 500"].makeIterator()
      var text = ""
      let status = try runPlainChat(
        backend: ScriptedBackend(), options: ChatUIOptions(), input: { lines.next() }, output: { text += $0 },
        isInteractive: false)
      return (status, text)
    }
    #expect(status == 0)
    #expect(
      text == """
        you> /compare 1 9 -- hello
        assistant> You said “hello”. 12 + 7 = 19.
        [small · step 400 · 52.1 tok/s]
        assistant> You said “hello”. 12 + 7 = 19.
        [large · step 400 · 52.1 tok/s]
        * The conversation goes on with 2, large; /keep N takes another.
        you> /keep 1
        * the conversation goes on with 1, small
        you> /train
        * No lessons come with this family: /train FILE takes JSON Lines with questions and answers.
        you> /auto 500
        * auto: small next, about 235 tok/s

        """)
  }

  /// Of a comparison, the reply in use goes on; what was printed of it is not printed again.
  @Test func aComparisonGoesOn() async throws {
    let text = try await onItsOwnThread {
      var lines = ["/compare 1 9 -- list", "/keep 1", "/continue", "hello"].makeIterator()
      var text = ""
      _ = try runPlainChat(
        backend: ScriptedBackend(), options: ChatUIOptions(), input: { lines.next() }, output: { text += $0 },
        isInteractive: false)
      return text
    }
    let answer = ScriptedBackend.answer(to: "list")
    #expect(text.components(separatedBy: "assistant> \(answer)\n[").count == 3)
    #expect(text.contains("you> /continue\nassistant, going on> \(answer)\n[large"), "\(text)")
    #expect(text.contains("you> hello\nassistant> You said “hello”. 12 + 7 = 19.\n[large"))
  }

  @Test func withoutAFamily() async {
    await #expect(throws: PlainChatError.self) {
      try await onItsOwnThread {
        let backend = ScriptedBackend(failure: "no/family.json: no such file; make one with stitch family build")
        return try runPlainChat(
          backend: backend, options: ChatUIOptions(), input: { nil }, output: { _ in }, isInteractive: false)
      }
    }
  }

  @Test func savedConversationsLineByLine() async throws {
    let root = FileManager.default.temporaryDirectory.appendingPathComponent("stitch-plain-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: root) }
    let saving = ConversationSaving(store: ConversationStore(root: root), program: "test")
    @Sendable func chat(_ lines: [String], _ change: (inout ChatUIOptions) -> Void = { _ in }) throws -> String {
      var lines = lines.makeIterator()
      var text = ""
      var options = ChatUIOptions()
      options.saving = saving
      change(&options)
      _ = try runPlainChat(
        backend: ScriptedBackend(), options: options, input: { lines.next() }, output: { text += $0 },
        isInteractive: false)
      return text
    }
    let (first, second, id) = try await onItsOwnThread {
      let first = try chat(["/chats", "hello", "/title Mine\u{1B}", "/chats YOU SAID", "/chats nothing"])
      let id = try saving.store.find("2")
      return (first, try chat(["/open 1", "bye", "/export /no/such/chat.md"]) { $0.resume = id }, id)
    }
    let answer = "assistant> You said “hello”. 12 + 7 = 19.\n[large · step 400 · 52.1 tok/s]\n"
    #expect(first.hasPrefix("you> /chats\n* Nothing is saved yet.\nyou> hello\n\(answer)"))
    #expect(first.contains("* the title is Mine␛\n"))
    #expect(
      first.contains("* \(id) · ") && first.contains(" · 2 messages · large · open · Mine␛\n    You said “hello”."))
    #expect(first.hasSuffix("you> /chats nothing\n* Nothing fits.\n"))
    #expect(second.hasPrefix("you> hello\n\(answer)you> /open 1\n* no conversation in "))
    #expect(
      second.contains("you> bye\nassistant> You said “bye”.") && second.contains("* cannot write /no/such/chat.md: "))
    #expect(try saving.store.read(id).turns == 4)
  }

  @Test func quitEndsIt() async throws {
    let (status, text) = try await onItsOwnThread {
      var lines = ["/quit", "never"].makeIterator()
      var text = ""
      let status = try runPlainChat(
        backend: ScriptedBackend(), options: ChatUIOptions(), input: { lines.next() }, output: { text += $0 },
        isInteractive: true)
      return (status, text)
    }
    #expect(status == 0)
    #expect(
      text == "* loading the family\n* tiny is loaded: 9 sizes, large answers. /help lists the commands.\nyou> ")
  }

  /// Every change of state in words, once; and what needs a screen says so.
  @Test func wordsForWhatOtherwiseIsSeen() async throws {
    let text = try await onItsOwnThread {
      var lines = ["/copy", "/search x", "hello", "/continue", "/edit", "bye", "/train data.jsonl 4", "/help"]
        .makeIterator()
      var text = ""
      _ = try runPlainChat(
        backend: ScriptedBackend(), options: ChatUIOptions(), input: { lines.next() }, output: { text += $0 },
        isInteractive: false)
      return text
    }
    #expect(text.contains("you> /copy\n* /copy needs the terminal UI\n"))
    #expect(text.contains("* /search needs the terminal UI\n"))
    #expect(text.contains("you> /continue\nassistant, going on> "))
    #expect(
      text.contains("* The next message replaces “hello” and all that followed.\nyou> bye\n* 2 messages replaced"))
    #expect(text.contains("assistant> You said “bye”."))
    #expect(text.contains("* Adapting all sizes to data.jsonl for 4 steps."))
    #expect(text.contains("  /edit") && !text.contains("  /copy") && !text.contains("  /search"))
  }

  /// A reply of many lines is printed as it came, whatever the pieces.
  @Test func aLongReplyIsPrintedOnce() async throws {
    let text = try await onItsOwnThread {
      var lines = ["list"].makeIterator()
      var text = ""
      _ = try runPlainChat(
        backend: ScriptedBackend(), options: ChatUIOptions(), input: { lines.next() }, output: { text += $0 },
        isInteractive: false)
      return text
    }
    #expect(text.contains("assistant> \(ScriptedBackend.answer(to: "list"))\n[large"))
  }
}
