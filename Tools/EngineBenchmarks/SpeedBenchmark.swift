import Foundation
import LLaMAStitch
import Support

/// The suites of single models, and of the machine's memory: training steps, prefill and decode.
public struct SpeedBenchmark {
  public enum Suite: String, Sendable, Encodable {
    case train, infer
    case memoryLimit = "memory-limit"
  }

  public enum Training: String, CaseIterable, Sendable {
    case lora = "train-lora"
    case full = "train-full"
  }

  public struct Row: Sendable, Encodable {
    public var suite: String
    public var `case`: String
    public var shape: String
    public var tokens_per_second: Double
    public var type: String?
    public var prompt: Int?
    /// Texts that are written at once; absent where it is one.
    public var texts: Int?
    /// That a token of the reply reads: weights, and keys and values on average.
    public var weight_bytes_per_token: Int?
    public var cache_bytes_per_token: Int?
    /// What was read by what could have been read meanwhile.
    public var memory_share: Double?
    /// The time of a token with the low-rank updates and biases of an adapter, by that without, in turns.
    public var adapter_time: Double?
  }

  public struct Report: Sendable, Encodable {
    public var threads: Int
    public var blas: String
    public var memory_bytes_per_second: Double?
    public var results: [Row]
  }

  /// As many as `stitch generate` writes at a time, each after a prompt of so many tokens.
  private static let textsAtOnce = 16
  private static let batchPrompt = 64

  /// `nil` for train and infer.
  public var suite: Suite?
  public var shapes: [BenchmarkShape] = [.large, .eightMillion]
  /// A model's directory to infer with, instead of random weights of the shapes, and what the rows call it.
  public var model: (name: String, directory: URL)?
  /// How weights are stored; `nil`: as the shape says.
  public var type: ElementType?
  /// Which training is measured; `nil` for both.
  public var training: Training?
  /// Tokens of prompts.
  public var prompts = [256]
  /// Tokens decoded after the first prompt.
  public var reply = 64
  /// Rank of an adapter, with which decoding is measured as well.
  public var loraRank: Int?
  public var rounds = 5
  public var threads: Int
  public var place: BenchmarkPlace
  private let note: (String) -> Void

  /// - Parameter note: receives lines for people.
  public init(threads: Int, place: BenchmarkPlace, note: @escaping (String) -> Void) {
    self.threads = threads
    self.place = place
    self.note = note
  }

  /// - Throws: `BenchmarkError.notATrainingShape`, and what models throw.
  public func run() throws -> Report {
    let pool = ComputePool(threads: threads)
    var report = Report(threads: threads, blas: LinearAlgebra.coreName, results: [])
    if suite == .memoryLimit {
      let memory = MemoryBandwidth(pool: pool)
      report.memory_bytes_per_second = median((0..<rounds).map { _ in memory.bytesPerSecond() })
      return report
    }
    var limits: [Double] = []
    if let model {
      let family = try Family(model.directory)
      let anchor = family.anchors[0]
      let network = family.network(family.route(ofAnchor: 0), adapter: nil)
      let type = anchor.blocks[0].attention.query.weight.elementType
      report.results += try infer(network, called: model.name, type: type, pool, &limits)
      let speed = try InferenceBenchmark.batchDecodeSpeed(
        network, texts: Self.textsAtOnce, prompt: Self.batchPrompt, reply: reply, pool: pool)
      report.results.append(
        Row(
          suite: Suite.infer.rawValue, case: "decode-\(Self.textsAtOnce)", shape: model.name, tokens_per_second: speed,
          type: type.rawValue.lowercased(), prompt: Self.batchPrompt, texts: Self.textsAtOnce))
    }
    for shape in model == nil ? shapes : [] {
      if suite != .infer { report.results += try train(shape, pool) }
      if suite != .train { report.results += try infer(shape, pool, &limits) }
    }
    if !limits.isEmpty { report.memory_bytes_per_second = median(limits) }
    return report
  }

  private func train(_ shape: BenchmarkShape, _ pool: ComputePool) throws -> [Row] {
    guard let batch = shape.trainingBatch else { throw BenchmarkError.notATrainingShape(shape.rawValue) }
    return try [Training.full, .lora].filter { training == nil || training == $0 }.map { training in
      // The base of a LoRA stays as it is stored, the rest is single precision.
      let base = training == .full ? .f32 : type ?? .bf16
      let speed =
        try training == .full
        ? TrainingBenchmark.tokensPerSecond(shape, batch: batch, training: .everything, pool: pool)
        : withRandomModel(shape, base) { model in
          try TrainingBenchmark.tokensPerSecond(shape, batch: batch, training: .lowRank(16, over: model), pool: pool)
        }
      return Row(
        suite: Suite.train.rawValue, case: training.rawValue, shape: shape.rawValue, tokens_per_second: speed,
        type: base.rawValue.lowercased())
    }
  }

  private func withRandomModel<Result>(
    _ shape: BenchmarkShape, _ type: ElementType, _ body: (LlamaModel) throws -> Result
  ) throws -> Result {
    try place.withDirectory(note: note) { directory in
      try body(
        shape.configuration.randomModel(
          type, at: directory.appendingPathComponent("\(shape.rawValue)-\(type.rawValue.lowercased())")))
    }
  }

  private func infer(_ shape: BenchmarkShape, _ pool: ComputePool, _ limits: inout [Double]) throws -> [Row] {
    let type = type ?? shape.usualType
    return try withRandomModel(shape, type) { model in
      try infer(model.network(), called: shape.rawValue, type: type, pool, &limits)
    }
  }

  private func infer(
    _ network: Network, called name: String, type: ElementType, _ pool: ComputePool, _ limits: inout [Double]
  ) throws -> [Row] {
    let memory = MemoryBandwidth(pool: pool)
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
    func row(_ measured: String, _ speed: Double, prompt: Int) -> Row {
      Row(
        suite: Suite.infer.rawValue, case: measured, shape: name, tokens_per_second: speed,
        type: type.rawValue.lowercased(), prompt: prompt)
    }
    let prefills = round.prompts.enumerated().map { index, length in
      row("prefill", median(results.map { $0.prefill[index] }), prompt: length)
    }
    var decode = row("decode", median(results.map(\.decode)), prompt: round.prompts[0])
    decode.weight_bytes_per_token = round.weightBytes
    decode.cache_bytes_per_token = round.cacheBytes
    decode.memory_share = median(results.compactMap(\.memory?.share))
    decode.adapter_time = adapterTimes.isEmpty ? nil : median(adapterTimes)
    return prefills + [decode]
  }
}

extension BenchmarkShape {
  /// How weights of such a model are stored where nothing else is said.
  public var usualType: ElementType { trainingBatch == nil ? .bf16 : .f32 }
}
