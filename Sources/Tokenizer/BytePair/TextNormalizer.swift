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
    case .composed: return mapped(scalars) { $0.precomposedStringWithCanonicalMapping }
    case .decomposed: return mapped(scalars) { $0.decomposedStringWithCanonicalMapping }
    // Foundation leaves marks in the order of what they were taken apart from (a halfwidth sound mark after an accent);
    // its canonical mapping orders them.
    case .compatibilityComposed:
      return mapped(scalars) { $0.decomposedStringWithCompatibilityMapping.precomposedStringWithCanonicalMapping }
    case .compatibilityDecomposed:
      return mapped(scalars) { $0.decomposedStringWithCompatibilityMapping.decomposedStringWithCanonicalMapping }
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

  private func mapped(_ scalars: [Unicode.Scalar], _ map: (String) -> String) -> [Unicode.Scalar] {
    if leavesAlone(scalars) { return scalars }
    var result: [Unicode.Scalar] = []
    for run in scalars.split(omittingEmptySubsequences: false, whereSeparator: Self.isNewer) {
      if run.startIndex > 0 { result.append(scalars[run.startIndex - 1]) }
      var text = String.UnicodeScalarView()
      text.append(contentsOf: run)
      result += map(String(text)).unicodeScalars
    }
    return result
  }

  /// To the reference's tables for this, which are of Unicode 9, it is nothing that could be composed or taken apart.
  private static func isNewer(_ scalar: Unicode.Scalar) -> Bool {
    guard scalar.value >= 0x300, let age = scalar.properties.age else { return false }
    return age > (9, 0)
  }
}
