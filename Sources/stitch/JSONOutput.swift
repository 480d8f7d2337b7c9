import Foundation

/// Machine-readable output.
extension Console {
  /// One JSON document on standard output, its names in snake case.
  static func write(json document: some Encodable) throws {
    let encoder = JSONEncoder()
    encoder.keyEncodingStrategy = .convertToSnakeCase
    encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
    // JSON has no infinity; a perplexity can be one.
    encoder.nonConformingFloatEncodingStrategy = .convertToString(
      positiveInfinity: "Infinity", negativeInfinity: "-Infinity", nan: "NaN")
    try write(jsonText: encoder.encode(document) + Data("\n".utf8))
  }

  /// A JSON document as text. JSON lets through some control characters that a terminal would obey: they are written
  /// as escapes, which mean the same.
  static func write(jsonText document: Data) throws(CommandError) {
    var text = ""
    for scalar in String(decoding: document, as: UTF8.self).unicodeScalars {
      if (0x7F...0x9F).contains(scalar.value) {
        text += "\\u00" + String(scalar.value, radix: 16)
      } else {
        text.unicodeScalars.append(scalar)
      }
    }
    try write(Array(text.utf8))
  }
}
