import ArgumentParser
import EngineBenchmarks
import Foundation
import LLaMAStitch

/// The suites of single models, and of the machine's memory.
extension Bench {
  private struct Row: Encodable {
    var suite: String
    var `case`: String
    var shape: String
    var tokens_per_second: Double
    var type: String?
    var prompt: Int?
    /// That a token of the reply reads: weights, and keys and values on average.
    var weight_bytes_per_token: Int?
    var cache_bytes_per_token: Int?
    /// What was read by what could have been read meanwhile.
    var memory_share: Double?
    /// The time of a token with the low-rank updates and biases of an adapter, by that without, in turns.
    var adapter_time: Double?
  }

  private struct Report: Encodable {
    var threads: Int
    var blas: String
    var memory_bytes_per_second: Double?
    var results: [Row]
  }

  func speed() throws {
    let pool = ComputePool(threads: threads)
    if suite == .memoryLimit {
      let memory = MemoryBandwidth(pool: pool)
      let speed = Self.median((0..<rounds).map { _ in memory.bytesPerSecond() })
      return try write(
        Report(threads: threads, blas: LinearAlgebra.coreName, memory_bytes_per_second: speed, results: []))
    }
    let shapes = try modelShape().map { [$0] } ?? [.large, .eightMillion]
    var report = Report(threads: threads, blas: LinearAlgebra.coreName, results: [])
    var limits: [Double] = []
    for shape in shapes {
      if suite != .infer { report.results += try train(shape, pool) }
      if suite != .train { report.results += try infer(shape, pool, &limits) }
    }
    if !limits.isEmpty { report.memory_bytes_per_second = Self.median(limits) }
    try write(report)
  }

  private func train(_ shape: BenchmarkShape, _ pool: ComputePool) throws -> [Row] {
    guard let batch = shape.trainingBatch else {
      throw ValidationError("\(shape.rawValue) is a shape for infer; train large, 8M or 134M")
    }
    return try [Training.full, .lora].filter { `case` == nil || `case` == $0 }.map { training in
      // The base of a LoRA stays as it is stored, the rest is single precision.
      let base = try training == .full ? .f32 : type.map { try Self.elementType("--type", $0) } ?? .bf16
      let speed =
        try training == .full
        ? TrainingBenchmark.tokensPerSecond(shape, batch: batch, training: .everything, pool: pool)
        : withRandomModel(shape, base) { model in
          try TrainingBenchmark.tokensPerSecond(shape, batch: batch, training: .lowRank(16, over: model), pool: pool)
        }
      return Row(
        suite: "train", case: training.rawValue, shape: shape.rawValue, tokens_per_second: speed,
        type: base.rawValue.lowercased())
    }
  }

  private func withRandomModel<Result>(
    _ shape: BenchmarkShape, _ type: ElementType, _ body: (LlamaModel) throws -> Result
  ) throws -> Result {
    try withWork { directory in
      try body(
        shape.configuration.randomModel(
          type, at: directory.appendingPathComponent("\(shape.rawValue)-\(type.rawValue.lowercased())")))
    }
  }

  private func infer(_ shape: BenchmarkShape, _ pool: ComputePool, _ limits: inout [Double]) throws -> [Row] {
    let type = try storageType(of: shape)
    let name = type.rawValue.lowercased()
    return try withRandomModel(shape, type) { model in
      let memory = MemoryBandwidth(pool: pool)
      let prompts = prompt.isEmpty ? [256] : prompt
      let network = model.network()
      let round = try InferenceBenchmark.Round(network, prompts: prompts, reply: reply, pool: pool)
      let adapted = loraRank.map { network.withRandomAdapter(rank: $0) }
      var results: [InferenceBenchmark.Round.Result] = []
      var adapterTimes: [Double] = []
      for _ in 0..<rounds {
        results.append(try round.run(beside: memory))
        if let adapted {
          adapterTimes.append(
            try InferenceBenchmark.timeRatio(of: adapted, by: network, prompt: prompts[0], reply: reply, pool: pool))
        }
      }
      limits += results.compactMap(\.memory?.limit)
      let prefills = round.prompts.enumerated().map { index, length in
        Row(
          suite: "infer", case: "prefill", shape: shape.rawValue,
          tokens_per_second: Self.median(results.map { $0.prefill[index] }), type: name, prompt: length)
      }
      let decode = Row(
        suite: "infer", case: "decode", shape: shape.rawValue,
        tokens_per_second: Self.median(results.map(\.decode)), type: name, prompt: round.prompts[0],
        weight_bytes_per_token: round.weightBytes, cache_bytes_per_token: round.cacheBytes,
        memory_share: Self.median(results.compactMap(\.memory?.share)),
        adapter_time: adapterTimes.isEmpty ? nil : Self.median(adapterTimes))
      return prefills + [decode]
    }
  }

  /// How weights of a model are stored: as --type says.
  private func storageType(of shape: BenchmarkShape) throws -> ElementType {
    if let type { return try Self.elementType("--type", type) }
    return shape.trainingBatch == nil ? .bf16 : .f32
  }

  func write(gguf path: String) throws {
    guard let shape = try modelShape() else { throw ValidationError("--write-gguf needs --shape") }
    try shape.configuration.writeRandomGGUF(storageType(of: shape), to: URL(fileURLWithPath: path))
  }

  static func median(_ values: [Double]) -> Double { values.sorted()[values.count / 2] }

  private func write(_ report: Report) throws {
    if json { return try Console.write(json: report) }
    var text = ""
    if !report.results.isEmpty {
      var table = TextTable([
        "suite", "case", "shape", "type", "prompt", "tok/s", "bytes/token", "of the memory's speed",
        "with adapter, time",
      ])
      for row in report.results {
        table.add([
          row.suite, row.case, row.shape, row.type ?? "", row.prompt.map(String.init) ?? "",
          String(format: row.tokens_per_second < 100 ? "%.1f" : "%.0f", row.tokens_per_second),
          row.weight_bytes_per_token.map { Quantity.short($0 + (row.cache_bytes_per_token ?? 0)) } ?? "",
          row.memory_share.map { String(format: "%.2f", $0) } ?? "",
          row.adapter_time.map { String(format: "%.2f", $0) } ?? "",
        ])
      }
      text = table.text
    }
    if let speed = report.memory_bytes_per_second {
      text += "memory: \(String(format: "%.1f", speed / 1e9)) GB/s read with \(report.threads) threads\n"
    }
    try Console.write(text: text)
  }
}
