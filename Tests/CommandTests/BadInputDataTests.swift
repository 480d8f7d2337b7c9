import FamilyFixture
import Foundation
import Testing

/// Data, prompts and options that a command cannot use.
@Suite struct BadInputDataTests {
  @Test func lessons() throws {
    try Workspace.with { workspace in
      let data = workspace.directory.appending(path: "data.jsonl")
      let adapt = [
        "adapt", "--family", workspace.family.path, "--data", data.path, "--steps", "2", "--output",
        workspace.output.path,
      ]
      try workspace.expectRefusal(adapt, [data.path, "no such file", "name a JSON"])
      func line(_ reply: String) -> String {
        #"{"messages":[{"role":"user","content":"hi"},{"role":"assistant","content":"\#(reply)"}]}"#
      }
      let long = line(String(repeating: "one two three ", count: 200))
      let cases: [(Data, [String])] = [
        (Data(), ["no usable example", "stitch adapt --help"]), (Data("\n\n \n".utf8), ["no usable example"]),
        (Data("{\"a\": 1}\n{\"b\": 2}\n".utf8), ["no usable example", "line 1"]),
        (Data("[{\"a\": 1}]".utf8), ["no usable example", "element 1"]), (Data("[]".utf8), ["no usable example"]),
        (Data("[1, 2".utf8), ["begins like a JSON array and is not one"]),
        (Data("{\"messages\": [".utf8), ["line 1: not valid JSON"]),
        (Data("just some text\n".utf8), ["text without replies", "was read as plain text", "\"role\": \"user\""]),
        (Data([0x7B, 0xFF, 0xFE]), ["not UTF-8", "in UTF-8"]),
        (Data((long + "\n" + long).utf8), ["context of 128 tokens", "shorten"]),
        (Data(String(repeating: "[", count: 200_000).utf8), ["begins like a JSON array"]),
        (Data(String(repeating: "{\"a\":", count: 200_000).utf8), ["line 1"]),
      ]
      for (content, parts) in cases {
        try content.write(to: data)
        // What was left out comes before what that means.
        let lines = try workspace.run(adapt).complaint.count { $0 == "\n" }
        try workspace.expectRefusal(adapt, [data.path, "; "] + parts, lines: parts.contains("shorten") ? 2 : 1)
        #expect(lines <= 2)
      }
      try FileManager.default.removeItem(at: data)
      try FileManager.default.createDirectory(at: data, withIntermediateDirectories: false)
      try workspace.expectRefusal(adapt, [data.path, "cannot be read", "name a JSON"])
      try FileManager.default.removeItem(at: data)

      // Broken lines are named, and nothing in them reaches a terminal as it is.
      let unknownRole = #"{"messages":[{"role":"\u001b[2Jking","content":"hi"},{"role":"assistant","content":"x"}]}"#
      let good = (0..<9).map { line("hello \($0)") }
      try Data((good[..<2] + ["{broken", "", unknownRole] + good[2...]).joined(separator: "\n").utf8).write(to: data)
      let outcome = try workspace.run(adapt)
      #expect(outcome.status == 0 && outcome.output.isEmpty, "\(outcome.complaint)")
      #expect(outcome.complaint.contains("\(data.path), line 3: not valid JSON (skipped)\n"))
      #expect(outcome.complaint.contains("\(data.path), line 5: a turn has the unknown role"))
      #expect(outcome.complaint.contains("\(data.path): 2 of 11 records skipped\n"))
      #expect(!outcome.complaint.contains("\u{1B}"))
      #expect(try workspace.run(["family", "show", workspace.output.path]).status == 0)
      // It is there now.
      try workspace.expectRefusal(adapt, [workspace.output.path, "exists already", "name another directory"])
    }
  }

  @Test func adaptationOptions() throws {
    try Workspace.with { workspace in
      let adapt = [
        "adapt", "--family", workspace.family.path, "--data", workspace.lesson.path, "--output", workspace.output.path,
      ]
      for (option, value) in [
        ("--steps", "0"), ("--steps", "many"), ("--steps", "9000000000000000000"), ("--rank", "0"),
        ("--rank", "1000000000"),
        ("--learning-rate", "0"), ("--learning-rate", "nan"), ("--learning-rate", "inf"), ("--tokens-per-step", "0"),
        ("--tokens-per-step", "9000000000000000000"), ("--scope", "head"), ("--alpha", "-1"), ("--bins", "0"),
        ("--temperature", "0"), ("--decay", "1"), ("--threads", "0"), ("--threads", "1000000"), ("--seed", "-1"),
        ("--checkpoint-interval", "0"),
      ] {
        try workspace.expectRefusal(adapt + ["\(option)=\(value)"], [option, value, "stitch adapt --help"])
      }
      try workspace.expectRefusal(adapt + ["--resume", "--restart"], ["--resume and --restart"])
      // What is no checkpoint is neither used, nor deleted, nor replaced.
      for option in ["--resume", "--restart"] {
        let outcome = try workspace.run(adapt + ["--steps", "1", "--checkpoint", workspace.text.path, option])
        #expect(outcome.status == 2 && outcome.complaint.contains("\(workspace.text.path) cannot be resumed"))
        #expect(outcome.complaint.contains("delete it to start over"))
        #expect(try String(contentsOf: workspace.text, encoding: .utf8) == "the cat sat on the mat\n")
      }
      #expect(!FileManager.default.fileExists(atPath: workspace.output.path))
    }
  }

  @Test func questions() throws {
    try Workspace.with { workspace in
      let data = workspace.directory.appending(path: "questions.jsonl")
      let frontier = ["frontier", "--family", workspace.family.path, "--data", data.path, "--write"]
      try workspace.expectRefusal(frontier, [data.path, "no such file", "; "])
      for (content, part) in [
        (Data(), "no usable"), (Data("\n".utf8), "no usable"), (Data("hello\n".utf8), "line 1"),
        (Data("{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}\n".utf8), "no question with an “answer”"),
        (Data("{\"messages\":[],\"answer\":\"x\"}\n".utf8), "no question"), (Data([0xFF]), "not UTF-8"),
        (
          Data(
            "{\"messages\":[{\"role\":\"user\",\"content\":\"\(String(repeating: "long ", count: 300))\"}],\"answer\":\"x\"}"
              .utf8), "context of 128 tokens"
        ),
      ] {
        try content.write(to: data)
        try workspace.expectRefusal(frontier, [data.lastPathComponent, part, "; "])
      }
      for (option, value) in [
        ("--questions", "0"), ("--threads", "0"), ("--threads", "-1"), ("--minimum-stops", "0"), ("--stops", "some"),
      ] {
        try workspace.expectRefusal(frontier + ["\(option)=\(value)"], [option, value])
      }
      // What cannot be written is told before anything is measured.
      try Data(#"{"messages":[{"role":"user","content":"hi"}],"answer":"x"}"#.utf8).write(to: data)
      let nowhere = workspace.directory.appending(path: "none/file").path
      for option in ["--svg", "--answers"] {
        try workspace.expectRefusal(frontier + [option, nowhere], [nowhere, "no such file", "check the path"])
        try workspace.expectRefusal(
          frontier + [option, workspace.directory.path], [workspace.directory.path, "is a directory"])
      }
      try workspace.expectRefusal(frontier + ["--stops", "all"], ["--choose-stops"])
      try workspace.expectRefusal(frontier + ["--choose-stops", "--stops", "all", "--only-stops"], ["--only-stops"])
      try Data(#"[{"instruction":"Say hello","output":"hello"}]"#.utf8).write(to: data)
      let speeds = ["frontier", "--family", workspace.family.path, "--speeds"]
      try workspace.expectRefusal(speeds + ["--write"], [workspace.family.path, "no measurements", "; "])
      try workspace.expectRefusal(speeds + ["--data", data.path], ["--speeds measures nothing else"])
      try workspace.expectRefusal(Array(speeds.dropLast()), ["--data is missing"])
      try workspace.expectRefusal(speeds + ["--no-speeds"], ["--speeds measures nothing else"])
      try workspace.expectRefusal(frontier + ["--choose-stops"], [data.path, "one text", "6 texts", "; "])
      try Data("{\"text\":\"\"}\n{\"kind\":\"prose\"}\n".utf8).write(to: data)
      try workspace.expectRefusal(frontier, [data.path, "line 1", "“text” is empty", "; "])
    }
  }

  @Test func measurements() throws {
    try Workspace.with { workspace in
      let data = workspace.directory.appending(path: "questions.jsonl")
      let lines = (0..<6).map {
        #"{"messages":[{"role":"user","content":"say \#($0)"}],"answer":"hello","kind":"k\#($0 % 2)"}"#
      }
      try Data(lines.joined(separator: "\n").utf8).write(to: data)
      let (svg, answers) = (
        workspace.directory.appending(path: "f.svg"), workspace.directory.appending(path: "a.jsonl")
      )
      let frontier = ["frontier", "--family", workspace.family.path, "--data", data.path]
      let outcome = try workspace.run(
        frontier + ["--choose-stops", "--stops", "all", "--svg", svg.path, "--answers", answers.path, "--json"])
      #expect(outcome.status == 0, "\(outcome.complaint)")
      let document = try #require(JSONSerialization.jsonObject(with: outcome.output) as? [String: Any])
      let rows = try #require(document["stitches"] as? [[String: Any]])
      #expect(rows.map { $0["id"] as? String } == RandomFamily.stitchIDs)
      #expect(rows.allSatisfy { ($0["right"] as? String)?.count == 6 && $0["isStop"] as? Bool == true })
      #expect(document["hypervolume"] is Double && document["format"] as? Int == 2)
      let drawing = try String(contentsOf: svg, encoding: .utf8)
      #expect(drawing.hasPrefix("<svg") && drawing.contains(">small-large@2</text>"))
      let written = try String(contentsOf: answers, encoding: .utf8).split(separator: "\n")
      #expect(written.count == 6 * RandomFamily.stitchIDs.count)
      let first = try #require(JSONSerialization.jsonObject(with: Data(written[0].utf8)) as? [String: Any])
      #expect(first["prompt"] as? String == "say 0" && first["right"] as? Bool == false && first["reply"] is String)
      let kept = try String(contentsOf: workspace.family.appending(path: "frontier.json"), encoding: .utf8)
      #expect(!kept.contains("\"right\"") && kept.contains("\"pValue\""))

      let table = try workspace.run(frontier + ["--by-kind"]).text
      #expect(table.contains("against the cheaper stop") && table.contains("\nk1    3 "))
      let plain = try workspace.run(frontier + ["--loss-only", "--json"])
      #expect(plain.status == 0 && !plain.text.contains("exactMatch"))
    }
  }

  @Test func agreement() throws {
    try Workspace.with { workspace in
      let data = workspace.directory.appending(path: "texts.jsonl")
      let lines = (0..<6).map { #"{"text":"the cat sat on the mat \#($0) times","kind":"k\#($0 % 2)"}"# }
      try Data(lines.joined(separator: "\n").utf8).write(to: data)
      let svg = workspace.directory.appending(path: "f.svg")
      let frontier = ["frontier", "--family", workspace.family.path, "--data", data.path]
      let outcome = try workspace.run(frontier + ["--choose-stops", "--stops", "all", "--svg", svg.path, "--json"])
      #expect(outcome.status == 0, "\(outcome.complaint)")
      let document = try #require(JSONSerialization.jsonObject(with: outcome.output) as? [String: Any])
      let rows = try #require(document["stitches"] as? [[String: Any]])
      #expect(rows.allSatisfy { ($0["agreeing"] as? [Int])?.count == 6 && $0["right"] == nil })
      #expect(rows.last?["agreement"] as? Double == 1 && rows.last?["divergence"] as? Double == 0)
      #expect(rows.last?["isStop"] as? Bool == true && document["reference"] as? String == "large")
      #expect(try String(contentsOf: svg, encoding: .utf8).contains(">ms per token</text>"))

      let table = try workspace.run(frontier + ["--by-kind", "--no-speeds"]).text
      #expect(table.contains("agreement") && table.contains("100.0 %") && !table.contains("exact match"))
      let shown = try workspace.run(["family", "show", workspace.family.path]).text
      #expect(shown.contains("ms/token") && shown.contains("100.0 %"))
    }
  }

  @Test func promptsAndTexts() throws {
    try Workspace.with { workspace in
      let long = String(repeating: "hello ", count: 300)
      for source in [["--family", workspace.family.path], ["--model", workspace.model.path]] {
        for raw in [[], ["--raw"]] {
          try workspace.expectRefusal(
            ["ask", long] + source + raw, ["the text needs", "the context has 128", "shorten the text"])
        }
        try workspace.expectRefusal(["ask", ""] + source, ["the prompt is empty", "give one"])
        try workspace.expectRefusal(["ask"] + source, ["the prompt is empty", "give one"])
        let none = workspace.directory.appending(path: "none.txt").path
        try workspace.expectRefusal(["score", none] + source, [none, "no such file", "check the path"])
        try workspace.expectRefusal(
          ["score", workspace.directory.path] + source, [workspace.directory.path, "is a directory", "name a file"])
        for (option, value) in [
          ("--threads", "0"), ("--temperature", "-1"), ("--top-p", "0"), ("--top-p", "nan"), ("--min-p", "2"),
          ("--repetition-penalty", "0"), ("--max-tokens", "-1"), ("--max-tokens", "99999999999999999999"),
          ("--seed", "x"),
        ] {
          try workspace.expectRefusal(
            ["ask", "x", "\(option)=\(value)"] + source, [String(option.dropFirst(2)), value])
        }
      }
      // Bytes that are no text are text all the same.
      #expect(
        try workspace.run(
          ["ask", "--model", workspace.model.path, "--max-tokens", "1"], input: Data([0xFF, 0x00, 0x80])
        ).status == 0)
      let huge = ["ask", "x", "--max-tokens", String(Int.max), "--model", workspace.model.path]
      #expect(try workspace.run(huge).status == 0)
      let tokenize = ["tokenize", "--decode", "--model", workspace.model.path]
      for ids in ["1 2 three", "-1", "320", "99999999999999999999"] {
        try workspace.expectRefusal(tokenize + ["--", ids], [], input: Data())
      }
    }
  }

  @Test func commandLines() throws {
    try Workspace.with { workspace in
      for (arguments, parts) in [
        (["chta"], ["chta", "--help"]), (["aks", "hello"], ["aks", "--help"]),
        (["ask", "x", "--famly", "y"], ["--famly", "stitch ask --help"]),
        (["family", "biuld"], ["biuld", "--help"]), (["family", "build"], ["--anchor", "stitch family build --help"]),
        (["adapt"], ["--family", "stitch adapt --help"]), (["--wat"], ["--wat", "--help"]),
        (["score"], ["file", "stitch score --help"]),
        (["ask", "x", "y", "z"], ["y", "stitch ask --help"]),
        (["frontier", "--family"], ["--family", "stitch frontier --help"]),
        (["ask", "x", "--family", ""], ["not a family"]), (["pretrain", "--config", ""], ["--data"]),
        (["ask", "x", "--family", "no\nsuch\u{1B}[2J"], ["not a family"]),
        (["bench", "--shape", "9T"], ["9T", "large"]),
        (["bench", "--suite", "all"], ["all", "train"]),
      ] {
        try workspace.expectRefusal(arguments, parts)
      }
      let outcome = try workspace.run(["ask", "x", "--family", "no\u{1B}[2J"])
      #expect(!outcome.complaint.contains("\u{1B}"))
    }
  }
}
