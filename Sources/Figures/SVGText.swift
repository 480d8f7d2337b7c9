import Foundation

/// Builds the text of an SVG document.
struct SVGText {
  private(set) var text = ""

  /// One element; its attributes in the order given.
  mutating func element(_ name: String, _ attributes: KeyValuePairs<String, String>, text content: String? = nil) {
    text += "<\(name)" + Self.attributes(attributes)
    text += content.map { ">\(Self.escaped($0))</\(name)>\n" } ?? "/>\n"
  }

  mutating func open(_ name: String, _ attributes: KeyValuePairs<String, String>) {
    text += "<\(name)\(Self.attributes(attributes))>\n"
  }

  mutating func close(_ name: String) { text += "</\(name)>\n" }

  /// Text that is XML already.
  mutating func verbatim(_ xml: String) { text += xml }

  private static func attributes(_ attributes: KeyValuePairs<String, String>) -> String {
    attributes.map { " \($0.key)=\"\(escaped($0.value))\"" }.joined()
  }

  /// Characters that mean something in XML as entities; those that XML cannot hold as the replacement character.
  package static func escaped(_ text: String) -> String {
    var result = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "&": result += "&amp;"
      case "<": result += "&lt;"
      case ">": result += "&gt;"
      case "\"": result += "&quot;"
      case "'": result += "&#39;"
      case "\t", "\n", "\r": result += " "
      case "\u{0}"..."\u{1F}", "\u{7F}"..."\u{9F}", "\u{FFFE}", "\u{FFFF}": result += "\u{FFFD}"
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result
  }

  /// A coordinate with at most two decimals.
  static func number(_ value: Double) -> String {
    let rounded = (value * 100).rounded() / 100
    return rounded == rounded.rounded() ? String(Int(rounded)) : String(format: "%g", rounded)
  }
}
