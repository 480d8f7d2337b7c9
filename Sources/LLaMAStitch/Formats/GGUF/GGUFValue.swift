import Support

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

  public var bool: Bool? { if case .bool(let value) = self { value } else { nil } }
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
    return Value(littleEndian: (bytes.base + offset).loadUnaligned(as: Value.self))
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
    return [UInt8](UnsafeRawBufferPointer(start: bytes.base + offset, count: length))
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
