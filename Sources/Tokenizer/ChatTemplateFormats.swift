// MARK: - Markers that are plain text

extension ChatTemplate.Kind {
  /// Text that only the template itself may say, ASCII.
  var textMarkers: [String] {
    switch self {
    case .alpaca: [AlpacaText.instruction, AlpacaText.input, AlpacaText.response]
    case .llama2: ["[INST]", "[/INST]", "<<SYS>>", "<</SYS>>"]
    case .tiny: []
    }
  }
}

private enum AlpacaText {
  static let preamble =
    "Below is an instruction that describes a task. Write a response that appropriately completes the request."
  static let instruction = "### Instruction:"
  static let input = "### Input:"
  static let response = "### Response:"
}

// MARK: - tiny

extension ChatTemplate {
  /// `<s>`, then for every message its role's control symbol and its text; replies end in `</s>`.
  func renderTiny(
    _ messages: [Message], into builder: inout TemplateBuilder, ending: Ending
  ) throws(TokenizerError) {
    builder.append(builder.bos)
    for (index, message) in messages.enumerated() {
      builder.append(try builder.roleMarker(message.role))
      builder.appendText(message.content, .space, isReply: message.role == .assistant)
      let isOpen = ending == .openReply && index == messages.count - 1
      if message.role == .assistant, !isOpen { builder.append(builder.eos, isReply: true) }
    }
    if ending == .generationPrompt { builder.append(try builder.roleMarker(.assistant)) }
  }
}

// MARK: - llama2

extension ChatTemplate {
  /// `<s>[INST] <<SYS>>\nsystem\n<</SYS>>\n\nuser [/INST] reply </s><s>[INST] …`
  func renderLlama2(_ messages: [Message], into builder: inout TemplateBuilder, ending: Ending) {
    for exchange in exchanges(messages, ending: ending) {
      builder.append(builder.bos)
      builder.appendMarker("[INST]", .space)
      let user = (exchange.user ?? "").trimmed()
      if let system = exchange.system {
        builder.appendMarker("<<SYS>>\n", .space)
        builder.appendText(system, .none)
        builder.appendMarker("\n<</SYS>>\n\n", .none)
        builder.appendText(user, .none)
      } else {
        builder.appendText(user, .space)
      }
      // The end of the instruction is the generation prompt as well.
      builder.appendMarker("[/INST]", .space)
      guard let reply = exchange.reply else { continue }
      if exchange.isLast, ending == .openReply {
        builder.appendText(reply.trimmedStart(), .space, isReply: true)
      } else {
        builder.appendText(reply.trimmed(), .space, isReply: true)
        builder.appendSpace(isReply: true)
        builder.append(builder.eos, isReply: true)
      }
    }
  }
}

// MARK: - alpaca

extension ChatTemplate {
  /// Preamble, `### Instruction:`, text, `### Response:`, reply, `</s>`; further turns repeat the two headings. A system
  /// message takes the preamble's place.
  func renderAlpaca(_ messages: [Message], into builder: inout TemplateBuilder, ending: Ending) {
    builder.append(builder.bos)
    for (index, exchange) in exchanges(messages, ending: ending).enumerated() {
      if let system = exchange.system {
        if index > 0 { builder.appendMarker("\n\n", .none) }
        builder.appendText(system, index == 0 ? .space : .none)
      } else if index == 0 {
        builder.appendMarker(AlpacaText.preamble, .space)
      }
      builder.appendMarker("\n\n\(AlpacaText.instruction)\n", .none)
      builder.appendText(exchange.user ?? "", .none)
      guard exchange.reply != nil || exchange.isLast && ending == .generationPrompt else { continue }
      builder.appendMarker("\n\n\(AlpacaText.response)", .none)
      guard let reply = exchange.reply else { continue }
      builder.appendText(reply, .none, isReply: true)
      if !exchange.isLast || ending != .openReply { builder.append(builder.eos, isReply: true) }
    }
  }
}

// MARK: - Exchanges

extension ChatTemplate {
  /// An instruction and its reply, as formats see a conversation that know no roles.
  struct Exchange: Equatable {
    var system: String?
    var user: String?
    var reply: String?
    var isLast = false
  }

  /// Several messages of one role in a row are one, with an empty line between them. A conversation that already ends
  /// in a reply and is to get another one ends in an exchange without text.
  func exchanges(_ messages: [Message], ending: Ending) -> [Exchange] {
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
