/// The pieces of a byte-pair SentencePiece model with their scores: all it takes to make its `tokenizer.model` anew.
public struct SentencePieceVocabulary: Sendable {
  /// What a piece is for; `rawValue` is SentencePiece's number.
  public enum Kind: UInt64, Sendable {
    case normal = 1
    case unknown = 2
    case control = 3
    case userDefined = 4
    case unused = 5
    case byte = 6
  }

  public struct Piece: Sendable, Equatable {
    public var text: [UInt8]
    public var score: Float
    public var kind: Kind

    public init(text: [UInt8], score: Float, kind: Kind) {
      self.text = text
      self.score = score
      self.kind = kind
    }

    /// The kind for programs that put a space after a user-defined piece, as llama.cpp does and SentencePiece does not.
    /// One character is kept whole as a normal piece, too.
    public var kindElsewhere: Kind {
      kind == .userDefined && String(decoding: text, as: UTF8.self).unicodeScalars.count == 1 ? .normal : kind
    }
  }

  /// By token id.
  public var pieces: [Piece]
  public var unknownToken: Int?
  public var bosToken: Int?
  public var eosToken: Int?
  public var padToken: Int?
  /// A space is put before the text when encoding.
  public var addsDummyPrefix = true

  public init(pieces: [Piece]) { self.pieces = pieces }

  /// The pieces of a tokenizer.
  public init(_ tokenizer: SentencePieceTokenizer) {
    pieces = []
    var reader = ProtocolBufferReader(tokenizer.modelBytes[...])
    while let field = reader.next() {
      if case (1, .bytes(let bytes)) = (field.number, field.value) { pieces.append(Piece(message: bytes)) }
    }
    unknownToken = pieces.firstIndex { $0.kind == .unknown }
    bosToken = tokenizer.bosToken
    eosToken = tokenizer.eosToken
    padToken = tokenizer.padToken
    addsDummyPrefix = tokenizer.addsDummyPrefix
  }

  /// The bytes of a `tokenizer.model`: a protocol buffer with the pieces, what they were trained as, and how text is
  /// normalised, which is not at all. Fields: https://github.com/google/sentencepiece/blob/master/src/sentencepiece_model.proto.
  public var modelBytes: [UInt8] {
    var model = ProtocolBufferWriter()
    for piece in pieces {
      var message = ProtocolBufferWriter()
      message.add(1, bytes: piece.text)
      message.add(2, float: piece.score)
      message.add(3, number: piece.kind.rawValue)
      model.add(1, bytes: message.bytes)
    }
    var trainer = ProtocolBufferWriter()
    trainer.add(3, number: 2)  // byte pairs
    trainer.add(4, number: UInt64(pieces.count))
    trainer.add(35, number: pieces.contains { $0.kind == .byte } ? 1 : 0)
    for (field, nameField, token) in [
      (40, 45, unknownToken), (41, 46, bosToken), (42, 47, eosToken), (43, 48, padToken),
    ] as [(UInt64, UInt64, Int?)] {
      // Two's complement: −1 is none.
      trainer.add(field, number: UInt64(bitPattern: Int64(token ?? -1)))
      if let token, pieces.indices.contains(token) { trainer.add(nameField, bytes: pieces[token].text) }
    }
    model.add(2, bytes: trainer.bytes)
    var normalizer = ProtocolBufferWriter()
    normalizer.add(1, bytes: Array("identity".utf8))
    normalizer.add(2, bytes: [])
    normalizer.add(3, number: addsDummyPrefix ? 1 : 0)
    normalizer.add(4, number: 0)
    normalizer.add(5, number: 1)
    model.add(3, bytes: normalizer.bytes)
    return model.bytes
  }
}

extension SentencePieceVocabulary.Piece {
  /// Reads one piece of a model; what it does not say has the format's defaults.
  fileprivate init(message: ArraySlice<UInt8>) {
    self.init(text: [], score: 0, kind: .normal)
    var reader = ProtocolBufferReader(message)
    while let field = reader.next() {
      switch (field.number, field.value) {
      case (1, .bytes(let bytes)): text = Array(bytes)
      case (2, .fixed(let bytes)) where bytes.count == 4:
        score = Float(bitPattern: bytes.reversed().reduce(0) { $0 << 8 | UInt32($1) })
      case (3, .varint(let value)): kind = SentencePieceVocabulary.Kind(rawValue: value) ?? .normal
      default: break
      }
    }
  }
}

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

/// Builds one protocol-buffer message.
struct ProtocolBufferWriter {
  private(set) var bytes: [UInt8] = []

  mutating func add(_ field: UInt64, number value: UInt64) {
    varint(field << 3)
    varint(value)
  }

  mutating func add(_ field: UInt64, bytes value: [UInt8]) {
    varint(field << 3 | 2)
    varint(UInt64(value.count))
    bytes += value
  }

  mutating func add(_ field: UInt64, float value: Float) {
    varint(field << 3 | 5)
    for shift in stride(from: UInt32(0), to: 32, by: 8) {
      bytes.append(UInt8(truncatingIfNeeded: value.bitPattern >> shift))
    }
  }

  private mutating func varint(_ value: UInt64) {
    var rest = value
    while rest >= 0x80 {
      bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    bytes.append(UInt8(rest))
  }
}
