import ChatTUI
import Testing

/// One test at a time: a plain chat blocks its thread.
@Suite(.serialized) struct PlainChatTests {
  @Test func conversation() throws {
    var lines = ["evil", "/stitch 1", "", "/stich", "hello"].makeIterator()
    var text = ""
    let status = try runPlainChat(
      backend: ScriptedBackend(), options: ChatUIOptions(), input: { lines.next() }, output: { text += $0 },
      isInteractive: false)
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

  @Test func withoutAFamily() {
    let backend = ScriptedBackend(failure: "no/family.json: no such file; make one with stitch family build")
    #expect(throws: PlainChatError.self) {
      _ = try runPlainChat(
        backend: backend, options: ChatUIOptions(), input: { nil }, output: { _ in }, isInteractive: false)
    }
  }

  @Test func quitEndsIt() throws {
    var lines = ["/quit", "never"].makeIterator()
    var text = ""
    let status = try runPlainChat(
      backend: ScriptedBackend(), options: ChatUIOptions(), input: { lines.next() }, output: { text += $0 },
      isInteractive: true)
    #expect(status == 0 && text == "you> ")
  }
}
