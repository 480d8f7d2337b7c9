import FamilyFixture
import Foundation
import LLaMAStitch
import Testing

/// `stitch adapter`.
@Suite struct AdapterCommandTests {
  private static func json(_ outcome: StitchProcess.Outcome) throws -> [String: Any] {
    #expect(outcome.status == 0, "\(outcome.complaint)")
    return try #require(try JSONSerialization.jsonObject(with: outcome.output) as? [String: Any])
  }

  /// What two lessons taught is listed, weakened and added up; what comes out can be used, and nothing else changes.
  @Test func lessonsBecomeOne() throws {
    try Workspace.with { workspace in
      let family = ["--family", workspace.family.path]
      func run(_ arguments: [String]) throws -> StitchProcess.Outcome { try workspace.run(arguments + family) }
      #expect(try run(["adapter", "list"]).complaint.contains("no adapters"))
      for seed in ["1", "2"] {
        let adapt = ["adapt", "--data", workspace.lesson.path, "--steps", "3", "--rank", "4", "--seed", seed]
        #expect(try run(adapt).status == 0)
      }
      func listed() throws -> [[String: Any]] {
        try #require(try Self.json(run(["adapter", "list", "--json"]))["adapters"] as? [[String: Any]])
      }
      let lessons = try listed().compactMap { $0["adapter"] as? String }
      try #require(lessons.count == 2)
      let shown = try Self.json(run(["adapter", "show", lessons[0], "--json"]))
      let norms = try #require(shown["update_norms"] as? [String: [Double]])
      #expect(norms.values.allSatisfy { $0.contains { $0 > 0 } })
      let merged = try Self.json(run(["adapter", "merge", lessons[0], lessons[1], "--json"]))
      let scaled = try Self.json(run(["adapter", "scale", lessons[0], "--first", "0.2", "--last", "1", "--json"]))
      let all = try listed()
      #expect(all.count == 4 && all.contains { $0["rank"] as? Int == 8 })
      #expect(all.allSatisfy { ($0["saved"] as? String)?.hasSuffix("Z") == true })
      for made in [merged, scaled] {
        let hash = try #require(made["adapter"] as? String)
        #expect(try run(["ask", "say 1", "--max-tokens", "3", "--adapter", hash]).status == 0)
      }
      func loss(_ adapter: String) throws -> Double {
        let frontier = try Self.json(
          run([
            "frontier", "--data", workspace.lesson.path, "--adapter", adapter, "--loss-only", "--no-speeds", "--json",
          ]))
        let rows = try #require(frontier["stitches"] as? [[String: Any]])
        return try #require(rows.last?["loss"] as? Double)
      }
      #expect(try Set(["none", "own", lessons[0]].map(loss)).count == 2)
      let written = try run(["frontier", "--data", workspace.lesson.path, "--adapter", lessons[0], "--write"])
      #expect(written.status == 2 && written.complaint.contains("--adapter"), "\(written.complaint)")
      // Once more is the same file.
      _ = try run(["adapter", "merge", lessons[0], lessons[1]])
      #expect(try listed().count == 4)
    }
  }

  /// What lessons are merged with is said by what comes out, in lists, labels and exports; merged in the chat, too.
  @Test func whatAMixWasMadeOf() throws {
    try Workspace.with { workspace in
      let family = ["--family", workspace.family.path]
      func run(_ arguments: [String], input: String = "") throws -> StitchProcess.Outcome {
        try workspace.run(arguments + family, input: Data(input.utf8))
      }
      for seed in ["1", "2"] {
        let adapt = ["adapt", "--data", workspace.lesson.path, "--steps", "3", "--rank", "4", "--seed", seed]
        #expect(try run(adapt).status == 0)
      }
      let all = try Self.json(run(["adapter", "list", "--json"]))["adapters"] as? [[String: Any]]
      let lessons = try #require(all?.compactMap { $0["adapter"] as? String })
      let (one, two) = (lessons[0], lessons[1])
      let data = workspace.lesson.path
      for (arguments, text) in [
        (["merge", one, two], "50% \(one.prefix(8)) + 50% \(two.prefix(8))"),
        (["scale", one, "--first", "0.25", "--last", "1"], "100% \(one.prefix(8)), blocks 25% to 100%"),
        (
          ["merge", one, two, "--method", "fisher", "--data", data, data, "--examples", "4"],
          "Fisher average of 50% \(one.prefix(8)) + 50% \(two.prefix(8))"
        ),
        (
          ["merge", one, two, "--method", "scalearn", "--data", data, "--steps", "3"],
          "learned scales of \(one.prefix(8)) + \(two.prefix(8))"
        ),
        (
          ["merge", one, two, "--method", "scalearn-uniform", "--data", data, "--steps", "3"],
          "learned scales of \(one.prefix(8)) + \(two.prefix(8))"
        ),
      ] {
        let made = try run(["adapter"] + arguments)
        #expect(made.status == 0 && made.text.hasPrefix(text + ", saved as "), "\(made.text) \(made.complaint)")
        // Once more is the same file.
        #expect(try run(["adapter"] + arguments).text == made.text)
        let name = String(try #require(made.text.split(separator: "--adapter ").last).dropLast())
        #expect(try run(["adapter", "show", name]).text.contains("made of \(text)\n"))
        #expect(try run(["ask", "say 1", "--max-tokens", "3", "--adapter", name]).status == 0)
      }

      let export = workspace.directory.appending(path: "chat.json")
      let chat = try run(
        ["chat", "--plain", "--max-tokens", "4", "--seed", "1"],
        input: "/adapters\n/adapters \(one.prefix(8)) \(two.prefix(8)) 30\nhi\n/export \(export.path)\n")
      #expect(chat.status == 0, "\(chat.complaint)")
      let mix = "70% \(one.prefix(8)) + 30% \(two.prefix(8))"
      #expect(
        chat.text.contains("  \(one.prefix(8)) · step 3 · ") && chat.text.contains("* \(mix) from the next reply on"))
      #expect(chat.text.contains("· \(mix) ·"), "\(chat.text)")
      let document = try JSONSerialization.jsonObject(with: Data(contentsOf: export)) as? [String: Any]
      let messages = try #require(document?["messages"] as? [[String: Any]])
      let adapter = try #require(messages.last?["adapter"] as? [String: Any])
      let parts = try #require((adapter["origin"] as? [String: Any])?["parts"] as? [[String: Any]])
      #expect(parts.map { $0["adapter"] as? String } == [one, two])
      // It is kept, and found by its hash.
      let hash = try #require(adapter["hash"] as? String)
      #expect(try run(["adapter", "show", hash]).text.contains("made of \(mix)\n"))
    }
  }

  /// A lesson goes over to a family whose anchors have the same shapes, and to no other.
  @Test func aLessonGoesOver() throws {
    try Workspace.with { workspace in
      func run(_ arguments: [String]) throws -> StitchProcess.Outcome { try workspace.run(arguments) }
      let old = ["--family", workspace.family.path]
      #expect(try run(["adapt", "--data", workspace.lesson.path, "--steps", "3", "--rank", "4"] + old).status == 0)
      func built(_ name: String, _ anchors: [String], _ more: [String] = []) throws -> String {
        let output = workspace.directory.appending(path: name).path
        let places = try anchors.map { anchor in
          let place = workspace.directory.appending(path: "\(name)-\(anchor)")
          try workspace.makeModel(anchor, at: place)
          return place.path
        }
        let build = try run(
          ["family", "build", "--template", "tiny", "--calibration", workspace.text.path, "--output", output]
            + places.flatMap { ["--anchor", $0] } + more)
        #expect(build.status == 0, "\(build.complaint)")
        return output
      }
      // Other names, and more routes.
      let next = try built("next", ["small", "large"], ["--window", "2"])
      let moved = try run(["adapter", "transfer", "latest", "--to", next] + old)
      #expect(moved.status == 0 && moved.complaint.contains("new sizes"), "\(moved.complaint)")
      let name = String(try #require(moved.text.split(separator: "--adapter ").last).dropLast())
      #expect(try run(["ask", "say 1", "--max-tokens", "3", "--family", next, "--adapter", name]).status == 0)
      let shown = try Self.json(run(["adapter", "show", name, "--family", next, "--json"]))
      let before = try Self.json(run(["adapter", "show", "latest", "--json"] + old))
      #expect(
        (shown["update_norms"] as? [String: [Double]])?.values.map { $0.reduce(0, +) }.sorted()
          == (before["update_norms"] as? [String: [Double]])?.values.map { $0.reduce(0, +) }.sorted())
      let wide = workspace.directory.appending(path: "wide")
      try RandomFamily.make(at: wide, width: 48)
      try workspace.expectRefusal(["adapter", "transfer", "latest", "--to", wide.path] + old, ["numbers"])
      // A single model is a family of one, which is kept for the next time.
      let single = try run(["adapter", "transfer", "latest", "--to", workspace.model.path] + old)
      #expect(single.status == 2 && single.text.isEmpty)
      #expect(single.complaint.contains("anchor model") && single.complaint.contains("small, large"))
    }
  }

  @Test func refusals() throws {
    try Workspace.with { workspace in
      let family = ["--family", workspace.family.path]
      for (arguments, part) in [
        (["scale", "abcd1234"], "--first"), (["scale", "abcd1234", "--last", "1"], "abcd1234"),
        (["merge", "own"], "two adapters"), (["merge", "own", "own", "--weight", "1"], "--weight"),
        (["merge", "own", "own", "--weight", "nan", "--weight", "1"], "--weight"), (["show", "none"], "none"),
        (["show", "newest"], "newest"), (["merge", "own", "own", "--data", "x.jsonl"], "--method"),
        (["merge", "own", "own", "--method", "fisher", "--data", "x.jsonl"], "--data"),
        (["merge", "own", "own", "--method", "scalearn"], "--data"),
        (["merge", "own", "own", "--steps", "3"], "--steps"),
      ] {
        try workspace.expectRefusal(["adapter"] + arguments + family, [part])
      }
    }
  }
}
