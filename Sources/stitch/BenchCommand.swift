import ArgumentParser
import ChatEngine
import EngineBenchmarks
import Foundation
import LLaMAStitch
import Support

struct BenchCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bench", abstract: "Measure this program's speed and memory on this machine.",
    discussion: """
      Every suite but start and side, and slider, speculation and memory without --shape, works on random weights, where \
      --model names none. `make bench-peers` compares with PyTorch and llama.cpp.

      train: tokens per second of training steps. Shapes: large (the default family's), 8M, 134M.
      infer: prefill and decode, of --model also of 16 texts at once, in rounds, each with the speed at which this machine reads memory, and \
      the share of it that decoding reaches. Shapes: those of train, 1.1B (TinyLlama's) and 7B; --type chooses how weights \
      are stored.
      memory-limit: that speed alone.
      kernels: products of weights and tokens, in every type and on every instruction set, on one thread, and the share \
      of what its arithmetic units can do.
      slider: the time until the first token after a move of the slider, by the share of the text's computation that the \
      stops do not have in common, and with the text prefetched, in single tokens' time.
      speculation: how much quicker stops of a trained family decode when its cheapest anchor drafts for them, where there \
      is but one anchor its cheapest stop, or the stop --drafter; with --shape of random ones, where chance decides whether a \
      draft is accepted.
      memory: resident memory of a family with a session for each of its stitches, by its anchors and caches.
      side: the share of the time of a decoded token that a side network takes (lst, unipt, sherl), of every stop of a family.
      start: from starting this program to the first token of a reply, and opening a family, with the first token of its \
      cheapest and most expensive stops; of a family without a tokenizer, the latter alone.
      large-family: makes anchors, builds a family of them and takes one step of each --method. 7B+13B (the default) takes 65 GB of \
      disk, for a while, and some ten minutes or more; --keep leaves the family, for start.

      slider, speculation and memory take the default family or --family; with --shape small, 1B+2B, 1B+7B or 7B+13B, random \
      anchors.
      """)

  enum Suite: String, CaseIterable, ExpressibleByArgument {
    case train, infer, kernels, slider, speculation, side, memory, start
    case memoryLimit = "memory-limit"
    case largeFamily = "large-family"
  }

  @Option(
    help:
      "train, infer, kernels, memory-limit, slider, speculation, side, memory, start or large-family (default: train and infer)."
  ) var suite: Suite?
  @Option(help: "The model's shape; see above (default: large and 8M).") var shape: String?
  @Option(help: "The family of slider, speculation, side, memory and start (default: the default family).") var family:
    String?
  @OptionGroup var single: ModelOption
  @Option(help: ArgumentHelp("How weights are stored: f32, f16, bf16, q8_0, q4_1 or q4_0.", valueName: "type"))
  var type: String?
  @Option(help: "What train measures: train-lora or train-full (default: both).") var `case`: SpeedBenchmark.Training?
  @Option(help: "Tokens of infer's prompt; several may be given (default: 256).") var prompt: [Int] = []
  @Option(help: "Tokens that infer decodes after the first prompt, and speculation after each.") var reply = 64
  @Option(
    help:
      "Tokens of the text of slider and memory (default: 1024, or as many as fit), and of speculation with --shape (default: 256)."
  )
  var tokens: Int?
  @Option(
    help:
      "Of speculation with --shape: the probability that a draft is accepted; several may be given (default: 0.6 to 0.9)."
  )
  var accepted: [Double] = []
  @Option(help: "Of speculation: the stop that drafts for those that cost at least a quarter more.") var drafter:
    String?
  @Option(name: .customLong("right"), help: ArgumentHelp("As --accepted.", visibility: .hidden)) var formerAccepted:
    [Double] = []
  @Option(help: "Rank of an adapter, with which infer decodes as well, to compare.") var loraRank: Int?
  @Option(help: "How often infer, memory-limit, slider and start measure; the median counts.") var rounds = 5
  @Option(
    help:
      "Where random weights are written (default: the system's temporary directory; of large-family the current one).")
  var work: String?
  @Flag(help: "Leave random weights, or large-family's family, where they are, for the next run.") var keep = false
  @Option(help: "Write a random model of --shape and --type as a GGUF file without vocabulary, and measure nothing.")
  var writeGguf: String?
  @Option(help: "How large-family stores base weights: bf16, q8_0, q4_1 or q4_0.") var quantize = "q8_0"
  @Option(help: "Tokens of calibration for large-family.") var calibrationTokens = 256
  @Option(help: "Tokens of a step of large-family.") var stepTokens = 32
  @Option(help: "How large-family takes a step of training; several may be given (default: esta).") var method:
    [Adapt.Method] = []
  @Option(
    help: "How large-family's steps keep activations: exact, recompute or 4bit; several may be given (default: exact).")
  var activations: [SavedActivations] = []
  @Option(help: "Threads.") var threads = SystemProcessors.usable
  @Flag(help: "One JSON document on standard output.") var json = false

  func validate() throws {
    try Check.threads(threads)
    try Check.range("--rounds", rounds, 1...1000)
    try Check.range("--reply", reply, 1...100_000)
    for prompt in prompt { try Check.range("--prompt", prompt, 1...100_000) }
    for (option, shares) in [("--accepted", accepted), ("--right", formerAccepted)] {
      for share in shares where !(0...1).contains(share) {
        throw ValidationError("\(option) must be between 0 and 1, not \(share)")
      }
    }
    if let loraRank { try Check.range("--lora-rank", loraRank, 1...4096) }
    if let tokens { try Check.range("--tokens", tokens, 2...1_000_000) }
    if [family, shape, single.model].compactMap({ $0 }).count > 1 {
      throw ValidationError("--family, --shape and --model exclude one another")
    }
    if single.model != nil && ![.infer, .start, .memory, nil].contains(suite) {
      throw ValidationError("--model goes with infer, start and memory")
    }
    if drafter != nil && (suite != .speculation || shape != nil) {
      throw ValidationError("--drafter goes with speculation, of a family")
    }
    if let suite, [.start, .side].contains(suite), shape != nil {
      throw ValidationError("\(suite.rawValue) takes a family, not a shape; give --family or nothing")
    }
  }

  func run() throws {
    if let writeGguf { return try write(gguf: writeGguf) }
    switch suite {
    case .largeFamily: try largeFamily()
    case .slider: try show(familySuites().slider()) { self.table($0) }
    case .speculation: try speculation()
    case .side: try show(familySuites().side(of: directory(), prompt: prompt.first ?? 256)) { self.table($0) }
    case .memory: try show(familySuites().memory()) { self.text($0) }
    case .kernels: try kernels()
    case .start: try show(familySuites().start(of: directory(), model: single.model)) { self.text($0) }
    case .memoryLimit, .infer, .train, nil: try speed()
    }
  }

  /// What a suite measured, as JSON or as text.
  func show<Report: Encodable>(_ report: Report, as text: (Report) -> String) throws {
    if json { try Console.write(json: report) } else { try Console.write(text: text(report)) }
  }

  private func kernels() throws {
    try show(["results": KernelBenchmark.run()]) { self.table($0["results"] ?? []) }
  }

  private func table(_ rows: [KernelBenchmark.Row]) -> String {
    var table = TextTable(["instructions", "weights", "tokens", "GFLOP/s", "of the peak", "GB/s"])
    for row in rows {
      table.add([
        row.instructions, row.type, String(row.tokens), String(format: "%.0f", row.gflops),
        String(format: "%.2f", row.share_of_peak), String(format: "%.1f", row.gigabytes),
      ])
    }
    return table.text
  }

  /// - Parameter option: as the user writes it.
  static func elementType(_ option: String, _ name: String) throws -> ElementType {
    guard let type = ElementType(rawValue: name.uppercased()), type.isUsable || type.isQuantized else {
      throw ValidationError("\(option) must be f32, f16, bf16, q8_0, q4_1 or q4_0, not \(name)")
    }
    return type
  }

  /// The shape of a model.
  func modelShape() throws -> BenchmarkShape? {
    guard let shape else { return nil }
    guard let known = BenchmarkShape(rawValue: shape) else {
      throw ValidationError(
        "there is no shape “\(shape)”; choose one of \(BenchmarkShape.allCases.map(\.rawValue).joined(separator: ", "))"
      )
    }
    return known
  }

  /// The shape of a family.
  func familyShape() throws -> LargeFamilyBenchmark.Shape? {
    guard let shape else { return nil }
    guard let known = LargeFamilyBenchmark.Shape(rawValue: shape) else {
      throw ValidationError(
        "there is no family of shape “\(shape)”; choose one of \(LargeFamilyBenchmark.Shape.allCases.map(\.rawValue).joined(separator: ", "))"
      )
    }
    return known
  }

  var place: BenchmarkPlace {
    BenchmarkPlace(work: work.map { URL(fileURLWithPath: $0) }, keeps: keep)
  }

  func note(_ text: String) { Console.log(Console.harmless(text) + "\n") }
}

// MARK: - Single models

extension BenchCommand {
  private func speed() throws {
    var benchmark = SpeedBenchmark(threads: threads, place: place, note: note)
    benchmark.suite = suite.flatMap { SpeedBenchmark.Suite(rawValue: $0.rawValue) }
    if suite != .memoryLimit, let shape = try modelShape() { benchmark.shapes = [shape] }
    if let name = single.model, let directory = try single.directory() { benchmark.model = (name, directory) }
    benchmark.type = try type.map { try Self.elementType("--type", $0) }
    benchmark.training = `case`
    if !prompt.isEmpty { benchmark.prompts = prompt }
    benchmark.reply = reply
    benchmark.loraRank = loraRank
    benchmark.rounds = rounds
    try show(benchmark.run()) { self.text($0) }
  }

  private func write(gguf path: String) throws {
    guard let shape = try modelShape() else { throw ValidationError("--write-gguf needs --shape") }
    let type = try type.map { try Self.elementType("--type", $0) } ?? shape.usualType
    try shape.configuration.writeRandomGGUF(type, to: URL(fileURLWithPath: path))
  }

  private func text(_ report: SpeedBenchmark.Report) -> String {
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
    return text
  }
}

extension SpeedBenchmark.Training: ExpressibleByArgument {}
