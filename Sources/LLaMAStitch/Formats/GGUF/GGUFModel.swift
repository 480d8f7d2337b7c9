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
  }

  /// Writes a model directory that does not exist yet.
  /// - Parameters:
  ///   - elementType: how tensors are stored, see `LlamaConfiguration.storageType`; if absent, as they are, those in
  ///     types that models do not have as Q8_0, which loses nearly nothing.
  ///   - files: more files by name, for example the tokenizer's file.
  ///   - progress: told after each tensor how many of all bytes are written.
  public func write(
    to url: URL, elementType: ElementType?, files: [String: Data],
    progress: (_ done: Int, _ all: Int) -> Void = { _, _ in }
  ) throws {
    try NewDirectory.check(url)
    var writer = SafetensorsWriter()
    var types: Set<ElementType> = []
    for expected in configuration.tensorShapes {
      let tensor = try tensor(expected)
      guard tensor.bytes.isFinite(tensor.type) else {
        throw GGUFError.damaged(
          file: tensor.path, cause: "tensor “\(tensor.name)” has values that are infinite or no numbers")
      }
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
    try ModelDirectory.write(to: url, configuration, writer, mostUsed, files, progress: progress)
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

  /// `nil` for tensors whose rows stand in one order in both: all of a qwen2.
  init?(of tensor: LlamaTensor, in configuration: LlamaConfiguration) {
    guard case .block(_, let part) = tensor, GGUFArchitecture(of: configuration) != .qwen2 else { return nil }
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
    let architecture = GGUFArchitecture(of: self)
    if architecture == .smollm3, unrotatedBlocks != GGUFArchitecture.unrotatedBlocks(of: blockCount) {
      throw GGUFError.unsupported(
        file: url.path, cause: "which blocks do not rotate cannot be written to GGUF",
        remedy: "export a Hugging Face directory")
    }
    var writer = GGUFWriter()
    writer.add(GGUFKey.architecture, .text(architecture.rawValue))
    writer.add(GGUFKey.name, .text(name))
    writer.add(GGUFKey.fileType, .count(Self.fileType(elementType)))
    func add(_ key: GGUFKey, _ value: GGUFWriter.Value) { writer.add(key.name(in: architecture), value) }
    add(.vocabularySize, .count(vocabularySize))
    add(.contextLength, .count(contextLength))
    add(.hiddenSize, .count(hiddenSize))
    add(.intermediateSize, .count(intermediateSize))
    add(.blockCount, .count(blockCount))
    add(.headCount, .count(headCount))
    add(.keyValueHeadCount, .count(keyValueHeadCount))
    add(.keyLength, .count(headDimension))
    add(.valueLength, .count(headDimension))
    add(.normEpsilon, .number(normEpsilon))
    add(.ropeDimensions, .count(headDimension))
    add(.ropeTheta, .number(Float(ropeTheta)))
    switch ropeScaling {
    case .none, .unrotated: break
    case .linear(let factor):
      add(.ropeScalingType, .text("linear"))
      add(.ropeScalingFactor, .number(Float(factor)))
    case .yarn(let yarn):
      guard yarn.truncates else {
        throw GGUFError.unsupported(
          file: url.path, cause: "yarn that does not truncate its ramp is not written to GGUF",
          remedy: "export a Hugging Face directory")
      }
      add(.ropeScalingType, .text("yarn"))
      add(.ropeScalingFactor, .number(Float(yarn.factor)))
      add(.ropeOriginalContext, .count(yarn.originalContextLength))
      let usual = LlamaConfiguration.YaRN(factor: yarn.factor, originalContextLength: yarn.originalContextLength)
      add(.ropeAttentionFactor, .number(Float(yarn.magnitude / usual.magnitude)))
      add(.ropeBetaFast, .number(Float(yarn.betaFast)))
      add(.ropeBetaSlow, .number(Float(yarn.betaSlow)))
    case .table(_, let magnitude) where magnitude != 1:
      throw GGUFError.unsupported(
        file: url.path, cause: "longrope is not written to GGUF", remedy: "export a Hugging Face directory")
    case .llama3, .table:
      var plain = self
      plain.ropeScaling = .none
      let (all, own) = (RotaryEmbedding.inverseFrequencies(plain), RotaryEmbedding.inverseFrequencies(self))
      let factors = FloatBuffer(zip(all, own).map { $0 / $1 }).vector
      writer.add(GGUFKey.ropeFactors, shape: [factors.count], as: .f32) { start, piece in
        piece.copy(from: factors.slice(start..<start + piece.count))
      }
    }
    if eosTokens.count > 1, !vocabulary.contains(where: { $0.name == GGUFKey.eotToken }) {
      writer.add(GGUFKey.eotToken, .count(eosTokens[1]))
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
