import Foundation
import Support

/// A GGUF file, or all parts of one, its header checked completely before anything is read from it, and mapped into
/// memory.
///
/// Format, versions 2 and 3, little endian: magic, version, counts, metadata, tensor descriptions, then the data of the
/// tensors, each at a multiple of the alignment. See https://github.com/ggml-org/ggml/blob/master/docs/gguf.md.
public struct GGUFFile: Sendable {
  /// One tensor: where it lies and what it is.
  public struct Tensor: Sendable {
    public let name: String
    public let type: GGUFTensorType
    /// Rows before columns, as everywhere here; the file has it the other way round.
    public let shape: [Int]
    /// The path of the file that holds it: of models in parts, one of them.
    let path: String
    let bytes: ByteView

    /// The values as floats, copied.
    public func floats() -> [Float] {
      let floats = FloatBuffer(count: shape.reduce(1, *))
      bytes.dequantize(0..<floats.count, type, into: floats.vector)
      return floats.vector.array
    }
  }

  public let url: URL
  public let metadata: [String: GGUFValue]
  public let tensors: [String: Tensor]

  /// - Parameter url: the file; of a model in parts any one, see `GGUFParts`.
  /// - Throws: `FileError`, `GGUFError`: a file cannot be opened, is cut short, has an unsupported type, its header contradicts
  ///   itself, or a part is missing or belongs to another model.
  public init(_ url: URL) throws {
    self.url = url
    let parts = try GGUFParts(of: url)
    (metadata, tensors) = try parts.joined(try parts.files.map(Self.open))
  }

  private static func open(_ url: URL) throws -> (metadata: [String: GGUFValue], tensors: [String: Tensor]) {
    let file = try MappedFile(url)
    do {
      return try read(file.bytes, path: url.path)
    } catch let problem as GGUFReader.Problem {
      throw GGUFError.damaged(file: url.path, cause: problem.cause)
    } catch let problem as UnsupportedType {
      throw GGUFError.unsupportedType(file: url.path, tensor: problem.tensor, type: problem.type)
    }
  }

  private struct UnsupportedType: Error {
    let tensor: String
    let type: String
  }

  private typealias Problem = GGUFReader.Problem

  private static func read(_ bytes: ByteView, path: String) throws -> ([String: GGUFValue], [String: Tensor]) {
    var reader = GGUFReader(bytes)
    let (tensorCount, valueCount) = try readCounts(&reader, bytes)
    let metadata = try readMetadata(&reader, count: valueCount)
    let descriptions = try (0..<tensorCount).map { _ in try TensorDescription(&reader, fileSize: bytes.count) }
    return (
      metadata,
      try place(descriptions, in: bytes, path: path, after: reader.offset, alignment: alignment(metadata))
    )
  }

  /// Magic, version, and how many tensors and values there are.
  private static func readCounts(_ reader: inout GGUFReader, _ bytes: ByteView) throws -> (tensors: Int, values: Int) {
    guard bytes.count >= 24, try reader.integer(UInt32.self) == 0x4655_4747 else {
      throw Problem(cause: "it does not begin with “GGUF”")
    }
    let version = try reader.integer(UInt32.self)
    guard version == 2 || version == 3 else {
      throw Problem(cause: "it has version \(version) (or is big endian); versions 2 and 3 can be read")
    }
    return (try reader.count("tensors", unit: 24), try reader.count("values", unit: 13))
  }

  private static func readMetadata(_ reader: inout GGUFReader, count: Int) throws -> [String: GGUFValue] {
    var metadata: [String: GGUFValue] = [:]
    for _ in 0..<count {
      let name = try reader.name()
      guard metadata.updateValue(try reader.value(), forKey: name) == nil else {
        throw Problem(cause: "it names “\(name)” twice")
      }
    }
    return metadata
  }

  /// What the header says of one tensor.
  private struct TensorDescription {
    let name: String
    let type: GGUFTensorType
    let shape: [Int]
    /// Behind the first tensor's first byte.
    let start: UInt64
    let byteCount: Int

    init(_ reader: inout GGUFReader, fileSize: Int) throws {
      let name = try reader.name()
      let dimensions = try reader.integer(UInt32.self)
      guard (1...4).contains(dimensions) else {
        throw Problem(cause: "tensor “\(name)” has \(dimensions) dimensions")
      }
      var sizes: [Int] = []
      var elements = 1
      for _ in 0..<dimensions {
        guard let size = Int(exactly: try reader.integer(UInt64.self)), size > 0 else {
          throw Problem(cause: "tensor “\(name)” has an impossible shape")
        }
        let (product, overflow) = elements.multipliedReportingOverflow(by: size)
        // No element takes less than a quarter of a byte.
        guard !overflow, product / 4 <= fileSize else {
          throw Problem(cause: "tensor “\(name)” is larger than the file")
        }
        elements = product
        sizes.append(size)
      }
      let number = try reader.integer(UInt32.self)
      start = try reader.integer(UInt64.self)
      guard let type = GGUFTensorType(rawValue: number) else {
        throw UnsupportedType(tensor: name, type: GGUFTensorType.name(of: number))
      }
      guard sizes[0] % type.blockLength == 0 else {
        throw Problem(cause: "the rows of tensor “\(name)” are no whole blocks")
      }
      self.name = name
      self.type = type
      shape = sizes.reversed()
      byteCount = elements / type.blockLength * type.blockBytes
    }
  }

  private static func alignment(_ metadata: [String: GGUFValue]) throws -> Int {
    let alignment = metadata[GGUFKey.alignment].map(\.integer) ?? 32
    guard let alignment, alignment > 0, alignment <= 1 << 20, alignment & (alignment - 1) == 0 else {
      throw Problem(cause: "its alignment is not a power of two")
    }
    return alignment
  }

  /// Finds every tensor's bytes behind the header.
  private static func place(
    _ descriptions: [TensorDescription], in bytes: ByteView, path: String, after headerSize: Int, alignment: Int
  ) throws -> [String: Tensor] {
    let origin = (headerSize + alignment - 1) / alignment * alignment
    var tensors: [String: Tensor] = [:]
    for tensor in descriptions {
      guard let start = Int(exactly: tensor.start), start % alignment == 0, origin <= bytes.count,
        start <= bytes.count - origin, tensor.byteCount <= bytes.count - origin - start
      else {
        throw Problem(cause: "tensor “\(tensor.name)” lies outside the file: it is cut short, or its offsets are wrong")
      }
      let view = bytes.slice(origin + start..<origin + start + tensor.byteCount)
      let entry = Tensor(name: tensor.name, type: tensor.type, shape: tensor.shape, path: path, bytes: view)
      guard tensors.updateValue(entry, forKey: tensor.name) == nil else {
        throw Problem(cause: "it has two tensors “\(tensor.name)”")
      }
    }
    return tensors
  }
}

// MARK: - Values

/// One value of a GGUF file's metadata.
public enum GGUFValue: Sendable, Equatable {
  case unsigned(UInt64)
  case signed(Int64)
  case number(Double)
  case bool(Bool)
  case string([UInt8])
  case strings([[UInt8]])
  case numbers([Double])
  case bools([Bool])

  /// A whole number that is not negative.
  public var integer: Int? {
    switch self {
    case .unsigned(let value): Int(exactly: value)
    case .signed(let value): value >= 0 ? Int(exactly: value) : nil
    default: nil
    }
  }

  public var double: Double? {
    switch self {
    case .unsigned(let value): Double(value)
    case .signed(let value): Double(value)
    case .number(let value): value
    default: nil
    }
  }

  /// Some writers have numbers for flags.
  public var bool: Bool? {
    switch self {
    case .bool(let value): value
    case .unsigned(0), .signed(0): false
    case .unsigned(1), .signed(1): true
    default: nil
    }
  }

  public var text: String? { if case .string(let bytes) = self { String(decoding: bytes, as: UTF8.self) } else { nil } }
  public var strings: [[UInt8]]? { if case .strings(let values) = self { values } else { nil } }
  public var numbers: [Double]? { if case .numbers(let values) = self { values } else { nil } }
}

/// Reads the header of a GGUF file, every length checked against what is there.
struct GGUFReader {
  struct Problem: Error { let cause: String }

  private let bytes: ByteView
  private(set) var offset = 0

  init(_ bytes: ByteView) { self.bytes = bytes }

  private var left: Int { bytes.count - offset }

  mutating func integer<Value: FixedWidthInteger>(_ type: Value.Type = Value.self) throws(Problem) -> Value {
    let size = MemoryLayout<Value>.size
    guard left >= size else { throw Problem(cause: "it is cut short in its header") }
    defer { offset += size }
    return bytes.integer(type, at: offset)
  }

  /// A length that at least `unit` bytes each must follow.
  mutating func count(_ what: String, unit: Int) throws(Problem) -> Int {
    let value = try integer(UInt64.self)
    guard value <= UInt64(left / unit) else {
      throw Problem(cause: "it claims \(value) \(what), more than its \(bytes.count) bytes can hold")
    }
    return Int(value)
  }

  mutating func string() throws(Problem) -> [UInt8] {
    let length = try count("bytes of text", unit: 1)
    defer { offset += length }
    return bytes.slice(offset..<offset + length).withBytes { Array($0) }
  }

  /// A name: text that must be UTF-8.
  mutating func name() throws(Problem) -> String {
    guard let text = String(validating: try string(), as: UTF8.self) else {
      throw Problem(cause: "a name in it is not UTF-8")
    }
    return text
  }

  mutating func value() throws(Problem) -> GGUFValue {
    let type = try integer(UInt32.self)
    return type == 9 ? try array() : try scalar(type)
  }

  private mutating func scalar(_ type: UInt32) throws(Problem) -> GGUFValue {
    switch type {
    case 0: .unsigned(UInt64(try integer(UInt8.self)))
    case 1: .signed(Int64(try integer(Int8.self)))
    case 2: .unsigned(UInt64(try integer(UInt16.self)))
    case 3: .signed(Int64(try integer(Int16.self)))
    case 4: .unsigned(UInt64(try integer(UInt32.self)))
    case 5: .signed(Int64(try integer(Int32.self)))
    case 6: .number(Double(Float(bitPattern: try integer(UInt32.self))))
    case 7: .bool(try integer(UInt8.self) != 0)
    case 8: .string(try string())
    case 10: .unsigned(try integer(UInt64.self))
    case 11: .signed(try integer(Int64.self))
    case 12: .number(Double(bitPattern: try integer(UInt64.self)))
    default: throw Problem(cause: "a value in it has the unknown type \(type)")
    }
  }

  /// A list of one kind of scalars. Lists of lists, which no LLaMA has, are refused: they could nest without end.
  private mutating func array() throws(Problem) -> GGUFValue {
    let type = try integer(UInt32.self)
    let sizes: [UInt32: Int] = [0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 8: 8, 10: 8, 11: 8, 12: 8]
    guard let size = sizes[type] else { throw Problem(cause: "a list in it has elements of type \(type)") }
    let count = try count("elements of a list", unit: size)
    switch type {
    case 8:
      var values: [[UInt8]] = []
      values.reserveCapacity(count)
      for _ in 0..<count { values.append(try string()) }
      return .strings(values)
    case 7:
      var values: [Bool] = []
      for _ in 0..<count { values.append(try integer(UInt8.self) != 0) }
      return .bools(values)
    default:
      var values: [Double] = []
      values.reserveCapacity(count)
      for _ in 0..<count { values.append(try scalar(type).double!) }
      return .numbers(values)
    }
  }
}

// MARK: - Errors

/// What can be wrong with a GGUF file. The description is one line: cause, file, remedy.
public enum GGUFError: Error, Equatable, Sendable, CustomStringConvertible {
  /// The file is no whole GGUF file.
  case damaged(file: String, cause: String)
  /// The file is sound, but holds no model that can be run here.
  case unsupported(file: String, cause: String, remedy: String)
  /// A tensor is stored in a type that is not read.
  case unsupportedType(file: String, tensor: String, type: String)

  public var description: String {
    switch self {
    case .damaged(let file, let cause):
      oneLine("\(file) is not a usable GGUF file: \(cause); download or convert it again")
    case .unsupported(let file, let cause, let remedy): oneLine("\(file): \(cause); \(remedy)")
    case .unsupportedType(let file, let tensor, let type):
      oneLine(
        "\(file): tensor “\(tensor)” is \(type), which is not read; use a file in \(GGUFTensorType.readNames)")
    }
  }
}
