/// A network, or several, with KV caches for many running texts, of which it computes a step at once: the weights are read
/// once for all of them, and what networks have in common is computed together.
///
/// A token's logits are the same bits as if its text were alone (see `InferenceSession`), whatever is computed beside it.
/// Memory is reserved for all positions of all texts, and taken as they fill. What is computed of a text stays until another
/// takes its place, which goes on from where both begin alike.
///
/// Not for several threads at a time.
public final class BatchSession {
  /// The first network.
  public var network: Network { networks[0] }
  /// What texts may be of, in the order they were added.
  public private(set) var networks: [Network] = []
  /// How many texts there can be.
  public let capacity: Int
  /// Positions of a text that fit.
  public let contextLength: Int
  /// Tokens computed at once, of all texts together.
  public let chunkSize: Int
  let pool: ComputePool
  private let compiled: any CompiledBatch
  private var texts: [Text]

  private struct Text {
    var network = 0
    /// Those whose keys and values are cached.
    var tokens: [Int] = []
  }

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
    self.capacity = capacity
    self.contextLength = contextLength
    self.pool = pool
    chunkSize = backend.chunkSize
    compiled = backend.batch(texts: capacity, contextLength: contextLength)
    texts = [Text](repeating: Text(), count: capacity)
    add(network)
  }

  /// Adds a network that texts may be of.
  /// - Returns: its number; the first one has 0.
  @discardableResult
  public func add(_ network: Network) -> Int {
    compiled.add(network)
    networks.append(network)
    return networks.count - 1
  }

  /// How many texts of so many positions fit `bytes` of memory, at least one.
  public static func capacity(
    of network: Network, contextLength: Int, cacheType: CacheType = .f32, bytes: Int
  ) -> Int {
    max(1, bytes / max(1, network.cacheBytes(positions: contextLength, type: cacheType)))
  }

  /// Blocks and stitching layers of all networks, each that some have in common once.
  public var stageCount: Int { compiled.stageCount }

  /// How many positions of a text are cached.
  public func position(of text: Int) -> Int { texts[text].tokens.count }

  /// How many tokens at the beginning of `tokens` a text has cached, if it is of that network.
  public func commonPrefix(of text: Int, with tokens: [Int], network: Int = 0) -> Int {
    if texts[text].network != network { return 0 }
    let known = texts[text].tokens
    var common = 0
    let limit = min(known.count, tokens.count)
    while common < limit && known[common] == tokens[common] { common += 1 }
    return common
  }

  /// Makes a text a new one of a network, that begins like `prompt`, as far as this text, or any other, has computed that; the last
  /// token is left to compute, for its logits.
  /// - Returns: how many tokens are kept.
  @discardableResult
  public func begin(_ text: Int, with prompt: [Int], network: Int = 0) -> Int {
    let limit = max(0, prompt.count - 1)
    if texts[text].network != network { compiled.release(text: text, butFor: network) }
    var kept = min(limit, commonPrefix(of: text, with: prompt, network: network))
    let others = texts.indices.filter { $0 != text }.map {
      (min(limit, commonPrefix(of: $0, with: prompt, network: network)), $0)
    }
    if let (common, other) = others.max(by: { $0.0 < $1.0 }), common > kept {
      compiled.copy(positions: common, from: other, to: text, network: network)
      kept = common
    }
    texts[text] = Text(network: network, tokens: Array(prompt[..<kept]))
    return kept
  }

  /// Appends tokens to texts, at most `chunkSize` in all, each text being named once.
  /// - Returns: the logits that are wanted, in the same order, good until the next call.
  /// - Throws: `InferenceError`; the texts are as before then.
  public func evaluate(_ continuations: [Continuation]) throws(InferenceError) -> BatchLogits {
    var parts: [(network: Int, part: TextPart)] = []
    var tokens: [Int] = []
    for more in continuations {
      if more.tokens.isEmpty { throw .noTokens }
      let number = texts[more.text].network
      let network = networks[number]
      let start = texts[more.text].tokens.count
      let end = start + more.tokens.count
      guard end <= contextLength else { throw .contextOverflow(needed: end, contextLength: contextLength) }
      for token in more.tokens where token < 0 || token >= network.embedding.rows {
        throw .tokenOutOfRange(token: token, vocabularySize: network.embedding.rows)
      }
      parts.append((number, TextPart(text: more.text, positions: start..<end, logits: more.wantsLogits ? 1 : 0)))
      tokens += more.tokens
    }
    precondition(Set(continuations.map(\.text)).count == parts.count, "a text is continued twice at once")
    if parts.isEmpty { throw .noTokens }
    let rows = compiled.forward(parts, tokens: tokens)
    for more in continuations { texts[more.text].tokens += more.tokens }
    return BatchLogits(rows: rows)
  }
}

/// The logits of several texts' tokens, `[vocabulary]` each.
public struct BatchLogits: Sendable {
  private let rows: [VectorView]

  init(rows: [VectorView]) { self.rows = rows }

  public func row(_ index: Int) -> VectorView { rows[index] }
}
