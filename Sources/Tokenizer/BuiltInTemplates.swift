// The built-in templates, for models that bring none.

extension ChatTemplate {
  /// The known formats; `family.json` stores the name.
  public enum Kind: String, Sendable, Codable, CaseIterable {
    /// Stanford Alpaca's preamble with `### Instruction:` and `### Response:`.
    case alpaca
    /// OpenAI's `<|im_start|>role … <|im_end|>`.
    case chatml
    /// Llama 2 Chat's `[INST] … [/INST]`.
    case llama2
    /// The default family's: one control symbol before every message.
    case tiny
    /// Vicuna's `USER: … ASSISTANT:`.
    case vicuna
    /// Zephyr's, and TinyLlama's, `<|role|>` on a line of its own.
    case zephyr

    /// The formats that are written in Swift.
    package var format: (any ChatFormat)? {
      switch self {
      case .alpaca: AlpacaFormat()
      case .llama2: Llama2Format()
      case .tiny: TinyFormat()
      case .chatml, .vicuna, .zephyr: nil
      }
    }

    /// The formats that are written in Jinja.
    var source: String? {
      switch self {
      case .alpaca, .llama2, .tiny: nil
      case .chatml:
        """
        {% for message in messages %}{{ '<|im_start|>' ~ message.role ~ '\\n' ~ message.content ~ '<|im_end|>\\n' }}{% endfor %}\
        {% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}
        """
      case .vicuna:
        """
        {{ bos_token }}{% for message in messages %}{% if message.role == 'system' %}{{ message.content ~ '\\n\\n' }}\
        {% elif message.role == 'user' %}{{ 'USER: ' ~ message.content ~ '\\n' }}\
        {% else %}{{ 'ASSISTANT: ' ~ message.content ~ eos_token ~ '\\n' }}{% endif %}{% endfor %}\
        {% if add_generation_prompt %}{{ 'ASSISTANT:' }}{% endif %}
        """
      case .zephyr:
        """
        {% for message in messages %}{{ '<|' ~ message.role ~ '|>\\n' ~ message.content ~ eos_token ~ '\\n' }}{% endfor %}\
        {% if add_generation_prompt %}{{ '<|assistant|>\\n' }}{% endif %}
        """
      }
    }
  }
}

/// One way of writing conversations out.
package protocol ChatFormat: Sendable {
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
      let isLearned = isReply && message.isLearned
      segments.append(ChatSegment(.special(marker(message.role))))
      segments.append(ChatSegment(.text(message.content), .start, lossMask: isLearned))
      let isOpen = ending == .openReply && index == messages.count - 1
      if isReply, !isOpen { segments.append(ChatSegment(.special(.eos), lossMask: isLearned)) }
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
        segments.append(ChatSegment(.text(reply.trimmedStart()), .space, lossMask: exchange.isLearned))
      } else {
        segments.append(ChatSegment(.text(reply.trimmed()), .space, lossMask: exchange.isLearned))
        segments.append(ChatSegment(.special(.eos), .space, lossMask: exchange.isLearned))
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
      segments.append(ChatSegment(.text(reply), lossMask: exchange.isLearned))
      if !exchange.isLast || ending != .openReply {
        segments.append(ChatSegment(.special(.eos), lossMask: exchange.isLearned))
      }
    }
    return segments
  }
}

/// An instruction and its reply, as formats see a conversation that know no roles.
private struct Exchange: Equatable {
  var system: String?
  var user: String?
  var reply: String?
  /// Whether all replies in it are.
  var isLearned = true
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
      case .assistant:
        current.reply = joined(current.reply, message.content)
        current.isLearned = current.isLearned && message.isLearned
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
