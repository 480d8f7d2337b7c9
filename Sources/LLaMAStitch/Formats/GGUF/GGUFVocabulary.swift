import Foundation

/// A vocabulary as the metadata of a GGUF file have it (`tokenizer.ggml.…`). What its pieces mean for text is the
/// tokenizer's business.
public struct GGUFVocabulary: Sendable, Equatable {
  public enum Kind: String, Sendable {
    /// SentencePiece's.
    case llama
    /// Byte-level BPE.
    case gpt2
  }

  /// What a piece is for; `rawValue` is GGML's number.
  public enum PieceKind: Int, Sendable {
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
    public var kind: PieceKind

    public init(text: [UInt8], score: Float, kind: PieceKind) {
      self.text = text
      self.score = score
      self.kind = kind
    }
  }

  public var kind = Kind.llama
  /// Of byte-level BPE: pairs of pieces with a space between, the first to be merged first.
  public var merges: [[UInt8]] = []
  /// Of byte-level BPE: the name of the way in which text is cut into words.
  public var splitting: String?
  /// By token id.
  public var pieces: [Piece]
  public var unknownToken: Int?
  public var bosToken: Int?
  public var eosToken: Int?
  public var paddingToken: Int?
  /// A space is put before the text when encoding.
  public var addsSpacePrefix = true
  /// A text begins with `bosToken`; `nil` where the file does not say.
  public var addsBosToken: Bool?

  public init(pieces: [Piece]) { self.pieces = pieces }

  /// The vocabulary of a file.
  /// - Throws: `GGUFError`: there is none, it is of another kind, or its lists do not fit each other.
  public init(of file: GGUFFile) throws(GGUFError) {
    func value(_ name: String) -> GGUFValue? { file.metadata["tokenizer.ggml.\(name)"] }
    func damaged(_ cause: String) -> GGUFError { .damaged(file: file.url.path, cause: cause) }
    guard let kind = value("model")?.text else { throw damaged("it has no vocabulary") }
    guard let kind = Kind(rawValue: kind) else {
      throw .unsupported(
        file: file.url.path,
        cause: "its vocabulary is of the kind “\(kind)”, neither SentencePiece (“llama”) nor byte-level BPE (“gpt2”)",
        remedy: "use a model with such a vocabulary")
    }
    guard let texts = value("tokens")?.strings, !texts.isEmpty else { throw damaged("its vocabulary has no pieces") }
    let scores = value("scores")?.numbers
    let kinds = value("token_type")?.numbers
    guard scores?.count ?? texts.count == texts.count, kinds?.count ?? texts.count == texts.count else {
      throw damaged("its vocabulary has \(texts.count) pieces, but other numbers of scores or types")
    }
    var pieces: [Piece] = []
    pieces.reserveCapacity(texts.count)
    for index in texts.indices {
      let number = kinds.map { $0[index] } ?? 1
      guard let kind = Int(exactly: number).flatMap(PieceKind.init(rawValue:)) else {
        throw damaged("piece \(index) of its vocabulary has the unknown type \(number)")
      }
      let score = Float(scores.map { $0[index] } ?? 0)
      guard score.isFinite, !texts[index].isEmpty else { throw damaged("piece \(index) of its vocabulary is unusable") }
      pieces.append(Piece(text: texts[index], score: score, kind: kind))
    }
    self.init(pieces: pieces)
    self.kind = kind
    let isLlama = kind == .llama
    if !isLlama {
      guard let merges = value("merges")?.strings else { throw damaged("its vocabulary has no merges") }
      self.merges = merges
      splitting = value("pre")?.text
    }
    func token(_ name: String, default fallback: Int?) -> Int? {
      guard let id = value("\(name)_token_id")?.integer ?? fallback, pieces.indices.contains(id) else { return nil }
      return id
    }
    unknownToken = token("unknown", default: isLlama ? 0 : nil)
    bosToken = token("bos", default: isLlama ? 1 : nil)
    eosToken = token("eos", default: isLlama ? 2 : nil)
    paddingToken = token("padding", default: nil)
    addsSpacePrefix = value("add_space_prefix")?.bool ?? true
    addsBosToken = value("add_bos_token")?.bool
  }

  /// What a file says of it.
  public var metadata: [(name: String, value: GGUFWriter.Value)] {
    var values: [(name: String, value: GGUFWriter.Value)] = [
      ("tokenizer.ggml.model", .text(kind.rawValue)), ("tokenizer.ggml.tokens", .texts(pieces.map(\.text))),
      ("tokenizer.ggml.token_type", .counts(pieces.map(\.kind.rawValue))),
      ("tokenizer.ggml.add_space_prefix", .bool(addsSpacePrefix)),
      ("tokenizer.ggml.add_eos_token", .bool(false)),
    ]
    if let addsBosToken { values.append(("tokenizer.ggml.add_bos_token", .bool(addsBosToken))) }
    switch kind {
    case .llama: values.append(("tokenizer.ggml.scores", .numbers(pieces.map(\.score))))
    case .gpt2: values.append(("tokenizer.ggml.merges", .texts(merges)))
    }
    if let splitting { values.append(("tokenizer.ggml.pre", .text(splitting))) }
    for (name, token) in [("unknown", unknownToken), ("bos", bosToken), ("eos", eosToken), ("padding", paddingToken)] {
      if let token { values.append(("tokenizer.ggml.\(name)_token_id", .count(token))) }
    }
    return values
  }
}
