/// What stitch itself reads of a serialised SentencePiece model, a protocol buffer: enough to tell a damaged file from a
/// foreign one, and how the dummy prefix is handled. The library accepts a model cut between two pieces as whole.
struct SentencePieceModelFile: Equatable {
  /// A space is put before the text when encoding, and one is taken away at its start when decoding.
  var addsDummyPrefix = true
  /// Runs of spaces become one, and spaces at either end go.
  var removesExtraWhitespace = true

  /// - Throws: `.notAModel` or `.truncated`.
  init(_ bytes: [UInt8], file: String) throws(TokenizerError) {
    var reader = ProtocolBufferReader(bytes[...])
    var pieces = 0
    var hasTrainer = false
    var normalizer: ArraySlice<UInt8>?
    while !reader.isAtEnd {
      guard let field = reader.next() else {
        throw pieces > 0 ? .truncated(file: file) : .notAModel(file: file, reason: "unknown format")
      }
      switch (field.number, field.value) {
      case (1, .bytes): pieces += 1
      case (2, .bytes): hasTrainer = true
      case (3, .bytes(let bytes)): normalizer = bytes
      default: break
      }
    }
    guard pieces > 0 else {
      throw .notAModel(file: file, reason: bytes.isEmpty ? "it is empty" : "it has no pieces")
    }
    guard hasTrainer, let normalizer else { throw .truncated(file: file) }
    var specification = ProtocolBufferReader(normalizer)
    while !specification.isAtEnd {
      guard let field = specification.next() else { throw .truncated(file: file) }
      switch (field.number, field.value) {
      case (3, .varint(let value)): addsDummyPrefix = value != 0
      case (4, .varint(let value)): removesExtraWhitespace = value != 0
      default: break
      }
    }
  }
}

/// Walks the fields of one protocol-buffer message.
struct ProtocolBufferReader {
  enum Value: Equatable {
    case varint(UInt64)
    case bytes(ArraySlice<UInt8>)
    /// A number of 4 or 8 bytes, little endian.
    case fixed(ArraySlice<UInt8>)
  }

  private var rest: ArraySlice<UInt8>

  init(_ message: ArraySlice<UInt8>) { rest = message }

  var isAtEnd: Bool { rest.isEmpty }

  /// The next field, or `nil` if what follows is not a whole field.
  mutating func next() -> (number: UInt64, value: Value)? {
    guard let tag = varint(), tag >> 3 != 0 else { return nil }
    switch tag & 7 {
    case 0:
      guard let value = varint() else { return nil }
      return (tag >> 3, .varint(value))
    case 1:
      return take(8).map { (tag >> 3, .fixed($0)) }
    case 2:
      guard let count = varint(), count <= UInt64(rest.count) else { return nil }
      return take(Int(count)).map { (tag >> 3, .bytes($0)) }
    case 5:
      return take(4).map { (tag >> 3, .fixed($0)) }
    default:
      return nil
    }
  }

  private mutating func take(_ count: Int) -> ArraySlice<UInt8>? {
    guard rest.count >= count else { return nil }
    defer { rest = rest.dropFirst(count) }
    return rest.prefix(count)
  }

  private mutating func varint() -> UInt64? {
    var value: UInt64 = 0
    for shift in stride(from: UInt64(0), to: 64, by: 7) {
      guard let byte = rest.popFirst() else { return nil }
      value |= UInt64(byte & 0x7F) << shift
      if byte & 0x80 == 0 { return value }
    }
    return nil
  }
}
