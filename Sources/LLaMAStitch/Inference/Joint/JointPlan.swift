/// The order in which several networks are computed together: a stage that some of them have in common comes once, for the
/// tokens of all of them.
///
/// Stages are the same where their weights are; what an adapter adds to their projections may differ.
struct JointPlan {
  /// A stage of one or several networks.
  struct Phase {
    /// Which networks have it, ascending, and where their own plans of it lie in `stages`.
    var entries: [Entry]
    /// Whether all of them end with it, in a block: then it is computed for wanted tokens alone, but for keys and values.
    var endsNetworks: Bool
  }

  struct Entry {
    var network: Int
    var stage: Int
    /// Entries of the same number add the same to the projections.
    var variant: Int
  }

  private(set) var phases: [Phase] = []
  private(set) var stages: [StagePlan] = []

  /// - Parameter plans: by number of their networks; `nil` for those that are computed apart.
  init(_ plans: [NetworkPlan?]) {
    var rest: [ArraySlice<StageIdentity>] = plans.enumerated().map { network, plan in
      guard let plan else { return [] }
      return (0..<plan.stages.count).map { StageIdentity(plan, stage: $0, network: network) }[...]
    }
    /// How many networks have a stage yet to come.
    var left: [StageIdentity: Int] = [:]
    for stages in rest { for stage in Set(stages) { left[stage, default: 0] += 1 } }
    while let first = rest.first(where: { !$0.isEmpty })?.first {
      // One that no network has later on, if there is one: then nothing that is shared comes twice.
      let next =
        rest.lazy.compactMap(\.first).first { stage in rest.count { $0.first == stage } == left[stage] } ?? first
      var phase = Phase(entries: [], endsNetworks: next.isLastBlock)
      var variants: [[UInt]: Int] = [:]
      for network in rest.indices where rest[network].first == next {
        rest[network].removeFirst()
        if !rest[network].contains(next) { left[next, default: 1] -= 1 }
        guard let plan = plans[network] else { continue }
        let stage = plan.stages[plan.stages.count - rest[network].count - 1]
        let added = stage.added
        let variant = variants[added] ?? variants.count
        variants[added] = variant
        phase.entries.append(Entry(network: network, stage: stages.count, variant: variant))
        stages.append(stage)
      }
      phases.append(phase)
    }
  }
}

/// What a stage computes with, but for what is added to its projections.
private struct StageIdentity: Hashable {
  private let places: [UInt]
  let isLastBlock: Bool

  init(_ plan: NetworkPlan, stage: Int, network: Int) {
    switch plan.stages[stage] {
    // A stitching layer is its route's own.
    case .stitch:
      places = [UInt(network), UInt(stage)]
      isLastBlock = false
    case .block(let block):
      isLastBlock = stage == plan.stages.count - 1
      var places = [block.attentionNorm.address, block.mlpNorm.address, block.cache.address, block.rotary.address]
      for projection in block.projections {
        places += [projection.weight.address, projection.outputScale?.address ?? 0]
      }
      // Likewise what stands beside an MLP.
      if block.parallel != nil { places += [UInt(network), UInt(stage)] }
      self.places = places
    }
  }
}

extension StagePlan {
  /// What is added to its projections, by where it lies.
  fileprivate var added: [UInt] {
    switch self {
    case .stitch: []
    case .block(let block):
      block.projections.flatMap { projection in
        [
          projection.bias?.address ?? 0, projection.a?.address ?? 0, projection.b?.address ?? 0,
          UInt(projection.scale.bitPattern),
        ]
      }
    }
  }

  /// One of a block's projections, by its place in the forward pass, or the stitching layer.
  func projection(_ site: Int) -> LinearPlan {
    switch self {
    case .stitch(let layer): layer
    case .block(let block): block.projection(site)
    }
  }
}

extension BlockPlan {
  /// In the order of the forward pass.
  var projections: [LinearPlan] { (0..<7).map(projection) }

  @inline(__always)
  func projection(_ site: Int) -> LinearPlan {
    switch site {
    case 0: query
    case 1: key
    case 2: value
    case 3: output
    case 4: gate
    case 5: up
    default: down
    }
  }
}
