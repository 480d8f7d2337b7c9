import Foundation
import Support

/// The trained part of a family, as it was at one step: LoRA, biases, updates of the stitching layers, importance.
/// Never changes, so replies and training can hold different ones.
public struct Adapter: Sendable {
  public let options: AdapterOptions
  /// Optimiser steps behind it.
  public let step: Int
  /// Identity of the family it was trained on (`Family.identity`).
  public let family: String
  /// Importance of each stitch, by id, where it is known.
  public let importance: [String: Double]
  /// What it was made of, where that is known; `nil` for one that was trained.
  public internal(set) var origin: AdapterOrigin?
  let tensors: [String: MatrixView]
  /// What inference reads of the updates of quantised weights.
  private let read: [String: LowRank.Factors]
  /// Sums of Kronecker products as the low-rank updates that they are.
  let sums: [String: LowRank]

  /// - Parameter tensors: by the names of `AdapterLayout`; vectors as one row.
  public init(
    options: AdapterOptions, step: Int, family: Family, importance: [String: Double], tensors: [String: MatrixView]
  ) {
    self.options = options
    self.step = step
    self.family = family.identity
    self.importance = importance
    self.tensors = tensors
    let types = family.quantizedTargets(options)
    let updates = types.compactMap { name, type in
      tensors[name + ".lora_A"].flatMap { a in tensors[name + ".lora_B"].map { b in (name, a, b, type) } }
    }
    // Healing brings many sizes nearer on the average, and rounded as the weights it loses nothing that can be measured. A
    // lesson is kept as it was learnt.
    let factors = LowRank.quantized(
      updates.map { _, a, b, type in (a, b, options.keepsPrefix ? type : .q8_0) })
    read = Dictionary(
      uniqueKeysWithValues: zip(updates, factors).compactMap { update, read in read.map { (update.0, $0) } })
    sums = Self.lowRanks(ofSumsIn: tensors, options, types)
  }

  /// A tensor's values by name.
  package func values(_ name: String) -> [Float]? { tensors[name]?.dense.array }

  /// Number of trained floats.
  public var parameterCount: Int { tensors.values.reduce(0) { $0 + $1.rows * $1.columns } }

  // MARK: Files

  private static let format = "stitch-adapter-1"

  /// Writes one safetensors file, atomically.
  /// - Parameter type: of matrices; vectors are F32.
  public func write(to url: URL, as type: ElementType = .f32) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    let header = AdapterDescription(
      options: options, step: step, family: family, importance: importance, origin: origin)
    var writer = SafetensorsWriter(metadata: [
      "format": Self.format, "adapter": String(decoding: try encoder.encode(header), as: UTF8.self),
    ])
    for (name, tensor) in tensors {
      let isVector = AdapterLayout.isVector(name)
      let shape = isVector ? [tensor.columns] : [tensor.rows, tensor.columns]
      writer.add(name, shape: shape, as: isVector ? .f32 : type, tensor.dense)
    }
    try writer.write(to: url)
  }

  /// Reads an adapter and checks every tensor against the layout of the family it is for.
  /// - Throws: `FamilyError`, `FileError`, `SafetensorsError`.
  public static func read(_ url: URL, for family: Family) throws -> Adapter {
    try read(SafetensorsFile(url), for: family)
  }

  /// The same from a file that is open already.
  public static func read(_ file: SafetensorsFile, for family: Family) throws -> Adapter {
    let url = file.url
    let header = try describe(file)
    guard header.family == family.identity else {
      throw FamilyError.foreignAdapter(file: url.path, family: family.directory.path)
    }
    let layout = family.layout(header.options)
    do { try layout.check() } catch { throw FamilyError.damaged(file: url.path, cause: "\(error)") }
    let parts = try layout.declarations.map { declaration in
      let tensor = try file.tensor(declaration.name)
      try tensor.check(shape: declaration.shape, file: url)
      return tensor
    }
    // One buffer for all: hundreds of small ones would leave gaps between them.
    let starts = parts.reduce(into: [0]) { $0.append($0.last! + ($1.elementCount + 15) / 16 * 16) }
    let buffer = FloatBuffer(count: starts.last!)
    buffer.preferHugePages()
    var tensors: [String: MatrixView] = [:]
    for (part, start) in zip(parts, starts) {
      let columns = part.shape.last!
      let matrix = buffer.matrix(offset: start, rows: part.elementCount / columns, columns: columns)
      part.bytes.dequantize(0..<part.elementCount, part.type, into: matrix.dense)
      tensors[part.name] = matrix
    }
    return Adapter(
      options: header.options, step: header.step, family: family, importance: header.importance, tensors: tensors
    ).made(of: header.origin)
  }

  /// What a file says of its adapter, without its values.
  /// - Throws: `FamilyError.damaged`.
  public static func describe(_ file: SafetensorsFile) throws -> AdapterDescription {
    guard file.metadata["format"] == format, let text = file.metadata["adapter"],
      let header = try? JSONDecoder().decode(AdapterDescription.self, from: Data(text.utf8)),
      (0...1 << 50).contains(header.step), header.options.alpha.isFinite, header.options.isSound
    else {
      throw FamilyError.damaged(file: file.url.path, cause: "it is not an adapter of this program")
    }
    return header
  }
}

extension Adapter: DeltaTensors {
  func lowRank(_ name: String, scale: Float) -> LowRank? {
    guard let a = tensors[name + ".lora_A"], let b = tensors[name + ".lora_B"] else { return nil }
    return LowRank(a: WeightMatrix(a), b: WeightMatrix(b), scale: scale, read: read[name])
  }

  func kronecker(_ name: String, scale: Float) -> Delta? { sums[name].map(Delta.lowRank) }

  func bias(_ name: String) -> WeightVector? { tensors[name].map { WeightVector($0.row(0)) } }

  func matrix(_ name: String) -> WeightMatrix? { tensors[name].map { WeightMatrix($0) } }
}
