/// `text` on one line: control characters, line separators and invisible marks become `?`, and a very long text
/// is cut. For error messages, which quote what files contain.
package func oneLine(_ text: String, limit: Int = 1000) -> String {
  var result = ""
  var count = 0
  for scalar in text.unicodeScalars {
    if count == limit { return result + "…" }
    switch scalar.properties.generalCategory {
    case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate, .privateUse:
      result.unicodeScalars.append("?")
    default: result.unicodeScalars.append(scalar)
    }
    count += 1
  }
  return result
}
