/// Writes records as single lines of JSON with a fixed order of fields.
package enum JSONLine {
  package static func encode(_ record: PretrainRecord) -> String {
    switch record {
    case .text(let text): "{\"text\":\(quote(text))}\n"
    case .chat(let messages): encode(messages)
    }
  }

  package static func encode(_ messages: [Message]) -> String { "{\"messages\":\(list(messages))}\n" }

  package static func encode(_ question: Question) -> String {
    "{\"messages\":\(list(question.messages)),\"answer\":\(quote(question.answer)),"
      + "\"kind\":\(quote(question.kind.rawValue)),\"key\":\(quote(question.key))}\n"
  }

  package static func encode(_ question: LessonQuestion, kind: String) -> String {
    "{\"messages\":\(list([.user(question.question)])),\"answer\":\(quote(question.answer)),\"kind\":\(quote(kind))}\n"
  }

  private static func list(_ messages: [Message]) -> String {
    var result = "["
    for (i, message) in messages.enumerated() {
      if i > 0 { result += "," }
      result += "{\"role\":\"\(message.role.rawValue)\",\"content\":\(quote(message.content))}"
    }
    return result + "]"
  }

  static func quote(_ text: String) -> String {
    var bytes: [UInt8] = [UInt8(ascii: "\"")]
    bytes.reserveCapacity(text.utf8.count + 2)
    for byte in text.utf8 {
      switch byte {
      case UInt8(ascii: "\""), UInt8(ascii: "\\"): bytes += [UInt8(ascii: "\\"), byte]
      case UInt8(ascii: "\n"): bytes += [UInt8(ascii: "\\"), UInt8(ascii: "n")]
      case 0..<0x20: preconditionFailure("the corpus has no control characters")
      default: bytes.append(byte)
      }
    }
    bytes.append(UInt8(ascii: "\""))
    return String(decoding: bytes, as: UTF8.self)
  }
}
