import FamilyFixture
import Foundation
import Testing

@Suite struct DataCheckTests {
  @Test func everyFormatIsCountedAndEveryFindingNamed() throws {
    try Workspace.with { workspace in
      let long = String(repeating: "the cat sat on the mat ", count: 60)
      let lines = [
        #"{"messages":[{"role":"user","content":"hi"},{"role":"assistant","content":"hello"}]}"#,
        #"{"conversations":[{"from":"human","value":"hi"},{"from":"gpt","value":"hello"}]}"#,
        #"{"instruction":"hi","output":"good day"}"#,
        #"{"instruction":"say","instances":[{"input":"one","output":"1"},{"input":"two","output":"2"}]}"#,
        #"{"text":"the sea is blue"}"#,
        "{broken",
        #"{"instruction":"\#(long)","output":"x"}"#,
        #"{"messages":[{"role":"robot","content":"hi"}]}"#,
      ]
      let file = workspace.directory.appending(path: "data.jsonl")
      try Data((lines.joined(separator: "\n") + "\n").utf8).write(to: file)
      let check = ["data", "check", file.path, "--family", workspace.family.path]
      let outcome = try workspace.run(check)
      #expect(outcome.status == 1, "\(outcome.complaint)")
      for part in [
        "2 Alpaca, 1 ShareGPT, 1 messages, 2 self-instruct, 1 text; 5 to train on", "1 without a reply, left out",
        "2 cannot be read:\n  6: not valid JSON\n  8: a turn has the unknown role “robot”",
        "1 too long, left out:\n  7: ",
        "1 said twice:\n  2: the same as at 1", "1 answered in two ways:\n  3: answers otherwise what is asked at 1",
      ] { #expect(outcome.text.contains(part), "\(part) is missing in\n\(outcome.text)") }

      struct Report: Decodable {
        struct Problem: Decodable { var line: Int }
        var usable: Int
        var unreadable: [Problem]
      }
      let decoder = JSONDecoder()
      let report = try decoder.decode(Report.self, from: workspace.run(check + ["--json"]).output)
      #expect(report.usable == 5 && report.unreadable.map(\.line) == [6, 8])

      let clean = try workspace.run(["data", "check", workspace.lesson.path, "--family", workspace.family.path])
      #expect(clean.status == 0 && clean.text.contains("12 messages; 12 to train on"))
      try workspace.expectRefusal(["data", "check", "/no/such", "--family", workspace.family.path], ["/no/such"])
    }
  }
}
