import Support

/// Examples in random order, gathered into batches of about as many tokens as asked for; a new order each round. With
/// a rehearsal, each batch takes a share of its tokens from either.
///
/// Batch `n` depends on the examples, the seed, the number of tokens and `n` alone, but is found quickest when batches
/// are asked for in order.
final class ExampleStream {
  /// How many examples there are, rehearsal included.
  let count: Int
  private let share: (Int) -> Double
  private let start: (examples: Shuffled, rehearsal: Shuffled?)
  private var examples: Shuffled
  private var rehearsal: Shuffled?
  /// Tokens that `examples` should have given by now and has not, or the other way round if negative.
  private var owed = 0.0
  private var nextBatch = 0

  /// - Parameters:
  ///   - rehearsal: mixed in; may be empty.
  ///   - share: of the tokens of batch `n`, the part that comes from `examples` where there is a rehearsal.
  init(
    _ examples: [TrainingExample], rehearsal: [TrainingExample] = [], share: @escaping (Int) -> Double = { _ in 1 },
    seed: UInt64
  ) {
    count = examples.count + rehearsal.count
    self.share = share
    self.examples = Shuffled(examples, seed: seed, stream: 2000)
    self.rehearsal = rehearsal.isEmpty ? nil : Shuffled(rehearsal, seed: seed, stream: 1 << 32)
    start = (self.examples, self.rehearsal)
  }

  func batch(_ number: Int, tokens: Int) -> PackedBatch {
    if number < nextBatch {
      (examples, rehearsal) = start
      (owed, nextBatch) = (0, 0)
    }
    while nextBatch < number { _ = gather(tokens) }
    return gather(tokens)
  }

  private func gather(_ tokens: Int) -> PackedBatch {
    var batch = PackedBatch()
    let share = rehearsal == nil ? 1 : share(nextBatch)
    while true {
      let isRehearsal = rehearsal != nil && owed < 0
      let example = isRehearsal ? rehearsal!.next : examples.next
      let rows = example.tokens.count
      // An example that would go further beyond than what is missing waits, so that batches are neither more nor less on
      // average.
      if batch.rows > 0 && batch.rows + rows / 2 >= tokens { break }
      batch.append(example.tokens, lossMask: example.lossMask)
      if isRehearsal { rehearsal!.advance() } else { examples.advance() }
      owed += Double(rows) * (isRehearsal ? share : share - 1)
    }
    nextBatch += 1
    return batch
  }
}

/// Examples in random order, for ever.
private struct Shuffled {
  private let examples: [TrainingExample]
  private let seed: UInt64
  private let stream: UInt64
  private var order: [Int]
  private var round: UInt64 = 0
  private var place = 0

  init(_ examples: [TrainingExample], seed: UInt64, stream: UInt64) {
    precondition(!examples.isEmpty)
    self.examples = examples
    self.seed = seed
    self.stream = stream
    var random = SeededGenerator(seed: seed, stream: stream)
    order = random.permutation(of: examples.count)
  }

  var next: TrainingExample { examples[order[place]] }

  mutating func advance() {
    place += 1
    guard place == order.count else { return }
    round += 1
    place = 0
    var random = SeededGenerator(seed: seed, stream: stream + round)
    order = random.permutation(of: examples.count)
  }
}

/// A sequence and which of its tokens are to be learned.
public struct TrainingExample: Sendable, Equatable {
  public var tokens: [Int32]
  /// Parallel to `tokens`; the first token is never a target.
  public var lossMask: [Bool]

  public init(tokens: [Int32], lossMask: [Bool]) {
    precondition(tokens.count == lossMask.count)
    self.tokens = tokens
    self.lossMask = lossMask
  }

  /// A sequence all of whose tokens are to be learned.
  public init(text tokens: [Int32]) {
    self.init(tokens: tokens, lossMask: Array(repeating: true, count: tokens.count))
  }

  /// The example cut into pieces of at most `length` tokens. Each piece starts with the last token of the one before,
  /// so that every token is still a target once.
  package func pieces(ofAtMost length: Int) -> [TrainingExample] {
    precondition(length > 1)
    if tokens.count <= length { return [self] }
    return stride(from: 0, to: tokens.count - 1, by: length - 1).map { start in
      let range = start..<min(start + length, tokens.count)
      return TrainingExample(tokens: Array(tokens[range]), lossMask: Array(lossMask[range]))
    }
  }

  /// Whether a pass over it has anything to learn.
  package var hasTargets: Bool { lossMask.dropFirst().contains(true) }
}
