import Support

/// Reads what a `tokenizer.json` says is done to text before and after the model. What is not known here is refused by
/// name.
struct PipelineReader {
  let file: String

  private func unusable(_ cause: String) -> TokenizerError { .unusable(file: file, cause: cause) }

  /// A list of steps, a step of the type `Sequence` taken apart.
  private func steps(
    _ value: JSONValue, _ member: String
  ) throws(TokenizerError) -> [(kind: String, [String: JSONValue])] {
    if value == .null { return [] }
    guard let step = value.object, let kind = step["type"]?.string else { throw unusable("a step in it has no “type”") }
    guard kind == "Sequence" else { return [(kind, step)] }
    var result: [(String, [String: JSONValue])] = []
    for part in step[member]?.array ?? [] { result += try steps(part, member) }
    return result
  }

  // MARK: Before

  func normalizers(_ value: JSONValue) throws(TokenizerError) -> [TextNormalizer] {
    var result: [TextNormalizer] = []
    for (kind, step) in try steps(value, "normalizers") {
      switch kind {
      case "Prepend": result.append(.prepend(try text("prepend", of: step, kind)))
      case "Replace": result.append(.replace(try matcher(step, kind), try text("content", of: step, kind)))
      case "NFC": result.append(.composed)
      case "NFD": result.append(.decomposed)
      case "NFKC": result.append(.compatibilityComposed)
      case "NFKD": result.append(.compatibilityDecomposed)
      case "Lowercase": result.append(.lowercase)
      case "Strip":
        result.append(.strip(left: step["strip_left"]?.bool ?? true, right: step["strip_right"]?.bool ?? true))
      default: throw unusable("it normalises text by “\(kind)”, which is not supported")
      }
    }
    return result
  }

  func preTokenizers(_ value: JSONValue) throws(TokenizerError) -> [PreTokenizer] {
    var result: [PreTokenizer] = []
    for (kind, step) in try steps(value, "pretokenizers") {
      switch kind {
      case "Split":
        result.append(
          .split(try matcher(step, kind), try behavior(step, kind), isInverted: step["invert"]?.bool ?? false))
      case "Digits": result.append(.digits(areApart: step["individual_digits"]?.bool ?? false))
      case "Punctuation": result.append(.punctuation(try behavior(step, kind)))
      case "Whitespace": result.append(.whitespace)
      case "WhitespaceSplit": result.append(.whitespaceSplit)
      case "ByteLevel":
        guard !result.contains(where: { if case .byteLevel = $0 { true } else { false } }) else {
          throw unusable("it spells bytes twice")
        }
        result.append(
          .byteLevel(
            addsSpace: step["add_prefix_space"]?.bool ?? true, usesPattern: step["use_regex"]?.bool ?? true))
      case "Metaspace":
        let mark = try mark(step)
        let name = step["prepend_scheme"]?.string ?? (step["add_prefix_space"]?.bool == false ? "never" : "always")
        guard let prefix = MetaspacePrefix(rawValue: name) else {
          throw unusable("its “Metaspace” has the unknown prefix “\(name)”")
        }
        result.append(.metaspace(mark: mark, prefix, splits: step["split"]?.bool ?? true))
      default: throw unusable("it cuts text by “\(kind)”, which is not supported")
      }
    }
    return result
  }

  // MARK: After

  func decoder(_ value: JSONValue, isByteLevel: Bool) throws(TokenizerError) -> PieceDecoder {
    let steps = try steps(value, "decoders")
    if isByteLevel {
      guard steps.isEmpty || steps.map(\.kind) == ["ByteLevel"] else {
        throw unusable("it spells bytes and decodes by “\(steps.map(\.kind).joined(separator: ", "))”")
      }
      return .byteLevel
    }
    var replacements: [PieceDecoder.Replacement] = []
    var readsBytes = false
    var isFused = false
    var strips = false
    for (kind, step) in steps {
      // Each step only where the order makes no difference, or is the usual one.
      switch kind {
      case "Replace" where !isFused && !readsBytes:
        guard case .text(let old) = try matcher(step, kind) else {
          throw unusable("its decoder replaces a pattern, which is not supported")
        }
        replacements.append(.init(old, try text("content", of: step, kind)))
      case "Metaspace" where steps.count == 1:
        replacements.append(.init(String(try mark(step)), " "))
        strips = step["prepend_scheme"]?.string ?? "always" != "never"
      case "ByteFallback" where !isFused: readsBytes = true
      case "Fuse": isFused = true
      case "Strip" where isFused && !strips:
        guard step["content"]?.string == " ", step["stop"]?.integer ?? 0 == 0, let start = step["start"]?.integer,
          (0...1).contains(start)
        else { throw unusable("its decoder strips something else than one space") }
        strips = start == 1
      default: throw unusable("it decodes by “\(kind)” in a way that is not supported")
      }
    }
    return .pieces(replacements: replacements, readsBytes: readsBytes, stripsFirstSpace: strips)
  }

  /// What it puts around a text is not put by an encoder here: it must only be something of that kind.
  func checkPostProcessor(_ value: JSONValue) throws(TokenizerError) {
    for (kind, _) in try steps(value, "processors") where !["ByteLevel", "TemplateProcessing"].contains(kind) {
      throw unusable("it completes texts by “\(kind)”, which is not supported")
    }
  }

  // MARK: Members

  private func text(
    _ name: String, of step: [String: JSONValue], _ kind: String
  ) throws(TokenizerError) -> String {
    guard let text = step[name]?.string else { throw unusable("its “\(kind)” has no “\(name)”") }
    return text
  }

  private func mark(_ step: [String: JSONValue]) throws(TokenizerError) -> Unicode.Scalar {
    let text = step["replacement"]?.string ?? "\u{2581}"
    guard let mark = text.unicodeScalars.first, text.unicodeScalars.count == 1 else {
      throw unusable("its “Metaspace” puts more than a character for a space")
    }
    return mark
  }

  private func matcher(_ step: [String: JSONValue], _ kind: String) throws(TokenizerError) -> TextMatcher {
    let pattern = step["pattern"]?.object
    if let text = pattern?["String"]?.string { return .text(text) }
    guard let source = pattern?["Regex"]?.string else { throw unusable("its “\(kind)” has no pattern") }
    return .pattern(try TextPattern(source, file: file))
  }

  private func behavior(_ step: [String: JSONValue], _ kind: String) throws(TokenizerError) -> MatchBehavior {
    let name = step["behavior"]?.string ?? "Isolated"
    guard let behavior = MatchBehavior(rawValue: name) else {
      throw unusable("its “\(kind)” has the unknown behavior “\(name)”")
    }
    return behavior
  }
}
