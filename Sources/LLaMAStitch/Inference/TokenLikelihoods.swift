import Foundation

/// How likely a token was, and the likeliest ones at its place: natural logarithms of the network's own probabilities,
/// before temperature, limits and penalties.
public struct TokenLikelihoods: Sendable, Equatable {
  public struct Alternative: Sendable, Equatable {
    public var token: Int
    public var logProbability: Double
  }

  public var logProbability: Double
  /// The likeliest first, of equals the first token.
  public var likeliest: [Alternative]

  /// - Parameters:
  ///   - token: the chosen one.
  ///   - alternatives: how many of the likeliest to tell of.
  ///   - logits: of the whole vocabulary.
  ///   - count: tokens that there are; logits beyond it, of a padded head, are not looked at.
  /// - Returns: `nil` where no logit is a number.
  public init?(of token: Int, alternatives: Int, logits: VectorView, count: Int) {
    guard token < count, let top = logits.indexOfLargest(count: count) else { return nil }
    var exponentials = [Float](repeating: 0, count: count)
    let normalizer =
      log(logits.exponentials(largest: logits[top], temperature: 1, into: &exponentials)) + Double(logits[top])
    logProbability = Double(logits[token]) - normalizer
    var likeliest: [Alternative] = []
    likeliest.reserveCapacity(alternatives + 1)
    for index in 0..<(alternatives > 0 ? count : 0) {
      let value = Double(logits[index]) - normalizer
      if likeliest.count == alternatives, let last = likeliest.last, !(value > last.logProbability) { continue }
      if value.isNaN { continue }
      let place = likeliest.firstIndex { $0.logProbability < value } ?? likeliest.count
      likeliest.insert(Alternative(token: index, logProbability: value), at: place)
      if likeliest.count > alternatives { likeliest.removeLast() }
    }
    self.likeliest = likeliest
  }
}
