import FamilyFixture
import Foundation
import Testing

/// `stitch replay`, through the program.
@Suite struct ReplayTests {
  private static let checkout = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()
  private static var hasDefaultFamily: Bool {
    FileManager.default.fileExists(atPath: checkout.appending(path: "weights/tiny/family.json").path)
  }

  /// The scripts that the repository shows, with the default family.
  @Test(.enabled(if: hasDefaultFamily)) func theExamplesHold() throws {
    try Workspace.with { workspace in
      let replay = [
        "replay", Self.checkout.appending(path: "examples/checks").path, "--family",
        Self.checkout.appending(path: "weights/tiny").path,
      ]
      let outcome = try workspace.run(replay + ["--json"])
      #expect(outcome.status == 0, "\(outcome.text)")
      let again = try workspace.run(replay + ["--json", "--no-cache", "--threads", "1"])
      #expect(try Self.texts(again) == Self.texts(outcome))
      // What passed can fail.
      #expect(try Self.texts(outcome).contains("12 + 7 = 19"))
    }
  }

  private struct Report: Decodable {
    struct Result: Decodable {
      struct Step: Decodable {
        struct Reply: Decodable { var text: String }
        var replies: [Reply]
        var failures: [String]
      }
      var steps: [Step]
      var status: String
      var error: String?
    }
    var results: [Result]
  }

  private static func report(_ outcome: StitchProcess.Outcome) throws -> Report {
    try JSONDecoder().decode(Report.self, from: outcome.output)
  }
  private static func texts(_ outcome: StitchProcess.Outcome) throws -> [String] {
    try report(outcome).results.flatMap { $0.steps.flatMap { $0.replies.map(\.text) } }
  }

  /// A script beside the family of a workspace.
  private func script(_ workspace: Workspace, _ steps: String, name: String = "script.yaml") throws -> URL {
    let url = workspace.directory.appending(path: name)
    try Data(("family: family\nset: {max_tokens: 8, temperature: 1}\nseed: 3\nsteps:\n" + steps).utf8).write(to: url)
    return url
  }

  /// Of random weights nothing sensible comes, but always of the form.
  @Test func repliesKeepTheFormOfTheirStep() throws {
    try Workspace.with { workspace in
      try Data(#"{"type": "array", "items": {"type": "integer"}, "minItems": 2, "maxItems": 3}"#.utf8)
        .write(to: workspace.directory.appending(path: "list.json"))
      let url = try script(
        workspace,
        """
          - set: {max_tokens: 300}
          - user: hello
            expect: {schema: list.json, finish: stop}
          - regen: true
            expect: {schema: {type: object, properties: {"yes": {type: boolean}}, required: ["yes"], additionalProperties: false}}
          - command: /compare 1 2 -- well?
            expect: {grammar: 'root ::= [ab]{3}'}
          - user: hello
          - set: {max_tokens: 2}
          - user: hello
            expect: {grammar: 'root ::= [ab]{9}'}
        """)
      let outcome = try workspace.run(["replay", url.path, "--json"])
      #expect(outcome.status == 1, "\(outcome.text)\(outcome.complaint)")
      let steps = try #require(try Self.report(outcome).results.first).steps
      let replies = steps.map { $0.replies.map(\.text) }
      let list = try #require(JSONSerialization.jsonObject(with: Data(replies[1][0].utf8)) as? [Int])
      #expect((2...3).contains(list.count))
      #expect(replies[2][0].contains(/^\{\s*"yes":\s*(true|false)\s*\}$/), "\(replies[2])")
      #expect(replies[3].count == 2 && replies[3].allSatisfy { $0.contains(/^[ab]{3}$/) }, "\(replies[3])")
      // The next one is free.
      #expect(!replies[4][0].allSatisfy { "ab".contains($0) })
      #expect(steps[6].failures == ["cut off after 2 tokens, before it was what the grammar wants; let it be longer"])
      #expect(steps[..<6].allSatisfy { $0.failures.isEmpty })
      // What is held to a form stays so where the rest is written anew.
      let updated = try workspace.run(["replay", url.path, "--update"])
      let text = try String(contentsOf: url, encoding: .utf8)
      #expect(text.contains(#"schema: "list.json""#) || text.contains("schema: list.json"), "\(updated.text)\(text)")
      #expect(text.contains(#""[ab]{9}""#) || text.contains("[ab]{9}"))
    }
  }

  @Test func aFormThatCannotBeIsSaidFirst() throws {
    try Workspace.with { workspace in
      let url = try script(workspace, "  - user: hello\n  - user: hello\n    expect: {schema: {type: whole}}\n")
      let outcome = try workspace.run(["replay", url.path])
      #expect(outcome.status == 2)
      #expect(outcome.text.contains("script.yaml:7:22: the schema, at #/type: “whole” is no type"), "\(outcome.text)")
      #expect(outcome.text.contains("0 of 0 steps checked"))
      let chat = try workspace.run(["chat", "--plain", "--script", url.path])
      #expect(chat.status == 2 && chat.complaint.contains("script.yaml:7:22: the schema"), "\(chat.complaint)")
    }
  }

  @Test func whatDoesNotHoldIsNamed() throws {
    try Workspace.with { workspace in
      let url = try script(
        workspace,
        """
          - user: hello
            expect: {stitch: large, max_tokens: 8, finish: length}
          - stitch: small
          - user: "again & again"
            expect: {stitch: large, equals: "<never>", max_tokens: 2, finish: stop}
        """)
      let junit = workspace.directory.appending(path: "report.xml")
      let outcome = try workspace.run(["replay", url.path, "--junit", junit.path])
      #expect(outcome.status == 1, "\(outcome.text)\(outcome.complaint)")
      for part in [
        "line 8: again & again", "expected “<never>”", "made by small, expected large",
        "ended by length, expected stop", "8 tokens, at most 2 expected", "0 passed, 1 failed, 0 could not run",
      ] {
        #expect(outcome.text.contains(part), "\(part) is missing in\n\(outcome.text)")
      }
      let report = try String(contentsOf: junit, encoding: .utf8)
      let parser = XMLReader()
      #expect(parser.read(report), "\(report)")
      #expect(parser.counts == ["testsuites": 1, "testsuite": 1, "testcase": 3, "failure": 1])
      #expect(report.contains("again &amp; again") && report.contains("&lt;never&gt;"))
    }
  }

  @Test func theSameEveryTime() throws {
    try Workspace.with { workspace in
      let url = try script(
        workspace,
        "  - user: hello\n  - user: and\n  - stitch: small-large@2\n  - regen\n  - compare: [small, large]\n  - user: so\n"
      )
      let repeated = try workspace.run(["replay", url.path, "--repeat", "3"])
      #expect(repeated.status == 0, "\(repeated.text)")
      let first = try workspace.run(["replay", url.path, "--json"])
      let other = try workspace.run(["replay", url.path, "--json", "--no-cache", "--threads", "1"])
      #expect(try Self.texts(first).count == 6)
      #expect(try Self.texts(first) == Self.texts(other))
    }
  }

  @Test func anUpdatePasses() throws {
    try Workspace.with { workspace in
      let url = try script(
        workspace,
        """
          # The first.
          - user: hello
            expect: {equals: no}

          # The second, with more lines.
          - user: and now
            expect:
              equals: no
              not: [never]
          - regen
        """)
      let updated = try workspace.run(["replay", url.path, "--update"])
      #expect(updated.status == 1 && updated.complaint.contains("-    expect: {equals: no}"), "\(updated.complaint)")
      let text = try String(contentsOf: url, encoding: .utf8)
      #expect(
        text.contains("# The first.") && text.contains("# The second, with more lines.") && !text.contains("never"))
      let again = try workspace.run(["replay", url.path])
      #expect(again.status == 0 && again.text.contains("3 of 3 steps checked"), "\(again.text)\n\(text)")
    }
  }

  /// Whatever the spelling: a step is updated, or named and left as it is, and does what it did.
  @Test func anUpdateOfOddSpellings() throws {
    try Workspace.with { workspace in
      let url = try script(
        workspace,
        """
          - {user: braces}
          - regen   # a word
          - user: |
              text
              # of the text
            # about the step
          - user: seen
            expect: {screen: [seen, random]}
          - user: not seen
            expect: {screen: nowhere to be seen}
        """)
      let updated = try workspace.run(["replay", url.path, "--update"])
      #expect(updated.status == 1)
      #expect(updated.complaint.contains("script.yaml:5: not updated: write “user” or “regen”"), "\(updated.complaint)")
      #expect(
        updated.complaint.contains("script.yaml:13: not updated: the screen is not as expected"), "\(updated.complaint)"
      )
      let text = try String(contentsOf: url, encoding: .utf8)
      #expect(
        text.contains("- {user: braces}\n") && text.contains("- regen: true   # a word\n    expect: {equals: "),
        "\(text)")
      #expect(text.contains("      # of the text\n    # about the step\n    expect: {"), "\(text)")
      #expect(text.contains("stitch: \"large\", screen: {contains: [\"seen\", \"random\"]}}"), "\(text)")
      let again = try workspace.run(["replay", url.path])
      #expect(
        again.text.contains("expected “nowhere to be seen”") && again.text.contains("4 of 5 steps checked"),
        "\(again.text)")
    }
  }

  @Test func anUpdateOfJSONLines() throws {
    try Workspace.with { workspace in
      for name in ["script.jsonl", "script.ndjson"] {
        let url = workspace.directory.appending(path: name)
        let header = #"{"family": "family", "set": {"max_tokens": 4}}"#
        try Data("\(header)\n{\"user\": \"a - b\", \"expect\": {\"equals\": \"no\", \"screen\": \"a - b\"}}\n".utf8)
          .write(to: url)
        #expect(try workspace.run(["replay", url.path, "--update"]).status == 1)
        let again = try workspace.run(["replay", url.path])
        #expect(again.status == 0 && again.text.contains("1 of 1 steps checked"), "\(again.text)")
        #expect(try String(contentsOf: url, encoding: .utf8).contains(#""screen":{"contains":["a - b"]"#))
      }
    }
  }

  @Test func anUpdateKeepsTheLineEndsOfWindows() throws {
    try Workspace.with { workspace in
      let yaml =
        "family: family\nset: {max_tokens: 4}\nsteps:\n  # One.\n  - user: a\n    expect: {equals: no}\n\n  - regen\n"
      let lines = "{\"family\": \"family\", \"set\": {\"max_tokens\": 4}}\n{\"user\": \"a\"}\n{\"user\": \"b\"}"
      for (name, unixText) in [("script.yaml", yaml), ("script.jsonl", lines)] {
        let url = workspace.directory.appending(path: name)
        try Data(unixText.replacing("\n", with: "\r\n").utf8).write(to: url)
        let updated = try workspace.run(["replay", url.path, "--update"])
        #expect(!updated.complaint.contains("not updated"), "\(updated.complaint)")
        let bytes = try Array(Data(contentsOf: url))
        let returns = bytes.indices.filter { bytes[$0] == 0x0D }
        #expect(returns.count == bytes.count { $0 == 0x0A } && returns.allSatisfy { bytes[$0 + 1] == 0x0A }, "\(bytes)")
        let again = try workspace.run(["replay", url.path])
        #expect(again.status == 0 && again.text.contains("2 of 2 steps checked"), "\(again.text)")
      }
    }
  }

  @Test func anUpdateLeavesASavedConversationAlone() throws {
    try Workspace.with { workspace in
      let chat = try workspace.run(
        ["chat", "--plain", "--family", workspace.family.path, "--max-tokens", "6"], input: Data("hello\nso\n".utf8))
      #expect(chat.status == 0)
      let folder = workspace.home.appending(path: "stitch/conversations")
      let file = try #require(
        try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil).first {
          $0.pathExtension == "jsonl"
        })
      let before = try Data(contentsOf: file)
      // Another network's replies are not the ones that were saved.
      let outcome = try workspace.run(["replay", file.path, "--update", "--family", workspace.family.path])
      #expect(outcome.status == 2 && outcome.text.contains("--update changes scripts only"), "\(outcome.text)")
      #expect(try Data(contentsOf: file) == before)
    }
  }

  /// What happens where the context is full is the script's to say.
  @Test func theContextIsFull() throws {
    try Workspace.with { workspace in
      let steps = (0..<6).map { "  - user: one two three four five six seven eight nine ten \($0)\n" }.joined()
      let drops = try script(workspace, steps, name: "drops.yaml")
      let outcome = try workspace.run(["replay", drops.path])
      #expect(outcome.status == 0, "\(outcome.text)")
      let asks = try script(workspace, "  - set: {overflow: ask}\n" + steps, name: "asks.yaml")
      let refused = try workspace.run(["replay", asks.path])
      #expect(
        refused.status == 2 && refused.text.contains("Not sent: there is room for it only without"), "\(refused.text)")
    }
  }

  @Test func trainingRunsToItsEndAndLeavesNothing() throws {
    try Workspace.with { workspace in
      let url = try script(workspace, "  - user: hello\n  - train: {data: lesson.jsonl, steps: 3}\n  - user: hello\n")
      let outcome = try workspace.run(["replay", url.path, "-v"])
      #expect(outcome.status == 0, "\(outcome.text)")
      #expect(!FileManager.default.fileExists(atPath: workspace.home.appending(path: "stitch/adapters").path))
      #expect(!FileManager.default.fileExists(atPath: workspace.home.appending(path: "stitch/conversations").path))
    }
  }

  @Test func aSavedConversationIsAScript() throws {
    try Workspace.with { workspace in
      let chat = try workspace.run(
        [
          "chat", "--plain", "--family", workspace.family.path, "--temperature", "1", "--max-tokens", "6", "--seed",
          "5",
        ],
        input: Data("hello\n/stitch small\nagain\n".utf8))
      #expect(chat.status == 0, "\(chat.complaint)")
      let folder = workspace.home.appending(path: "stitch/conversations")
      let file = try #require(
        try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil).first {
          $0.pathExtension == "jsonl"
        })
      let outcome = try workspace.run(["replay", file.path])
      #expect(outcome.status == 0 && outcome.text.contains("2 of 3 steps checked"), "\(outcome.text)")
    }
  }

  @Test func whatCannotRunIsSaidAndTheRestGoesOn() throws {
    try Workspace.with { workspace in
      let good = try script(workspace, "  - user: hello\n", name: "good.yaml")
      let typo = try script(workspace, "  - usr: hello\n", name: "typo.yaml")
      let auto = try script(workspace, "  - stitch: auto\n", name: "auto.yaml")
      let stitch = try script(workspace, "  - stitch: middle\n", name: "stitch.yaml")
      let outcome = try workspace.run(["replay", typo.path, auto.path, stitch.path, good.path])
      #expect(outcome.status == 2)
      for part in [
        "typo.yaml:5:5: unknown step “usr”; did you mean “user”?", "“auto” goes by the clock", "No stitch middle",
        "1 passed, 0 failed, 3 could not run", "warning: it expects nothing",
      ] {
        #expect(outcome.text.contains(part), "\(part) is missing in\n\(outcome.text)")
      }
      let fast = try workspace.run(["replay", typo.path, good.path, "--fail-fast"])
      #expect(fast.status == 2 && fast.text.contains("0 passed, 0 failed, 1 could not run"))
      let filtered = try workspace.run(["replay", typo.path, good.path, "--filter", "good"])
      #expect(filtered.status == 0, "\(filtered.text)")
      try workspace.expectRefusal(["replay", good.path, "--filter", "other"], ["no script's path contains “other”"])
    }
  }
}

/// Counts elements, if a text is XML.
private final class XMLReader {
  var counts: [String: Int] = [:]

  /// A strict look at tags alone: every one closed in order.
  func read(_ text: String) -> Bool {
    var open: [Substring] = []
    for match in text.matches(of: /<(\/?)([a-z]+)((?:\s+[a-z]+="[^"<]*")*)\s*(\/?)>/) {
      if match.output.1 == "/" {
        if open.popLast() != match.output.2 { return false }
        continue
      }
      counts[String(match.output.2), default: 0] +=
        match.output.2 == "properties" || match.output.2 == "property" ? 0 : 1
      if match.output.4 != "/" { open.append(match.output.2) }
    }
    counts = counts.filter { $0.value > 0 }
    return open.isEmpty && !text.replacing(/<[^>]*>/, with: "").contains("<")
  }
}
