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
  private(set) var vocabulary: [(text: String, id: Int)]?
  private(set) var merges: [BytePairVocabulary.Merge]?

  init(_ bytes: [UInt8]) throws(JSONValue.SyntaxError) {
    var reader = JSONReader(bytes)
    var root: [String: JSONValue] = [:]
    var model: [String: JSONValue] = [:]
    var vocabulary: [(String, Int)]?
    var merges: [BytePairVocabulary.Merge]?
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
          var list: [(String, Int)] = []
          try reader.members { reader, text throws(JSONValue.SyntaxError) in
            guard let id = try reader.integer() else { throw reader.failure("the id of “\(text)” is no number") }
            list.append((text, id))
          }
          vocabulary = list
        case ("merges", UInt8(ascii: "[")):
          var list: [BytePairVocabulary.Merge] = []
          try reader.elements { reader throws(JSONValue.SyntaxError) in list.append(try Self.merge(&reader, list.count))
          }
          merges = list
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
  private static func merge(
    _ reader: inout JSONReader, _ number: Int
  ) throws(JSONValue.SyntaxError) -> BytePairVocabulary.Merge {
    if reader.peek() == UInt8(ascii: "\"") {
      if let merge = BytePairVocabulary.Merge(spelled: try reader.string()) { return merge }
    } else {
      var count = 0
      var merge = BytePairVocabulary.Merge(left: "", right: "")
      try reader.elements { reader throws(JSONValue.SyntaxError) in
        if count == 0 { merge.left = try reader.string() } else { merge.right = try reader.string() }
        count += 1
      }
      if count == 2 { return merge }
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
    let limit = vocabulary.count + added.count
    var tokens = [String](repeating: "", count: limit)
    func place(_ text: String, at id: Int) throws(TokenizerError) {
      guard (0..<limit).contains(id) else { throw unusable("the id of “\(text)” is outside the vocabulary") }
      guard tokens[id].isEmpty || tokens[id].utf8.elementsEqual(text.utf8) else {
        throw unusable("two of its tokens have the id \(id)")
      }
      tokens[id] = text
    }
    for (text, id) in vocabulary { try place(text, at: id) }
    for token in added { try place(token.text, at: token.token) }
    while tokens.last?.isEmpty == true { tokens.removeLast() }
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
