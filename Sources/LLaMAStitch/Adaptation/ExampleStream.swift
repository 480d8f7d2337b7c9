/// Examples in random order, gathered into batches of about as many tokens as asked for; a new order each round.
///
/// Batch `n` depends on the examples, the seed, the number of tokens and `n` alone, but is found quickest when batches
/// are asked for in order.
final class ExampleStream {
  let examples: [TrainingExample]
  private let seed: UInt64
  private var order: [Int] = []
  private var round = -1
  private var place = 0
  private var nextBatch = 0

  init(_ examples: [TrainingExample], seed: UInt64) {
    precondition(!examples.isEmpty)
    self.examples = examples
    self.seed = seed
  }

  func batch(_ number: Int, tokens: Int) -> PackedBatch {
    if number < nextBatch {
      (round, place, nextBatch, order) = (-1, 0, 0, [])
    }
    while nextBatch < number { _ = gather(tokens) }
    return gather(tokens)
  }

  private func gather(_ tokens: Int) -> PackedBatch {
    var batch = PackedBatch()
    while true {
      if place == order.count {
        round += 1
        var random = SeededGenerator(seed: seed, stream: 2000 + UInt64(round))
        order = random.permutation(of: examples.count)
        place = 0
      }
      let example = examples[order[place]]
      // An example that would go further beyond than what is missing waits, so that batches are neither more nor less on
      // average.
      if batch.rows > 0 && batch.rows + example.tokens.count / 2 >= tokens { break }
      batch.append(example.tokens, predicted: example.predicted)
      place += 1
    }
    nextBatch += 1
    return batch
  }
}
