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
