import LLaMAStitch
import Support

/// Measures what a family takes in memory with a session for each of its stitches.
public enum FamilyMemoryBenchmark {
  /// In bytes.
  public struct Report: Sendable, Encodable {
    public var stitches: Int
    /// Tokens in every session.
    public var tokens: Int
    /// Of the weights of all anchors.
    public var anchor_bytes: Int
    /// Keys and values of so many positions: of every anchor, and of every stitch behind its stitching layer.
    public var cache_bytes: Int
    /// Resident memory that came with the family, and the part that no file is behind.
    public var resident_bytes: Int
    public var anonymous_bytes: Int
    /// `resident_bytes` by anchors and caches.
    public var ratio: Double
  }

  /// - Parameters:
  ///   - tokens: of the text that every session holds, as many as fit.
  ///   - open: opens the family; it is part of what is measured.
  public static func run(
    tokens: Int, pool: ComputePool, open: () throws -> MeasuredFamily
  ) throws -> Report {
    let before = MemoryMeter.status()
    let family = try open()
    let count = max(1, min(tokens, family.contextLength - 1))
    var random = SeededGenerator(seed: 1)
    let text = (0..<count).map { _ in random.index(below: family.anchors[0].embedding.rows) }
    let prefixes = family.anchors.indices.map { family.prefix(of: $0, contextLength: family.contextLength) }
    // As a chat has them, see `SessionCache`.
    let backend = ProcessorBackend(chunkSize: 128, pool: pool)
    let sessions = family.members.map { member in
      InferenceSession(
        network: member.network, contextLength: family.contextLength, prefix: prefixes[member.route.start],
        backend: backend)
    }
    for session in sessions {
      _ = try session.generate(prompt: text, options: GenerationOptions(maxTokens: 1)) { _ in .goOn }
    }
    let after = MemoryMeter.status()
    func grown(_ name: String) -> Int { (after[name] ?? 0) - (before[name] ?? 0) }
    let caches =
      zip(family.anchors, prefixes).reduce(0) { $0 + ($1.1 == nil ? 0 : $1.0.cacheBytes(positions: count)) }
      + family.members.reduce(0) { total, member in
        let shared = prefixes[member.route.start] == nil ? 0 : member.sharedStages
        return total + member.network.cacheBytes(positions: count, from: shared)
      }
    let anchors = family.anchors.reduce(0) { $0 + $1.byteCount }
    return withExtendedLifetime(sessions) {
      Report(
        stitches: family.members.count, tokens: count, anchor_bytes: anchors, cache_bytes: caches,
        resident_bytes: grown("VmRSS"), anonymous_bytes: grown("RssAnon"),
        ratio: Double(grown("VmRSS")) / Double(max(1, anchors + caches)))
    }
  }
}
