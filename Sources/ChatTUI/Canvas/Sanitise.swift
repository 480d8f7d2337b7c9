/// Makes text of unknown origin safe to show: nothing of it can act on the terminal or reorder what stands around it.
///
/// Line ends become `\n`, tabs become spaces up to the next multiple of four, other controls show as their symbol
/// (`␛`), bidirectional overrides and what has no printable form show as `�`, invisible formatting is dropped.
package func sanitise(_ text: String) -> String {
  // Almost all text is plain: look before copying.
  if text.utf8.allSatisfy({ ($0 >= 0x20 && $0 < 0x7F) || $0 == 0x0A }) { return text }
  var result = String.UnicodeScalarView()
  var column = 0
  var previousWasReturn = false
  for scalar in text.unicodeScalars {
    defer { previousWasReturn = scalar == "\r" }
    if previousWasReturn && scalar != "\n" {
      result.append("\u{240D}")
      column += 1
    }
    switch scalar.value {
    case 0x0A, 0x2028, 0x2029, 0x85:
      result.append("\n")
      column = 0
    case 0x0D: break
    case 0x09:
      let count = 4 - column % 4
      result.append(contentsOf: repeatElement(" ", count: count))
      column += count
    case 0x00..<0x20:
      result.append(Unicode.Scalar(0x2400 + scalar.value)!)
      column += 1
    case 0x7F:
      result.append("\u{2421}")
      column += 1
    case 0x80..<0xA0, 0x202A...0x202E, 0x2066...0x2069, 0xFFF9...0xFFFB:
      result.append("\u{FFFD}")
      column += 1
    case 0x200E, 0x200F, 0x061C, 0x200B, 0x2060...0x2064, 0x206A...0x206F, 0xFEFF, 0x00AD, 0xE0000...0xE0FFF:
      break
    default:
      let width = Glyphs.width(of: scalar)
      result.append(width < 0 ? "\u{FFFD}" : scalar)
      column += max(0, width)
    }
  }
  if previousWasReturn { result.append("\u{240D}") }
  return String(result)
}

/// `sanitise`, with line ends as spaces: for labels, file names, messages.
package func sanitiseLine(_ text: String) -> String {
  String(sanitise(text).map { $0 == "\n" ? " " : $0 })
}
