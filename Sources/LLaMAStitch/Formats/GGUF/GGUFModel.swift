import Foundation
import Support

/// A LLaMA in a GGUF file: its configuration, and its weights under the names and in the order that Hugging Face uses.
public struct GGUFModel: Sendable {
  public let file: GGUFFile
  public let configuration: LlamaConfiguration

  /// - Throws: `FileError`, `GGUFError`: no whole file, no LLaMA, a tensor is missing or has another shape.
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
  ///   - files: more files by name, for example the tokenizer's file.
  public func write(to url: URL, elementType: ElementType?, files: [String: Data]) throws {
    try NewDirectory.check(url)
    var writer = SafetensorsWriter()
    var types: Set<ElementType> = []
    for expected in configuration.tensorShapes {
      let tensor = try tensor(expected)
      let type = elementType.map { configuration.storageType($0, of: expected) } ?? tensor.type.elementType ?? .q8_0
      types.insert(type)
      let order = GGUFRowOrder(of: expected.tensor, in: configuration)
      let columns = expected.shape.count == 1 ? 1 : expected.shape[1]
      if type == tensor.type.elementType {
        writer.add(
          expected.name, shape: expected.shape, type: type, rows: tensor.bytes,
          order: { row in order?.fileRow(of: row) ?? row })
      } else {
        writer.add(expected.name, shape: expected.shape, as: type) { start, piece in
          func fill(_ first: Int, _ piece: VectorView) {
            tensor.bytes.dequantize(first..<first + piece.count, tensor.type, into: piece)
          }
          guard let order else { return fill(start, piece) }
          order.fill(piece, from: start, columns: columns, row: order.fileRow(of:), fill)
        }
      }
    }
    // The configuration names one type for the readers that want one.
    let mostUsed: ElementType = elementType ?? (types.count == 1 ? types.first! : .f32)
    try ModelDirectory.write(to: url, configuration, writer, mostUsed, files)
  }

  private func tensor(_ expected: LlamaConfiguration.TensorShape) throws(GGUFError) -> GGUFFile.Tensor {
    let name = expected.tensor.ggufName
    guard let tensor = file.tensors[name] else {
      throw .damaged(file: file.url.path, cause: "it has no tensor “\(name)”")
    }
    guard tensor.shape == expected.shape else {
      throw .damaged(
        file: tensor.path,
        cause: "tensor “\(name)” has shape \(tensor.shape), its metadata ask for \(expected.shape)")
    }
    // Vectors are computed with as they are.
    guard expected.shape.count > 1 || tensor.type.elementType?.isUsable == true else {
      throw .unsupportedType(file: tensor.path, tensor: name, type: tensor.type.name)
    }
    return tensor
  }
}

/// The rows of queries and keys in a GGUF file: GGML turns neighbouring elements of a head by one angle, Hugging Face those
/// half a head apart; converters reorder the rows instead.
struct GGUFRowOrder {
  private let headDimension: Int

  /// `nil` for tensors whose rows stand in one order in both.
  init?(of tensor: LlamaTensor, in configuration: LlamaConfiguration) {
    guard case .block(_, let part) = tensor else { return nil }
    switch part {
    case .queryWeight, .queryBias, .keyWeight, .keyBias: headDimension = configuration.headDimension
    default: return nil
    }
  }

  /// Where in the file a row of the model stands.
  func fileRow(of row: Int) -> Int {
    let (head, place) = row.quotientAndRemainder(dividingBy: headDimension)
    let (side, pair) = place.quotientAndRemainder(dividingBy: headDimension / 2)
    return head * headDimension + 2 * pair + side
  }

  /// Which row of the model stands at a place in the file.
  func modelRow(at row: Int) -> Int {
    let (head, place) = row.quotientAndRemainder(dividingBy: headDimension)
    let (pair, side) = place.quotientAndRemainder(dividingBy: 2)
    return head * headDimension + side * (headDimension / 2) + pair
  }

  /// Fills a piece of a reordered tensor, from an element on, row by row. Pieces begin and end between blocks.
  /// - Parameters:
  ///   - columns: 1 for vectors.
  ///   - row: `fileRow` or `modelRow`: where a row of the piece stands at its source.
  ///   - source: writes the source's floats from an element on.
  func fill(
    _ piece: VectorView, from start: Int, columns: Int, row place: (Int) -> Int,
    _ source: (_ start: Int, _ piece: VectorView) -> Void
  ) {
    var done = 0
    while done < piece.count {
      let (row, column) = (start + done).quotientAndRemainder(dividingBy: columns)
      let count = min(columns - column, piece.count - done)
      source(place(row) * columns + column, piece.slice(done..<done + count))
      done += count
    }
  }
}

// MARK: - Metadata

/// The keys of the metadata that describe a LLaMA.
enum GGUFKey {
  static let architecture = "general.architecture"
  static let name = "general.name"
  static let alignment = "general.alignment"
  static let fileType = "general.file_type"
  static let partNumber = "split.no"
  static let partCount = "split.count"
  static let tensorCount = "split.tensors.count"
  static let vocabularySize = "llama.vocab_size"
  static let contextLength = "llama.context_length"
  static let hiddenSize = "llama.embedding_length"
  static let intermediateSize = "llama.feed_forward_length"
  static let blockCount = "llama.block_count"
  static let expertCount = "llama.expert_count"
  static let headCount = "llama.attention.head_count"
  static let keyValueHeadCount = "llama.attention.head_count_kv"
  static let keyLength = "llama.attention.key_length"
  static let valueLength = "llama.attention.value_length"
  static let normEpsilon = "llama.attention.layer_norm_rms_epsilon"
  static let ropeDimensions = "llama.rope.dimension_count"
  static let ropeTheta = "llama.rope.freq_base"
  static let ropeScalingType = "llama.rope.scaling.type"
  static let ropeScalingFactor = "llama.rope.scaling.factor"
  /// What older files have instead.
  static let ropeLinearScale = "llama.rope.scale_linear"
  static let bosToken = "tokenizer.ggml.bos_token_id"
  static let eosToken = "tokenizer.ggml.eos_token_id"
}

/// What a GGUF file says of a LLaMA.
struct GGUFMetadata {
  private let file: GGUFFile

  init(_ file: GGUFFile) { self.file = file }

  func configuration() throws(GGUFError) -> LlamaConfiguration {
    guard let architecture = file.metadata[GGUFKey.architecture]?.text else {
      throw damaged("it does not name an architecture")
    }
    guard architecture == "llama" else {
      throw .unsupported(file: file.url.path, cause: "its architecture is “\(architecture)”", remedy: "use a LLaMA")
    }
    if let experts = file.metadata[GGUFKey.expertCount]?.integer, experts > 0 {
      throw .unsupported(
        file: file.url.path, cause: "it is a mixture of experts", remedy: "use a LLaMA without experts")
    }
    let hiddenSize = try count(GGUFKey.hiddenSize)
    let headCount = try count(GGUFKey.headCount, most: 1 << 16)
    let keyValueHeadCount = try count(GGUFKey.keyValueHeadCount, most: 1 << 16, default: headCount)
    let headDimension = try count(GGUFKey.keyLength, most: 1 << 16, default: hiddenSize / headCount)
    guard headCount % keyValueHeadCount == 0, headDimension > 0, headDimension % 2 == 0 else {
      throw damaged("its numbers of heads do not fit each other")
    }
    for name in [GGUFKey.ropeDimensions, GGUFKey.valueLength] {
      guard try count(name, most: 1 << 16, default: headDimension) == headDimension else {
        throw .unsupported(
          file: file.url.path, cause: "\(name) differs from the width of a head", remedy: "use a plain LLaMA")
      }
    }
    guard let embedding = file.tensors[LlamaTensor.embedding.ggufName], embedding.shape.count == 2 else {
      throw damaged("it has no tensor “\(LlamaTensor.embedding.ggufName)”")
    }
    let vocabularySize = embedding.shape[0]
    func token(_ name: String, default fallback: Int) -> Int? {
      let token = file.metadata[name]?.integer ?? fallback
      return token < vocabularySize ? token : nil
    }
    func has(_ bias: BlockTensor) -> Bool { file.tensors[LlamaTensor.block(0, bias).ggufName] != nil }
    let blockCount = try count(GGUFKey.blockCount, most: 1 << 14)
    return LlamaConfiguration(
      vocabularySize: vocabularySize, hiddenSize: hiddenSize, intermediateSize: try count(GGUFKey.intermediateSize),
      blockCount: blockCount, headCount: headCount, keyValueHeadCount: keyValueHeadCount, headDimension: headDimension,
      contextLength: try count(GGUFKey.contextLength, most: 1 << 30, default: 2048),
      normEpsilon: Float(try positive(GGUFKey.normEpsilon, default: 1e-5)),
      ropeTheta: try positive(GGUFKey.ropeTheta, default: 10_000), ropeScaling: try scaling(),
      tiedEmbeddings: file.tensors[LlamaTensor.head.ggufName] == nil,
      attentionBias: has(.queryBias), mlpBias: has(.gateBias),
      bosToken: token(GGUFKey.bosToken, default: 1), eosTokens: token(GGUFKey.eosToken, default: 2).map { [$0] } ?? [])
  }

  private func scaling() throws(GGUFError) -> LlamaConfiguration.RopeScaling {
    let type = file.metadata[GGUFKey.ropeScalingType]?.text
    let factor = try positive(GGUFKey.ropeScalingFactor, default: try positive(GGUFKey.ropeLinearScale, default: 1))
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
    guard let value = file.metadata[name] else {
      guard let fallback else { throw damaged("\(name) is missing") }
      return fallback
    }
    guard let count = value.integer, (1...most).contains(count) else {
      throw damaged("\(name) is not a whole number from 1 to \(most)")
    }
    return count
  }

  private func positive(_ name: String, default fallback: Double) throws(GGUFError) -> Double {
    guard let value = file.metadata[name] else { return fallback }
    guard let number = value.double, number > 0, number.isFinite, Float(number) > 0, Float(number).isFinite else {
      throw damaged("\(name) is not a positive number")
    }
    return number
  }
}

// MARK: - Writing

extension MergedAnchor {
  /// Writes the anchor as a GGUF file.
  /// - Parameters:
  ///   - name: of the model, for those who open the file.
  ///   - vocabulary: the metadata of its tokenizer.
  /// - Throws: `GGUFError.unsupported` where the format cannot express the model, `FileError`, `SafetensorsError`.
  public func writeGGUF(
    to url: URL, name: String, elementType: ElementType, vocabulary: [(name: String, value: GGUFWriter.Value)]
  ) throws {
    try configuration.writeGGUF(to: url, name: name, elementType: elementType, vocabulary: vocabulary) {
      fill($0, from: $1, into: $2)
    }
  }
}

extension LlamaConfiguration {
  /// Writes a model as a GGUF file, its weights made when they are written, a piece at a time.
  /// - Parameter fill: writes the floats of a tensor from an index on into a piece.
  package func writeGGUF(
    to url: URL, name: String, elementType: ElementType, vocabulary: [(name: String, value: GGUFWriter.Value)],
    fill: @escaping (TensorShape, _ start: Int, _ piece: VectorView) -> Void
  ) throws {
    var writer = GGUFWriter()
    writer.add(GGUFKey.architecture, .text("llama"))
    writer.add(GGUFKey.name, .text(name))
    writer.add(GGUFKey.fileType, .count(Self.fileType(elementType)))
    writer.add(GGUFKey.vocabularySize, .count(vocabularySize))
    writer.add(GGUFKey.contextLength, .count(contextLength))
    writer.add(GGUFKey.hiddenSize, .count(hiddenSize))
    writer.add(GGUFKey.intermediateSize, .count(intermediateSize))
    writer.add(GGUFKey.blockCount, .count(blockCount))
    writer.add(GGUFKey.headCount, .count(headCount))
    writer.add(GGUFKey.keyValueHeadCount, .count(keyValueHeadCount))
    writer.add(GGUFKey.keyLength, .count(headDimension))
    writer.add(GGUFKey.valueLength, .count(headDimension))
    writer.add(GGUFKey.normEpsilon, .number(normEpsilon))
    writer.add(GGUFKey.ropeDimensions, .count(headDimension))
    writer.add(GGUFKey.ropeTheta, .number(Float(ropeTheta)))
    switch ropeScaling {
    case .none: break
    case .linear(let factor):
      writer.add(GGUFKey.ropeScalingType, .text("linear"))
      writer.add(GGUFKey.ropeScalingFactor, .number(Float(factor)))
    case .llama3:
      throw GGUFError.unsupported(
        file: url.path, cause: "llama3 rotary scaling is not written to GGUF", remedy: "export a Hugging Face directory"
      )
    }
    for (name, value) in vocabulary { writer.add(name, value) }
    for tensor in tensorShapes {
      // GGML computes with vectors in F32 alone.
      let type = tensor.shape.count == 1 ? .f32 : storageType(elementType, of: tensor)
      let order = GGUFRowOrder(of: tensor.tensor, in: self)
      let columns = tensor.shape.count == 1 ? 1 : tensor.shape[1]
      writer.add(tensor.tensor.ggufName, shape: tensor.shape, as: type) { start, piece in
        guard let order else { return fill(tensor, start, piece) }
        order.fill(piece, from: start, columns: columns, row: order.modelRow(at:)) { fill(tensor, $0, $1) }
      }
    }
    try writer.write(to: url)
  }

  /// GGML's number of how most of a file is stored.
  private static func fileType(_ type: ElementType) -> Int {
    switch type {
    case .f16: 1
    case .q4_0: 2
    case .q4_1: 3
    case .q8_0: 7
    case .bf16: 32
    default: 0
    }
  }
}
