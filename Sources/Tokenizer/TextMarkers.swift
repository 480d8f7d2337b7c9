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
        if let label = Self.label(endOf: run.text) { turns.insert(label) }
      }
    }
  }

  /// What stands right before somebody's words, alone on a line or after a bracket: `USER:`.
  static func label(endOf text: String) -> String? {
    func isSpace(_ scalar: Unicode.Scalar) -> Bool { scalar.properties.isWhitespace }
    // However much white space a template writes: a label is short.
    let end = text.unicodeScalars.reversed().drop(while: isSpace)
    let tail = Array(end.prefix(64).reversed())
    guard tail.last == ":" else { return nil }
    var label: String?
    for start in (max(0, tail.count - 32)..<tail.count - 1).reversed() {
      guard isLetter(tail[start]) || tail[start] == "_" || tail[start] == " " else { break }
      guard isLetter(tail[start]) else { continue }
      let blank = tail[..<start].reversed().prefix(while: isSpace)
      let before = start - blank.count > 0 ? tail[start - blank.count - 1] : nil
      let isFirst = before == nil && end.dropFirst(64).isEmpty
      if isFirst || before == ">" || before == "]" || blank.contains("\n") {
        label = String(String.UnicodeScalarView(tail[start...]))
      }
    }
    return label
  }

  private mutating func add(_ text: String) {
    let units = Array(text.unicodeScalars)
    var start = 0
    while start < units.count {
      let candidates: [(Int, Bool)]
      switch units[start] {
      case "[": candidates = [(Self.bracketed(units[start...]), true)]
      case "<": candidates = [(Self.angled(units[start...]), true), (Self.tag(units[start...]), false)]
      case "#": candidates = [(Self.heading(units[start...]), true)]
      default: candidates = []
      }
      var length = 1
      for (count, isTurn) in candidates where count > 0 {
        let spelling = String(String.UnicodeScalarView(units[start..<start + count]))
        if isTurn { turns.insert(spelling) } else { tags.insert(spelling) }
        length = max(length, count)
      }
      start += length
    }
  }

  // MARK: Shapes

  // Each says how long it is at the beginning of a text, 0 where there is none. By hand, since a template may say anything
  // at any length.
  private typealias Text = ArraySlice<Unicode.Scalar>

  private static func isCapital(_ scalar: Unicode.Scalar) -> Bool { ("A"..."Z").contains(scalar) }
  private static func isLetter(_ scalar: Unicode.Scalar) -> Bool {
    isCapital(scalar) || ("a"..."z").contains(scalar)
  }

  /// An opening, one to 60 characters of a kind, and a closing.
  private static func enclosed(
    _ text: Text, _ opening: String, _ closing: String, _ isInside: (Unicode.Scalar) -> Bool
  ) -> Int {
    let opening = Array(opening.unicodeScalars)
    guard text.starts(with: opening) else { return 0 }
    let inside = text.dropFirst(opening.count).prefix(60).prefix(while: isInside)
    let closing = Array(closing.unicodeScalars)
    guard !inside.isEmpty, text[inside.endIndex...].starts(with: closing) else { return 0 }
    return opening.count + inside.count + closing.count
  }

  /// `[INST]`, `[/INST]`, `[|user|]`
  private static func bracketed(_ text: Text) -> Int {
    func isName(_ scalar: Unicode.Scalar) -> Bool { isCapital(scalar) || scalar == "_" }
    return max(
      enclosed(text, "[", "]", isName), enclosed(text, "[/", "]", isName),
      enclosed(text, "[|", "|]") { !"|[]".unicodeScalars.contains($0) && !$0.properties.isWhitespace })
  }

  /// `<<SYS>>`, `<</SYS>>`, `<|user|>`, `<｜User｜>`
  private static func angled(_ text: Text) -> Int {
    func isName(_ scalar: Unicode.Scalar) -> Bool { isCapital(scalar) || scalar == "_" }
    func isInside(_ scalar: Unicode.Scalar) -> Bool {
      !"<>".unicodeScalars.contains(scalar) && !scalar.properties.isWhitespace
    }
    return max(
      enclosed(text, "<<", ">>", isName), enclosed(text, "<</", ">>", isName),
      enclosed(text, "<|", ">", isInside), enclosed(text, "<｜", ">", isInside))
  }

  /// `<think>`, `</think>`
  private static func tag(_ text: Text) -> Int {
    let name = text.dropFirst(text.dropFirst().first == "/" ? 2 : 1)
    guard let first = name.first, isLetter(first) || first == "_" else { return 0 }
    let rest = name.prefix(41).prefix { isLetter($0) || ("0"..."9").contains($0) || "_:-".unicodeScalars.contains($0) }
    guard rest.endIndex < text.endIndex, text[rest.endIndex] == ">" else { return 0 }
    return rest.endIndex + 1 - text.startIndex
  }

  /// `### Response:`
  private static func heading(_ text: Text) -> Int {
    let marks = text.prefix(3).prefix { $0 == "#" }
    guard marks.count > 1 else { return 0 }
    var name = text[marks.endIndex...]
    if name.first == " " { name = name.dropFirst() }
    guard let first = name.first, isCapital(first) else { return 0 }
    let rest = name.prefix(41).prefix { isLetter($0) || $0 == " " }
    let end = rest.endIndex
    return end - text.startIndex + (end < text.endIndex && text[end] == ":" ? 1 : 0)
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
  /// In the order of their bytes. None begins with another, for which it would be taken.
  private let markers: [[UInt8]]

  init(_ markers: [String], tokenizer: any Tokenizer) {
    self.tokenizer = tokenizer
    var shortest: [[UInt8]] = []
    for marker in markers.map({ Array($0.utf8) }).sorted(by: { $0.lexicographicallyPrecedes($1) })
    where !marker.isEmpty && !(shortest.last.map { marker.starts(with: $0) } ?? false) {
      shortest.append(marker)
    }
    self.markers = shortest
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
      let rest = text[index...]
      // A text can begin with none but the last of those that do not come after it: what lies between begins as it does.
      var (low, high) = (0, markers.count)
      while low < high {
        let middle = (low + high) / 2
        if rest.lexicographicallyPrecedes(markers[middle]) { high = middle } else { low = middle + 1 }
      }
      if low > 0, rest.starts(with: markers[low - 1]) { return (index, markers[low - 1]) }
    }
    return nil
  }
}
