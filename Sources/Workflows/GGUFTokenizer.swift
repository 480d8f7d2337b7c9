import Foundation
import LLaMAStitch
import Tokenizer

/// Between the vocabulary of a GGUF file and a tokenizer: this is the one place that knows both.
enum GGUFTokenizer {
  /// The tokenizer of a GGUF file.
  /// - Throws: `GGUFError`, `TokenizerError`.
  static func read(from file: GGUFFile) throws -> any Tokenizer {
    let stored = try GGUFVocabulary(of: file)
    var vocabulary = SentencePieceVocabulary(
      pieces: stored.pieces.map { .init(text: $0.text, score: $0.score, kind: .init($0.kind)) })
    vocabulary.unknownToken = stored.unknownToken
    vocabulary.bosToken = stored.bosToken
    vocabulary.eosToken = stored.eosToken
    vocabulary.padToken = stored.paddingToken
    vocabulary.addsDummyPrefix = stored.addsSpacePrefix
    return try SentencePieceTokenizer(modelBytes: vocabulary.modelBytes, source: file.url.path)
  }

  /// What a GGUF file, `url`, is to say of a tokenizer.
  /// - Throws: `GGUFError.unsupported`.
  static func metadata(
    of tokenizer: any Tokenizer, for url: URL
  ) throws(GGUFError) -> [(name: String, value: GGUFWriter.Value)] {
    guard let tokenizer = tokenizer as? SentencePieceTokenizer else {
      throw .unsupported(
        file: url.path, cause: "the tokenizer is not SentencePiece's, the only kind that is written to GGUF",
        remedy: "export a Hugging Face directory")
    }
    let vocabulary = SentencePieceVocabulary(tokenizer)
    var stored = GGUFVocabulary(
      pieces: vocabulary.pieces.map { .init(text: $0.text, score: $0.score, kind: .init($0.kindElsewhere)) })
    stored.unknownToken = vocabulary.unknownToken
    stored.bosToken = vocabulary.bosToken
    stored.eosToken = vocabulary.eosToken
    stored.paddingToken = vocabulary.padToken
    stored.addsSpacePrefix = vocabulary.addsDummyPrefix
    return stored.metadata
  }
}

extension SentencePieceVocabulary.Kind {
  fileprivate init(_ kind: GGUFVocabulary.PieceKind) {
    self =
      switch kind {
      case .normal: .normal
      case .unknown: .unknown
      case .control: .control
      case .userDefined: .userDefined
      case .unused: .unused
      case .byte: .byte
      }
  }
}

extension GGUFVocabulary.PieceKind {
  fileprivate init(_ kind: SentencePieceVocabulary.Kind) {
    self =
      switch kind {
      case .normal: .normal
      case .unknown: .unknown
      case .control: .control
      case .userDefined: .userDefined
      case .unused: .unused
      case .byte: .byte
      }
  }
}
