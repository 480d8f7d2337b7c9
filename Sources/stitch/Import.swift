import ArgumentParser
import ChatEngine
import Foundation
import LLaMAStitch
import Workflows

struct Import: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Turn a GGUF file into a model directory, tokenizer included.",
    discussion: """
      Weights in F32, F16, BF16, Q8_0 and Q4_0 are kept as they are; those in Q4_K, Q5_K and Q6_K become Q8_0, unless \
      --quantize says otherwise. The vocabulary must be SentencePiece's. `stitch family build` takes GGUF files directly.

      Example: stitch import TinyLlama-1.1B.Q4_K_M.gguf --output tinyllama
      """)

  @Argument(help: "The GGUF file.") var file: String
  @Option(help: "The model directory to write; it must not exist.") var output: String
  @Option(help: "How to store weights: f32, f16, bf16, q8_0 or q4_0.") var quantize: String?

  func run() throws {
    try ImportJob(
      file: URL(fileURLWithPath: file), output: URL(fileURLWithPath: output),
      elementType: try quantize.map { try ElementType(option: $0) }
    ).run()
    try Console.write(Array("wrote \(output)\n".utf8))
  }
}

extension ElementType {
  /// The value of `--quantize`.
  init(option: String) throws {
    guard let type = ElementType(rawValue: option.uppercased()), type.isUsable || type.isQuantized else {
      throw ValidationError("--quantize must be f32, f16, bf16, q8_0 or q4_0, not \(option)")
    }
    self = type
  }
}
