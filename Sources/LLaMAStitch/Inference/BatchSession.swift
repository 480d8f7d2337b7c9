/// A network with KV caches for several running texts, of which it computes a step at once: the weights are read once for
/// all of them.
///
/// A token's logits are the same bits as if its text were alone (see `InferenceSession`), whatever is computed beside it.
/// Memory is reserved for all positions of all texts, and taken as they fill.
///
/// Not for several threads at a time.
public final class BatchSession {
  public let network: Network
  /// How many texts there can be.
  public let capacity: Int
  /// Positions of a text that fit.
  public let contextLength: Int
  /// Tokens computed at once, of all texts together.
  public let chunkSize: Int
  let pool: ComputePool
  private let compiled: any CompiledNetwork
  /// How many positions of each text are cached.
  private var positions: [Int]

  /// What a text goes on with.
  public struct Continuation: Sendable {
    /// Which of the session's texts, from 0.
    public var text: Int
    public var tokens: ArraySlice<Int>
    /// Whether the logits of the last token are wanted.
    public var wantsLogits: Bool

    public init(text: Int, tokens: ArraySlice<Int>, wantsLogits: Bool = true) {
      self.text = text
      self.tokens = tokens
      self.wantsLogits = wantsLogits
    }
  }

  /// - Parameters:
  ///   - capacity: how many texts there can be, at most `chunkSize`.
  ///   - contextLength: positions to keep of each.
  ///   - chunkSize: tokens computed at once.
  public convenience init(
    network: Network, capacity: Int, contextLength: Int, chunkSize: Int = 256, cacheType: CacheType = .f32,
    pool: ComputePool = .shared
  ) {
    self.init(
      network: network, capacity: capacity, contextLength: contextLength,
      backend: ProcessorBackend(chunkSize: chunkSize, cacheType: cacheType, pool: pool), pool: pool)
  }

  /// The same on a given backend; it takes turns with the sessions of that one.
  /// - Parameter pool: what the texts' tokens are chosen with.
  package init(
    network: Network, capacity: Int, contextLength: Int, backend: any ComputeBackend, pool: ComputePool
  ) {
    precondition(capacity > 0 && capacity <= backend.chunkSize && contextLength > 0)
    self.network = network
    self.capacity = capacity
    self.contextLength = contextLength
    self.pool = pool
    chunkSize = backend.chunkSize
    compiled = backend.compile(network, texts: capacity, contextLength: contextLength, prefix: nil)
    positions = [Int](repeating: 0, count: capacity)
  }

  /// How many texts of so many positions fit `bytes` of memory, at least one.
  public static func capacity(
    of network: Network, contextLength: Int, cacheType: CacheType = .f32, bytes: Int
  ) -> Int {
    max(1, bytes / max(1, network.cacheBytes(positions: contextLength, type: cacheType)))
  }

  /// How many positions of a text are cached.
  public func position(of text: Int) -> Int { positions[text] }

  /// Forgets a text: another one can take its place.
  public func clear(_ text: Int) { positions[text] = 0 }

  /// Appends tokens to texts, at most `chunkSize` in all, each text being named once.
  /// - Returns: the logits that are wanted, in the same order, `[wanted × vocabulary]`, good until the next call.
  /// - Throws: `InferenceError`; the texts are as before then.
  public func evaluate(_ continuations: [Continuation]) throws(InferenceError) -> MatrixView {
    var parts: [TextPart] = []
    var tokens: [Int] = []
    for more in continuations {
      if more.tokens.isEmpty { throw .noTokens }
      let start = positions[more.text]
      let end = start + more.tokens.count
      guard end <= contextLength else { throw .contextOverflow(needed: end, contextLength: contextLength) }
      for token in more.tokens where token < 0 || token >= network.embedding.rows {
        throw .tokenOutOfRange(token: token, vocabularySize: network.embedding.rows)
      }
      parts.append(TextPart(text: more.text, positions: start..<end, logits: more.wantsLogits ? 1 : 0))
      tokens += more.tokens
    }
    precondition(Set(continuations.map(\.text)).count == parts.count, "a text is continued twice at once")
    if parts.isEmpty { throw .noTokens }
    compiled.forward(parts, stages: 0..<compiled.stageCount, logitsRow: 0, tokens: tokens[...])
    for part in parts { positions[part.text] = part.positions.upperBound }
    return compiled.logits.matrix(rows: parts.count { $0.logits > 0 }, columns: network.vocabularySize)
  }
}
