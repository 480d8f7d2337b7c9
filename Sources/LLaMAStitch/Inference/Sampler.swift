import Support

/// How the next token is chosen.
public struct SamplingOptions: Sendable, Equatable, Codable {
  /// 0 is greedy: always the most likely token.
  public var temperature: Double
  /// Only the k most likely tokens; 0 is all.
  public var topK: Int
  /// Only the most likely tokens that together have this probability; 1 is all.
  public var topP: Double
  /// Only tokens at least this fraction as likely as the most likely one; 0 is all.
  public var minP: Double
  /// Logits of tokens already in the text are divided (positive) or multiplied (negative) by this; 1 is off
  /// (Keskar et al. 2019, arXiv 1909.05858).
  public var repetitionPenalty: Double
  public var seed: UInt64

  public init(
    temperature: Double = 0, topK: Int = 0, topP: Double = 1, minP: Double = 0, repetitionPenalty: Double = 1,
    seed: UInt64 = 0
  ) {
    self.temperature = temperature
    self.topK = topK
    self.topP = topP
    self.minP = minP
    self.repetitionPenalty = repetitionPenalty
    self.seed = seed
  }

  /// - Throws: `SamplingError` for values that mean nothing.
  public func validate() throws(SamplingError) {
    func check(_ name: String, _ value: Double, _ isValid: Bool, _ range: String) throws(SamplingError) {
      if !isValid { throw .invalid(option: name, value: "\(value)", range: range) }
    }
    try check("temperature", temperature, temperature >= 0 && temperature.isFinite, "0 or more")
    if topK < 0 { throw .invalid(option: "top-k", value: "\(topK)", range: "0 or more") }
    try check("top-p", topP, topP > 0 && topP <= 1, "above 0, at most 1")
    try check("min-p", minP, minP >= 0 && minP <= 1, "from 0 to 1")
    try check(
      "repetition-penalty", repetitionPenalty, repetitionPenalty > 0 && repetitionPenalty.isFinite, "above 0")
  }
}

/// A sampling option out of range.
public enum SamplingError: Error, Equatable, Sendable, CustomStringConvertible {
  case invalid(option: String, value: String, range: String)

  public var description: String {
    switch self {
    case .invalid(let option, let value, let range): "\(option) is \(value); choose a value \(range)"
    }
  }
}

/// Chooses tokens from logits. The same options, seed and logits give the same tokens.
///
/// The order is that of transformers: repetition penalty, temperature, top-k, top-p, min-p. Logits that are not a
/// number are never chosen. Nothing is allocated per token.
public struct Sampler: Sendable {
  public let options: SamplingOptions
  private var random: SeededGenerator
  private var isSeen: [Bool]
  /// The same tokens one after another, and what the network says of them where that is changed.
  private var seen: [Int] = []
  private var originals: [Float] = []
  /// Different tokens of a text that there is room for from the beginning.
  private static let usuallySeen = 2048
  /// eˡ⁻ᵐᵃˣ of every token.
  private var weights: [Float]
  /// A heap of token ids, the most likely on top; what is taken from it gathers at its end.
  private var heap: [Int32]
  /// The form that the text keeps; a copy of the sampler is of the same text.
  private let constraint: (any TokenConstraint)?

  /// - Parameters:
  ///   - vocabularySize: tokens to choose among; logits beyond it, of a padded head, are not looked at.
  ///   - constraint: a form that the text is to keep.
  public init(_ options: SamplingOptions, vocabularySize: Int, constraint: (any TokenConstraint)? = nil) {
    self.options = options
    self.constraint = constraint
    random = SeededGenerator(seed: options.seed)
    isSeen = [Bool](repeating: false, count: vocabularySize)
    if options.repetitionPenalty != 1 {
      seen.reserveCapacity(min(vocabularySize, Self.usuallySeen))
      originals.reserveCapacity(min(vocabularySize, Self.usuallySeen))
    }
    weights = [Float](repeating: 0, count: vocabularySize)
    heap = [Int32](repeating: 0, count: vocabularySize)
  }

  /// Tokens to choose among.
  var vocabularySize: Int { weights.count }

  /// Notes that `token` is part of the text, for the repetition penalty.
  public mutating func observe(_ token: Int) {
    guard options.repetitionPenalty != 1, isSeen.indices.contains(token), !isSeen[token] else { return }
    isSeen[token] = true
    seen.append(token)
  }

  /// Forgets what was observed.
  public mutating func forget() {
    for token in seen { isSeen[token] = false }
    seen.removeAll(keepingCapacity: true)
  }

  /// Whether the text keeps a form.
  var keepsForm: Bool { constraint != nil }

  /// Whether nothing can follow in the form that the text keeps.
  var isComplete: Bool { constraint?.isComplete ?? false }

  /// Why there was no next token.
  var failure: InferenceError {
    guard let constraint else { return .notANumber }
    return .noTokenFits(cause: constraint.failure)
  }

  /// The next token, or nil where no logit is a number, or none that the form lets come. The token is observed. Logits of
  /// what the form does not let come become −∞.
  public mutating func sample(_ logits: VectorView) -> Int? {
    precondition(logits.count >= weights.count, "logits of another vocabulary")
    if let constraint, !logits.restrict(to: constraint.next()) { return nil }
    penalise(logits)
    let token = options.temperature == 0 || options.topK == 1 ? greedy(logits) : draw(logits)
    for (token, original) in zip(seen, originals) { logits[token] = original }
    if let token {
      observe(token)
      constraint?.take(token)
    }
    return token
  }

  /// Changes the logits of what is part of the text, for as long as a token is chosen.
  private mutating func penalise(_ logits: VectorView) {
    originals.removeAll(keepingCapacity: true)
    let penalty = Float(options.repetitionPenalty)
    for token in seen {
      let logit = logits[token]
      originals.append(logit)
      logits[token] = logit > 0 ? logit / penalty : logit * penalty
    }
  }

  /// The most likely token, the first of equals.
  private func greedy(_ logits: VectorView) -> Int? { logits.indexOfLargest(count: weights.count) }

  private mutating func draw(_ logits: VectorView) -> Int? {
    guard let top = greedy(logits) else { return nil }
    let largest = logits[top]
    // An infinite logit leaves no choice.
    if largest == .infinity { return top }
    let target = random.unit()
    if options.topK == 0 && options.topP == 1 && options.minP == 0 {
      return logits.indexOfShare(
        target, largest: largest, temperature: options.temperature, count: weights.count) ?? top
    }
    let total = logits.exponentials(largest: largest, temperature: options.temperature, into: &weights)
    return drawFromMostLikely(target, total)
  }

  /// Takes tokens in falling probability until a limit is met, then draws among them.
  private mutating func drawFromMostLikely(_ target: Double, _ total: Double) -> Int? {
    let most = options.topK == 0 ? weights.count : min(options.topK, weights.count)
    let candidates = gather(most, total)
    var size = candidates
    makeHeap(size)
    var total = total
    if most < weights.count && options.topP < 1 {
      // top-p is a part of what top-k leaves.
      total = 0
      for _ in 0..<most {
        total += Double(weights[Int(heap[0])])
        pop(&size)
      }
      size = candidates
      makeHeap(size)
    }
    var kept = 0
    var sum = 0.0
    while kept < most && size > 0 && sum < options.topP * total {
      let weight = Double(weights[Int(heap[0])])
      if kept > 0 && (weight < options.minP || weight == 0) { break }
      sum += weight
      kept += 1
      pop(&size)
    }
    // The kept tokens lie at the end of the candidates, the most likely last.
    var reached = 0.0
    for position in 0..<kept {
      let token = Int(heap[candidates - 1 - position])
      reached += Double(weights[token])
      if reached > target * sum { return token }
    }
    return Int(heap[candidates - 1])
  }

  /// Gathers tokens that are likely enough for the limits to be met among them, in the order of their ids: a heap of a
  /// few is made sooner than one of all.
  /// - Parameter most: so many are needed at most.
  /// - Returns: how many they are.
  private mutating func gather(_ most: Int, _ total: Double) -> Int {
    // Of the most likely one's weight, which is 1.
    for least in [0x1p-6, 0x1p-12, 0x1p-24] as [Float] {
      var count = 0
      var sum = 0.0
      for index in 0..<weights.count where weights[index] >= least {
        heap[count] = Int32(index)
        count += 1
        sum += Double(weights[index])
      }
      // Sums are rounded, this way or that.
      let meetsTopP = options.topP < 1 && sum > options.topP * total * (1 + 1e-9)
      if options.topK > 0 ? count >= most : Double(least) <= options.minP || meetsTopP { return count }
    }
    for index in 0..<weights.count { heap[index] = Int32(index) }
    return weights.count
  }

  private mutating func makeHeap(_ size: Int) {
    for root in stride(from: size / 2 - 1, through: 0, by: -1) { sift(root, size) }
  }

  /// Whether token `left` comes before `right`: more likely, or as likely and earlier.
  private func precedes(_ left: Int32, _ right: Int32) -> Bool {
    let a = weights[Int(left)]
    let b = weights[Int(right)]
    return a > b || (a == b && left < right)
  }

  /// Moves the top of the heap behind its end.
  private mutating func pop(_ size: inout Int) {
    size -= 1
    heap.swapAt(0, size)
    sift(0, size)
  }

  private mutating func sift(_ start: Int, _ size: Int) {
    var root = start
    while true {
      var child = 2 * root + 1
      if child >= size { return }
      if child + 1 < size && precedes(heap[child + 1], heap[child]) { child += 1 }
      if !precedes(heap[child], heap[root]) { return }
      heap.swapAt(root, child)
      root = child
    }
  }
}
