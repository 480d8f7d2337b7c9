import FamilyFixture
import Foundation
import Testing

/// Families with a quantised base, and the benchmark of large ones, through the program.
@Suite struct QuantizedFamilyTests {
  private struct Shown: Decodable {
    struct Row: Decodable {
      var id: String
      var weight_bytes: Int
      var flops_per_token: Int?
    }
    var quantization: String
    var stitches: [Row]
  }

  @Test(arguments: ["q8_0", "q4_0", "q4_1"]) func builtShownAskedAndAdapted(type: String) throws {
    try Workspace.with { workspace in
      let large = workspace.directory.appending(path: "large")
      try workspace.makeModel("large", at: large)
      let calibration = workspace.directory.appending(path: "calibration.txt")
      try Data((0..<60).map { "the cat number \($0) sat on the mat and said hello" }.joined(separator: "\n\n").utf8)
        .write(to: calibration)
      let built = try workspace.run([
        "family", "build", "--anchor", workspace.model.path, "--anchor", large.path, "--calibration", calibration.path,
        "--template", "tiny", "--quantize", type, "--output", workspace.output.path,
      ])
      #expect(built.status == 0 && built.complaint.contains("storing model as \(type)"), "\(built.complaint)")
      func show(_ family: URL) throws -> Shown {
        try JSONDecoder().decode(Shown.self, from: workspace.run(["family", "show", family.path, "--json"]).output)
      }
      let shown = try show(workspace.output)
      let plain = try show(workspace.family)
      #expect(shown.quantization == type && plain.quantization == "f32")
      #expect(shown.stitches.count == plain.stitches.count)
      #expect(shown.stitches[0].weight_bytes * (type == "q8_0" ? 3 : 5) < plain.stitches[0].weight_bytes)
      #expect(try workspace.run(["family", "show", workspace.output.path]).text.hasSuffix("base weights: \(type)\n"))
      for stitch in shown.stitches {
        let asked = try workspace.run(
          [
            "ask", "hello", "--family", workspace.output.path, "--stitch", stitch.id, "--temperature", "0",
            "--max-tokens", "4",
          ])
        #expect(asked.status == 0, "\(asked.complaint)")
      }
      let adapted = workspace.directory.appending(path: "adapted")
      let run = try workspace.run([
        "adapt", "--family", workspace.output.path, "--data", workspace.lesson.path, "--steps", "2", "--output",
        adapted.path,
      ])
      #expect(run.status == 0, "\(run.complaint)")
      #expect(try show(adapted).quantization == type)

      // The base damaged: cut short, and in a type from elsewhere.
      let weights = workspace.output.appending(path: "anchors/large/model.safetensors")
      try workspace.restoring(weights) {
        try Data(contentsOf: weights).dropLast(9).write(to: weights)
        try workspace.expectRefusal(["family", "show", workspace.output.path], [weights.path, "cut short"])
      }
      try workspace.restoring(weights) {
        var data = try Data(contentsOf: weights)
        let name = try #require(data.range(of: Data("\"\(type.uppercased()) in panels of 16\"".utf8)))
        data.replaceSubrange(name, with: Data("\"Q9_9 in panels of 16\"".utf8))
        try data.write(to: weights)
        try workspace.expectRefusal(
          ["family", "show", workspace.output.path],
          [weights.path, "quantised as “Q9_9 in panels of 16”", "“Q8_0 in panels of 16” and “Q4_0"])
      }
    }
  }

  private struct Report: Decodable {
    struct Stage: Decodable {
      var stage: String
      var seconds: Double
      var peak_anonymous_bytes: Int
      var peak_resident_bytes: Int
    }
    struct Step: Decodable {
      var method: String
      var stitch: String
      var loss: Double
    }
    var stages: [Stage]
    var steps: [Step]
    var stitches: [Shown.Row]
    var peak_resident_bytes: Int
  }

  @Test func theBenchmarkOfLargeFamilies() throws {
    try StitchProcess.withTemporaryDirectory { directory in
      func bench(_ more: [String]) throws -> StitchProcess.Outcome {
        try StitchProcess.run(["bench", "--suite", "large-family", "--work", directory.path] + more)
      }
      let outcome = try bench([
        "--shape", "small", "--calibration-tokens", "64", "--step-tokens", "16", "--json", "--method", "esta",
        "--method",
        "mezo",
      ])
      #expect(outcome.status == 0, "\(outcome.complaint)")
      let report = try JSONDecoder().decode(Report.self, from: outcome.output)
      #expect(report.steps.map(\.method) == ["esta", "mezo"])
      for step in report.steps {
        #expect(step.stitch == report.stitches.max { $0.flops_per_token ?? 0 < $1.flops_per_token ?? 0 }?.id)
        // Nothing is known: the loss is near that of a guess among 32,000.
        #expect(abs(step.loss - log(32_000.0)) < 2)
        #expect(report.stages.map(\.stage).contains("one step of \(step.method)"))
      }
      // 4 → 5 blocks: four routes and two anchors.
      #expect(report.stitches.count == 6 && report.stages.allSatisfy { $0.seconds >= 0 })
      #expect(
        report.stages.allSatisfy { $0.peak_anonymous_bytes > 0 && $0.peak_anonymous_bytes <= $0.peak_resident_bytes })
      #expect(report.peak_resident_bytes >= report.stages.map(\.peak_resident_bytes).max()!)
      #expect(try FileManager.default.contentsOfDirectory(atPath: directory.path).isEmpty)
      #expect(!outcome.text.contains(directory.path))

      // The family may stay: to see how long it takes to open it.
      #expect(
        try bench([
          "--shape", "small", "--quantize", "q4_0", "--calibration-tokens", "64", "--step-tokens", "16", "--keep",
        ]).status == 0)
      #expect(try FileManager.default.contentsOfDirectory(atPath: directory.path) == ["family-small-q4_0"])
      let start = try StitchProcess.run([
        "bench", "--suite", "start", "--rounds", "1", "--family", directory.appending(path: "family-small-q4_0").path,
      ])
      #expect(start.status == 0 && start.text.contains("opening the family"), "\(start.complaint)")

      for (arguments, part) in [
        (["--shape", "70B"], "1B+2B"), (["--shape", "small", "--quantize", "i8"], "q4_0"),
        (["--shape", "small", "--step-tokens", "1"], "--step-tokens"),
      ] {
        let refused = try bench(arguments)
        #expect(refused.status == 2 && refused.complaint.contains(part), "\(refused.complaint)")
      }
    }
  }
}
