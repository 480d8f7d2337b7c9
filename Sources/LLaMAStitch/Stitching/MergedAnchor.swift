import Foundation
import Support

/// An anchor of a family as a plain LLaMA: its adapter's low-rank updates added to the weights, its biases kept as biases.
public struct MergedAnchor {
  /// With biases of attention or the MLP where the anchor or its adapter has any.
  public let configuration: LlamaConfiguration
  /// How the base weights are stored, where all matrices are alike.
  public let elementType: ElementType?
  private let network: Network
  private let blocks: [Block]

  /// - Throws: `FamilyError.unknownStitch`, `.notAnAnchor`, `.runsBeside`.
  public init(_ family: Family, stitch id: String, adapter: Adapter?) throws {
    let route = try family.stitch(id).route
    guard route.isAnchor else { throw FamilyError.notAnAnchor(id: id, anchors: family.names) }
    if let what = adapter?.options.unmergeable { throw FamilyError.runsBeside(stitch: id, what: what) }
    network = family.network(route, adapter: adapter)
    blocks = network.blocks
    var configuration = family.anchors[route.start].configuration
    let attentions = blocks.map(\.attention)
    // Biases on queries, keys and values alone are Qwen2's; LLaMAs have all four or none.
    if attentions.contains(where: { $0.output.hasBias }) {
      configuration.attentionBias = .all
    } else if configuration.attentionBias == .none,
      attentions.contains(where: { attention in
        [attention.query, attention.key, attention.value].contains { $0.hasBias }
      })
    {
      configuration.attentionBias = .all
    }
    if blocks.contains(where: { block in [block.mlp.gate, block.mlp.up, block.mlp.down].contains { $0.hasBias } }) {
      configuration.mlpBias = true
    }
    self.configuration = configuration
    let types = Set(blocks.flatMap(\.projections).map(\.weight.elementType))
    elementType = types.count == 1 ? types.first : nil
  }

  /// Whether weights are not what the anchor's files hold.
  public var isChanged: Bool { blocks.contains { $0.projections.contains { !$0.lowRanks.isEmpty || $0.scale != nil } } }

  /// Writes the floats of one of `configuration.tensorShapes` from an element on into a piece.
  public func fill(_ tensor: LlamaConfiguration.TensorShape, from start: Int, into piece: VectorView) {
    switch tensor.tensor {
    case .embedding: network.embedding.copy(from: start, into: piece)
    case .head: network.head.copyMerged(from: start, into: piece)
    case .finalNorm: piece.copy(from: network.finalNorm.values.slice(start..<start + piece.count))
    case .block(let index, let part): blocks[index].fill(part, from: start, into: piece)
    }
  }

  /// Writes a Hugging Face model directory that does not exist yet.
  /// - Parameter files: more files by name, for example the tokenizer's.
  /// - Throws: `FileError`, `SafetensorsError`.
  public func write(to url: URL, elementType: ElementType, files: [String: Data]) throws {
    try ModelDirectory.write(to: url, configuration: configuration, elementType: elementType, files: files) {
      fill($0, from: $1, into: $2)
    }
  }
}

extension Block {
  fileprivate func fill(_ part: BlockTensor, from start: Int, into piece: VectorView) {
    switch part {
    case .attentionNorm: piece.copy(from: attentionNorm.values.slice(start..<start + piece.count))
    case .mlpNorm: piece.copy(from: mlpNorm.values.slice(start..<start + piece.count))
    case .queryWeight: attention.query.copyMerged(from: start, into: piece)
    case .queryBias: attention.query.copyBias(from: start, into: piece)
    case .keyWeight: attention.key.copyMerged(from: start, into: piece)
    case .keyBias: attention.key.copyBias(from: start, into: piece)
    case .valueWeight: attention.value.copyMerged(from: start, into: piece)
    case .valueBias: attention.value.copyBias(from: start, into: piece)
    case .outputWeight: attention.output.copyMerged(from: start, into: piece)
    case .outputBias: attention.output.copyBias(from: start, into: piece)
    case .gateWeight: mlp.gate.copyMerged(from: start, into: piece)
    case .gateBias: mlp.gate.copyBias(from: start, into: piece)
    case .upWeight: mlp.up.copyMerged(from: start, into: piece)
    case .upBias: mlp.up.copyBias(from: start, into: piece)
    case .downWeight: mlp.down.copyMerged(from: start, into: piece)
    case .downBias: mlp.down.copyBias(from: start, into: piece)
    }
  }
}

extension WeightMatrix {
  /// The floats from an element on; both ends lie between blocks.
  fileprivate func copy(from start: Int, into piece: VectorView) {
    dequantize(elements: start..<start + piece.count, into: piece)
  }
}

extension Projection {
  /// What is added to the weights.
  var lowRanks: [LowRank] {
    deltas.compactMap { delta in
      switch delta {
      case .lowRank(let update): update
      case .kronecker(let sum): sum.expanded
      case .bias, .scale: nil
      }
    }
  }

  fileprivate var biases: [WeightVector] {
    [bias].compactMap { $0 } + deltas.compactMap { delta in if case .bias(let bias) = delta { bias } else { nil } }
  }

  fileprivate var hasBias: Bool { !biases.isEmpty }

  /// γ (W + Σ scale · B A), from an element on.
  fileprivate func copyMerged(from start: Int, into piece: VectorView) {
    weight.copy(from: start, into: piece)
    for update in lowRanks { update.addProduct(from: start, to: piece) }
    if let scale {
      for index in 0..<piece.count { piece[index] *= scale.values[(start + index) / inputSize] }
    }
  }

  /// All biases added, from an element on; zero where there is none.
  fileprivate func copyBias(from start: Int, into piece: VectorView) {
    piece.fill(0)
    for bias in biases {
      for index in 0..<piece.count { piece[index] += bias.values[start + index] }
    }
    if let scale {
      for index in 0..<piece.count { piece[index] *= scale.values[start + index] }
    }
  }
}

extension LowRank {
  /// Adds elements of `scale · B A`, row-major from `start` on.
  fileprivate func addProduct(from start: Int, to piece: VectorView) {
    guard let a = a.floatsInPlace, let b = b.floatsInPlace else { preconditionFailure("low-rank factors are floats") }
    let inputs = a.columns
    for index in 0..<piece.count {
      let (row, column) = (start + index).quotientAndRemainder(dividingBy: inputs)
      var sum: Float = 0
      for place in 0..<rank { sum += b[row, place] * a[place, column] }
      piece[index] += scale * sum
    }
  }
}
