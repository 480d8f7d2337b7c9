import Foundation
import Support

/// A search for where to adapt a family: over the blocks of each anchor, the projections of a block and the rank, by the
/// loss on held-out text and the number of trained values (AutoPEFT: Zhou et al. 2024, arXiv 2301.12132).
///
/// After some that are drawn at random comes the candidate of the largest expected gain in hypervolume, by a sparse Gaussian
/// process over what was measured so far; it is looked for by climbing from changed members of the frontier. What comes next
/// depends on the seed and on what was measured alone, so that a search that was killed goes on as if it had not been.
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

  /// What is computed for a candidate, as the authors' code has it.
  public struct Effort: Sendable {
    /// Places from which the gain is climbed, and how often it is looked at for each.
    public var climbs = 10
    public var looks = 200
    var process = SparseGaussianProcess.Effort()

    public init() {}

    /// The same, sooner: fewer draws, fewer climbs.
    package static var small: Effort {
      var effort = Effort()
      (effort.climbs, effort.looks) = (4, 100)
      effort.process = SparseGaussianProcess.Effort(warmup: 24, samples: 12, thinning: 3, mostDoublings: 4)
      return effort
    }
  }

  public let space: Space
  public let seed: UInt64
  /// Candidates drawn at random before any is chosen by what was measured.
  public let randomCount: Int
  private let effort: Effort
  /// How many values a placement trains.
  private let parameters: @Sendable (AdapterPlacement) -> Int
  /// In order of measurement.
  public private(set) var measured: [Measured]

  /// - Parameter parameters: how many values a placement trains.
  public init(
    _ space: Space, seed: UInt64, randomCount: Int, effort: Effort = Effort(), measured: [Measured] = [],
    parameters: @escaping @Sendable (AdapterPlacement) -> Int
  ) {
    precondition(!space.ranks.isEmpty && !space.targets.isEmpty && space.blocks.values.contains { $0 > 0 })
    self.effort = effort
    self.parameters = parameters
    self.space = space
    self.seed = seed
    self.randomCount = randomCount
    self.measured = measured
  }

  public mutating func add(_ one: Measured) { measured.append(one) }

  /// What to measure next; `nil` where nothing new is found. The first is what an adapter has where nobody says otherwise.
  public func next() throws(ComputeError) -> AdapterPlacement? {
    if measured.isEmpty { return usual }
    var random = SeededGenerator(seed: seed, stream: 100 + UInt64(measured.count))
    let known = Set(measured.map(\.placement))
    if measured.count >= max(2, randomCount), let chosen = try chosen(known, &random) { return chosen }
    return drawn(&random, besides: known)
  }

  private func drawn(_ random: inout SeededGenerator, besides known: Set<AdapterPlacement>) -> AdapterPlacement? {
    for _ in 0..<1000 {
      if let candidate = placement(drawn(&random)), !known.contains(candidate) { return candidate }
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

  // MARK: Choosing

  /// The candidate of the largest expected gain; `nil` where none is found that gains anything.
  private func chosen(
    _ known: Set<AdapterPlacement>, _ random: inout SeededGenerator
  ) throws(ComputeError) -> AdapterPlacement? {
    let costs = measured.map { log(Double(max(1, $0.parameters))) }
    let losses = Normal.scores(measured.map(\.loss))
    let whole = Genes(
      rank: space.ranks.indices.max { space.ranks[$0] < space.ranks[$1] }!,
      bits: [Bool](repeating: true, count: space.targets.count + space.blocks.values.reduce(0, +)))
    let gain = HypervolumeGain(
      zip(costs, losses).map { (cost: $0, loss: $1) },
      reference: (log(Double(max(1, parameters(placement(whole)!)))) + 0.1, losses.max()! + 0.1))
    let process = try SparseGaussianProcess(
      inputs: measured.map { inputs(genes($0.placement)) }, outputs: losses, effort: effort.process, &random)
    func expected(_ genes: Genes) -> Double? {
      guard let candidate = placement(genes), !known.contains(candidate) else { return nil }
      let cost = log(Double(max(1, parameters(candidate))))
      let draws = process.predictions(at: inputs(genes))
      return draws.reduce(0) { $0 + gain.expected(cost: cost, mean: $1.mean, deviation: $1.deviation) }
        / Double(max(1, draws.count))
    }
    let best = frontier.map { genes($0.placement) }
    var found: (genes: Genes, gain: Double)?
    for _ in 0..<effort.climbs {
      var place = best.isEmpty ? drawn(&random) : best[random.index(below: best.count)]
      let changes = neighbours(of: place)
      place = changes[random.index(below: changes.count)]
      var height = expected(place) ?? 0
      var looks = 1
      while looks < effort.looks {
        var higher: (genes: Genes, gain: Double)?
        for neighbour in neighbours(of: place) {
          looks += 1
          if let gain = expected(neighbour), gain > higher?.gain ?? height { higher = (neighbour, gain) }
        }
        guard let higher else { break }
        (place, height) = higher
      }
      if height > found?.gain ?? 0 { found = (place, height) }
    }
    return found.flatMap { placement($0.genes) }
  }

  /// What differs in one thing: a projection, a block, or the rank by a step.
  private func neighbours(of genes: Genes) -> [Genes] {
    var neighbours = genes.bits.indices.map { index in
      var changed = genes
      changed.bits[index].toggle()
      return changed
    }
    for rank in [genes.rank - 1, genes.rank + 1] where space.ranks.indices.contains(rank) {
      neighbours.append(Genes(rank: rank, bits: genes.bits))
    }
    return neighbours
  }

  /// For the process: all between 0 and 1.
  private func inputs(_ genes: Genes) -> [Double] {
    [Double(genes.rank) / Double(max(1, space.ranks.count - 1))] + genes.bits.map { $0 ? 1 : 0 }
  }
}
