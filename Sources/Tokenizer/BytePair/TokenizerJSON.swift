import Foundation
import Support

// Reads `tokenizer.json`, the format of Hugging Face's tokenizers, as far as BPE goes.

extension BytePairTokenizer {
  /// Reads `tokenizer.json`, and `tokenizer_config.json` beside it, which says what begins and ends a text.
  ///
  /// - Throws: `TokenizerError` if a file is missing, unreadable, something else, or needs what there is not here.
  public convenience init(file: String) throws(TokenizerError) {
    let bytes = try TokenizerFile.read(file)
    var files = [Self.fileName: Data(bytes)]
    let configuration = try TokenizerFile.configuration(beside: file)
    files[TokenizerFile.configurationName] = configuration?.data
    let document: TokenizerDocument
    do { document = try TokenizerDocument(bytes) } catch { throw .unusable(file: file, cause: "\(error)") }
    try self.init(
      BytePairVocabulary(document, configuration: configuration?.value, file: file), source: file, files: files)
  }
}

/// What a `tokenizer.json` holds. Its two long lists do not become JSON values first, and spellings are not names of
/// members, of which é in one form and in the other would be the same.
struct TokenizerDocument {
  /// All but the model.
  private(set) var root: [String: JSONValue] = [:]
  /// Of the model, all but the two lists.
  private(set) var model: [String: JSONValue]?
  private(set) var vocabulary: (texts: Spellings, ids: [Int])?
  private(set) var merges: Spellings?

  init(_ bytes: [UInt8]) throws(JSONValue.SyntaxError) {
    var reader = JSONReader(bytes)
    var root: [String: JSONValue] = [:]
    var model: [String: JSONValue] = [:]
    var vocabulary: (Spellings, [Int])?
    var merges: Spellings?
    var hasModel = false
    try reader.members { reader, name throws(JSONValue.SyntaxError) in
      let isDuplicate = name == "model" ? hasModel : root[name] != nil
      if isDuplicate { throw reader.failure("duplicate name “\(name)”") }
      if name == "added_tokens", reader.peek() == UInt8(ascii: "[") {
        var list: [JSONValue] = []
        try reader.elements { reader throws(JSONValue.SyntaxError) in
          list.append(try reader.value())
          if list.count > BytePairVocabulary.mostAdded { throw reader.failure("more added tokens than any model has") }
        }
        root[name] = .array(list)
        return
      }
      guard name == "model", reader.peek() == UInt8(ascii: "{") else {
        root[name] = try reader.value()
        return
      }
      hasModel = true
      try reader.members { reader, name throws(JSONValue.SyntaxError) in
        if model[name] != nil { throw reader.failure("duplicate name “\(name)”") }
        model[name] = .null
        switch (name, reader.peek()) {
        case ("vocab", UInt8(ascii: "{")):
          var texts = Spellings(in: bytes)
          var ids: [Int] = []
          try reader.entries { reader throws(JSONValue.SyntaxError) in
            try texts.append(from: &reader)
            try reader.colon()
            guard let id = try reader.integer() else {
              throw reader.failure("the id of “\(texts[ids.count])” is no number")
            }
            ids.append(id)
          }
          vocabulary = (texts, ids)
        case ("merges", UInt8(ascii: "[")):
          var pairs = Spellings(in: bytes)
          try reader.elements { reader throws(JSONValue.SyntaxError) in try Self.readMerge(&reader, into: &pairs) }
          merges = pairs
        default: model[name] = try reader.value()
        }
      }
    }
    try reader.end()
    self.root = root
    self.model = hasModel ? model : nil
    self.vocabulary = vocabulary
    self.merges = merges
  }

  /// `"a b"`, or `["a", "b"]` in newer files.
  private static func readMerge(
    _ reader: inout JSONReader, into pairs: inout Spellings
  ) throws(JSONValue.SyntaxError) {
    let number = pairs.count / 2
    if reader.peek() == UInt8(ascii: "\"") {
      try pairs.append(from: &reader)
      if pairs.splitLast() { return }
    } else {
      try reader.elements { reader throws(JSONValue.SyntaxError) in try pairs.append(from: &reader) }
      if pairs.count == 2 * number + 2 { return }
    }
    throw reader.failure("merge \(number) is no pair of tokens")
  }
}

extension BytePairVocabulary {
  /// - Parameters:
  ///   - document: of `tokenizer.json`.
  ///   - configuration: of `tokenizer_config.json`, if there is one.
  init(_ document: TokenizerDocument, configuration: JSONValue?, file: String) throws(TokenizerError) {
    func unusable(_ cause: String) -> TokenizerError { .unusable(file: file, cause: cause) }
    guard let model = document.model else { throw unusable("it has no “model”") }
    guard model["type"]?.string ?? "BPE" == "BPE", let vocabulary = document.vocabulary, let merges = document.merges
    else { throw unusable("its model is “\(model["type"]?.string ?? "unnamed")”, not BPE") }
    for name in ["continuing_subword_prefix", "end_of_word_suffix"] where model[name]?.string?.isEmpty == false {
      throw unusable("its model has “\(name)”, which is not supported")
    }
    let added = try Self.addedTokens(document.root["added_tokens"]?.array ?? [], file: file)
    // Ids, those of added tokens too, are places in a list.
    var texts = vocabulary.texts
    for token in added { texts.append(token.text) }
    var numbers = [Int?](repeating: nil, count: texts.count)
    for (number, id) in (vocabulary.ids + added.map(\.token)).enumerated() {
      guard numbers.indices.contains(id) else {
        throw unusable("the id of “\(texts[number])” is outside the vocabulary")
      }
      guard numbers[id].map({ texts.hasSame($0, number) }) ?? true else {
        throw unusable("two of its tokens have the id \(id)")
      }
      if !texts.places[number].isEmpty { numbers[id] = number }
    }
    let count = (numbers.lastIndex { $0 != nil } ?? -1) + 1
    let tokens = Spellings(texts, at: numbers[..<count])
    let reader = PipelineReader(file: file)
    self.init(
      tokens: tokens, merges: merges, added: added,
      preTokenizers: try reader.preTokenizers(document.root["pre_tokenizer"] ?? .null),
      ignoresMerges: model["ignore_merges"]?.bool ?? false)
    normalizers = try reader.normalizers(document.root["normalizer"] ?? .null)
    decoder = try reader.decoder(document.root["decoder"] ?? .null, isByteLevel: isByteLevel)
    try reader.checkPostProcessor(document.root["post_processor"] ?? .null)
    fallsBackToBytes = model["byte_fallback"]?.bool ?? false
    fusesUnknown = model["fuse_unk"]?.bool ?? false
    if let text = model["unk_token"]?.string {
      guard let token = tokens.firstIndex(of: text) else {
        throw unusable("its unknown token “\(text)” is not in the vocabulary")
      }
      unknownSymbol = token
    }
    let ids = Dictionary(added.map { ($0.text, $0.token) }, uniquingKeysWith: { first, _ in first })
    func token(_ name: String) -> Int? {
      let value = configuration?.object?[name]
      return (value?.string ?? value?.object?["content"]?.string).flatMap { ids[$0] }
    }
    let first = Self.firstToken(document.root["post_processor"] ?? .null, ids)
    bosToken = token("bos_token") ?? first
    // As transformers has it: the configuration, if it says anything, replaces what a post-processor does.
    addsBosToken = bosToken != nil && configuration?.object?["add_bos_token"]?.bool ?? (first == bosToken)
    eosToken = token("eos_token")
    unknownToken = token("unk_token") ?? unknownSymbol
    padToken = token("pad_token")
  }

  private static func addedTokens(_ entries: [JSONValue], file: String) throws(TokenizerError) -> [AddedToken] {
    var added: [AddedToken] = []
    for entry in entries {
      guard let entry = entry.object, let id = entry["id"]?.integer, let text = entry["content"]?.string, !text.isEmpty
      else { throw .unusable(file: file, cause: "one of its added tokens has no id or no content") }
      func flag(_ name: String) -> Bool { entry[name]?.bool ?? false }
      var token = AddedToken(token: id, text: text, isSpecial: flag("special"))
      token.isSingleWord = flag("single_word")
      token.stripsLeft = flag("lstrip")
      token.stripsRight = flag("rstrip")
      token.isNormalized = flag("normalized")
      added.append(token)
    }
    return added
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
