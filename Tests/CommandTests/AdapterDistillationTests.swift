import FamilyFixture
import Foundation
import LLaMAStitch
import Testing

/// `stitch adapter transfer --method trans-lora`.
@Suite struct AdapterDistillationTests {
  private struct Report: Decodable, Equatable {
    var adapter: String
    var written: Int
    var accepted: Int
    var answered: Int
    var discriminator_accuracy: Double
  }

  /// What the default family was taught is taught to a model of another shape, by text alone; however many threads there are
  /// it ends in the same bytes. What passes for real is what the discriminator says, which tells questions it has not seen.
  @Test func aLessonIsTaughtToAnotherFamily() throws {
    let checkout = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
    let tiny = checkout.appending(path: "weights/tiny")
    guard FileManager.default.fileExists(atPath: tiny.appending(path: "family.json").path) else { return }
    try Workspace.with { workspace in
      let small = workspace.directory.appending(path: "small-model")
      let exported = try workspace.run([
        "export", "--family", tiny.path, "--stitch", "small", "--adapter", "none", "--output", small.path,
      ])
      #expect(exported.status == 0, "\(exported.complaint)")
      let command = [
        "adapter", "transfer", "own", "--family", tiny.path, "--to", small.path, "--method", "trans-lora", "--data",
        checkout.appending(path: "weights/lessons/facts.jsonl").path, "--questions", "8", "--discriminator-steps", "60",
        "--steps", "3",
      ]
      func distilled(_ more: [String]) throws -> Report {
        let outcome = try workspace.run(command + ["--json"] + more)
        #expect(outcome.status == 0, "\(outcome.complaint)")
        return try JSONDecoder().decode(Report.self, from: outcome.output)
      }
      let report = try distilled([])
      #expect(report.accepted == 8 && report.written >= 8 && (1...8).contains(report.answered))
      #expect(report.discriminator_accuracy > 0.8, "\(report)")
      let listed = try workspace.run(["adapter", "list", "--family", small.path])
      #expect(
        listed.text.contains(String(report.adapter.prefix(8))) && listed.text.contains("distilled from "),
        "\(listed.text)")
      let asked = try workspace.run([
        "ask", "say 1", "--max-tokens", "3", "--family", small.path, "--adapter", report.adapter,
      ])
      #expect(asked.status == 0, "\(asked.complaint)")
      #expect(try distilled(["--threads", "1"]) == report)
      let none = try workspace.run(command + ["--accept", "1"])
      #expect(none.status == 2 && none.text.isEmpty)
      #expect(none.complaint.contains("none of ") && none.complaint.contains("--accept 1"), "\(none.complaint)")
    }
  }

  @Test func refusals() throws {
    try Workspace.with { workspace in
      let transfer = ["adapter", "transfer", "own", "--to", workspace.family.path, "--family", workspace.family.path]
      let few = workspace.directory.appending(path: "few.jsonl")
      try Data(RandomFamily.lesson(count: 2).utf8).write(to: few)
      for (arguments, parts) in [
        (["--data", workspace.lesson.path], ["--data", "trans-lora"]),
        (["--steps", "3"], ["--steps", "trans-lora"]),
        (["--method", "trans-lora"], ["--data"]),
        (["--method", "trans-lora", "--data", workspace.lesson.path, "--accept", "2"], ["--accept"]),
        (["--method", "magic"], ["magic", "trans-lora"]),
        (["--method", "trans-lora", "--data", workspace.lesson.path], ["own"]),
      ] as [([String], [String])] { try workspace.expectRefusal(transfer + arguments, parts) }
      let taught = try workspace.run([
        "adapt", "--data", workspace.lesson.path, "--steps", "2", "--tokens-per-step", "64", "--family",
        workspace.family.path,
      ])
      #expect(taught.status == 0, "\(taught.complaint)")
      try workspace.expectRefusal(
        [
          "adapter", "transfer", "latest", "--to", workspace.family.path, "--family", workspace.family.path, "--method",
          "trans-lora", "--data", few.path,
        ], [few.path, "2 different questions", "5"])
    }
  }
}
