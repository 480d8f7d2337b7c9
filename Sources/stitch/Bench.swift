import ArgumentParser
import EngineBenchmarks
import Foundation
import LLaMAStitch

struct Bench: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Measure this program's speed and memory on this machine.",
    discussion: """
      Every suite but start, and slider, speculation and memory without --shape, works on random weights. `make bench-peers` compares \
      with PyTorch and llama.cpp.

      train: tokens per second of training steps. Shapes: large (the default family's), 8M, 134M.
      infer: reading prompts and writing a reply, in rounds, each with the speed at which this machine reads memory, and \
      the share of it that writing reaches. Shapes: those of train, 1.1B (TinyLlama's) and 7B; --type chooses how weights \
      are stored.
      memory-limit: that speed alone.
      kernels: products of weights and tokens, in every type and on every instruction set, on one thread, and the share \
      of what its arithmetic units can do.
      slider: the time until the first token after a move of the slider, by the share of the text's computation that the \
      stops do not have in common, and with the text read ahead, in single tokens' time.
      speculation: how much quicker stitches of a trained family write when its cheapest anchor guesses for them; with \
      --shape of random ones, where chance decides whether a guess is right.
      memory: resident memory of a family with a session for each of its stitches, by its anchors and caches.
      start: from starting this program to the first token of a reply, and opening a family, with the first token of its \
      cheapest and dearest stops; of a family without a tokenizer, the latter alone.
      large-family: makes anchors, builds a family of them and takes one ESTA step. 7B+13B (the default) takes 65 GB of \
      disk, for a while, and some ten minutes or more; --keep leaves the family, for start.

      slider, speculation and memory take the default family or --family; with --shape small, 1B+2B, 1B+7B or 7B+13B, random \
      anchors.
      """)

  enum Suite: String, CaseIterable, ExpressibleByArgument {
    case train, infer, kernels, slider, speculation, memory, start
    case memoryLimit = "memory-limit"
    case largeFamily = "large-family"
  }

  enum Training: String, CaseIterable, ExpressibleByArgument {
    case lora = "train-lora"
    case full = "train-full"
  }

  @Option(
    help:
      "train, infer, kernels, memory-limit, slider, speculation, memory, start or large-family (default: train and infer)."
  ) var suite: Suite?
  @Option(help: "The model's shape; see above (default: large and 8M).") var shape: String?
  @Option(help: "The family of slider, speculation, memory and start (default: the default family).") var family:
    String?
  @Option(help: ArgumentHelp("How weights are stored: f32, f16, bf16, q8_0 or q4_0.", valueName: "type")) var type:
    String?
  @Option(help: "What train measures: train-lora or train-full (default: both).") var `case`: Training?
  @Option(help: "Tokens of infer's prompt; several may be given (default: 256).") var prompt: [Int] = []
  @Option(help: "Tokens that infer writes after the first prompt.") var reply = 64
  @Option(
    help:
      "Tokens of the text of slider and memory (default: 1024, or as many as fit), and of speculation with --shape (default: 256)."
  )
  var tokens: Int?
  @Option(
    help:
      "Of speculation with --shape: the probability that a guess is right; several may be given (default: 0.6 to 0.9).")
  var right: [Double] = []
  @Option(help: "Rank of an adapter, with which infer writes as well, to compare.") var loraRank: Int?
  @Option(help: "How often infer, memory-limit, slider and start measure; the median counts.") var rounds = 5
  @Option(
    help:
      "Where random weights are written (default: the system's temporary directory; of large-family the current one).")
  var work: String?
  @Flag(help: "Leave random weights, or large-family's family, where they are, for the next run.") var keep = false
  @Option(help: "Write a random model of --shape and --type as a GGUF file without vocabulary, and measure nothing.")
  var writeGguf: String?
  @Option(help: "How large-family stores base weights: bf16, q8_0 or q4_0.") var quantize = "q8_0"
  @Option(help: "Tokens of calibration for large-family.") var calibrationTokens = 256
  @Option(help: "Tokens of the ESTA step of large-family.") var stepTokens = 32
  @Option(help: "Threads.") var threads = ProcessInfo.processInfo.activeProcessorCount
  @Flag(help: "One JSON document on standard output.") var json = false

  func validate() throws {
    try Check.threads(threads)
    try Check.range("--rounds", rounds, 1...1000)
    try Check.range("--reply", reply, 1...100_000)
    for prompt in prompt { try Check.range("--prompt", prompt, 1...100_000) }
    for right in right where !(0...1).contains(right) {
      throw ValidationError("--right must be between 0 and 1, not \(right)")
    }
    if let loraRank { try Check.range("--lora-rank", loraRank, 1...4096) }
    if let tokens { try Check.range("--tokens", tokens, 2...1_000_000) }
    if family != nil && shape != nil { throw ValidationError("--family and --shape exclude each other") }
  }

  func run() throws {
    if let writeGguf { return try write(gguf: writeGguf) }
    switch suite {
    case .largeFamily: try largeFamily()
    case .slider: try slider()
    case .speculation: try speculation()
    case .memory: try familyMemory()
    case .kernels: try kernels()
    case .start: try start()
    case .memoryLimit, .infer, .train, nil: try speed()
    }
  }

  private func kernels() throws {
    let rows = KernelBenchmark.run()
    if json { return try Console.write(json: ["results": rows]) }
    var table = TextTable(["instructions", "weights", "tokens", "GFLOP/s", "of the peak", "GB/s"])
    for row in rows {
      table.add([
        row.instructions, row.type, String(row.tokens), String(format: "%.0f", row.gflops),
        String(format: "%.2f", row.share_of_peak), String(format: "%.1f", row.gigabytes),
      ])
    }
    try Console.write(text: table.text)
  }

  /// - Parameter option: as the user writes it.
  static func elementType(_ option: String, _ name: String) throws -> ElementType {
    guard let type = ElementType(rawValue: name.uppercased()), type.isUsable || type.isQuantized else {
      throw ValidationError("\(option) must be f32, f16, bf16, q8_0 or q4_0, not \(name)")
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

  /// Calls `body` with the directory for random weights, and removes what was not there before.
  func withWork<Result>(_ body: (URL) throws -> Result) throws -> Result {
    let above = work.map { URL(fileURLWithPath: $0) } ?? FileManager.default.temporaryDirectory
    if keep { return try body(above) }
    let place = above.appendingPathComponent("stitch-bench.\(getpid())")
    defer {
      if FileManager.default.fileExists(atPath: place.path) {
        do { try FileManager.default.removeItem(at: place) } catch { Console.complain("\(place.path) can be deleted") }
      }
    }
    return try body(place)
  }

  func note(_ text: String) { Console.log(Console.harmless(text) + "\n") }
}
