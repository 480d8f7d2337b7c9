import FamilyFixture
import Foundation
import Testing

/// `stitch chat` without a terminal.
@Suite struct PlainChatCommandTests {
  @Test func linesInLinesOut() throws {
    try StitchProcess.withTemporaryDirectory { directory in
      let family = directory.appending(path: "family")
      try RandomFamily.make(at: family)
      let arguments = [
        "chat", "--plain", "--family", family.path, "--max-tokens", "8", "--seed", "4", "--temperature", "1",
      ]
      let input = Data("hello\n/stitch small\nwho are you?\n".utf8)
      let environment = ["XDG_DATA_HOME": directory.path]
      let first = try StitchProcess.run(arguments, input: input, environment: environment)
      #expect(first.status == 0 && first.complaint.isEmpty)
      #expect(
        first.text.contains("you> hello\n") && first.text.contains("\n[large · ") && first.text.contains("\n[small · "))
      // The same seed says the same.
      func replies(_ text: String) -> [Substring] { text.split(separator: "\n").filter { !$0.hasPrefix("[") } }
      #expect(
        try replies(StitchProcess.run(arguments, input: input, environment: environment).text) == replies(first.text))
      // `stitch` alone is `stitch chat`.
      let alone = try StitchProcess.run(Array(arguments.dropFirst()), input: input, environment: environment)
      #expect(replies(alone.text) == replies(first.text))
    }
  }

  /// Who pipes lines in learns from the exit code that one of them got no reply.
  @Test func aFailedReplyIsExitCode1() throws {
    try StitchProcess.withTemporaryDirectory { directory in
      let family = directory.appending(path: "family")
      try RandomFamily.make(at: family)
      let long = String(repeating: "word ", count: 3000)
      let outcome = try StitchProcess.run(
        ["chat", "--plain", "--family", family.path, "--max-tokens", "4"], input: Data("\(long)\nhello\n".utf8),
        environment: ["XDG_DATA_HOME": directory.path])
      #expect(outcome.status == 1 && outcome.text.contains("* failed: ") && outcome.text.contains("you> hello\n"))
    }
  }

  @Test func failuresAreOneLineAndExitCode2() throws {
    try StitchProcess.withTemporaryDirectory { directory in
      let family = directory.appending(path: "family")
      try RandomFamily.make(at: family)
      let cases: [([String], String)] = [
        (["chat", "--family", "/no/such"], "/no/such is not a family"),
        (["chat", "--family", family.path, "--adapter", "newest"], "“newest” is no adapter"),
        (["chat", "--family", family.path, "--adapter", "abcdef0"], "no snapshot in"),
        (["chat", "--family", family.path, "--top-p", "3"], "top-p is 3"),
        (["chat", "--family", family.path, "--max-tokens", "0"], "--max-tokens must be 1 or more"),
        (["chat", "more"], "more"),
      ]
      for (arguments, part) in cases {
        let outcome = try StitchProcess.run(arguments, environment: ["XDG_DATA_HOME": directory.path])
        #expect(outcome.status == 2, "\(arguments)")
        #expect(outcome.complaint.hasPrefix("stitch: ") && outcome.complaint.contains(part), "\(outcome.complaint)")
        #expect(outcome.complaint.filter { $0 == "\n" }.count == 1, "\(outcome.complaint)")
      }
    }
  }
}
