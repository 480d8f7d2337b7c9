import ChatTUI
import FamilyFixture
import Foundation
import Testing

/// Conversations that the program saves, and `stitch conversations`.
@Suite struct ConversationCommandTests {
  /// A saved file as its lines, and what they add up to.
  struct Saved {
    var id: String
    var lines: [[String: Any]] = []
    /// Question, reply, question, …
    var turns: [String] = []

    init(_ file: URL) throws {
      id = file.deletingPathExtension().lastPathComponent
      for line in try Data(contentsOf: file).split(separator: 0x0A) {
        guard let record = try? JSONSerialization.jsonObject(with: line) as? [String: Any] else { continue }
        lines.append(record)
        let text = record["text"] as? String ?? ""
        switch record["type"] as? String {
        case "user": turns.append(text)
        case "reply": turns.append("")
        case "text": turns[turns.count - 1] += text
        default: break
        }
      }
    }
  }

  private func folder(_ workspace: Workspace) -> URL { workspace.home.appending(path: "stitch/conversations") }

  /// All saved conversations, in the order they were begun in.
  private func saved(_ workspace: Workspace) throws -> [Saved] {
    let folder = folder(workspace)
    guard FileManager.default.fileExists(atPath: folder.path) else { return [] }
    return try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
      .filter { $0.pathExtension == "jsonl" }.sorted { $0.path < $1.path }.map { try Saved($0) }
  }

  private func chat(
    _ workspace: Workspace, _ lines: String..., options: [String] = []
  ) throws -> StitchProcess.Outcome {
    try workspace.run(
      ["chat", "--plain", "--family", workspace.family.path, "--max-tokens", "12"] + options,
      input: Data(lines.map { $0 + "\n" }.joined().utf8))
  }

  /// Forgets what was saved.
  private func clear(_ workspace: Workspace) throws { try FileManager.default.removeItem(at: folder(workspace)) }

  @Test func resumingGivesTheSameNextReply() throws {
    try Workspace.with { workspace in
      let options = ["--temperature", "1", "--seed", "4", "--system", "be kind"]
      _ = try chat(
        workspace, "hello", "/regen", "/stitch small-large@2", "/set top_p 0.9", "who are you?", options: options)
      let whole = try saved(workspace)
      #expect(whole.count == 1 && whole[0].turns.count == 5)
      try clear(workspace)

      // The same in three goes.
      _ = try chat(workspace, "hello", options: options)
      let id = try #require(try saved(workspace).first?.id)
      let second = try chat(
        workspace, "/regen", "/stitch small-large@2", "/set top_p 0.9", "/title x", options: ["--resume"])
      #expect(second.status == 0 && second.complaint.isEmpty)
      #expect(second.text.hasPrefix("you> hello\nassistant> "))
      let third = try chat(workspace, "who are you?", options: ["--resume", String(id.dropLast(2))])
      #expect(
        third.status == 0 && third.complaint.isEmpty && third.text.contains("\n[small-large@2 · "),
        "\(second.text)\(third.text)")
      let parts = try saved(workspace)
      #expect(parts.map(\.id) == [id] && parts[0].turns == whole[0].turns)
      // Nothing but the conversation is in the folder.
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder(workspace).path) == ["\(id).jsonl"])
    }
  }

  @Test func killedMidReplyKeepsWhatWasShown() throws {
    try Workspace.with { workspace in
      let family = workspace.directory.appending(path: "long")
      try RandomFamily.make(at: family, contextLength: 4096)
      let process = workspace.process([
        "chat", "--plain", "--family", family.path, "--max-tokens", "4000", "--temperature", "1", "--seed", "2",
      ])
      let input = Pipe()
      process.standardInput = input
      let terminal = try PseudoTerminal()
      process.standardOutput = terminal.handle
      try terminal.start(process)
      try input.fileHandleForWriting.write(contentsOf: Data("hello\n".utf8))
      // What is not read makes it wait, so it is in the middle of its reply when it is killed.
      var shown = Data()
      while shown.count < 1500, let more = try terminal.read() { shown += more }
      kill(process.processIdentifier, SIGKILL)
      process.waitUntilExit()
      while let more = try terminal.read() { shown += more }

      let conversation = try #require(try saved(workspace).first)
      let types = conversation.lines.compactMap { $0["type"] as? String }
      #expect(types.contains("reply") && !types.contains("end"))
      let text = String(decoding: shown, as: UTF8.self).replacing("\r\n", with: "\n")
      let reply = try #require(text.range(of: "assistant> ")).upperBound
      // The last character may have been cut by the end of the program.
      let seen = text[reply...].unicodeScalars.dropLast()
      #expect(seen.count > 100)
      #expect(sanitise(conversation.turns[1]).unicodeScalars.starts(with: seen))

      // It goes on from there, and nobody complains.
      let resumed = try workspace.run(
        ["chat", "--plain", "--family", family.path, "--resume", "--max-tokens", "8"], input: Data("more\n".utf8))
      #expect(resumed.status == 0 && resumed.complaint.isEmpty && resumed.text.contains("stopped]"))
      let after = try saved(workspace)
      #expect(after.count == 1 && after[0].turns.count == 4 && after[0].turns[1] == conversation.turns[1])
      let shownAgain = try workspace.run(["conversations", "show", conversation.id])
      #expect(shownAgain.status == 0 && shownAgain.complaint.isEmpty)
    }
  }

  @Test func twoProgramsAndOneConversation() throws {
    try Workspace.with { workspace in
      _ = try chat(workspace, "hello")
      let id = try #require(try saved(workspace).first?.id)
      let first = workspace.process([
        "chat", "--plain", "--family", workspace.family.path, "--resume", id, "--max-tokens", "4",
      ])
      let input = Pipe()
      first.standardInput = input
      let terminal = try PseudoTerminal()
      first.standardOutput = terminal.handle
      try terminal.start(first)
      try input.fileHandleForWriting.write(contentsOf: Data("mine\n".utf8))
      var shown = ""
      // Its reply is complete.
      while shown.range(of: "you> mine").map({ !shown[$0.upperBound...].contains("[large") }) ?? true,
        let more = try terminal.read()
      { shown += String(decoding: more, as: UTF8.self) }

      let second = try chat(workspace, "yours", options: ["--resume", id])
      #expect(second.status == 0 && second.text.contains("conversation \(id) is open in another program"))
      try workspace.expectRefusal(["conversations", "delete", id], [id, "open in another program", "close it there"])
      try input.fileHandleForWriting.close()
      while let more = try terminal.read() { shown += String(decoding: more, as: UTF8.self) }
      first.waitUntilExit()
      #expect(first.terminationStatus == 0)

      let all = try saved(workspace)
      #expect(all.count == 2)
      let original = try #require(all.first { $0.id == id })
      let branch = try #require(all.first { $0.id != id })
      #expect(original.turns.contains("mine") && !original.turns.contains("yours"))
      #expect(branch.turns.contains("yours") && branch.turns[0] == "hello")
      #expect((branch.lines[0]["parent"] as? [String: Any])?["id"] as? String == id)
    }
  }

  @Test func listsSearchesShowsExportsAndDeletes() throws {
    try Workspace.with { workspace in
      #expect(try workspace.run(["conversations"]).output.isEmpty)
      _ = try chat(workspace, "Where is Paris?", "/title A \u{1B}]0;title\u{7}")
      _ = try chat(workspace, "hello\u{9B}2J", "who?")
      let ids = try saved(workspace).map(\.id)
      let list = try workspace.run(["conversations", "list"])
      #expect(list.status == 0 && list.text.contains("A ␛]0;title␇") && ids.allSatisfy { list.text.contains($0) })
      #expect(!list.output.contains(0x1B))

      struct List: Decodable {
        struct Row: Decodable {
          struct Match: Decodable {
            var turn: Int
            var role: String
            var line: String
          }
          var id: String
          var turns: Int
          var first_question: String
          var matches: [Match]?
        }
        var conversations: [Row]
      }
      let all = try JSONDecoder().decode(List.self, from: workspace.run(["conversations", "--json"]).output)
      #expect(Set(all.conversations.map(\.id)) == Set(ids) && all.conversations.allSatisfy { $0.matches == nil })
      let found = try JSONDecoder().decode(
        List.self, from: workspace.run(["conversations", "search", "PARIS", "--json"]).output)
      #expect(found.conversations.map(\.first_question) == ["Where is Paris?"])
      #expect(
        found.conversations[0].matches?.first.map { "\($0.turn) \($0.role): \($0.line)" } == "1 user: Where is Paris?")
      let id = found.conversations[0].id
      #expect(try workspace.run(["conversations", "search", "paris"]).text.contains("\n  1 user: Where is Paris?\n"))

      let shown = try workspace.run(["conversations", "show", id])
      #expect(shown.text.contains("## You\n\nWhere is Paris?\n") && !shown.output.contains(0x1B))
      let file = workspace.directory.appending(path: "chat.md")
      #expect(try workspace.run(["conversations", "export", id, file.path]).status == 0)
      try workspace.expectRefusal(
        ["conversations", "export", id, file.path], ["chat.md exists already", "another file"])
      try workspace.expectRefusal(["conversations", "export", id, workspace.directory.path + "/x"], [".md", ".json"])
      for name in ["../\(id)", "Nonsense", "\u{1B}[2J"] {
        try workspace.expectRefusal(["conversations", "show", name], ["is no conversation's id", "lists them"])
      }
      try workspace.expectRefusal(["conversations", "show", "1999"], ["begins with 1999"])
      try workspace.expectRefusal(["conversations", "delete", String(id.dropLast())], ["only the beginning", id])
      #expect(try workspace.run(["conversations", "delete", id]).status == 0)
      #expect(try saved(workspace).count == 1)
    }
  }

  @Test func whatCannotBeResumed() throws {
    try Workspace.with { workspace in
      let arguments = ["chat", "--plain", "--family", workspace.family.path, "--resume"]
      try workspace.expectRefusal(arguments, ["no conversation with the family random", "leave --resume out"])
      try workspace.expectRefusal(arguments + ["2026"], ["no conversation is saved in"])
      _ = try chat(workspace, "hello")
      try workspace.expectRefusal(arguments + ["../../x"], ["“../../x” is no conversation's id"])
      let id = try #require(try saved(workspace).first?.id)
      let file = folder(workspace).appending(path: "\(id).jsonl")
      try workspace.restoring(file) {
        try workspace.replace("\"format\":1", by: "\"format\":9", in: file)
        try workspace.expectRefusal(arguments + [id], ["has format 9, this program reads 1", "newer program"])
      }
      try workspace.restoring(file) {
        let content = try String(contentsOf: file, encoding: .utf8)
        try Data((content + "\u{1B}nonsense\n{\"type\":\"user\",\"text\":\"after\"}\n").utf8).write(to: file)
        let outcome = try chat(workspace, options: ["--resume", id])
        #expect(
          outcome.status == 0 && outcome.text.contains("\(id).jsonl, line ") && outcome.text.contains("you> after\n"))
      }
    }
  }

  @Test func whatIsNotToBeSavedIsNot() throws {
    try Workspace.with { workspace in
      let outcome = try chat(workspace, "hello", options: ["--no-save"])
      #expect(outcome.status == 0 && outcome.text.contains("[large"))
      // Nobody said anything.
      _ = try chat(workspace, "/stitch 1", "/help")
      #expect(try saved(workspace).isEmpty)
      _ = try chat(workspace, "hello")
      let before = try saved(workspace)
      let resumed = try chat(workspace, "more", options: ["--no-save", "--resume"])
      #expect(resumed.text.contains("you> hello\n") && resumed.text.contains("you> more\n"))
      #expect(try saved(workspace).map(\.turns) == before.map(\.turns))
    }
  }

  @Test func aFullDiskIsSaidOnceAndTheChatGoesOn() throws {
    try Workspace.with { workspace in
      // Files may not grow beyond a kilobyte; writing more fails instead of ending the program.
      let outcome = try StitchProcess.run(
        shell: "trap '' XFSZ; ulimit -f 1; exec \"$0\" \"$@\"",
        ["chat", "--plain", "--family", workspace.family.path, "--max-tokens", "2"],
        input: Data("one\ntwo\nthree\n".utf8), environment: workspace.environment)
      #expect(outcome.status == 0, "\(outcome.complaint)")
      let text = outcome.text
      #expect(text.components(separatedBy: "not saved for now: cannot write ").count == 2, "\(text)")
      #expect(text.contains("you> three\nassistant> "))
      #expect(try saved(workspace).first?.turns.first == "one")
    }
  }

  @Test func anotherFamilyOpensItWithAWarning() throws {
    try Workspace.with { workspace in
      _ = try chat(workspace, "hello", "/stitch small-large@3", options: ["--temperature", "0.5"])
      let id = try #require(try saved(workspace).first?.id)
      let other = workspace.directory.appending(path: "other")
      try RandomFamily.make(at: other, width: 48, name: "wider")
      let outcome = try workspace.run(
        ["chat", "--plain", "--family", other.path, "--resume", id, "--max-tokens", "4"], input: Data("more\n".utf8))
      #expect(
        outcome.status == 0
          && outcome.text.contains(
            "made with the family random (\(workspace.family.path)); replies now come from wider")
      )
      // Without --family, the conversation's own.
      let own = try workspace.run(["chat", "--plain", "--resume", id, "--max-tokens", "4"], input: Data("more\n".utf8))
      #expect(own.status == 0 && !own.text.contains("made with") && own.text.contains("[small-large@3"))
    }
  }
}
