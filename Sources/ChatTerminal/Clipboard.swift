import CTerminal
import ChatTUI
import Foundation

/// Setting the terminal's clipboard by OSC 52, which works over SSH too.
package enum Clipboard {
  /// What to send for a text. Only base64 of it is within, so nothing in it can act on the terminal.
  ///
  /// tmux takes the plain sequence where `set-clipboard` is `on`; where it is not, its pass-through may be allowed: both
  /// are sent, the plain one first. screen hands nothing on by itself, and takes 768 bytes at once.
  package static func sequences(for text: String, environment: [String: String]) -> [String] {
    let payload = Data(text.utf8).base64EncodedString()
    let plain = "\u{1B}]52;c;\(payload)\u{07}"
    if environment["TMUX"].map({ !$0.isEmpty }) ?? false {
      return [plain, "\u{1B}Ptmux;\u{1B}\(plain)\u{1B}\\"]
    }
    if environment["STY"].map({ !$0.isEmpty }) ?? false {
      let bytes = Array(plain)
      return stride(from: 0, to: bytes.count, by: 512).map {
        "\u{1B}P\(String(bytes[$0..<min($0 + 512, bytes.count)]))\u{1B}\\"
      }
    }
    return [plain]
  }
}

extension Terminal {
  /// Puts a text into the clipboard.
  package func copy(_ text: String) {
    for sequence in Clipboard.sequences(for: text, environment: ProcessInfo.processInfo.environment) {
      ct_send(sequence, Int32(sequence.utf8.count))
    }
  }
}
