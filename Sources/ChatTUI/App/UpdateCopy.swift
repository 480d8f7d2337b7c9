import ChatEngine

/// Copying to the clipboard.
extension AppState {
  /// Terminals take an OSC 52 sequence of 100,000 bytes, of which base64 leaves so many for the text.
  package static let mostBytesToCopy = 74_994

  mutating func copy(_ target: Command.CopyTarget) -> [Effect] {
    let text: String?
    let name: String
    switch target {
    case .reply:
      text = conversation.lastReply?.text.trimmingWhitespace
      name = "the last reply"
    case .message(let number):
      let message = conversation.message(number)
      text = message?.content.trimmingWhitespace
      name = (message?.role == .user ? "your message" : "the reply") + " (\(number) from the end)"
    case .code(let number):
      // Its indentation stays.
      text = conversation.codeBlock(number).map { $0.hasSuffix("\n") ? String($0.dropLast()) : $0 }
      name = number == 1 ? "the last block of code" : "the block of code (\(number) from the end)"
    }
    guard let text = text.map(Self.withoutControls), !text.isEmpty else {
      say(target == .reply ? "there is no reply to copy yet" : "there is nothing like that to copy", isWarning: true)
      return []
    }
    let bytes = text.utf8.count
    if bytes > Self.mostBytesToCopy {
      say("not copied: \(name) has \(bytes) bytes, terminals take \(Self.mostBytesToCopy)", isWarning: true)
      return []
    }
    say("copied \(name): \(text.count) character\(text.count == 1 ? "" : "s")")
    return [.copy(text)]
  }

  /// The text as the model wrote it, without what could act on wherever it is pasted.
  private static func withoutControls(_ text: String) -> String {
    var scalars = String.UnicodeScalarView()
    for scalar in text.unicodeScalars {
      switch scalar.value {
      case 0x0A, 0x09: scalars.append(scalar)
      case 0..<0x20, 0x7F..<0xA0, 0x202A...0x202E, 0x2066...0x2069: break
      default: scalars.append(scalar)
      }
    }
    return String(scalars)
  }
}
