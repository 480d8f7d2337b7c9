/// What the plans of networks that texts share have in common: KV caches, one for each block of the anchors, and
/// projections with what is gathered for them.
///
/// A text is of one network at a time, so that its place in the cache of a block serves whichever network has the block.
///
/// `@unchecked Sendable`: changes only while a network is compiled, on the thread that has the session.
final class PlanShelf: @unchecked Sendable {
  private let texts: Int
  private let cacheType: CacheType
  private(set) var caches: [KVCache] = []
  /// By the block's weights, and how often a network has had the block before.
  private var cachePlaces: [[UInt]: Int] = [:]
  private var linears: [ProjectionIdentity: LinearPlan] = [:]
  /// What the projections were made with.
  private var owned = NetworkPlan.Owned()

  init(texts: Int, cacheType: CacheType) {
    self.texts = texts
    self.cacheType = cacheType
  }

  /// The cache of a block of a network.
  /// - Parameter others: those that the network has already.
  func cache(_ block: Block, capacity: Int, besides others: [KVCache]) -> KVCache {
    var visit: UInt = 0
    while true {
      let key = [block.attention.key, block.attention.value].map(\.weight.address) + [visit]
      guard let place = cachePlaces[key] else {
        let cache = KVCache(of: block, texts: texts, capacity: capacity, type: cacheType)
        cachePlaces[key] = caches.count
        caches.append(cache)
        return cache
      }
      if !others.contains(where: { $0 === caches[place] }) { return caches[place] }
      visit += 1
    }
  }

  /// A projection as addresses, the same for those that are the same.
  func linear(_ projection: Projection) -> LinearPlan {
    let identity = ProjectionIdentity(projection)
    if let known = linears[identity] { return known }
    let plan = LinearPlan(projection, keeping: &owned)
    linears[identity] = plan
    return plan
  }
}

/// What a projection computes with, by where it lies.
struct ProjectionIdentity: Hashable {
  private var places: [UInt]

  init(_ projection: Projection) {
    places = [projection.weight.address, projection.bias?.address ?? 0]
    for delta in projection.deltas {
      switch delta {
      case .lowRank(let update):
        places += [1, update.a.address, update.b.address, update.read.a.address, UInt(update.scale.bitPattern)]
      case .bias(let bias): places += [2, bias.address]
      case .scale(let scale): places += [3, scale.address]
      case .kronecker(let sum):
        places += [4, sum.mixing.address, sum.up.address, sum.down.address, UInt(sum.scale.bitPattern)]
      }
    }
  }
}
