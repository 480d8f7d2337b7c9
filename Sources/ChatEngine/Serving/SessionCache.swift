import Foundation
import LLaMAStitch

/// The sessions of the stitches used last, for one adapter, and what those that start in the same anchor share. Where
/// memory is short, those used longest ago are evicted.
///
/// Used on one thread.
package final class SessionCache {
  private struct Entry {
    var stitch: Stitch
    var session: InferenceSession
    var bytes: Int
  }
  private struct Prefix {
    var start: Int
    var cache: PrefixCache
    var bytes: Int
  }

  private let family: Family
  private let contextLength: Int
  private let adapter: Adapter?
  private let backend: ProcessorBackend
  /// The one used last is last.
  private var sessions: [Entry] = []
  private var prefixes: [Prefix] = []

  /// What all caches together may take if they are filled: memory is taken as they are.
  private static let mostBytes = Int(ProcessInfo.processInfo.physicalMemory / 4)

  /// - Parameter contextLength: positions that the sessions have room for; by default the family's context.
  package init(
    _ text: TextFamily, adapter: Adapter?, backend: ProcessorBackend, contextLength: Int? = nil
  ) {
    family = text.family
    self.contextLength = contextLength ?? text.contextLength
    self.adapter = adapter
    self.backend = backend
  }

  /// The session of a stitch, its cache as it was left.
  package func session(_ stitch: Stitch) -> InferenceSession {
    if let known = known(stitch) { return known }
    makeRoom(for: bytes(of: stitch), besides: stitch.route.start)
    return make(stitch)
  }

  /// The same where nothing has to be evicted for it; `nil` otherwise.
  func sessionIfItFits(_ stitch: Stitch) -> InferenceSession? {
    if let known = known(stitch) { return known }
    return taken + bytes(of: stitch) <= Self.mostBytes ? make(stitch) : nil
  }

  private func known(_ stitch: Stitch) -> InferenceSession? {
    guard let index = sessions.firstIndex(where: { $0.stitch.id == stitch.id }) else { return nil }
    sessions.append(sessions.remove(at: index))
    return sessions[sessions.count - 1].session
  }

  private func make(_ stitch: Stitch) -> InferenceSession {
    let network = family.network(stitch.route, adapter: adapter)
    let prefix = prefix(of: stitch.route.start)
    let session = InferenceSession(
      network: network, contextLength: contextLength, prefix: prefix?.cache, backend: backend)
    sessions.append(Entry(stitch: stitch, session: session, bytes: ownBytes(of: stitch)))
    return session
  }

  /// The cheapest anchor, to draft tokens for a stitch that costs at least twice as much, where there is room for both.
  func drafter(for stitch: Stitch) -> InferenceSession? {
    let cheapest = family.cheapestAnchor
    return 2 * cheapest.flopsPerToken <= stitch.flopsPerToken ? sessionIfItFits(cheapest) : nil
  }

  /// How many tokens of the beginning of a text each stop need not compute; those that only the shared blocks have
  /// computed count by the share that those are of the whole.
  func cachedTokens(of text: [Int]) -> [String: Int] {
    var cached: [String: Int] = [:]
    for stitch in family.stops {
      let own = sessions.first { $0.stitch.id == stitch.id }?.session.commonPrefix(with: text) ?? 0
      let blocks = stitch.route.leadingBlockCount
      let shared =
        prefixes.first { $0.start == stitch.route.start }?.cache.commonPrefix(with: text, blocks: blocks) ?? 0
      let tokens = own + Int(Double(max(0, shared - own)) * family.sharedCost(of: stitch))
      if tokens > 0 { cached[stitch.id] = tokens }
    }
    return cached
  }

  private var sharesPrefixes: Bool { adapter?.options.sharesPrefix ?? true }

  private func prefix(of start: Int) -> Prefix? {
    guard sharesPrefixes else { return nil }
    if let prefix = prefixes.first(where: { $0.start == start }) { return prefix }
    let anchor = family.network(family.route(ofAnchor: start), adapter: adapter)
    // Where a session may be evicted, what it has computed is kept for when it comes back.
    let exits = family.exits(of: start).mapValues { hasRoomForAll ? $0 : .max }
    let prefix = Prefix(
      start: start,
      cache: PrefixCache(
        anchor: anchor, exits: exits, contextLength: contextLength, cacheType: backend.cacheType),
      bytes: prefixBytes(of: start))
    prefixes.append(prefix)
    return prefix
  }

  /// Whether the sessions of all stops fit side by side.
  private lazy var hasRoomForAll: Bool = {
    let stops = family.stops
    let shared = Set(stops.map(\.route.start)).reduce(0) { $0 + prefixBytes(of: $1) }
    return stops.reduce(shared) { $0 + ownBytes(of: $1) } <= Self.mostBytes
  }()

  /// Bytes that all caches take if they are filled.
  package var taken: Int { sessions.reduce(0) { $0 + $1.bytes } + prefixes.reduce(0) { $0 + $1.bytes } }

  /// What a new session takes, with what it shares where that is not there yet.
  private func bytes(of stitch: Stitch) -> Int {
    let start = stitch.route.start
    let isShared = !sharesPrefixes || prefixes.contains { $0.start == start }
    return ownBytes(of: stitch) + (isShared ? 0 : prefixBytes(of: start))
  }

  private func ownBytes(of stitch: Stitch) -> Int {
    let network = family.network(stitch.route, adapter: nil)
    return network.cacheBytes(
      positions: contextLength, from: sharesPrefixes ? stitch.sharedStages(of: network) : 0,
      type: backend.cacheType)
  }

  private func prefixBytes(of start: Int) -> Int {
    PrefixCache.byteCount(
      anchor: family.network(family.route(ofAnchor: start), adapter: nil), exits: family.exits(of: start),
      positions: contextLength,
      cacheType: backend.cacheType)
  }

  /// Evicts the sessions used longest ago, and what none of the others shares.
  private func makeRoom(for bytes: Int, besides start: Int) {
    while !sessions.isEmpty && taken + bytes > Self.mostBytes {
      sessions.removeFirst()
      prefixes.removeAll { prefix in
        prefix.start != start && !sessions.contains { $0.stitch.route.start == prefix.start }
      }
    }
  }
}

extension Stitch {
  /// Stages of the starting anchor.
  fileprivate func sharedStages(of network: Network) -> Int { route.leadingBlockCount }
}

extension Family {
  var cheapestAnchor: Stitch { stitches.first { $0.route.isAnchor }! }

  /// The share of a stitch's computation that is done by blocks of its starting anchor.
  fileprivate func sharedCost(of stitch: Stitch) -> Double {
    let network = network(stitch.route, adapter: nil)
    let shared = network.stages.prefix(stitch.sharedStages(of: network)).reduce(0) { $0 + $1.flopsPerToken }
    // Of an anchor's tokens nothing is left to do; the head is computed for the last one only.
    return stitch.route.isAnchor ? 1 : Double(shared) / Double(network.flopsPerToken - network.head.flopsPerToken)
  }
}
