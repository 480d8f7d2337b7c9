import ArgumentParser
import EngineBenchmarks
import Foundation
import LLaMAStitch

/// The suite that builds a family of large anchors.
extension Bench {
  private struct LargeFamilyReport: Encodable {
    struct Row: Encodable {
      var id: String
      var route: String
      var parameters: Int
      var flops_per_token: Int
      var weight_bytes: Int
    }

    struct Step: Encodable {
      var stitch: String
      var loss: Double
      var tokens: Int
      var trained_parameters: Int
    }

    var suite = Suite.largeFamily.rawValue
    var shape: String
    var quantization: String
    var threads: Int
    var calibration_tokens: Int
    var memory_notes =
      "peak_anonymous_bytes: memory of the process without mapped files (RssAnon, sampled); peak_resident_bytes: with the pages of mapped files that were in memory (VmRSS sampled; over all, VmHWM), where a page counts once for each time its file is mapped"
    var seconds: Double
    var peak_anonymous_bytes: Int
    var peak_resident_bytes: Int
    var family_bytes: Int
    var stages: [LargeFamilyBenchmark.Stage]
    var step: Step
    var stitches: [Row]
  }

  func largeFamily() throws {
    let shape = try familyShape() ?? .sevenAndThirteenBillion
    let type = try Self.elementType("--quantize", quantize)
    try Check.range("--calibration-tokens", calibrationTokens, 4...1_000_000)
    try Check.range("--step-tokens", stepTokens, 4...1_000_000)
    let directory = URL(fileURLWithPath: work ?? ".")
    let kept = directory.appendingPathComponent("family-\(shape.rawValue)-\(type.rawValue.lowercased())")
    let report = try LargeFamilyBenchmark.run(
      .init(shape: shape, elementType: type, calibrationTokens: calibrationTokens, stepTokens: stepTokens),
      in: directory, keepingFamilyAt: keep ? kept : nil, pool: ComputePool(threads: threads), note: note)
    if json {
      return try Console.write(
        json: LargeFamilyReport(
          shape: shape.rawValue, quantization: type.rawValue.lowercased(), threads: threads,
          calibration_tokens: calibrationTokens, seconds: report.stages.reduce(0) { $0 + $1.seconds },
          peak_anonymous_bytes: report.stages.map(\.peakAnonymousBytes).max() ?? 0,
          peak_resident_bytes: report.peakResidentBytes, family_bytes: report.familyBytes, stages: report.stages,
          step: .init(
            stitch: report.stepStitch, loss: report.stepLoss, tokens: stepTokens,
            trained_parameters: report.trainedParameters),
          stitches: report.stitches.map {
            .init(
              id: $0.id, route: $0.routeText, parameters: $0.parameters, flops_per_token: $0.flopsPerToken,
              weight_bytes: $0.weightBytes)
          }))
    }
    var stitches = TextTable(["stitch", "route", "parameters", "FLOPs/token", "bytes"])
    for stitch in report.stitches {
      stitches.add([
        stitch.id, stitch.routeText, Quantity.short(stitch.parameters), Quantity.short(stitch.flopsPerToken),
        Quantity.short(stitch.weightBytes),
      ])
    }
    var stages = TextTable(["stage", "seconds", "peak without mapped files", "peak with them"])
    for stage in report.stages {
      stages.add([
        stage.stage, String(format: "%.1f", stage.seconds), Quantity.short(stage.peakAnonymousBytes) + "B",
        Quantity.short(stage.peakResidentBytes) + "B",
      ])
    }
    try Console.write(
      text: """
        \(stitches.text)
        \(stages.text)
        \(report.stitches.count) stitches; the family has \(Quantity.short(report.familyBytes))B. One ESTA step on \
        \(report.stepStitch), loss \(String(format: "%.3f", report.stepLoss)), \
        \(Quantity.short(report.trainedParameters)) trained parameters.

        """)
  }
}
