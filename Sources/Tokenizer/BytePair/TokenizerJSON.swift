import Foundation
import Support

// `tokenizer.json`, the format of Hugging Face's tokenizers, as far as byte-level BPE goes.

extension BytePairTokenizer {
  /// Reads `tokenizer.json`, and `tokenizer_config.json` beside it, which says what begins and ends a text.
  ///
  /// - Throws: `TokenizerError` if a file is missing, unreadable or something else.
  public convenience init(file: String) throws(TokenizerError) {
    let bytes = try TokenizerFile.read(file)
    var files = [Self.fileName: Data(bytes)]
    let beside = URL(fileURLWithPath: file).deletingLastPathComponent().appendingPathComponent(Self.configurationName)
      .path
    var configuration: JSONValue?
    if TokenizerFile.exists(beside) {
      let text = try TokenizerFile.read(beside)
      files[Self.configurationName] = Data(text)
      configuration = try Self.json(text, file: beside)
    }
    let document = try Self.json(bytes, file: file)
    try self.init(
      BytePairVocabulary(tokenizer: document, configuration: configuration, file: file), source: file, files: files)
  }

  private static func json(_ bytes: [UInt8], file: String) throws(TokenizerError) -> JSONValue {
    do { return try JSONValue(utf8: bytes) } catch { throw .unusable(file: file, cause: "\(error)") }
  }
}

extension BytePairVocabulary {
  /// - Parameters:
  ///   - document: of `tokenizer.json`.
  ///   - configuration: of `tokenizer_config.json`, if there is one.
  init(tokenizer document: JSONValue, configuration: JSONValue?, file: String) throws(TokenizerError) {
    func unusable(_ cause: String) -> TokenizerError { .unusable(file: file, cause: cause) }
    guard let root = document.object, let model = root["model"]?.object else { throw unusable("it has no “model”") }
    guard model["type"]?.string ?? "BPE" == "BPE", let vocabulary = model["vocab"]?.object,
      let merges = model["merges"]?.array
    else { throw unusable("its model is not BPE") }
    guard model["byte_fallback"]?.bool != true else {
      throw unusable(
        "it is SentencePiece's in another form; put the model's \(SentencePieceTokenizer.fileName) beside it")
    }
    if let normalizer = root["normalizer"], normalizer != .null { throw unusable("it has a normalizer") }
    // Ids, those of added tokens too, are places in a list.
    var added: [AddedToken] = []
    for entry in root["added_tokens"]?.array ?? [] {
      guard let entry = entry.object, let id = entry["id"]?.integer, let text = entry["content"]?.string, !text.isEmpty
      else { throw unusable("one of its added tokens has no id or no content") }
      for flag in ["single_word", "lstrip", "rstrip"] where entry[flag]?.bool == true {
        throw unusable("the added token “\(text)” has “\(flag)”, which is not supported")
      }
      added.append(AddedToken(token: id, text: text, isSpecial: entry["special"]?.bool ?? false))
    }
    guard added.count <= Self.mostAdded else {
      throw unusable("it has \(added.count) added tokens, more than any model")
    }
    let limit = vocabulary.count + added.count
    var tokens = [String](repeating: "", count: limit)
    func place(_ text: String, at id: Int?) throws(TokenizerError) {
      guard let id, (0..<limit).contains(id) else { throw unusable("the id of “\(text)” is outside the vocabulary") }
      guard tokens[id].isEmpty || tokens[id] == text else { throw unusable("two of its tokens have the id \(id)") }
      tokens[id] = text
    }
    for (text, id) in vocabulary { try place(text, at: id.integer) }
    for token in added { try place(token.text, at: token.token) }
    while tokens.last?.isEmpty == true { tokens.removeLast() }
    var pairs: [String] = []
    pairs.reserveCapacity(merges.count)
    for (index, merge) in merges.enumerated() {
      if let text = merge.string {
        pairs.append(text)
      } else if let parts = merge.array, parts.count == 2, let left = parts[0].string, let right = parts[1].string {
        pairs.append("\(left) \(right)")
      } else {
        throw unusable("its merge \(index) is no pair of tokens")
      }
    }
    self.init(
      tokens: tokens, merges: pairs, added: added,
      splitting: try TextSplitting(preTokenizer: root["pre_tokenizer"] ?? .null, file: file),
      ignoresMerges: model["ignore_merges"]?.bool ?? false)
    let ids = Dictionary(added.map { ($0.text, $0.token) }, uniquingKeysWith: { first, _ in first })
    func token(_ name: String) -> Int? {
      let value = configuration?.object?[name]
      return (value?.string ?? value?.object?["content"]?.string).flatMap { ids[$0] }
    }
    bosToken = token("bos_token") ?? Self.firstToken(root["post_processor"] ?? .null, ids)
    eosToken = token("eos_token")
    unknownToken = token("unk_token")
    padToken = token("pad_token")
  }

  /// The special token that a post-processor puts before a text.
  private static func firstToken(_ processor: JSONValue, _ ids: [String: Int]) -> Int? {
    if let parts = processor.object?["processors"]?.array {
      return parts.lazy.compactMap { firstToken($0, ids) }.first
    }
    let first = processor.object?["single"]?.array?.first?.object?["SpecialToken"]?.object?["id"]?.string
    return first.flatMap { ids[$0] }
  }
}

extension TextSplitting {
  /// - Throws: `TokenizerError.unusable` where text is cut in a way that is not known here.
  fileprivate init(preTokenizer: JSONValue, file: String) throws(TokenizerError) {
    func kind(_ value: JSONValue) -> String { value.object?["type"]?.string ?? value.kind }
    let steps = preTokenizer.object?["pretokenizers"]?.array ?? [preTokenizer]
    let kinds = steps.map(kind)
    func unusable(_ cause: String) -> TokenizerError { .unusable(file: file, cause: cause) }
    for step in steps where kind(step) == "ByteLevel" && step.object?["add_prefix_space"]?.bool == true {
      throw unusable("it puts a space before every text")
    }
    func usesPattern(_ step: JSONValue) -> Bool { step.object?["use_regex"]?.bool ?? true }
    switch kinds {
    case ["ByteLevel"] where usesPattern(steps[0]): self = .gpt2
    case ["Digits", "ByteLevel"] where steps[0].object?["individual_digits"]?.bool == true && usesPattern(steps[1]):
      self = .smollm
    case ["Split", "ByteLevel"] where !usesPattern(steps[1]):
      let split = steps[0].object ?? [:]
      let pattern = split["pattern"]?.object?["Regex"]?.string ?? ""
      guard split["behavior"]?.string == "Isolated", split["invert"]?.bool != true else {
        throw unusable("its pattern is not used to isolate words")
      }
      switch pattern {
      case TextSplitting.llama3Pattern: self = .llama3
      case TextSplitting.qwen2Pattern: self = .qwen2
      default: throw unusable("it cuts text by the unknown pattern \(pattern.prefix(60))")
      }
    default: throw unusable("it cuts text in an unknown way (\(kinds.joined(separator: ", ")))")
    }
  }

  /// The same for `tokenizer.json`.
  fileprivate var preTokenizer: JSONValue {
    func byteLevel(_ usesPattern: Bool) -> JSONValue {
      .object([
        "type": "ByteLevel", "add_prefix_space": .bool(false), "trim_offsets": .bool(true),
        "use_regex": .bool(usesPattern),
      ])
    }
    func sequence(_ steps: [JSONValue]) -> JSONValue {
      .object(["type": "Sequence", "pretokenizers": .array(steps)])
    }
    func split(_ pattern: String) -> JSONValue {
      .object([
        "type": "Split", "pattern": .object(["Regex": .string(pattern)]), "behavior": "Isolated",
        "invert": .bool(false),
      ])
    }
    return switch self {
    case .gpt2: byteLevel(true)
    case .smollm: sequence([.object(["type": "Digits", "individual_digits": .bool(true)]), byteLevel(true)])
    case .llama3: sequence([split(Self.llama3Pattern), byteLevel(false)])
    case .qwen2: sequence([split(Self.qwen2Pattern), byteLevel(false)])
    }
  }
}

extension BytePairVocabulary {
  /// `tokenizer.json` and `tokenizer_config.json` that say the same.
  package var files: [String: Data] {
    var vocabulary: [String: JSONValue] = [:]
    for (token, text) in tokens.enumerated() where !text.isEmpty { vocabulary[text] = .integer(token) }
    let addedTokens = added.sorted { $0.token < $1.token }.map { token in
      JSONValue.object([
        "id": .integer(token.token), "content": .string(token.text), "single_word": .bool(false),
        "lstrip": .bool(false),
        "rstrip": .bool(false), "normalized": .bool(false), "special": .bool(token.isSpecial),
      ])
    }
    let byteLevel: JSONValue = .object([
      "type": "ByteLevel", "add_prefix_space": .bool(false), "trim_offsets": .bool(true), "use_regex": .bool(true),
    ])
    let document: JSONValue = .object([
      "version": "1.0", "truncation": .null, "padding": .null, "added_tokens": .array(addedTokens), "normalizer": .null,
      "pre_tokenizer": splitting.preTokenizer, "post_processor": .null, "decoder": byteLevel,
      "model": .object([
        "type": "BPE", "dropout": .null, "unk_token": .null, "continuing_subword_prefix": .null,
        "end_of_word_suffix": .null, "fuse_unk": .bool(false), "byte_fallback": .bool(false),
        "ignore_merges": .bool(ignoresMerges), "vocab": .object(vocabulary),
        "merges": .array(merges.map { .string($0) }),
      ]),
    ])
    var configuration: [String: JSONValue] = ["tokenizer_class": "PreTrainedTokenizerFast"]
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
      (BytePairTokenizer.fileName, document), (BytePairTokenizer.configurationName, .object(configuration)),
    ] {
      do { files[name] = try encoder.encode(value) } catch { preconditionFailure("\(name): \(error)") }
    }
    return files
  }
}
