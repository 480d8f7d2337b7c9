import Foundation

extension LlamaModel {
  /// The same model with other blocks.
  func with(blocks: [Block]) -> LlamaModel {
    var configuration = configuration
    configuration.blockCount = blocks.count
    configuration.unrotatedBlocks = blocks.indices.filter { blocks[$0].configuration.ropeScaling == .unrotated }
    return LlamaModel(
      configuration: configuration, embedding: embedding, blocks: blocks, finalNorm: finalNorm, head: head)
  }

  /// The same model with biases of the MLP, zero where there were none: who adds one adds all.
  func withMLPBiases() -> LlamaModel {
    if configuration.mlpBias { return self }
    var configuration = configuration
    configuration.mlpBias = true
    let blocks = blocks.map { block in
      var block = block
      for path in [\Block.mlp.gate, \Block.mlp.up, \Block.mlp.down] where block[keyPath: path].bias == nil {
        block[keyPath: path].bias = WeightVector(FloatBuffer(count: block[keyPath: path].outputSize).vector)
      }
      return block
    }
    return LlamaModel(
      configuration: configuration, embedding: embedding, blocks: blocks, finalNorm: finalNorm, head: head)
  }

  /// Writes a Hugging Face model directory that does not exist yet.
  /// - Parameter files: more files by name, for example the tokenizer's.
  /// - Throws: `FileError`, `SafetensorsError`.
  public func write(to url: URL, elementType: ElementType, files: [String: Data]) throws {
    try ModelDirectory.write(to: url, configuration: configuration, elementType: elementType, files: files) {
      switch self.tensor($0.tensor) {
      case .matrix(let weights): weights.dequantize(elements: $1..<$1 + $2.count, into: $2)
      case .vector(let vector): $2.copy(from: vector.values.slice($1..<$1 + $2.count))
      }
    }
  }
}
