/// The loss of batches by forward passes as replies make them: over weights as they are stored, with no activations kept
/// and few logits at a time.
///
/// A loss is the same bits on any number of threads, for a token's logits are.
final class ForwardLoss {
  private let pool: ComputePool
  private var backends: [Int: ProcessorBackend] = [:]
  /// Tokens computed at once, at most: enough for fast products.
  private static let mostTokens = 64
  private static let leastTokens = 16
  /// Floats that the logits of so many tokens may take where that leaves enough tokens.
  private static let logitsLength = 2 << 20

  init(pool: ComputePool) { self.pool = pool }

  /// The sum of the losses of the batch's targets, in nats.
  func sum(_ network: Network, _ batch: PackedBatch) -> Double {
    let backend = backend(vocabulary: network.vocabularySize)
    let plan = ForwardBatches(batch, tokens: backend.chunkSize)
    if plan.batches.isEmpty { return 0 }
    let compiled = backend.compile(network, texts: plan.texts, contextLength: plan.longest, prefix: nil)
    return plan.batches.reduce(0) { total, batch in
      compiled.forward(batch.parts, stages: 0..<compiled.stageCount, logitsRow: 0, tokens: batch.tokens[...])
      let logits = compiled.logits.matrix(rows: batch.targets.count, columns: network.vocabularySize)
      return total + losses(logits, batch.targets)
    }
  }

  /// The losses of rows that have a target, added up in order; the logits are lost.
  private func losses(_ logits: MatrixView, _ targets: [Int32]) -> Double {
    let losses = Slots(count: targets.count)
    pool.run(parts: targets.count) { row in
      guard targets[row] != PackedBatch.ignored else { return }
      losses[row] = TrainingKernels.crossEntropy(
        logits: logits.rows(row..<row + 1), targets: IndexBuffer([targets[row]]), scale: 0, losses: nil)
    }
    return losses.sum
  }

  /// Sessions of one vocabulary share working memory.
  private func backend(vocabulary: Int) -> ProcessorBackend {
    let tokens = min(Self.mostTokens, max(Self.leastTokens, Self.logitsLength / max(1, vocabulary)))
    if let backend = backends[tokens] { return backend }
    let backend = ProcessorBackend(chunkSize: tokens, pool: pool, splitting: .always)
    backends[tokens] = backend
    return backend
  }
}

/// A packed batch cut into pieces of at most so many tokens, of several sequences each; a sequence may go on in the next
/// piece. What comes behind a sequence's last target is left out.
struct ForwardBatches {
  struct Batch {
    var parts: [TextPart] = []
    var tokens: [Int] = []
    /// Of the logits that the parts want, `PackedBatch.ignored` where a row has none.
    var targets: [Int32] = []
  }

  private(set) var batches: [Batch] = []
  /// KV caches needed: of the sequences that a piece holds at most.
  let texts: Int
  /// Positions needed of each.
  let longest: Int

  init(_ batch: PackedBatch, tokens limit: Int) {
    var batches: [Batch] = []
    var longest = 0
    /// The sequence of each part.
    var owners: [[Int]] = []
    for sequence in 0..<batch.sequenceCount {
      let rows = batch.range(ofSequence: sequence)
      guard let last = batch.targets[rows].lastIndex(where: { $0 != PackedBatch.ignored }) else { continue }
      longest = max(longest, last + 1 - rows.lowerBound)
      var row = rows.lowerBound
      while row <= last {
        if batches.isEmpty || batches[batches.count - 1].tokens.count == limit {
          batches.append(Batch())
          owners.append([])
        }
        let current = batches.count - 1
        let end = min(last + 1, row + limit - batches[current].tokens.count)
        var part = TextPart(positions: row - rows.lowerBound..<end - rows.lowerBound)
        if let first = batch.targets[row..<end].firstIndex(where: { $0 != PackedBatch.ignored }) {
          part.logits = end - first
          batches[current].targets += batch.targets[first..<end]
        }
        batches[current].parts.append(part)
        batches[current].tokens += batch.tokens[row..<end].map(Int.init)
        owners[current].append(sequence)
        row = end
      }
    }
    // Sequences that meet in a piece follow one another but for those without targets, which have no number here.
    var numbers: [Int: Int] = [:]
    for sequence in owners.joined() where numbers[sequence] == nil { numbers[sequence] = numbers.count }
    let texts = owners.map(\.count).max() ?? 0
    for (index, sequences) in owners.enumerated() {
      for (place, sequence) in sequences.enumerated() {
        batches[index].parts[place].text = numbers[sequence]! % texts
      }
    }
    self.batches = batches
    self.texts = texts
    self.longest = longest
  }
}
