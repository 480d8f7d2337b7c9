import Foundation
import LLaMAStitch
import Support
import Testing

/// Where an adapter is, and the search for where it is best.
@Suite struct PlacementSearchTests {
  private static let space = PlacementSearch.Space(blocks: ["small": 2, "large": 4], ranks: [1, 2, 4, 8, 16])

  @Sendable private static func parameters(_ placement: AdapterPlacement) -> Int {
    placement.rank * placement.targets.count * placement.blocks.values.reduce(0) { $0 + $1.count }
  }

  /// A loss of which only the last block of one anchor and two projections matter, and rank a little.
  private static func loss(_ placement: AdapterPlacement) -> Double {
    var loss = 4.0
    if placement.blocks["large"]?.contains(3) == true {
      for target in [AdapterTarget.value, .down] where placement.targets.contains(target) {
        loss -= 1 - 0.5 / Double(placement.rank)
      }
    }
    return loss
  }

  private static func run(
    _ count: Int, seed: UInt64, from measured: [PlacementSearch.Measured] = []
  ) throws -> PlacementSearch {
    var search = PlacementSearch(
      space, seed: seed, randomCount: 8, effort: .small, measured: measured, parameters: parameters)
    while search.measured.count < count, let next = try search.next() {
      search.add(.init(placement: next, parameters: parameters(next), loss: loss(next)))
    }
    return search
  }

  @Test func beginsWithWhatIsUsualAndMeasuresNothingTwice() throws {
    let search = try Self.run(30, seed: 1)
    #expect(search.measured.count == 30)
    #expect(Set(search.measured.map(\.placement)).count == 30)
    let first = search.measured[0].placement
    #expect(first.rank == 16 && first.targets == AdapterTarget.attention)
    #expect(first.blocks == ["small": [0, 1], "large": [0, 1, 2, 3]])
    // A space of few places ends.
    var small = PlacementSearch(
      .init(blocks: ["one": 1], ranks: [1], targets: [.query, .key]), seed: 1, randomCount: 2, effort: .small,
      parameters: Self.parameters)
    while let next = try small.next() { small.add(.init(placement: next, parameters: Self.parameters(next), loss: 1)) }
    #expect(small.measured.count == 3)
  }

  /// A search that goes on from what was measured finds the same.
  @Test func goesOnAsIfItHadNotStopped() throws {
    let whole = try Self.run(20, seed: 3)
    for cut in [1, 7, 12, 19] {
      #expect(try Self.run(20, seed: 3, from: Array(whole.measured.prefix(cut))).measured == whole.measured)
    }
    #expect(try Self.run(20, seed: 4).measured != whole.measured)
  }

  /// Candidates chosen by what was measured come nearer to what matters than as many that are drawn at random.
  @Test func findsWhatMatters() throws {
    var (chosen, random) = (0.0, 0.0)
    for seed in 1...5 as ClosedRange<UInt64> {
      func best(_ search: PlacementSearch) -> Double {
        search.measured.filter { $0.loss < 2.6 }.map { Double($0.parameters) }.min() ?? 1000
      }
      chosen += best(try Self.run(36, seed: seed))
      var drawn = PlacementSearch(Self.space, seed: seed, randomCount: 36, parameters: Self.parameters)
      while drawn.measured.count < 36, let next = try drawn.next() {
        drawn.add(.init(placement: next, parameters: Self.parameters(next), loss: Self.loss(next)))
      }
      random += best(drawn)
    }
    #expect(chosen < 0.5 * random, "\(chosen / 5), \(random / 5)")
  }

  @Test func theFrontierIsWhatNothingDominates() {
    func measured(_ parameters: Int, _ loss: Double, rank: Int) -> PlacementSearch.Measured {
      .init(
        placement: AdapterPlacement(rank: rank, targets: [.query], blocks: ["small": [0]]), parameters: parameters,
        loss: loss)
    }
    let search = PlacementSearch(
      Self.space, seed: 1, randomCount: 8,
      measured: [
        measured(40, 2, rank: 1), measured(10, 3, rank: 2), measured(20, 3.5, rank: 4), measured(40, 2, rank: 8),
        measured(90, 1.5, rank: 16), measured(5, .nan, rank: 3),
      ], parameters: Self.parameters)
    #expect(search.frontier.map(\.parameters) == [10, 40, 90])
    #expect(search.frontier.map(\.placement.rank) == [2, 1, 16])
  }

  /// Nothing is trained elsewhere, and what is left out is not in PEFT's files either.
  @Test func onlySomeBlocks() throws {
    let folder = try TemporaryFolder()
    let family = try RandomModel.family(in: folder)
    let name = family.names[1]
    let placement = AdapterPlacement(rank: 3, targets: [.value, .down], blocks: [name: [2]])
    #expect(placement.problem(with: family) == nil)
    var settings = ESTATrainerTests.settings(steps: 20)
    settings.options = placement.applied(to: AdapterOptions(trainsBiases: false, updatesLayers: false))
    let trainer = try ESTATrainer(
      family: family, adapter: nil, settings: settings, examples: ESTATrainerTests.examples(),
      pool: ComputePool(threads: 2))
    let places = Set(trainer.store.parameters.map { $0.name.split(separator: ".").dropLast().joined(separator: ".") })
    #expect(places == ["anchors.\(name).layers.2.self_attn.v_proj", "anchors.\(name).layers.2.mlp.down_proj"])
    #expect(trainer.parameterCount == placement.parameterCount(of: family, settings.options))
    _ = try trainer.run { _ in .goOn }
    let adapter = trainer.snapshot()
    let file = folder.url.appendingPathComponent("adapter.safetensors")
    try adapter.write(to: file)
    #expect(try Adapter.read(file, for: family).options.blocks == [name: [2]])
    let peft = folder.url.appendingPathComponent("peft")
    try PEFTAdapter(family, stitch: name, adapter: adapter, base: "base").write(to: peft)
    struct Configuration: Decodable { var layers_to_transform: [Int]? }
    let written = try JSONDecoder().decode(
      Configuration.self, from: Data(contentsOf: peft.appendingPathComponent("adapter_config.json")))
    #expect(written.layers_to_transform == [2])
  }

  @Test func whatDoesNotFitIsSaid() throws {
    let folder = try TemporaryFolder()
    let family = try RandomModel.family(in: folder)
    let name = family.names[0]
    for (placement, part) in [
      (AdapterPlacement(rank: 0, targets: [.value], blocks: [name: [0]]), "rank"),
      (AdapterPlacement(rank: 1, targets: [], blocks: [name: [0]]), "targets"),
      (AdapterPlacement(rank: 1, targets: [.value, .value], blocks: [name: [0]]), "targets"),
      (AdapterPlacement(rank: 1, targets: [.value], blocks: ["huge": [0]]), "huge"),
      (AdapterPlacement(rank: 1, targets: [.value], blocks: [name: [9]]), "block 9"),
      (AdapterPlacement(rank: 1, targets: [.value], blocks: [name: []]), "no block"),
    ] {
      #expect(placement.problem(with: family)?.contains(part) == true)
    }
  }
}
