import Foundation

/// One step of what is done to text before it is cut, as `tokenizer.json` has them.
public enum TextNormalizer: Sendable, Equatable {
  case prepend(String)
  case replace(TextMatcher, String)
  case composed
  case decomposed
  case compatibilityComposed
  case compatibilityDecomposed
  case lowercase
  case strip(left: Bool, right: Bool)

  /// - Parameter isContinuation: the text goes on with another: nothing is put before it.
  /// - Throws: `TokenizerError.patternGaveUp`.
  func apply(
    _ scalars: [Unicode.Scalar], isContinuation: Bool, _ steps: inout PatternSteps
  ) throws(TokenizerError) -> [Unicode.Scalar] {
    switch self {
    case .prepend(let text): return isContinuation || scalars.isEmpty ? scalars : Array(text.unicodeScalars) + scalars
    case .replace(let matcher, let text):
      var result: [Unicode.Scalar] = []
      var start = 0
      for match in try matcher.matches(in: scalars, &steps) {
        result += scalars[start..<match.lowerBound]
        result += text.unicodeScalars
        start = match.upperBound
      }
      return result + scalars[start...]
    case .composed: return mapped(scalars) { Self.decomposed($0).precomposedStringWithCanonicalMapping }
    case .decomposed: return mapped(scalars, Self.decomposed)
    case .compatibilityComposed:
      return mapped(scalars) {
        Self.decomposed($0.decomposedStringWithCompatibilityMapping).precomposedStringWithCanonicalMapping
      }
    case .compatibilityDecomposed:
      return mapped(scalars) { Self.decomposed($0.decomposedStringWithCompatibilityMapping) }
    case .lowercase: return scalars.flatMap { Array($0.properties.lowercaseMapping.unicodeScalars) }
    case .strip(let left, let right):
      var rest = scalars[...]
      if left { rest = rest.drop { $0.properties.isWhitespace } }
      if right { while rest.last?.properties.isWhitespace == true { rest.removeLast() } }
      return Array(rest)
    }
  }

  /// Nothing below it changes.
  private var first: UInt32 {
    switch self {
    case .composed: 0x300
    case .decomposed: 0xC0
    case .compatibilityComposed, .compatibilityDecomposed: 0xA0
    default: 0
    }
  }

  /// Whether it is plain that nothing changes.
  func leavesAlone(_ scalars: [Unicode.Scalar]) -> Bool {
    let first = first
    return !scalars.contains { $0.value >= first }
  }

  /// Decomposed, its marks in canonical order. Foundation leaves marks where they were that it takes out of a character,
  /// and where its mappings compose they leave a final consonant beside the Hangul syllable it belongs to; so all begin
  /// with this, and this with what has been decomposed once.
  private static func decomposed(_ text: String) -> String {
    text.decomposedStringWithCanonicalMapping.decomposedStringWithCanonicalMapping
  }

  private func mapped(_ scalars: [Unicode.Scalar], _ map: (String) -> String) -> [Unicode.Scalar] {
    if leavesAlone(scalars) { return scalars }
    var result: [Unicode.Scalar] = []
    for run in scalars.split(omittingEmptySubsequences: false, whereSeparator: { Self.standsAlone($0) }) {
      if run.startIndex > 0 { result.append(scalars[run.startIndex - 1]) }
      var text = String.UnicodeScalarView()
      text.append(contentsOf: run)
      result += map(String(text)).unicodeScalars
    }
    return result
  }

  /// What is neither composed nor taken apart: to the reference's tables for this, which are of Unicode 9, what is newer;
  /// and the jamo beside those that make Hangul syllables, which Foundation takes for such.
  private static func standsAlone(_ scalar: Unicode.Scalar) -> Bool {
    if [0x1113, 0x1176, 0x11A7, 0x11C3].contains(scalar.value) { return true }
    guard scalar.value >= 0x300, let age = scalar.properties.age else { return false }
    return age > (9, 0)
  }
}
