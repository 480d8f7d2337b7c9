import ChatEngine
import Foundation
import LLaMAStitch
import Support
import Tokenizer

/// `stitch import`: a GGUF file in, a model directory with its tokenizer out.
public struct ImportJob {
  public var file: URL
  public var output: URL
  /// How weights are stored; if absent, as they are, those in Q4_K, Q5_K and Q6_K as Q8_0.
  public var elementType: ElementType?

  public init(file: URL, output: URL, elementType: ElementType? = nil) {
    self.file = file
    self.output = output
    self.elementType = elementType
  }

  /// Whether a path is meant as a GGUF file.
  public static func isGGUF(_ url: URL) -> Bool { url.pathExtension.lowercased() == "gguf" }

  /// - Throws: `GGUFError`, `FileError`, `TokenizerError`: nothing is written then.
  public func run() throws {
    try NewDirectory.check(output)
    let model = try GGUFModel(file)
    let vocabulary = try SentencePieceVocabulary(of: model.file)
    let tokenizer = try SentencePieceTokenizer(modelBytes: vocabulary.modelBytes, source: file.path)
    try tokenizer.checkFits(model.configuration, model: file.path)
    try model.write(to: output, elementType: elementType, files: ["tokenizer.model": Data(tokenizer.modelBytes)])
  }
}

extension SentencePieceVocabulary {
  /// The vocabulary of a GGUF file.
  /// - Throws: `GGUFError`: there is none, it is of another kind, or its lists do not fit each other.
  public init(of file: GGUFFile) throws(GGUFError) {
    func value(_ name: String) -> GGUFValue? { file.metadata["tokenizer.ggml.\(name)"] }
    func damaged(_ cause: String) -> GGUFError { .damaged(file: file.url.path, cause: cause) }
    guard let kind = value("model")?.text else { throw damaged("it has no vocabulary") }
    guard kind == "llama" else {
      throw .unsupported(
        file: file.url.path, cause: "its vocabulary is of the kind “\(kind)”, not SentencePiece (“llama”)",
        remedy: "use a model with a SentencePiece vocabulary, such as LLaMA 2 or TinyLlama")
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
      guard let kind = UInt64(exactly: number).flatMap(Kind.init(rawValue:)) else {
        throw damaged("piece \(index) of its vocabulary has the unknown type \(number)")
      }
      let score = Float(scores.map { $0[index] } ?? 0)
      guard score.isFinite, !texts[index].isEmpty else { throw damaged("piece \(index) of its vocabulary is unusable") }
      pieces.append(Piece(text: texts[index], score: score, kind: kind))
    }
    self.init(pieces: pieces)
    func token(_ name: String, default fallback: Int?) -> Int? {
      guard let id = value("\(name)_token_id")?.integer ?? fallback, pieces.indices.contains(id) else { return nil }
      return id
    }
    unknownToken = token("unknown", default: 0)
    bosToken = token("bos", default: 1)
    eosToken = token("eos", default: 2)
    padToken = token("padding", default: nil)
    addsDummyPrefix = value("add_space_prefix")?.bool ?? true
  }
}
