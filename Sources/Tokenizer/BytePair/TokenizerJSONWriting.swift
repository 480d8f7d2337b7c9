import Foundation
import Support

// Writes `tokenizer.json`, for vocabularies that came from elsewhere.

extension BytePairVocabulary {
  /// `tokenizer.json` and `tokenizer_config.json` that say the same.
  package var files: [String: Data] {
    var vocabulary: [String: JSONValue] = [:]
    for (token, text) in tokens.enumerated() where !text.isEmpty { vocabulary[text] = .integer(token) }
    let addedTokens = added.sorted { $0.token < $1.token }.map { token in
      JSONValue.object([
        "id": .integer(token.token), "content": .string(token.text), "single_word": .bool(token.isSingleWord),
        "lstrip": .bool(token.stripsLeft), "rstrip": .bool(token.stripsRight), "normalized": .bool(token.isNormalized),
        "special": .bool(token.isSpecial),
      ])
    }
    let begin = addsBosToken ? bosToken : nil
    let document: JSONValue = .object([
      "version": "1.0", "truncation": .null, "padding": .null, "added_tokens": .array(addedTokens),
      "normalizer": .steps(normalizers.map(\.json), "normalizers"),
      "pre_tokenizer": .steps(preTokenizers.map(\.json), "pretokenizers"),
      "post_processor": begin.map { .beginning(with: tokens[$0], id: $0) } ?? .null, "decoder": decoder.json,
      "model": .object([
        "type": "BPE", "dropout": .null, "unk_token": unknownSymbol.map { .string(tokens[$0]) } ?? .null,
        "continuing_subword_prefix": .null, "end_of_word_suffix": .null, "fuse_unk": .bool(fusesUnknown),
        "byte_fallback": .bool(fallsBackToBytes), "ignore_merges": .bool(ignoresMerges), "vocab": .object(vocabulary),
        "merges": .array(
          stride(from: 0, to: merges.count, by: 2).map { .array([.string(merges[$0]), .string(merges[$0 + 1])]) }),
      ]),
    ])
    var configuration: [String: JSONValue] = [
      "tokenizer_class": "PreTrainedTokenizerFast", "add_bos_token": .bool(begin != nil),
    ]
    for (name, token) in [
      ("bos_token", bosToken), ("eos_token", eosToken), ("unk_token", unknownToken), ("pad_token", padToken),
    ] {
      if let token, tokens.indices.contains(token) { configuration[name] = .string(tokens[token]) }
    }
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    var files: [String: Data] = [:]
    // Strings and whole numbers alone: nothing in it can fail to be written.
    for (name, value) in [
      (BytePairTokenizer.fileName, document), (TokenizerFile.configurationName, .object(configuration)),
    ] {
      do { files[name] = try encoder.encode(value) } catch { preconditionFailure("\(name): \(error)") }
    }
    return files
  }
}

extension JSONValue {
  /// What puts a special token before every text.
  fileprivate static func beginning(with token: String, id: Int) -> JSONValue {
    func special(_ type: Int) -> JSONValue {
      .object(["SpecialToken": .object(["id": .string(token), "type_id": .integer(type)])])
    }
    func text(_ name: String, _ type: Int) -> JSONValue {
      .object(["Sequence": .object(["id": .string(name), "type_id": .integer(type)])])
    }
    return .step(
      "TemplateProcessing",
      [
        "single": .array([special(0), text("A", 0)]),
        "pair": .array([special(0), text("A", 0), special(1), text("B", 1)]),
        "special_tokens": .object([
          token: .object(["id": .string(token), "ids": .array([.integer(id)]), "tokens": .array([.string(token)])])
        ]),
      ])
  }

  fileprivate static func step(_ kind: String, _ members: [String: JSONValue] = [:]) -> JSONValue {
    .object(members.merging(["type": .string(kind)]) { old, _ in old })
  }

  fileprivate static func steps(_ steps: [JSONValue], _ member: String) -> JSONValue {
    switch steps.count {
    case 0: .null
    case 1: steps[0]
    default: step("Sequence", [member: .array(steps)])
    }
  }
}

extension TextMatcher {
  fileprivate var json: JSONValue {
    switch self {
    case .text(let text): .object(["String": .string(text)])
    case .pattern(let pattern): .object(["Regex": .string(pattern.source)])
    }
  }
}

extension TextNormalizer {
  fileprivate var json: JSONValue {
    switch self {
    case .prepend(let text): .step("Prepend", ["prepend": .string(text)])
    case .replace(let matcher, let text): .step("Replace", ["pattern": matcher.json, "content": .string(text)])
    case .composed: .step("NFC")
    case .decomposed: .step("NFD")
    case .compatibilityComposed: .step("NFKC")
    case .compatibilityDecomposed: .step("NFKD")
    case .lowercase: .step("Lowercase")
    case .strip(let left, let right): .step("Strip", ["strip_left": .bool(left), "strip_right": .bool(right)])
    }
  }
}

extension PreTokenizer {
  fileprivate var json: JSONValue {
    switch self {
    case .split(let matcher, let behavior, let isInverted):
      .step(
        "Split", ["pattern": matcher.json, "behavior": .string(behavior.rawValue), "invert": .bool(isInverted)])
    case .digits(let areApart): .step("Digits", ["individual_digits": .bool(areApart)])
    case .punctuation(let behavior): .step("Punctuation", ["behavior": .string(behavior.rawValue)])
    case .whitespace: .step("Whitespace")
    case .whitespaceSplit: .step("WhitespaceSplit")
    case .byteLevel(let addsSpace, let usesPattern):
      .step(
        "ByteLevel",
        ["add_prefix_space": .bool(addsSpace), "trim_offsets": .bool(true), "use_regex": .bool(usesPattern)])
    case .metaspace(let mark, let prefix, let splits):
      .step(
        "Metaspace",
        [
          "replacement": .string(String(mark)), "prepend_scheme": .string(prefix.rawValue), "split": .bool(splits),
        ])
    }
  }
}

extension PieceDecoder {
  fileprivate var json: JSONValue {
    switch self {
    case .byteLevel:
      return .step(
        "ByteLevel", ["add_prefix_space": .bool(false), "trim_offsets": .bool(true), "use_regex": .bool(true)])
    case .pieces(let replacements, let readsBytes, let stripsFirstSpace):
      var steps = replacements.map {
        JSONValue.step("Replace", ["pattern": .object(["String": .string($0.old)]), "content": .string($0.new)])
      }
      if readsBytes { steps.append(.step("ByteFallback")) }
      steps.append(.step("Fuse"))
      if stripsFirstSpace {
        steps.append(.step("Strip", ["content": " ", "start": .integer(1), "stop": .integer(0)]))
      }
      return .steps(steps, "decoders")
    }
  }
}
