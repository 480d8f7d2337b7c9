import Foundation
import LLaMAStitch
import Support

extension LlamaConfiguration {
  /// Random values for every tensor, a piece at a time: matrices uniform with variance 1/inputs, those that write to
  /// the residual stream smaller by √(2·blocks), embeddings of variance 1, norms 1. They depend on the seed, the
  /// tensor and where the piece begins.
  public func randomWeights(seed: Int) -> (TensorShape, _ start: Int, _ piece: VectorView) -> Void {
    let names = tensorShapes.map(\.name)
    let streams = Dictionary(uniqueKeysWithValues: zip(names, names.indices.map { UInt64(1000 * seed + $0) }))
    return { [blockCount] tensor, start, piece in
      if tensor.shape.count == 1 { return piece.fill(1) }
      var deviation = tensor.tensor == .embedding ? 1 : 1 / Double(tensor.shape[1]).squareRoot()
      if tensor.name.hasSuffix("o_proj.weight") || tensor.name.hasSuffix("down_proj.weight") {
        deviation /= Double(2 * blockCount).squareRoot()
      }
      var random = SeededGenerator(seed: UInt64(start), stream: streams[tensor.name]!)
      piece.fillUniformly(within: Float(deviation * 3.0.squareRoot()), &random)
    }
  }

  /// Bytes of all tensors where a model is stored in a type.
  public func byteCount(_ type: ElementType) -> Int {
    tensorShapes.reduce(0) { $0 + storageType(type, of: $1).byteCount($1.shape.reduce(1, *)) }
  }

  /// Opens the random model of this configuration, written there before or now; mapped, as a family's anchors are.
  public func randomModel(_ type: ElementType, at directory: URL) throws -> LlamaModel {
    if !FileManager.default.fileExists(atPath: directory.path) {
      try ModelDirectory.write(to: directory, configuration: self, elementType: type, fill: randomWeights(seed: 1))
    }
    let model = try ModelDirectory(directory)
    guard model.configuration == self else {
      throw CheckpointError.configuration(
        file: directory.path, cause: "it describes a model of another shape",
        remedy: "remove the directory or choose another place")
    }
    return try LlamaModel(model)
  }

  /// Writes a GGUF file with random weights and no vocabulary, for measuring speed alone.
  public func writeRandomGGUF(_ type: ElementType, to url: URL) throws {
    try writeGGUF(
      to: url, name: "random", elementType: type, vocabulary: [("tokenizer.ggml.model", .text("no_vocab"))],
      fill: randomWeights(seed: 1))
  }
}

extension Network {
  /// The same with a random low-rank update and bias wherever ESTA adds them: on query, key, value and output; laid out as
  /// an adapter that was read from a file is.
  public func withRandomAdapter(rank: Int) -> Network {
    let parts = AdapterTarget.attention.map(\.path)
    func count(_ projection: Projection) -> Int {
      rank * (projection.inputSize + projection.outputSize) + projection.outputSize
    }
    let buffer = FloatBuffer(
      count: blocks.reduce(0) { total, block in parts.reduce(total) { $0 + count(block[keyPath: $1]) } })
    buffer.preferHugePages()
    var random = SeededGenerator(seed: 3)
    buffer.vector.fillUniformly(within: 0.01, &random)
    var used = 0
    func values(_ rows: Int, _ columns: Int) -> MatrixView {
      defer { used += rows * columns }
      return buffer.matrix(offset: used, rows: rows, columns: columns)
    }
    var projections = blocks.flatMap { block in parts.map { block[keyPath: $0] } }
    let updates = projections.map {
      (a: values(rank, $0.inputSize), b: values($0.outputSize, rank), bias: values(1, $0.outputSize))
    }
    let isQuantized = projections.contains { $0.weight.elementType.isQuantized }
    let read = LowRank.quantized(isQuantized ? updates.map { ($0.a, $0.b, ElementType.q8_0) } : [])
    for (index, update) in updates.enumerated() {
      let lowRank = LowRank(
        a: WeightMatrix(update.a), b: WeightMatrix(update.b), scale: 1,
        read: projections[index].weight.elementType.isQuantized ? read[index] : nil)
      projections[index].deltas = [.bias(WeightVector(update.bias.row(0))), .lowRank(lowRank)]
    }
    var adapted = projections.makeIterator()
    let stages = stages.map { stage -> Stage in
      guard case .block(var block) = stage else { return stage }
      for part in parts { block[keyPath: part] = adapted.next()! }
      return .block(block)
    }
    return Network(
      embedding: embedding, stages: stages, finalNorm: finalNorm, finalNormEpsilon: finalNormEpsilon, head: head)
  }
}
