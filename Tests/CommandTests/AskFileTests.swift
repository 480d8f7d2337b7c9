import Foundation
import Testing

/// `stitch ask --file`.
@Suite struct AskFileTests {
  private func tokens(_ outcome: StitchProcess.Outcome) throws -> Int {
    let document = try JSONSerialization.jsonObject(with: outcome.output) as? [String: Any]
    return try #require(document?["prompt_tokens"] as? Int)
  }

  @Test func filesStandBetweenPromptAndStandardInput() throws {
    try Workspace.with { workspace in
      let files = ["a.txt", "b.md"].map { workspace.directory.appending(path: $0) }
      try Data("\u{FEFF}the cat\r\n".utf8).write(to: files[0])
      try Data("sat ``` on\n".utf8).write(to: files[1])
      let ask = ["ask", "--family", workspace.family.path, "--json", "--max-tokens", "3", "look"]
      // From where they are, so that their names are short.
      let outcome = try StitchProcess.run(
        shell: "cd '\(workspace.directory.path)' && \"$0\" \"$@\"", ask + ["--file", "a.txt", "--file", "b.md"],
        input: Data("the mat".utf8), environment: workspace.environment)
      #expect(outcome.status == 0, "\(outcome.complaint)")
      // The same written out by hand.
      let text =
        "look\n\nFile a.txt:\n```\nthe cat\n```\n\nFile b.md:\n````\nsat ``` on\n````\n\nthe mat"
      let same = try workspace.run(Array(ask.dropLast()) + [text])
      #expect(same.status == 0, "\(same.complaint)")
      #expect(try tokens(outcome) == tokens(same))
      #expect(try Self.reply(outcome) == Self.reply(same))
    }
  }

  private static func reply(_ outcome: StitchProcess.Outcome) throws -> String? {
    (try JSONSerialization.jsonObject(with: outcome.output) as? [String: Any])?["text"] as? String
  }

  @Test func whatDoesNotFitIsRefusedOrCut() throws {
    try Workspace.with { workspace in
      let book = workspace.directory.appending(path: "book.txt")
      try Data((1...200).map { "line \($0)\n" }.joined().utf8).write(to: book)
      let ask = ["ask", "--family", workspace.family.path, "--json", "sum up", "--file", book.path]
      try workspace.expectRefusal(ask, ["the prompt with its files has ", "116 fit beside a reply", "--cut-files"])
      let cut = try workspace.run(ask + ["--cut-files", "--max-tokens", "2"])
      #expect(cut.status == 0 && cut.complaint.contains("tokens of its beginning"), "\(cut.complaint)")
      #expect((80...126).contains(try tokens(cut)))
      let pipe = workspace.directory.appending(path: "pipe").path
      #expect(mkfifo(pipe, 0o600) == 0)
      for (path, cause) in [(pipe, "is a pipe"), ("/dev/zero", "is a device"), ("/no", "cannot open /no")] {
        try workspace.expectRefusal(["ask", "--family", workspace.family.path, "x", "--file", path], [cause])
      }
      try workspace.expectRefusal(["ask", "--family", workspace.family.path, "--file", book.path], ["give a prompt"])
      try workspace.expectRefusal(["ask", "--raw", "x", "--file", book.path], ["--file does not go with --raw"])
      try workspace.expectRefusal(["ask", "x", "--cut-files"], ["--cut-files goes with --file"])
    }
  }
}
