import Foundation
import Support

/// Writes a GGUF file of version 3, atomically.
public struct GGUFWriter {
  /// A metadata value with the type it is stored in.
  public enum Value: Sendable {
    case count(Int)
    case number(Float)
    case bool(Bool)
    case text(String)
    case texts([[UInt8]])
    case numbers([Float])
    case counts([Int])
  }

  private struct Tensor {
    let name: String
    let shape: [Int]
    let type: ElementType
    let fill: (Int, VectorView) -> Void

    var byteCount: Int { type.byteCount(shape.reduce(1, *)) }
  }

  private static let alignment = 32
  private var metadata: [(name: String, value: Value)] = []
  private var tensors: [Tensor] = []

  public init() {}

  /// Adds a metadata value; names must differ.
  public mutating func add(_ name: String, _ value: Value) { metadata.append((name, value)) }

  /// Adds floats that are made when they are written, a piece at a time, and rounded to `type`.
  /// - Parameters:
  ///   - shape: rows before columns.
  ///   - fill: writes the floats from an index on into a piece.
  public mutating func add(
    _ name: String, shape: [Int], as type: ElementType, fill: @escaping (_ start: Int, _ piece: VectorView) -> Void
  ) {
    tensors.append(Tensor(name: name, shape: shape, type: type, fill: fill))
  }

  /// - Throws: `FileError`, `SafetensorsError`; a file that was there is untouched then.
  public func write(to url: URL) throws {
    let header = header
    try AtomicFile.write(to: url) { file in
      try header.withUnsafeBytes { try file.append($0) }
      for tensor in tensors {
        try FloatEncoder(tensor.type, tensor: tensor.name)
          .append(count: tensor.shape.reduce(1, *), to: file, tensor.fill)
        let padding = [UInt8](repeating: 0, count: Self.padded(tensor.byteCount) - tensor.byteCount)
        try padding.withUnsafeBytes { try file.append($0) }
      }
    }
  }

  private static func padded(_ count: Int) -> Int { (count + alignment - 1) / alignment * alignment }

  private var header: [UInt8] {
    var bytes = Array("GGUF".utf8)
    func put<Number: FixedWidthInteger>(_ number: Number) { withUnsafeBytes(of: number.littleEndian) { bytes += $0 } }
    func put(_ text: [UInt8]) {
      put(UInt64(text.count))
      bytes += text
    }
    func put(list count: Int, of type: UInt32) {
      put(UInt32(9))
      put(type)
      put(UInt64(count))
    }
    put(UInt32(3))
    put(UInt64(tensors.count))
    put(UInt64(metadata.count))
    for (name, value) in metadata {
      put(Array(name.utf8))
      switch value {
      case .count(let value):
        put(UInt32(4))
        put(UInt32(value))
      case .number(let value):
        put(UInt32(6))
        put(value.bitPattern)
      case .bool(let value):
        put(UInt32(7))
        put(UInt8(value ? 1 : 0))
      case .text(let value):
        put(UInt32(8))
        put(Array(value.utf8))
      case .texts(let values):
        put(list: values.count, of: 8)
        for value in values { put(value) }
      case .numbers(let values):
        put(list: values.count, of: 6)
        for value in values { put(value.bitPattern) }
      case .counts(let values):
        put(list: values.count, of: 5)
        for value in values { put(Int32(value)) }
      }
    }
    var offset = 0
    for tensor in tensors {
      put(Array(tensor.name.utf8))
      put(UInt32(tensor.shape.count))
      for size in tensor.shape.reversed() { put(UInt64(size)) }
      put(GGUFTensorType(tensor.type).rawValue)
      put(UInt64(offset))
      offset += Self.padded(tensor.byteCount)
    }
    bytes += [UInt8](repeating: 0, count: Self.padded(bytes.count) - bytes.count)
    return bytes
  }
}

extension GGUFTensorType {
  /// - Parameter type: one that weights are computed in.
  init(_ type: ElementType) {
    switch type {
    case .f32: self = .f32
    case .f16: self = .f16
    case .bf16: self = .bf16
    case .q8_0: self = .q8_0
    case .q4_0: self = .q4_0
    case .q4_1: self = .q4_1
    default: preconditionFailure("no weights have the type \(type)")
    }
  }
}
