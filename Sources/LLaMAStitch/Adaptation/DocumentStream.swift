/// Documents in random order, joined, and cut into sequences of equal length; a new order each time round.
///
/// Sequence `n` depends on the documents, the length, the seed and `n` alone.
final class DocumentStream {
  let documentCount: Int
  let tokenCount: Int
  private let documents: [[Int32]]
  private let sequenceLength: Int
  private let seed: UInt64
  /// The round that `joined` holds.
  private var round = -1
  private var joined: [Int32] = []

  init(documents: [[Int32]], sequenceLength: Int, seed: UInt64) {
    self.documents = documents
    self.sequenceLength = sequenceLength
    self.seed = seed
    documentCount = documents.count
    tokenCount = documents.reduce(0) { $0 + $1.count }
  }

  /// Whole sequences in one round; what is left over at its end is dropped.
  private var sequencesPerRound: Int { max(1, (tokenCount - 1) / sequenceLength) }

  /// `sequenceLength + 1` tokens, the last of which is only a target (fewer if there is less data than that).
  func sequence(_ index: Int) -> [Int32] {
    let (round, place) = index.quotientAndRemainder(dividingBy: sequencesPerRound)
    if round != self.round {
      var random = SeededGenerator(seed: seed, stream: 1000 + UInt64(round))
      joined = []
      joined.reserveCapacity(tokenCount)
      for document in random.permutation(of: documents.count) { joined += documents[document] }
      self.round = round
    }
    let start = place * sequenceLength
    return Array(joined[start..<min(start + sequenceLength + 1, joined.count)])
  }
}
