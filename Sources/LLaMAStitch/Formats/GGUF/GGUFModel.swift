import Foundation
import Support

/// A LLaMA in a GGUF file: its configuration, and its weights under the names and in the order that Hugging Face uses.
public struct GGUFModel: Sendable {
  public let file: GGUFFile
  public let configuration: LlamaConfiguration

  /// - Throws: `FileError`, `SafetensorsError`, `GGUFError`: no whole file, no LLaMA, a tensor is missing or has another shape.
  public init(_ url: URL) throws {
    file = try GGUFFile(url)
    configuration = try GGUFMetadata(file).configuration()
    for expected in configuration.tensorShapes { _ = try tensor(expected) }
    if file.tensors["rope_freqs.weight"] != nil {
      throw GGUFError.unsupported(
        file: url.path, cause: "its rotary frequencies are scaled by a table",
        remedy: "use the model's Hugging Face directory")
    }
  }

  /// Writes a model directory that does not exist yet.
  /// - Parameters:
  ///   - elementType: how tensors are stored, see `LlamaConfiguration.storageType`; if absent, as they are, those in
  ///     types that models do not have as Q8_0, which loses nearly nothing.
  ///   - files: more files by name, for example `tokenizer.model`.
  public func write(to url: URL, elementType: ElementType?, files: [String: Data]) throws {
    try NewDirectory.check(url)
    var writer = SafetensorsWriter()
    var types: Set<ElementType> = []
    for expected in configuration.tensorShapes {
      let tensor = try tensor(expected)
      let type = elementType.map { configuration.storageType($0, of: expected) } ?? tensor.type.elementType ?? .q8_0
      types.insert(type)
      let order = rowOrder(of: expected.name)
      if type == tensor.type.elementType {
        writer.add(expected.name, shape: expected.shape, type: type, rows: tensor.bytes, order: order ?? { $0 })
      } else {
        writer.add(expected.name, shape: expected.shape, as: type) { start, piece in
          Self.fill(piece, from: start, of: tensor, order: order)
        }
      }
    }
    // The configuration names one type for the readers that want one.
    let mostUsed: ElementType = elementType ?? (types.count == 1 ? types.first! : .f32)
    try ModelDirectory.write(to: url, configuration, writer, mostUsed, files)
  }

  /// Floats from an element on, through rows in another order. Pieces begin and end between blocks.
  private static func fill(_ piece: VectorView, from start: Int, of tensor: GGUFFile.Tensor, order: ((Int) -> Int)?) {
    guard let order else { return tensor.bytes.widen(start..<start + piece.count, tensor.type, into: piece) }
    let columns = tensor.columns
    var done = 0
    while done < piece.count {
      let (row, column) = (start + done).quotientAndRemainder(dividingBy: columns)
      let count = min(columns - column, piece.count - done)
      let first = order(row) * columns + column
      tensor.bytes.widen(first..<first + count, tensor.type, into: piece.slice(done..<done + count))
      done += count
    }
  }

  private func tensor(_ expected: LlamaConfiguration.TensorShape) throws(GGUFError) -> GGUFFile.Tensor {
    let name = Self.name(of: expected.name)
    guard let tensor = file.tensors[name] else {
      throw .damaged(file: file.url.path, cause: "it has no tensor “\(name)”")
    }
    guard tensor.shape == expected.shape else {
      throw .damaged(
        file: file.url.path,
        cause: "tensor “\(name)” has shape \(tensor.shape), its metadata ask for \(expected.shape)")
    }
    // Vectors are computed with as they are.
    guard expected.shape.count > 1 || tensor.type.elementType?.isUsable == true else {
      throw .unsupportedType(file: file.url.path, tensor: name, type: GGUFTensorType.name(of: tensor.type.rawValue))
    }
    return tensor
  }

  /// GGML's name of a tensor that has this name at Hugging Face.
  static func name(of name: String) -> String {
    switch name {
    case LlamaConfiguration.embeddingName: return "token_embd.weight"
    case LlamaConfiguration.finalNormName: return "output_norm.weight"
    case LlamaConfiguration.headName: return "output.weight"
    default: break
    }
    // model.layers.N.part.weight
    let parts = name.split(separator: ".")
    let middle = parts[3..<parts.count - 1].joined(separator: ".")
    return "blk.\(parts[2]).\(blockParts[middle]!).\(parts.last!)"
  }

  private static let blockParts = [
    "input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm", "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down",
  ]

  /// GGML turns neighbouring elements of queries and keys by one angle, Hugging Face those half a head apart; converters
  /// reorder the rows instead. Where a row of a tensor lies in the file; `nil` where the order is the same.
  private func rowOrder(of name: String) -> ((Int) -> Int)? {
    guard name.contains(".q_proj.") || name.contains(".k_proj.") else { return nil }
    let width = configuration.headDimension
    return { row in
      let (head, place) = row.quotientAndRemainder(dividingBy: width)
      let (side, pair) = place.quotientAndRemainder(dividingBy: width / 2)
      return head * width + 2 * pair + side
    }
  }
}

/// What a GGUF file says of a LLaMA.
struct GGUFMetadata {
  private let file: GGUFFile

  init(_ file: GGUFFile) { self.file = file }

  func configuration() throws(GGUFError) -> LlamaConfiguration {
    guard let architecture = file.metadata["general.architecture"]?.text else {
      throw damaged("it does not name an architecture")
    }
    guard architecture == "llama" else {
      throw .unsupported(file: file.url.path, cause: "its architecture is “\(architecture)”", remedy: "use a LLaMA")
    }
    if let experts = file.metadata["llama.expert_count"]?.integer, experts > 0 {
      throw .unsupported(
        file: file.url.path, cause: "it is a mixture of experts", remedy: "use a LLaMA without experts")
    }
    let hiddenSize = try count("embedding_length")
    let headCount = try count("attention.head_count", most: 1 << 16)
    let keyValueHeadCount = try count("attention.head_count_kv", most: 1 << 16, default: headCount)
    let headDimension = try count("attention.key_length", most: 1 << 16, default: hiddenSize / headCount)
    guard headCount % keyValueHeadCount == 0, headDimension > 0, headDimension % 2 == 0 else {
      throw damaged("its numbers of heads do not fit each other")
    }
    for name in ["rope.dimension_count", "attention.value_length"] {
      guard try count(name, most: 1 << 16, default: headDimension) == headDimension else {
        throw .unsupported(
          file: file.url.path, cause: "llama.\(name) differs from the width of a head", remedy: "use a plain LLaMA")
      }
    }
    guard let embedding = file.tensors["token_embd.weight"], embedding.shape.count == 2 else {
      throw damaged("it has no tensor “token_embd.weight”")
    }
    let vocabularySize = embedding.shape[0]
    func token(_ name: String, default fallback: Int) -> Int? {
      let token = file.metadata["tokenizer.ggml.\(name)"]?.integer ?? fallback
      return token < vocabularySize ? token : nil
    }
    let blockCount = try count("block_count", most: 1 << 14)
    return LlamaConfiguration(
      vocabularySize: vocabularySize, hiddenSize: hiddenSize, intermediateSize: try count("feed_forward_length"),
      blockCount: blockCount, headCount: headCount, keyValueHeadCount: keyValueHeadCount, headDimension: headDimension,
      contextLength: try count("context_length", most: 1 << 30, default: 2048),
      normEpsilon: Float(try positive("attention.layer_norm_rms_epsilon", default: 1e-5)),
      ropeTheta: try positive("rope.freq_base", default: 10_000), ropeScaling: try scaling(),
      tiedEmbeddings: file.tensors["output.weight"] == nil,
      attentionBias: file.tensors["blk.0.attn_q.bias"] != nil, mlpBias: file.tensors["blk.0.ffn_gate.bias"] != nil,
      bosToken: token("bos_token_id", default: 1), eosTokens: token("eos_token_id", default: 2).map { [$0] } ?? [])
  }

  private func scaling() throws(GGUFError) -> LlamaConfiguration.RopeScaling {
    let type = file.metadata["llama.rope.scaling.type"]?.text
    let factor = try positive("rope.scaling.factor", default: try positive("rope.scale_linear", default: 1))
    switch type {
    case nil, "linear": return factor == 1 ? .none : .linear(factor: factor)
    case "none": return .none
    default:
      throw .unsupported(
        file: file.url.path, cause: "its rotary positions are scaled by “\(type!)”",
        remedy: "use a model with plain or linear rotary positions")
    }
  }

  private func damaged(_ cause: String) -> GGUFError { .damaged(file: file.url.path, cause: cause) }

  private func count(_ name: String, most: Int = 1 << 28, default fallback: Int? = nil) throws(GGUFError) -> Int {
    guard let value = file.metadata["llama.\(name)"] else {
      guard let fallback else { throw damaged("llama.\(name) is missing") }
      return fallback
    }
    guard let count = value.integer, (1...most).contains(count) else {
      throw damaged("llama.\(name) is not a whole number from 1 to \(most)")
    }
    return count
  }

  private func positive(_ name: String, default fallback: Double) throws(GGUFError) -> Double {
    guard let value = file.metadata["llama.\(name)"] else { return fallback }
    guard let number = value.double, number > 0, number.isFinite, Float(number) > 0, Float(number).isFinite else {
      throw damaged("llama.\(name) is not a positive number")
    }
    return number
  }
}
