import ChatEngine
import Foundation
import LLaMAStitch
import Tokenizer

/// Text that a model is looked at with.
struct CalibrationText {
  /// `nil`: the model writes it.
  var file: URL?
  /// At most, about.
  var tokens: Int
  var seed: UInt64
  var threads: Int

  private static let longest = 256
  private static let atOnce = 16

  /// - Throws: `DataError`, `FileError`, `TokenizerError`, `InferenceError`.
  func batches(
    _ model: LlamaModel, tokenizer: any Tokenizer, template: ChatTemplate, note: (String) -> Void
  ) throws -> [PackedBatch] {
    var sequences: [[Int32]] = []
    if let file {
      let data = try DataFile(file)
      data.report(note)
      var count = 0
      for document in try TrainingText.documents(data.records, tokenizer: tokenizer, template: template) {
        if count >= tokens { break }
        sequences.append(document.tokens)
        count += document.tokens.count
      }
    } else {
      note("the model writes the calibration text itself")
      sequences = try written(by: model, tokenizer)
    }
    return PackedBatch.batches(of: sequences, contextLength: model.configuration.contextLength)
  }

  /// Texts that a model writes from nothing, at temperature 1.
  func written(
    by model: LlamaModel, _ tokenizer: any Tokenizer, atMost texts: Int = .max
  ) throws -> [[Int32]] {
    let start = model.configuration.bosToken ?? tokenizer.bosToken ?? tokenizer.eosToken ?? 0
    let length = min(Self.longest, model.configuration.contextLength)
    let count = min(texts, max(1, tokens / length))
    let requests = (0..<count).map { index in
      let sampling = SamplingOptions(temperature: 1, seed: seed &* 1000 &+ UInt64(index))
      return BatchGenerator.Request(
        prompt: [start], options: GenerationOptions(maxTokens: length - 1, sampling: sampling))
    }
    let session = BatchSession(
      network: model.network(), capacity: min(count, Self.atOnce), contextLength: length,
      pool: ComputePool(threads: threads))
    return try BatchGenerator.generate(requests, session: session).map { ([start] + $0.tokens).map(Int32.init) }
  }
}
