import Foundation
import LLaMAStitch
import Tokenizer

/// Between the vocabulary of a GGUF file and a tokenizer: this is the one place that knows both.
package enum GGUFTokenizer {
  /// The tokenizer of a GGUF file.
  /// - Throws: `GGUFError`, `TokenizerError`.
  package static func read(from file: GGUFFile) throws -> any Tokenizer {
    let stored = try GGUFVocabulary(of: file)
    if stored.kind == .gpt2 { return try bytePair(stored, of: file) }
    var vocabulary = SentencePieceVocabulary(
      pieces: stored.pieces.enumerated().map { token, piece in
        // There is one unknown piece, whatever a file calls it; files call what their makers kept in reserve unknown, too.
        let kind: SentencePieceVocabulary.Kind =
          token == stored.unknownToken ? .unknown : piece.kind == .unknown ? .unused : .init(piece.kind)
        return .init(text: piece.text, score: piece.score, kind: kind)
      })
    vocabulary.unknownToken = stored.unknownToken
    vocabulary.bosToken = stored.bosToken
    vocabulary.eosToken = stored.eosToken
    vocabulary.padToken = stored.paddingToken
    vocabulary.addsDummyPrefix = stored.addsSpacePrefix
    return try SentencePieceTokenizer(
      modelBytes: vocabulary.modelBytes, source: file.url.path, addsBosToken: stored.addsBosToken ?? true)
  }

  private static func bytePair(_ stored: GGUFVocabulary, of file: GGUFFile) throws -> BytePairTokenizer {
    let tokens = Spellings(stored.pieces.lazy.map { String(decoding: $0.text, as: UTF8.self) })
    func unsupported(_ cause: String) -> GGUFError {
      .unsupported(
        file: file.url.path, cause: cause,
        remedy: "use a newer conversion of the model, or its Hugging Face directory")
    }
    // Llama 3, from the time before files said so, is known by its signature.
    let isOldLlama3 = stored.splitting == nil && tokens.count == 128_256 && tokens[128_000] == "<|begin_of_text|>"
    guard let name = isOldLlama3 ? "llama-bpe" : stored.splitting else {
      throw unsupported("it does not say how text is cut into words (“tokenizer.ggml.pre”)")
    }
    guard let splitting = try GGUFSplitting(name: name, file: file.url.path) else {
      throw unsupported("it cuts text in the unknown way “\(name)”")
    }
    var merges = Spellings()
    for (rank, text) in stored.merges.enumerated() {
      guard merges.append(pair: text) else {
        throw TokenizerError.unusable(file: file.url.path, cause: "its merge \(rank) is no pair of tokens")
      }
    }
    let added = stored.pieces.indices.filter { [.control, .userDefined].contains(stored.pieces[$0].kind) }
    var vocabulary = BytePairVocabulary(
      tokens: tokens, merges: merges,
      added: added.map { .init(token: $0, text: tokens[$0], isSpecial: stored.pieces[$0].kind == .control) },
      preTokenizers: splitting.preTokenizers, ignoresMerges: splitting.ignoresMerges)
    vocabulary.normalizers = splitting.normalizers
    vocabulary.bosToken = stored.bosToken
    vocabulary.addsBosToken = stored.bosToken != nil && stored.addsBosToken ?? splitting.addsBosToken
    vocabulary.eosToken = stored.eosToken
    vocabulary.unknownToken = stored.unknownToken
    vocabulary.padToken = stored.paddingToken
    return try BytePairTokenizer(vocabulary, source: file.url.path)
  }

  /// `nil` where GGUF has no name for what it does to text.
  private static func vocabulary(of tokenizer: BytePairTokenizer) throws(TokenizerError) -> GGUFVocabulary? {
    let vocabulary = tokenizer.vocabulary
    let added = Dictionary(vocabulary.added.map { ($0.token, $0.isSpecial) }, uniquingKeysWith: { first, _ in first })
    var stored = GGUFVocabulary(
      pieces: vocabulary.tokens.enumerated().map { token, text in
        // Ids that nothing has need a spelling of their own there.
        let kind: GGUFVocabulary.PieceKind =
          text.isEmpty ? .unused : added[token].map { $0 ? .control : .userDefined } ?? .normal
        return .init(text: Array((text.isEmpty ? "[PAD\(token)]" : text).utf8), score: 0, kind: kind)
      })
    stored.kind = .gpt2
    let merges = vocabulary.merges
    stored.merges = stride(from: 0, to: merges.count, by: 2).map { Array("\(merges[$0]) \(merges[$0 + 1])".utf8) }
    stored.splitting = try GGUFSplitting.name(of: vocabulary)
    guard stored.splitting != nil else { return nil }
    stored.unknownToken = vocabulary.unknownToken
    stored.bosToken = vocabulary.bosToken
    stored.eosToken = vocabulary.eosToken
    stored.paddingToken = vocabulary.padToken
    stored.addsSpacePrefix = false
    stored.addsBosToken = vocabulary.addsBosToken
    return stored
  }

  /// What a GGUF file, `url`, is to say of a tokenizer.
  /// - Throws: `GGUFError.unsupported`, `TokenizerError`.
  static func metadata(
    of tokenizer: any Tokenizer, for url: URL
  ) throws -> [(name: String, value: GGUFWriter.Value)] {
    if let tokenizer = tokenizer as? BytePairTokenizer, let stored = try vocabulary(of: tokenizer) {
      return stored.metadata
    }
    guard let tokenizer = tokenizer as? SentencePieceTokenizer else {
      throw GGUFError.unsupported(
        file: url.path, cause: "the tokenizer is of a kind that is not written to GGUF",
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
    stored.addsBosToken = tokenizer.addsBosToken && tokenizer.bosToken != nil
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
