import ArgumentParser
import Foundation
import LLaMAStitch

struct Bench: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Measure this program's speed on this machine.",
    discussion: """
      Shapes: large (the default family's), 8M, 134M; random weights. `make bench-peers` compares with PyTorch.

      The suite large-family makes anchors of the shapes small, 1B+2B or 7B+13B with random weights, builds a family of \
      them and takes one ESTA step. 7B+13B (the default) takes 65 GB of disk, for a while, and some ten minutes or more.
      """)

  enum Suite: String, CaseIterable, ExpressibleByArgument {
    case train, infer
    case largeFamily = "large-family"
  }

  @Option(help: "train, infer or large-family (default: train and infer).") var suite: Suite?
  @Option(help: "large, 8M or 134M (default: large and 8M).") var shape: String?
  @Option(help: "Where large-family writes, and removes what it wrote (default: the current directory).") var work = "."
  @Option(help: "How large-family stores base weights: bf16, q8_0 or q4_0.") var quantize = "q8_0"
  @Option(help: "Tokens of calibration for large-family.") var calibrationTokens = 256
  @Option(help: "Tokens of the ESTA step of large-family.") var stepTokens = 32
  @Option(help: "Threads.") var threads = ProcessInfo.processInfo.activeProcessorCount
  @Flag(help: "One JSON document on standard output.") var json = false

  private struct Row: Encodable {
    var suite: String
    var `case`: String
    var shape: String
    var tokens_per_second: Double
  }

  private struct Report: Encodable {
    var threads: Int
    var blas: String
    var results: [Row]
  }

  func run() throws {
    try Check.threads(threads)
    if suite == .largeFamily { return try largeFamily() }
    var shapes: [BenchmarkShape] = [.large, .eightMillion]
    if let shape {
      guard let known = BenchmarkShape(rawValue: shape) else {
        throw ValidationError(
          "there is no shape “\(shape)”; choose one of \(BenchmarkShape.allCases.map(\.rawValue).joined(separator: ", "))")
      }
      shapes = [known]
    }
    let pool = ComputePool(threads: threads)
    var rows: [Row] = []
    for shape in shapes {
      if suite != .infer {
        for (name, rank) in [("train-full", nil), ("train-lora", 16)] as [(String, Int?)] {
          rows.append(
            Row(
              suite: "train", case: name, shape: shape.rawValue,
              tokens_per_second: try TrainingBenchmark.tokensPerSecond(shape, loraRank: rank, pool: pool)))
        }
      }
      if suite != .train {
        let speeds = try InferenceBenchmark.speeds(shape, pool: pool)
        rows.append(Row(suite: "infer", case: "prefill", shape: shape.rawValue, tokens_per_second: speeds.prefill))
        rows.append(Row(suite: "infer", case: "decode", shape: shape.rawValue, tokens_per_second: speeds.decode))
      }
    }
    if json {
      return try Console.write(json: Report(threads: threads, blas: LinearAlgebra.coreName, results: rows))
    }
    var table = TextTable(["suite", "case", "shape", "tok/s"])
    for row in rows { table.add([row.suite, row.case, row.shape, String(Int(row.tokens_per_second))]) }
    try Console.write(text: table.text)
  }
}

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

  private func largeFamily() throws {
    let name = shape ?? LargeFamilyBenchmark.Shape.sevenAndThirteenBillion.rawValue
    guard let shape = LargeFamilyBenchmark.Shape(rawValue: name) else {
      throw ValidationError(
        "there is no shape “\(name)” for large-family; choose one of \(LargeFamilyBenchmark.Shape.allCases.map(\.rawValue).joined(separator: ", "))")
    }
    guard let type = ElementType(rawValue: quantize.uppercased()), type.isUsable || type.isQuantized else {
      throw ValidationError("--quantize must be f32, f16, bf16, q8_0 or q4_0, not \(quantize)")
    }
    try Check.range("--calibration-tokens", calibrationTokens, 4...1_000_000)
    try Check.range("--step-tokens", stepTokens, 4...1_000_000)
    let report = try LargeFamilyBenchmark.run(
      .init(shape: shape, elementType: type, calibrationTokens: calibrationTokens, stepTokens: stepTokens),
      in: URL(fileURLWithPath: work), pool: ComputePool(threads: threads), note: { Console.log(Console.harmless($0) + "\n") })
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
