import Jinja

/// What a template says in plain text and nobody else may say: `[INST]`, `<|user|>`, `### Response:`, `USER:`.
struct TextMarkers: Sendable, Equatable {
  /// What divides a conversation into turns.
  private var turns: Set<String> = []
  /// Tags that may well stand in a reply, too, which the model wrote: `<think>`.
  private var tags: Set<String> = []

  /// Finds them in a template's text, and in what it makes of some conversations: what it puts together of parts shows
  /// there alone.
  init(_ template: Template, bosToken: String, eosToken: String) {
    for literal in template.literals { add(literal) }
    var limits = TemplateLimits()
    limits.work = 2_000_000
    for messages in Self.samples {
      let context: [String: TemplateValue] = [
        "messages": .list(messages), "tools": .none, "documents": .none, "add_generation_prompt": .bool(true),
        "bos_token": .string(bosToken, .template), "eos_token": .string(eosToken, .template),
      ]
      let runs: [TemplateRun]
      // Not every template takes every conversation.
      do { runs = try template.render(context, limits: limits) } catch { continue }
      for run in runs where run.origin == .template {
        add(run.text)
        // What stands right before somebody's words.
        if let label = run.text.firstMatch(of: /(?:^|[\n>\]])\s*([A-Za-z][A-Za-z_ ]{0,30}:)\s*$/) {
          turns.insert(String(label.output.1))
        }
      }
    }
  }

  private mutating func add(_ text: String) {
    for match in text.matches(of: /\[\/?[A-Z_]+\]|\[\|[^|\[\]\s]{1,40}\|\]|<<\/?[A-Z_]+>>|<[|｜][^<>\s]{1,60}>/) {
      turns.insert(String(match.output))
    }
    for match in text.matches(of: /#{2,3} ?[A-Z][A-Za-z ]{0,40}:?/) { turns.insert(String(match.output)) }
    for match in text.matches(of: /<\/?[A-Za-z_][A-Za-z0-9_:-]{0,40}>/) { tags.insert(String(match.output)) }
  }

  private static let samples: [[TemplateValue]] = {
    func message(_ role: String, _ origin: TextOrigin) -> TemplateValue {
      .dict([(key: "role", value: .string(role, .template)), (key: "content", value: .string("x", origin))])
    }
    let user = message("user", .typed), system = message("system", .typed), tool = message("tool", .typed)
    let reply = message("assistant", .reply(message: 1))
    return [[user], [user, reply, user], [system, user, reply, user], [user, reply, tool, reply], [reply]]
  }()

  /// Those that are no control tokens, which no text has anyway.
  /// - Parameter inReply: of replies, in which tags stay what they are.
  func spellings(_ tokenizer: any Tokenizer, inReply: Bool) -> [String] {
    (inReply ? turns : turns.union(tags)).filter { tokenizer.controlToken($0) == nil }.sorted()
  }
}

/// Encodes what somebody wrote so that it never has the tokens of a template's text markers.
///
/// A marker's first character is encoded apart, or all of them where that is how it begins anyway. A vocabulary in which
/// characters have no other spelling, and markers no longer tokens, cannot tell the two apart: one of bytes alone.
struct MarkerDisguise {
  private let tokenizer: any Tokenizer
  /// By their first byte.
  private let markers: [UInt8: [[UInt8]]]

  init(_ markers: [String], tokenizer: any Tokenizer) {
    self.tokenizer = tokenizer
    self.markers = Dictionary(grouping: markers.map { Array($0.utf8) }.filter { !$0.isEmpty }) { $0[0] }
  }

  /// Whether the tokens of a text could be those of a marker. Tokenizers may change what they are given (width, runs of
  /// spaces): what they make of it counts, too.
  func isNeeded(for text: String) throws(TokenizerError) -> Bool {
    if markers.isEmpty { return false }
    let bytes = Array(text.utf8)
    if firstMarker(in: bytes[...]) != nil { return true }
    return firstMarker(in: try seen(bytes)[...]) != nil
  }

  private func count(in text: [UInt8]) -> Int {
    var count = 0
    var rest = text[...]
    while let found = firstMarker(in: rest) {
      count += 1
      rest = rest[(found.start + found.marker.count)...]
    }
    return count
  }

  /// A text as its tokens say it.
  private func seen(_ text: [UInt8]) throws(TokenizerError) -> [UInt8] {
    Array(try tokenizer.decode(tokenizer.encode(bytes: text, joining: .continuation)).utf8)
  }

  func encode(_ text: String, _ joining: TextJoining) throws(TokenizerError) -> [Int] {
    let bytes = Array(text.utf8)
    let changed = markers.isEmpty ? bytes : try seen(bytes)
    return try encode(count(in: changed) > count(in: bytes) ? changed : bytes, joining)
  }

  private func encode(_ bytes: [UInt8], _ joining: TextJoining) throws(TokenizerError) -> [Int] {
    var tokens: [Int] = []
    var rest = bytes[...]
    var joining = joining
    func append(_ text: ArraySlice<UInt8>) throws(TokenizerError) {
      if !text.isEmpty { tokens += try tokenizer.encode(bytes: Array(text), joining: joining) }
    }
    while let found = firstMarker(in: rest) {
      try append(rest[..<found.start])
      if found.start > rest.startIndex { joining = .continuation }
      // Its first character apart; where that is how the marker begins anyway, all of it.
      let isEnough = try !tokenizer.encode(bytes: found.marker, joining: .continuation).starts(
        with: tokenizer.encodeApart(found.marker[0], joining: .continuation))
      for character in String(decoding: found.marker, as: UTF8.self).unicodeScalars.prefix(isEnough ? 1 : .max) {
        tokens +=
          try character.isASCII
          ? tokenizer.encodeApart(UInt8(character.value), joining: joining)
          : tokenizer.encode(String(character), joining: joining)
        joining = .continuation
      }
      rest = rest[(found.start + (isEnough ? 1 : found.marker.count))...]
    }
    try append(rest)
    return tokens
  }

  private func firstMarker(in text: ArraySlice<UInt8>) -> (start: Int, marker: [UInt8])? {
    for index in text.indices {
      if let marker = markers[text[index]]?.first(where: { text[index...].starts(with: $0) }) { return (index, marker) }
    }
    return nil
  }
}
