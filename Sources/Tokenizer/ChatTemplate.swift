/// How a conversation is written out for a model, and where in it the replies are.
///
/// A template renders messages to segments, without a tokenizer: `segments(of:ending:)`. `SegmentEncoder` makes tokens
/// of them.
public struct ChatTemplate: Sendable, Equatable, Codable {
  /// The known formats; `family.json` stores the name.
  public enum Kind: String, Sendable, Codable, CaseIterable {
    /// Stanford Alpaca's preamble with `### Instruction:` and `### Response:`.
    case alpaca
    /// Llama 2 Chat's `[INST] … [/INST]`.
    case llama2
    /// The default family's: one control symbol before every message.
    case tiny
  }

  /// One turn of a conversation.
  public struct Message: Sendable, Equatable, Codable {
    public enum Role: String, Sendable, Codable, CaseIterable { case system, user, assistant }
    public var role: Role
    public var content: String

    public init(role: Role, content: String) {
      self.role = role
      self.content = content
    }
  }

  /// How a rendering ends.
  public enum Ending: Sendable {
    /// With the last message.
    case complete
    /// Within the last message, an assistant's, so that the model goes on with it.
    case openReply
    /// With what makes the model reply.
    case generationPrompt
  }

  public let kind: Kind

  /// For people.
  public var name: String { kind.rawValue }

  public init(_ kind: Kind) { self.kind = kind }

  public init(from decoder: any Decoder) throws {
    kind = try decoder.singleValueContainer().decode(Kind.self)
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(kind)
  }

  private var format: any ChatFormat {
    switch kind {
    case .alpaca: AlpacaFormat()
    case .llama2: Llama2Format()
    case .tiny: TinyFormat()
    }
  }

  /// Text that only the template itself may say, ASCII.
  var textMarkers: [String] { format.textMarkers }

  /// A conversation written out, begin of sequence included.
  public func segments(of messages: [Message], ending: Ending) -> [ChatSegment] {
    format.segments(of: messages, ending: ending)
  }

  /// What ends a reply: the end of sequence first, then any marker that begins another message.
  public var stopMarkers: [SpecialToken] { format.stopMarkers }
}

// MARK: - Tokens

extension ChatTemplate {
  /// The tokens of a conversation, begin of sequence included.
  ///
  /// - Parameters:
  ///   - addGenerationPrompt: end with what makes the model reply.
  ///   - continueFinalMessage: leave the final message, an assistant's, open, so that the model goes on with it. No
  ///     generation prompt is added then.
  /// - Throws: `TokenizerError.missingMarker` or `.nothingToContinue`.
  public func encode(
    _ messages: [Message], tokenizer: any Tokenizer, addGenerationPrompt: Bool = true,
    continueFinalMessage: Bool = false
  ) throws(TokenizerError) -> [Int] {
    if continueFinalMessage, messages.last?.role != .assistant { throw .nothingToContinue }
    let ending: Ending = continueFinalMessage ? .openReply : addGenerationPrompt ? .generationPrompt : .complete
    return try SegmentEncoder(tokenizer, for: self).encode(segments(of: messages, ending: ending)).tokens
  }

  /// The tokens of a whole conversation and which of them are to be learned.
  ///
  /// - Throws: `TokenizerError.missingMarker`.
  public func encodeForTraining(
    _ messages: [Message], tokenizer: any Tokenizer
  ) throws(TokenizerError) -> MaskedTokens {
    try SegmentEncoder(tokenizer, for: self).encode(segments(of: messages, ending: .complete))
  }

  /// The tokens that end a reply, in the order of `stopMarkers`.
  ///
  /// - Throws: `TokenizerError.missingMarker`.
  public func stopTokens(_ tokenizer: any Tokenizer) throws(TokenizerError) -> [Int] {
    let encoder = try SegmentEncoder(tokenizer, for: self)
    var tokens: [Int] = []
    for marker in stopMarkers { tokens.append(try encoder.token(marker)) }
    return tokens
  }
}

// MARK: - Formats

/// One way of writing conversations out.
private protocol ChatFormat {
  /// Text that only the template itself may say, ASCII.
  var textMarkers: [String] { get }
  /// What ends a reply, the end of sequence first.
  var stopMarkers: [SpecialToken] { get }
  func segments(of messages: [ChatTemplate.Message], ending: ChatTemplate.Ending) -> [ChatSegment]
}

/// `<s>`, then for every message its role's control symbol and its text; replies end in `</s>`.
private struct TinyFormat: ChatFormat {
  let textMarkers: [String] = []
  var stopMarkers: [SpecialToken] { [.eos] + ChatTemplate.Message.Role.allCases.map(marker) }

  func segments(of messages: [ChatTemplate.Message], ending: ChatTemplate.Ending) -> [ChatSegment] {
    var segments = [ChatSegment(.special(.bos))]
    for (index, message) in messages.enumerated() {
      let isReply = message.role == .assistant
      segments.append(ChatSegment(.special(marker(message.role))))
      segments.append(ChatSegment(.text(message.content), .start, lossMask: isReply))
      let isOpen = ending == .openReply && index == messages.count - 1
      if isReply, !isOpen { segments.append(ChatSegment(.special(.eos), lossMask: true)) }
    }
    if ending == .generationPrompt { segments.append(ChatSegment(.special(marker(.assistant)))) }
    return segments
  }

  private func marker(_ role: ChatTemplate.Message.Role) -> SpecialToken { .control("<|\(role.rawValue)|>") }
}

/// `<s>[INST] <<SYS>>\nsystem\n<</SYS>>\n\nuser [/INST] reply </s><s>[INST] …`
private struct Llama2Format: ChatFormat {
  let textMarkers = ["[INST]", "[/INST]", "<<SYS>>", "<</SYS>>"]
  let stopMarkers = [SpecialToken.eos]

  func segments(of messages: [ChatTemplate.Message], ending: ChatTemplate.Ending) -> [ChatSegment] {
    var segments: [ChatSegment] = []
    for exchange in Exchange.all(of: messages, ending: ending) {
      segments.append(ChatSegment(.special(.bos)))
      segments.append(ChatSegment(.marker("[INST]"), .start))
      let user = (exchange.user ?? "").trimmed()
      if let system = exchange.system {
        segments.append(ChatSegment(.marker("<<SYS>>\n"), .space))
        segments.append(ChatSegment(.text(system)))
        segments.append(ChatSegment(.marker("\n<</SYS>>\n\n")))
        segments.append(ChatSegment(.text(user)))
      } else {
        segments.append(ChatSegment(.text(user), .space))
      }
      // The end of the instruction is the generation prompt as well.
      segments.append(ChatSegment(.marker("[/INST]"), .space))
      guard let reply = exchange.reply else { continue }
      if exchange.isLast, ending == .openReply {
        segments.append(ChatSegment(.text(reply.trimmedStart()), .space, lossMask: true))
      } else {
        segments.append(ChatSegment(.text(reply.trimmed()), .space, lossMask: true))
        segments.append(ChatSegment(.special(.eos), .space, lossMask: true))
      }
    }
    return segments
  }
}

/// Preamble, `### Instruction:`, text, `### Response:`, reply, `</s>`; further turns repeat the two headings. A system
/// message takes the preamble's place.
private struct AlpacaFormat: ChatFormat {
  private let preamble =
    "Below is an instruction that describes a task. Write a response that appropriately completes the request."
  private let instruction = "### Instruction:"
  private let response = "### Response:"

  var textMarkers: [String] { [instruction, "### Input:", response] }
  let stopMarkers = [SpecialToken.eos]

  func segments(of messages: [ChatTemplate.Message], ending: ChatTemplate.Ending) -> [ChatSegment] {
    var segments = [ChatSegment(.special(.bos))]
    for (index, exchange) in Exchange.all(of: messages, ending: ending).enumerated() {
      if let system = exchange.system {
        if index > 0 { segments.append(ChatSegment(.marker("\n\n"))) }
        segments.append(ChatSegment(.text(system), index == 0 ? .start : .continuation))
      } else if index == 0 {
        segments.append(ChatSegment(.marker(preamble), .start))
      }
      segments.append(ChatSegment(.marker("\n\n\(instruction)\n")))
      segments.append(ChatSegment(.text(exchange.user ?? "")))
      guard exchange.reply != nil || exchange.isLast && ending == .generationPrompt else { continue }
      segments.append(ChatSegment(.marker("\n\n\(response)")))
      guard let reply = exchange.reply else { continue }
      segments.append(ChatSegment(.text(reply), lossMask: true))
      if !exchange.isLast || ending != .openReply { segments.append(ChatSegment(.special(.eos), lossMask: true)) }
    }
    return segments
  }
}

/// An instruction and its reply, as formats see a conversation that know no roles.
private struct Exchange: Equatable {
  var system: String?
  var user: String?
  var reply: String?
  var isLast = false

  /// Several messages of one role in a row are one, with an empty line between them. A conversation that already ends
  /// in a reply and is to get another one ends in an exchange without text.
  static func all(of messages: [ChatTemplate.Message], ending: ChatTemplate.Ending) -> [Exchange] {
    var exchanges: [Exchange] = []
    var current = Exchange()
    func joined(_ first: String?, _ second: String) -> String { first.map { "\($0)\n\n\(second)" } ?? second }
    for message in messages {
      if message.role != .assistant, current.reply != nil {
        exchanges.append(current)
        current = Exchange()
      }
      switch message.role {
      case .system: current.system = joined(current.system, message.content)
      case .user: current.user = joined(current.user, message.content)
      case .assistant: current.reply = joined(current.reply, message.content)
      }
    }
    if current != Exchange() { exchanges.append(current) }
    if ending == .generationPrompt, exchanges.last?.reply != nil || exchanges.isEmpty {
      exchanges.append(Exchange())
    }
    if !exchanges.isEmpty { exchanges[exchanges.count - 1].isLast = true }
    return exchanges
  }
}

extension String {
  fileprivate func trimmedStart() -> String { String(drop(while: \.isWhitespace)) }

  fileprivate func trimmed() -> String {
    guard let last = lastIndex(where: { !$0.isWhitespace }) else { return "" }
    return String(self[...last].drop(while: \.isWhitespace))
  }
}
