import ArgumentParser
import Foundation
import LLaMAStitch

struct Bench: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Measure this program's speed on this machine.",
    discussion: "Shapes: large (the default family's), 8M, 134M; random weights. `make bench-peers` compares with PyTorch.")

  enum Suite: String, CaseIterable, ExpressibleByArgument { case train, infer }

  @Option(help: "train or infer (default: both).") var suite: Suite?
  @Option(help: "large, 8M or 134M (default: large and 8M).") var shape: String?
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
