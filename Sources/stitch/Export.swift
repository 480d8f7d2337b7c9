import ArgumentParser
import ChatEngine
import Foundation
import LLaMAStitch
import Workflows

struct Export: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Write an anchor of a family, as adapted, for other programs.",
    discussion: """
      Formats: hf, a model directory for transformers; gguf, a file for llama.cpp; peft, the low-rank updates and biases \
      alone, for PEFT over the anchor's own weights. A stitch of two models is no LLaMA and cannot be exported.

      Example: stitch export --stitch large --format gguf --output large.gguf
      """)

  @OptionGroup var family: FamilyOptions
  @Option(help: "What to write: hf, gguf or peft.") var format: String = "hf"
  @Option(help: "The directory or file to write; it must not exist.") var output: String
  @Option(
    help: "How to store weights: f32, f16, bf16, q8_0 or q4_0 (default: as they are, f32 where an adapter is merged).")
  var quantize: String?

  func run() throws {
    guard let format = ExportJob.Format(rawValue: format) else {
      throw ValidationError("--format must be hf, gguf or peft, not \(format)")
    }
    if format == .peft && quantize != nil { throw ValidationError("--quantize does not go with --format peft") }
    let job = ExportJob(
      family: try family.directory(), stitch: family.stitchID, adapter: try family.adapterChoice(), format: format,
      output: URL(fileURLWithPath: output), elementType: try quantize.map { try ElementType(option: $0) })
    try Console.write(Array((try job.run() + "\n").utf8))
  }
}
