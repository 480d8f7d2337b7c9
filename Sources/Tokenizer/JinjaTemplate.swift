import Foundation
import Jinja
import Support
import Synchronization

/// A chat template that a model brings: a program in Jinja, with the model's names for begin and end of sequence.
///
/// What it writes itself may be special tokens; what somebody typed, or a model replied, never is, whatever it spells.
public struct JinjaTemplate: Sendable, Equatable, Codable {
  private let template: Template
  private let bosToken: String
  private let eosToken: String
  private let markers: TextMarkers
  /// Where it was read, for messages.
  private let file: String?

  public static func == (left: JinjaTemplate, right: JinjaTemplate) -> Bool {
    left.template == right.template && left.bosToken == right.bosToken && left.eosToken == right.eosToken
  }

  private enum CodingKeys: String, CodingKey {
    case jinja
    case bosToken = "bos_token"
    case eosToken = "eos_token"
  }

  /// - Parameters:
  ///   - source: the template's text.
  ///   - tokenizer: says what begins and ends a sequence.
  ///   - file: where it was read, for messages.
  /// - Throws: `TokenizerError.templateFailed`, which says where.
  public init(_ source: String, tokenizer: any Tokenizer, file: String? = nil) throws(TokenizerError) {
    let (bosToken, eosToken) = try Self.ends(tokenizer)
    try self.init(source, bosToken: bosToken, eosToken: eosToken, file: file)
  }

  /// How a vocabulary spells what begins and what ends a sequence.
  private static func ends(_ tokenizer: any Tokenizer) throws(TokenizerError) -> (String, String) {
    func spelling(_ token: Int?) throws(TokenizerError) -> String {
      try token.map { token throws(TokenizerError) in try tokenizer.piece(token) } ?? ""
    }
    return (try spelling(tokenizer.bosToken), try spelling(tokenizer.eosToken))
  }

  private struct BuiltIn: Hashable {
    var kind: ChatTemplate.Kind
    var bosToken: String
    var eosToken: String
  }

  /// Those that were read: each takes some renderings to find its markers.
  private static let builtIns = Mutex<[BuiltIn: JinjaTemplate]>([:])

  /// A built-in template with a tokenizer's names for begin and end of sequence; `nil` for one that is not in Jinja.
  static func builtIn(_ kind: ChatTemplate.Kind, _ tokenizer: any Tokenizer) throws(TokenizerError) -> JinjaTemplate? {
    guard let source = kind.source else { return nil }
    let (bosToken, eosToken) = try ends(tokenizer)
    let key = BuiltIn(kind: kind, bosToken: bosToken, eosToken: eosToken)
    if let template = builtIns.withLock({ $0[key] }) { return template }
    let template = try JinjaTemplate(source, bosToken: bosToken, eosToken: eosToken)
    builtIns.withLock {
      // A few tokenizers are in use at a time.
      if $0.count >= 16 { $0 = [:] }
      $0[key] = template
    }
    return template
  }

  /// - Parameters:
  ///   - bosToken: what the template gets as `bos_token`.
  ///   - eosToken: what it gets as `eos_token`.
  ///   - file: where it was read, for messages.
  /// - Throws: `TokenizerError.templateFailed`, which says where.
  public init(
    _ source: String, bosToken: String = "", eosToken: String = "", file: String? = nil
  ) throws(TokenizerError) {
    do { template = try Template(source) } catch { throw Self.failure(error, file) }
    self.file = file
    self.bosToken = bosToken
    self.eosToken = eosToken
    markers = TextMarkers(template, bosToken: bosToken, eosToken: eosToken)
  }

  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    try self.init(
      container.decode(String.self, forKey: .jinja),
      bosToken: container.decodeIfPresent(String.self, forKey: .bosToken) ?? "",
      eosToken: container.decodeIfPresent(String.self, forKey: .eosToken) ?? "")
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(template.source, forKey: .jinja)
    try container.encode(bosToken, forKey: .bosToken)
    try container.encode(eosToken, forKey: .eosToken)
  }

  // MARK: Rendering

  private static func failure(_ error: TemplateError, _ file: String?) -> TokenizerError {
    .templateFailed(reason: (file.map { "\($0), " } ?? "") + "\(error)")
  }

  /// - Throws: `TokenizerError.templateFailed`.
  private func runs(
    of messages: [ChatTemplate.Message], ending: ChatTemplate.Ending
  ) throws(TokenizerError) -> [TemplateRun] {
    var messages = messages
    var ending = ending
    // Nothing has been said yet that could go on: then it begins.
    if ending == .openReply, messages.last?.content.isEmpty == true {
      messages.removeLast()
      ending = .generationPrompt
    }
    let values = messages.enumerated().map { index, message in
      let origin: TextOrigin =
        message.role == .assistant ? .reply(message: index % TextOrigin.numberedMessages) : .typed
      return TemplateValue.dict([
        (key: "role", value: .string(message.role.rawValue, .template)),
        (key: "content", value: .string(message.content, origin)),
      ])
    }
    let context: [String: TemplateValue] = [
      "messages": .list(values), "add_generation_prompt": .bool(ending == .generationPrompt),
      "bos_token": .string(bosToken, .template), "eos_token": .string(eosToken, .template),
    ]
    var runs: [TemplateRun]
    do { runs = try template.render(context) } catch { throw Self.failure(error, file) }
    if ending == .openReply {
      let last = TextOrigin.reply(message: (messages.count - 1) % TextOrigin.numberedMessages)
      guard let end = runs.lastIndex(where: { $0.origin == last }) else {
        throw .templateFailed(reason: "it leaves out the reply that was to be continued")
      }
      runs.removeSubrange((end + 1)...)
    }
    return runs
  }

  /// The text of a prompt. What the request says of `bos_token` and `eos_token` counts more than the tokenizer.
  /// - Throws: `TokenizerError.templateFailed`.
  public func text(of request: TemplateRequest) throws(TokenizerError) -> String {
    try runs(of: request).map(\.text).joined()
  }

  private func runs(of request: TemplateRequest) throws(TokenizerError) -> [TemplateRun] {
    var context: [String: TemplateValue] = [
      "bos_token": .string(bosToken, .template), "eos_token": .string(eosToken, .template),
    ]
    context.merge(request.variables) { $1 }
    do { return try template.render(context) } catch { throw Self.failure(error, file) }
  }

  /// The template's text.
  var source: String { template.source }

  // MARK: Tokens

  /// - Throws: `TokenizerError.templateFailed`.
  func encode(
    _ messages: [ChatTemplate.Message], tokenizer: any Tokenizer, ending: ChatTemplate.Ending
  ) throws(TokenizerError) -> MaskedTokens {
    let unlearned = messages.indices.filter { !messages[$0].isLearned }
    return try encode(runs(of: messages, ending: ending), beginning: nil, unlearned: Set(unlearned), tokenizer)
  }

  /// The tokens of a whole conversation with tools and tool calls, which are learned with the replies.
  /// - Throws: `TokenizerError.templateFailed`.
  func encodeForTraining(_ request: TemplateRequest, tokenizer: any Tokenizer) throws(TokenizerError) -> MaskedTokens {
    // What stands between the beginning of a reply and its first words is a part of it: a call's opening tag.
    let question = [ChatTemplate.Message(role: .user, content: "x")]
    let asked = try runs(of: question, ending: .complete).map(\.text).joined()
    let prompted = try runs(of: question, ending: .generationPrompt).map(\.text).joined()
    let beginning = prompted.hasPrefix(asked) ? String(prompted.dropFirst(asked.count)) : ""
    return try encode(
      runs(of: request.complete()), beginning: beginning.isEmpty ? nil : beginning, unlearned: request.unlearned,
      tokenizer)
  }

  /// - Parameters:
  ///   - beginning: what begins a reply, where all that follows it counts as one.
  ///   - unlearned: numbers of replies that the loss does not count.
  private func encode(
    _ runs: [TemplateRun], beginning: String?, unlearned: Set<Int>, _ tokenizer: any Tokenizer
  ) throws(TokenizerError) -> MaskedTokens {
    var pieces: [(piece: TextPiece, origin: TextOrigin, lossMask: Bool)] = []
    let unlearned = Set(unlearned.map { TextOrigin.reply(message: $0 % TextOrigin.numberedMessages) })
    /// The reply that a run belongs to or follows.
    var reply: TextOrigin?
    func add(_ text: Substring, _ origin: TextOrigin, _ lossMask: Bool, of owner: TextOrigin? = nil) {
      let piece = TextPiece(String(text), recognizesSpecialTokens: origin == .template)
      let isLearned = (owner ?? reply).map { !unlearned.contains($0) } ?? true
      if !text.isEmpty { pieces.append((piece, origin, lossMask && isLearned)) }
    }
    let saysWhatCounts = runs.contains(where: \.isGeneration)
    for (index, run) in runs.enumerated() {
      let isTemplate = run.origin == .template
      if case .reply = run.origin { reply = run.origin } else if !isTemplate { reply = nil }
      if saysWhatCounts || !isTemplate {
        add(run.text[...], run.origin, saysWhatCounts ? run.isGeneration : reply != nil)
        continue
      }
      let next = index + 1 < runs.count ? runs[index + 1].origin : nil
      // Within a reply all of it counts: what a call is written with.
      if reply != nil, next == reply {
        add(run.text[...], .template, true)
        continue
      }
      // What closes a reply is learned with it.
      let end = (reply == nil ? nil : try endOfSpecialToken(in: run.text, tokenizer)) ?? run.text.startIndex
      var start = run.text.endIndex
      if let beginning, case .reply? = next, let found = run.text.range(of: beginning, options: .backwards) {
        start = max(end, found.upperBound)
      }
      add(run.text[..<end], .template, true)
      add(run.text[end..<start], .template, false)
      add(run.text[start...], .template, true, of: next)
      reply = nil
    }
    return try encode(pieces, tokenizer)
  }

  /// What the loss counts is encoded apart: so it has the tokens that a model would have written.
  private func encode(
    _ pieces: [(piece: TextPiece, origin: TextOrigin, lossMask: Bool)], _ tokenizer: any Tokenizer
  ) throws(TokenizerError) -> MaskedTokens {
    let typed = MarkerDisguise(markers.spellings(tokenizer, inReply: false), tokenizer: tokenizer)
    let replied = MarkerDisguise(markers.spellings(tokenizer, inReply: true), tokenizer: tokenizer)
    var result = MaskedTokens()
    var group: [TextPiece] = []
    var counts = false
    func joining() -> TextJoining { result.tokens.isEmpty ? .start : .continuation }
    func flush() throws(TokenizerError) {
      if !group.isEmpty { result.append(try tokenizer.encode(pieces: group, joining: joining()), lossMask: counts) }
      group = []
    }
    for (piece, origin, lossMask) in pieces {
      let disguise = if case .reply = origin { replied } else { typed }
      if lossMask != counts { try flush() }
      counts = lossMask
      if !piece.recognizesSpecialTokens, try disguise.isNeeded(for: piece.text) {
        try flush()
        result.append(try disguise.encode(piece.text, joining()), lossMask: counts)
      } else {
        group.append(piece)
      }
    }
    try flush()
    return result
  }

  /// Where the first special token in a text of the template ends.
  private func endOfSpecialToken(
    in text: String, _ tokenizer: any Tokenizer
  ) throws(TokenizerError) -> String.Index? {
    guard let token = try specialToken(in: text, tokenizer) else { return nil }
    // It is of the vocabulary.
    do { return text.range(of: try tokenizer.piece(token))?.upperBound } catch { return nil }
  }

  private func specialToken(in text: String, _ tokenizer: any Tokenizer) throws(TokenizerError) -> Int? {
    try tokenizer.encode(pieces: [TextPiece(text, recognizesSpecialTokens: true)], joining: .continuation)
      .first(where: tokenizer.isControl)
  }

  /// The end of sequence, and what closes a reply in a conversation of one question.
  /// - Throws: `TokenizerError.templateFailed`, `.missingMarker`.
  func stopTokens(_ tokenizer: any Tokenizer) throws(TokenizerError) -> [Int] {
    let runs = try runs(
      of: [.init(role: .user, content: "question"), .init(role: .assistant, content: "reply")], ending: .complete)
    var tokens = [tokenizer.eosToken].compactMap(\.self)
    if let reply = runs.lastIndex(where: { $0.origin != .template && $0.origin != .typed }) {
      let rest = runs[(reply + 1)...].map(\.text).joined()
      if let closing = try specialToken(in: rest, tokenizer), !tokens.contains(closing) { tokens.append(closing) }
    }
    guard !tokens.isEmpty else { throw .missingMarker("end of sequence", template: "of the model") }
    return tokens
  }
}

extension ChatTemplate {
  /// The template that a model's directory brings: `chat_template.jinja`, or what `tokenizer_config.json` says, where the
  /// name of a built-in one may stand, too.
  ///
  /// - Returns: `nil` where it brings none.
  /// - Throws: `TokenizerError`.
  public static func load(directory: String, tokenizer: any Tokenizer) throws(TokenizerError) -> ChatTemplate? {
    let directory = URL(fileURLWithPath: directory)
    let file = directory.appendingPathComponent("chat_template.jinja").path
    if TokenizerFile.exists(file) {
      return ChatTemplate(
        try JinjaTemplate(String(decoding: TokenizerFile.read(file), as: UTF8.self), tokenizer: tokenizer, file: file))
    }
    let configuration = directory.appendingPathComponent("tokenizer_config.json").path
    guard TokenizerFile.exists(configuration) else { return nil }
    let document: JSONValue
    do { document = try JSONValue(utf8: TokenizerFile.read(configuration)) } catch {
      throw .unusable(file: configuration, cause: "\(error)")
    }
    let value = document.object?["chat_template"]
    // Several have names.
    let named = value?.array ?? []
    let chosen = named.first { $0.object?["name"]?.string == "default" } ?? named.first
    let source = value?.string ?? chosen?.object?["template"]?.string
    guard let source else { return nil }
    if let kind = Kind(rawValue: source) { return ChatTemplate(kind) }
    return ChatTemplate(try JinjaTemplate(source, tokenizer: tokenizer, file: configuration))
  }
}
