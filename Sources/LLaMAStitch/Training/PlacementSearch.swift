import Foundation
import Support

/// A search for where to adapt a family: over the blocks of each anchor, the projections of a block and the rank, by the
/// loss on held-out text and the number of trained values (AutoPEFT: Zhou et al. 2024, arXiv 2301.12132).
///
/// The paper guides its search by Bayesian optimisation with a sparse Gaussian process. Here it is evolutionary, by
/// non-dominated sorting and crowding (NSGA-II: Deb et al. 2002): one candidate at a time, from all that was measured so far.
/// What comes next depends on the seed and on that alone, so that a search that was killed goes on as if it had not been.
public struct PlacementSearch: Sendable {
  /// Something measured.
  public struct Measured: Sendable, Equatable, Codable {
    public var placement: AdapterPlacement
    public var parameters: Int
    /// Held out, nats per token.
    public var loss: Double

    public init(placement: AdapterPlacement, parameters: Int, loss: Double) {
      self.placement = placement
      self.parameters = parameters
      self.loss = loss
    }

    /// Whether nothing of it is worse, and something better.
    func dominates(_ other: Measured) -> Bool {
      parameters <= other.parameters && loss <= other.loss && (parameters < other.parameters || loss < other.loss)
    }
  }

  /// What is searched.
  public struct Space: Sendable, Equatable, Codable {
    /// Block counts by the names of anchors.
    public var blocks: [String: Int]
    public var ranks: [Int]
    public var targets: [AdapterTarget]

    public init(
      blocks: [String: Int], ranks: [Int] = [1, 2, 4, 8, 16, 32, 64], targets: [AdapterTarget] = AdapterTarget.allCases
    ) {
      self.blocks = blocks
      self.ranks = ranks
      self.targets = targets
    }

    public init(of family: Family, ranks: [Int]) {
      let counts = family.anchors.map(\.configuration.blockCount)
      self.init(blocks: Dictionary(uniqueKeysWithValues: zip(family.names, counts)), ranks: ranks)
    }
  }

  public let space: Space
  public let seed: UInt64
  /// Candidates drawn at random before any is bred.
  public let randomCount: Int
  /// In order of measurement.
  public private(set) var measured: [Measured]

  public init(_ space: Space, seed: UInt64, randomCount: Int, measured: [Measured] = []) {
    precondition(!space.ranks.isEmpty && !space.targets.isEmpty && space.blocks.values.contains { $0 > 0 })
    self.space = space
    self.seed = seed
    self.randomCount = randomCount
    self.measured = measured
  }

  public mutating func add(_ one: Measured) { measured.append(one) }

  /// What to measure next; `nil` where nothing new is found. The first is what an adapter has where nobody says otherwise.
  public func next() -> AdapterPlacement? {
    if measured.isEmpty { return usual }
    var random = SeededGenerator(seed: seed, stream: 100 + UInt64(measured.count))
    let known = Set(measured.map(\.placement))
    for _ in 0..<1000 {
      let genes = measured.count < randomCount ? drawn(&random) : bred(&random)
      guard let candidate = placement(genes), !known.contains(candidate) else { continue }
      return candidate
    }
    return nil
  }

  /// What nothing else dominates, by the number of values; of equals the first.
  public var frontier: [Measured] {
    var kept: [Measured] = []
    for one in measured where one.loss.isFinite {
      guard !measured.contains(where: { $0.dominates(one) }),
        !kept.contains(where: { $0.parameters == one.parameters && $0.loss == one.loss })
      else { continue }
      kept.append(one)
    }
    return kept.sorted { $0.parameters < $1.parameters }
  }

  // MARK: Genes

  /// A placement as numbers: the rank's index, then what is adapted, 0 or 1: projections, then blocks in order of names.
  private struct Genes {
    var rank: Int
    var bits: [Bool]
  }

  private var names: [String] { space.blocks.keys.sorted() }

  private var usual: AdapterPlacement {
    let rank = space.ranks.min { abs($0 - 16) < abs($1 - 16) }!
    let targets = AdapterTarget.attention.filter(space.targets.contains)
    return AdapterPlacement(
      rank: rank, targets: targets.isEmpty ? space.targets : targets, blocks: space.blocks.mapValues { Array(0..<$0) })
  }

  /// `nil` where nothing is adapted.
  private func placement(_ genes: Genes) -> AdapterPlacement? {
    let targets = space.targets.indices.filter { genes.bits[$0] }.map { space.targets[$0] }
    var start = space.targets.count
    var blocks: [String: [Int]] = [:]
    for name in names {
      let count = space.blocks[name]!
      blocks[name] = (0..<count).filter { genes.bits[start + $0] }
      start += count
    }
    if targets.isEmpty || blocks.values.allSatisfy(\.isEmpty) { return nil }
    return AdapterPlacement(rank: space.ranks[genes.rank], targets: targets, blocks: blocks)
  }

  private func genes(_ placement: AdapterPlacement) -> Genes {
    let targets = space.targets.map(placement.targets.contains)
    let blocks = names.flatMap { name in
      (0..<space.blocks[name]!).map { placement.blocks[name]?.contains($0) ?? false }
    }
    return Genes(rank: space.ranks.firstIndex(of: placement.rank) ?? 0, bits: targets + blocks)
  }

  private func drawn(_ random: inout SeededGenerator) -> Genes {
    // Few blocks and many are as likely as half of them.
    let (targetShare, blockShare) = (random.unit(), random.unit())
    let blockCount = space.blocks.values.reduce(0, +)
    let bits =
      space.targets.map { _ in random.unit() < targetShare } + (0..<blockCount).map { _ in random.unit() < blockShare }
    return Genes(rank: random.index(below: space.ranks.count), bits: bits)
  }

  /// A child of two parents, with about one gene changed and, half the time, the rank moved by a step.
  private func bred(_ random: inout SeededGenerator) -> Genes {
    let (one, other) = (genes(parent(&random)), genes(parent(&random)))
    var child = one
    for index in child.bits.indices {
      if random.unit() < 0.5 { child.bits[index] = other.bits[index] }
      if random.unit() < 1 / Double(child.bits.count) { child.bits[index].toggle() }
    }
    if random.unit() < 0.5 { child.rank = other.rank }
    if random.unit() < 0.5 {
      child.rank = min(space.ranks.count - 1, max(0, child.rank + (random.unit() < 0.5 ? -1 : 1)))
    }
    return child
  }

  /// The better of two drawn at random: of an earlier front, or in a place of it that is less crowded.
  private func parent(_ random: inout SeededGenerator) -> AdapterPlacement {
    let (one, other) = (random.index(below: measured.count), random.index(below: measured.count))
    let standing = standing
    let isBetter =
      standing[one].front != standing[other].front
      ? standing[one].front < standing[other].front : standing[one].distance >= standing[other].distance
    return measured[isBetter ? one : other].placement
  }

  /// Of everything measured the number of its front, and how far its neighbours in it are.
  private var standing: [(front: Int, distance: Double)] {
    var standing = [(front: Int, distance: Double)](repeating: (.max, 0), count: measured.count)
    var left = measured.indices.filter { measured[$0].loss.isFinite }
    var number = 0
    while !left.isEmpty {
      let front = left.filter { one in !left.contains { measured[$0].dominates(measured[one]) } }
      for index in front { standing[index].front = number }
      for value in [{ Double(measured[$0].parameters) }, { measured[$0].loss }] as [(Int) -> Double] {
        let sorted = front.sorted { (value($0), $0) < (value($1), $1) }
        let range = value(sorted[sorted.count - 1]) - value(sorted[0])
        standing[sorted[0]].distance = .infinity
        standing[sorted[sorted.count - 1]].distance = .infinity
        for place in sorted.indices.dropFirst().dropLast() where range > 0 {
          standing[sorted[place]].distance += (value(sorted[place + 1]) - value(sorted[place - 1])) / range
        }
      }
      left.removeAll(where: front.contains)
      number += 1
    }
    return standing
  }
}
