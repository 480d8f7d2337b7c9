/// Which chains of spans to leave out promise most, by what each span costs alone.
///
/// A span is a range of blocks: a route leaves the anchor before its first block and enters it again behind its last one.
/// What a chain costs is estimated by the sum over its spans. The best chains for each number of blocks are found by
/// dynamic programming from the last block to the first.
package struct SpanChains {
  /// Spans in order, none touching another.
  package typealias Chain = [Range<Int>]

  let depth: Int
  /// Spans that a chain has at most.
  let most: Int
  /// Chains kept of each number of blocks.
  let kept: Int
  /// By first block, what a span costs alone, with its length.
  private let spans: [[(span: Range<Int>, cost: Double)]]

  /// - Parameter costs: of the spans to choose from; of finite ones. None may begin with the first block or end with the last.
  package init(depth: Int, costs: [Range<Int>: Double], most: Int, kept: Int) {
    self.depth = depth
    self.most = most
    self.kept = kept
    var spans = [[(span: Range<Int>, cost: Double)]](repeating: [], count: depth + 1)
    for (span, cost) in costs.sorted(by: {
      ($0.key.lowerBound, $0.key.upperBound) < ($1.key.lowerBound, $1.key.upperBound)
    })
    where cost.isFinite {
      precondition(
        span.lowerBound > 0 && span.upperBound < depth && !span.isEmpty, "a span that no route can leave out")
      spans[span.lowerBound].append((span, cost))
    }
    self.spans = spans
  }

  /// The best chains by number of blocks left out, the best first.
  /// - Parameter weight: what the sum of a chain is multiplied by, by its first block.
  package func best(weight: (Int) -> Double = { _ in 1 }) -> [Int: [(chain: Chain, cost: Double)]] {
    // tails[i][s][n]: the best chains of s spans, the first of which begins with block i or later, that leave out n blocks.
    typealias Lists = [Int: [(chain: Chain, cost: Double)]]
    var tails = [[Lists]](repeating: [Lists](repeating: [:], count: most + 1), count: depth + 2)
    var found: Lists = [:]
    for start in (0...depth).reversed() {
      for count in 0...most {
        var lists = tails[start + 1][count]
        if count == 0 { lists = [0: [([], 0)]] }
        if count > 0 {
          for (span, cost) in spans[start] {
            // At least one block runs between two spans.
            for (blocks, chains) in tails[span.upperBound + 1][count - 1] {
              let longer = chains.map { (chain: [span] + $0.chain, cost: cost + $0.cost) }
              lists[blocks + span.count] = best(lists[blocks + span.count, default: []] + longer)
              found[blocks + span.count, default: []] += longer.map { ($0.chain, $0.cost * weight(start)) }
            }
          }
        }
        tails[start][count] = lists
      }
    }
    return found.mapValues { best($0) }
  }

  private func best(_ chains: [(chain: Chain, cost: Double)]) -> [(chain: Chain, cost: Double)] {
    // Ties are broken by the chain, so that no order of dictionaries decides.
    Array(
      chains.sorted {
        $0.cost != $1.cost
          ? $0.cost < $1.cost
          : $0.chain.flatMap { [$0.lowerBound, $0.upperBound] }
            .lexicographicallyPrecedes($1.chain.flatMap { [$0.lowerBound, $0.upperBound] })
      }.prefix(kept))
  }
}

extension Route {
  /// An anchor of some depth without some of its blocks.
  /// - Parameter spans: in order, none touching another or an end of the anchor.
  package init(anchor: Int, depth: Int, without spans: [Range<Int>]) {
    let bounds = [0] + spans.flatMap { [$0.lowerBound, $0.upperBound] } + [depth]
    self.init(
      stride(from: 0, to: bounds.count, by: 2).map { Segment(anchor: anchor, blocks: bounds[$0]..<bounds[$0 + 1]) })
  }

  /// The blocks left out at each junction of a route within one anchor.
  package var leftOut: [Range<Int>] { junctions.map { $0.exit..<$0.entry } }
}
