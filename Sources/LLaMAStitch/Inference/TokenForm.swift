/// A form that texts are to keep, such as that of a JSON document.
public protocol TokenForm: AnyObject, Sendable {
  /// A text that has yet to begin.
  /// - Parameter stopTokens: what ends it; they may come where the form lets the text end.
  func begin(stopTokens: Set<Int>) -> any TokenConstraint
}

/// A text that keeps a form, as it is made: used by one thread at a time.
public protocol TokenConstraint: AnyObject, Sendable {
  /// Tokens that may come next: bit t % 64 of word t / 64. Of no token, where the text cannot go on.
  func next() -> [UInt64]
  /// Notes that a token has come.
  func take(_ token: Int)
  /// Whether the text is whole and nothing can follow.
  var isComplete: Bool { get }
  /// Why it cannot be said what may come; one line.
  var failure: String? { get }
}

extension VectorView {
  /// Makes −∞ of the logits of all tokens but those whose bits are set.
  /// - Returns: whether there are any.
  func restrict(to mask: [UInt64]) -> Bool {
    var hasAny = false
    for (index, word) in mask.enumerated() {
      let first = 64 * index
      if word == .max && first + 64 <= count {
        hasAny = true
        continue
      }
      for bit in 0..<max(0, min(64, count - first)) {
        if word >> UInt64(bit) & 1 == 1 { hasAny = true } else { self[first + bit] = -.infinity }
      }
    }
    for token in min(count, 64 * mask.count)..<count { self[token] = -.infinity }
    return hasAny
  }
}
