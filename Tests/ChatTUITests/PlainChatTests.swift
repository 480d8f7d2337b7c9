import ChatTUI
import Foundation
import Testing

/// Runs `body` on a thread of its own: a plain chat blocks its thread, and the few threads that tests share are needed
/// by its backend.
private func onItsOwnThread<Result: Sendable>(_ body: @escaping @Sendable () throws -> Result) async throws -> Result {
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
        * auto: small next, about 52.1 tok/s

        """)
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

  @Test func quitEndsIt() async throws {
    let (status, text) = try await onItsOwnThread {
      var lines = ["/quit", "never"].makeIterator()
      var text = ""
      let status = try runPlainChat(
        backend: ScriptedBackend(), options: ChatUIOptions(), input: { lines.next() }, output: { text += $0 },
        isInteractive: true)
      return (status, text)
    }
    #expect(status == 0 && text == "you> ")
  }
}
