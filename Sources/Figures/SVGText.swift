import Foundation
import Support

/// Builds the text of an SVG document.
struct SVGText {
  private(set) var text = ""

  /// One element; its attributes in the order given.
  mutating func element(_ name: String, _ attributes: KeyValuePairs<String, String>, text content: String? = nil) {
    text += "<\(name)" + Self.attributes(attributes)
    text += content.map { ">\($0.xmlEscaped)</\(name)>\n" } ?? "/>\n"
  }

  mutating func open(_ name: String, _ attributes: KeyValuePairs<String, String>) {
    text += "<\(name)\(Self.attributes(attributes))>\n"
  }

  mutating func close(_ name: String) { text += "</\(name)>\n" }

  /// Text that is XML already.
  mutating func verbatim(_ xml: String) { text += xml }

  private static func attributes(_ attributes: KeyValuePairs<String, String>) -> String {
    attributes.map { " \($0.key)=\"\($0.value.xmlEscaped)\"" }.joined()
  }

  /// A coordinate with at most two decimals.
  static func number(_ value: Double) -> String {
    let rounded = (value * 100).rounded() / 100
    return rounded == rounded.rounded() ? String(Int(rounded)) : String(format: "%g", rounded)
  }
}
