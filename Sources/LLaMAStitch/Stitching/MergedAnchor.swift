import Foundation
import Support

/// An anchor of a family as a plain LLaMA: its adapter's low-rank updates added to the weights, its biases kept as biases.
public struct MergedAnchor {
  /// With attention biases where the anchor or its adapter has any.
  public let configuration: LlamaConfiguration
  /// How the base weights are stored, where all matrices are alike.
  public let elementType: ElementType?
  private let network: Network
  private let blocks: [Block]

  /// - Throws: `FamilyError.unknownStitch`, `.notAnAnchor`.
  public init(_ family: Family, stitch id: String, adapter: Adapter?) throws {
    let route = try family.stitch(id).route
    guard route.join == nil else { throw FamilyError.notAnAnchor(id: id, anchors: family.names) }
    network = family.network(route, adapter: adapter)
    blocks = network.stages.map { stage in
      guard case .block(let block) = stage else { preconditionFailure("an anchor has no stitching layer") }
      return block
    }
    var configuration = family.anchors[route.start].configuration
    configuration.attentionBias = blocks.contains { block in
      [block.query, block.key, block.value, block.output].contains { $0.bias != nil || $0.extraBias != nil }
    }
    self.configuration = configuration
    let types = Set(blocks.flatMap(\.projections).map(\.weight.elementType))
    elementType = types.count == 1 ? types.first : nil
  }

  /// Whether weights are not what the anchor's files hold.
  public var isChanged: Bool { blocks.contains { $0.projections.contains { $0.lowRank != nil } } }

  /// Writes the floats of one of `configuration.tensorShapes` from an element on into a piece.
  public func fill(_ tensor: LlamaConfiguration.TensorShape, from start: Int, into piece: VectorView) {
    switch tensor.name {
    case LlamaConfiguration.embeddingName: network.embedding.copy(from: start, into: piece)
    case LlamaConfiguration.headName: network.head.copyMerged(from: start, into: piece)
    case LlamaConfiguration.finalNormName: piece.copy(from: network.finalNorm.slice(start..<start + piece.count))
    default:
      // model.layers.N.part.name.kind
      let parts = tensor.name.split(separator: ".")
      let block = blocks[Int(parts[2])!]
      switch parts[3] {
      case "input_layernorm": piece.copy(from: block.attentionNorm.slice(start..<start + piece.count))
      case "post_attention_layernorm": piece.copy(from: block.mlpNorm.slice(start..<start + piece.count))
      default:
        let projection = block.projection(String(parts[4]))
        if parts[5] == "bias" {
          projection.copyBias(from: start, into: piece)
        } else {
          projection.copyMerged(from: start, into: piece)
        }
      }
    }
  }

  /// Writes a Hugging Face model directory that does not exist yet.
  /// - Parameter files: more files by name, for example `tokenizer.model`.
  /// - Throws: `FileError`, `SafetensorsError`.
  public func write(to url: URL, elementType: ElementType, files: [String: Data]) throws {
    try ModelDirectory.write(to: url, configuration: configuration, elementType: elementType, files: files) {
      fill($0, from: $1, into: $2)
    }
  }
}

extension Block {
  /// A projection by its Hugging Face name.
  fileprivate func projection(_ name: String) -> Projection {
    switch name {
    case "q_proj": query
    case "k_proj": key
    case "v_proj": value
    case "o_proj": output
    case "gate_proj": gate
    case "up_proj": up
    case "down_proj": down
    default: preconditionFailure("no block has a \(name)")
    }
  }
}

extension WeightMatrix {
  /// The floats from an element on; both ends lie between blocks.
  fileprivate func copy(from start: Int, into piece: VectorView) {
    widen(elements: start..<start + piece.count, into: piece)
  }
}

extension Projection {
  /// `W + scale · B A`, from an element on.
  fileprivate func copyMerged(from start: Int, into piece: VectorView) {
    weight.copy(from: start, into: piece)
    guard let lowRank else { return }
    for index in 0..<piece.count {
      let (row, column) = (start + index).quotientAndRemainder(dividingBy: inputSize)
      var sum: Float = 0
      for rank in 0..<lowRank.rank {
        sum += lowRank.b.base[row * lowRank.b.stride + rank] * lowRank.a.base[rank * lowRank.a.stride + column]
      }
      piece.base[index] += lowRank.scale * sum
    }
  }

  /// Both biases added, from an element on; zero where there is none.
  fileprivate func copyBias(from start: Int, into piece: VectorView) {
    for index in 0..<piece.count {
      piece.base[index] = (bias.map { $0.base[start + index] } ?? 0) + (extraBias.map { $0.base[start + index] } ?? 0)
    }
  }
}
