import Foundation
import LLaMAStitch
import Tokenizer

/// Between the vocabulary of a GGUF file and a tokenizer: this is the one place that knows both.
enum GGUFTokenizer {
  /// The tokenizer of a GGUF file.
  /// - Throws: `GGUFError`, `TokenizerError`.
  static func read(from file: GGUFFile) throws -> any Tokenizer {
    let stored = try GGUFVocabulary(of: file)
    if stored.kind == .gpt2 { return try bytePair(stored, of: file) }
    var vocabulary = SentencePieceVocabulary(
      pieces: stored.pieces.map { .init(text: $0.text, score: $0.score, kind: .init($0.kind)) })
    vocabulary.unknownToken = stored.unknownToken
    vocabulary.bosToken = stored.bosToken
    vocabulary.eosToken = stored.eosToken
    vocabulary.padToken = stored.paddingToken
    vocabulary.addsDummyPrefix = stored.addsSpacePrefix
    return try SentencePieceTokenizer(modelBytes: vocabulary.modelBytes, source: file.url.path)
  }

  /// How GGML names the ways to cut text that are known here.
  private static let splittings: [String: TextSplitting] = [
    "gpt-2": .gpt2, "smollm": .smollm, "llama-bpe": .llama3, "llama3": .llama3, "llama-v3": .llama3, "qwen2": .qwen2,
    "deepseek-r1-qwen": .qwen2,
  ]

  private static func bytePair(_ stored: GGUFVocabulary, of file: GGUFFile) throws -> BytePairTokenizer {
    let tokens = stored.pieces.map { String(decoding: $0.text, as: UTF8.self) }
    func unsupported(_ cause: String) -> GGUFError {
      .unsupported(
        file: file.url.path, cause: cause,
        remedy: "use a newer conversion of the model, or its Hugging Face directory")
    }
    let splitting: TextSplitting
    if let name = stored.splitting {
      guard let known = splittings[name] else { throw unsupported("it cuts text in the unknown way “\(name)”") }
      splitting = known
    } else if tokens.count == 128_256, tokens[128_000] == "<|begin_of_text|>" {
      // Llama 3, from the time before files said so.
      splitting = .llama3
    } else {
      throw unsupported("it does not say how text is cut into words (“tokenizer.ggml.pre”)")
    }
    let added = stored.pieces.indices.filter { [.control, .userDefined].contains(stored.pieces[$0].kind) }
    var vocabulary = BytePairVocabulary(
      tokens: tokens, merges: stored.merges,
      added: added.map { .init(token: $0, text: tokens[$0], isSpecial: stored.pieces[$0].kind == .control) },
      splitting: splitting, ignoresMerges: splitting == .llama3)
    vocabulary.bosToken = stored.bosToken
    vocabulary.eosToken = stored.eosToken
    vocabulary.unknownToken = stored.unknownToken
    vocabulary.padToken = stored.paddingToken
    return try BytePairTokenizer(vocabulary, source: file.url.path)
  }

  private static func metadata(of tokenizer: BytePairTokenizer) -> GGUFVocabulary {
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
    stored.merges = vocabulary.merges
    stored.splitting =
      switch vocabulary.splitting {
      case .gpt2: "gpt-2"
      case .smollm: "smollm"
      case .llama3: "llama-bpe"
      case .qwen2: "qwen2"
      }
    stored.unknownToken = vocabulary.unknownToken
    stored.bosToken = vocabulary.bosToken
    stored.eosToken = vocabulary.eosToken
    stored.paddingToken = vocabulary.padToken
    stored.addsSpacePrefix = false
    return stored
  }

  /// What a GGUF file, `url`, is to say of a tokenizer.
  /// - Throws: `GGUFError.unsupported`.
  static func metadata(
    of tokenizer: any Tokenizer, for url: URL
  ) throws(GGUFError) -> [(name: String, value: GGUFWriter.Value)] {
    if let tokenizer = tokenizer as? BytePairTokenizer { return metadata(of: tokenizer).metadata }
    guard let tokenizer = tokenizer as? SentencePieceTokenizer else {
      throw .unsupported(
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
