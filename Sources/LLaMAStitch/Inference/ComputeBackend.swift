/// What can run networks: it compiles one into a form of its own. The kernels of this processor are one backend.
public protocol ComputeBackend: AnyObject, Sendable {
  /// Tokens computed at once when a long text is prefilled.
  var chunkSize: Int { get }
  /// How keys and values are kept.
  var cacheType: CacheType { get }

  /// Makes a network ready to run.
  /// - Parameters:
  ///   - texts: how many it is to have KV caches for.
  ///   - contextLength: positions of each to have room for.
  ///   - prefix: what the blocks before the first stitching layer share with other networks, of one text; as many positions.
  func compile(_ network: Network, texts: Int, contextLength: Int, prefix: PrefixCache?) -> any CompiledNetwork

  /// Makes room for many texts, each of one of several networks.
  /// - Parameters:
  ///   - texts: how many to have KV caches for.
  ///   - contextLength: positions of each to have room for.
  func batch(texts: Int, contextLength: Int) -> any CompiledBatch
}

/// A network made ready to run, with the KV caches of one text or several. Calls take turns: the sessions see to that.
public protocol CompiledNetwork: AnyObject, Sendable {
  /// Blocks and stitching layers.
  var stageCount: Int { get }
  /// How many of the first stages are shared, and leave their results in the prefix cache.
  var sharedStages: Int { get }
  /// Of the last step; `[rows × vocabulary]`.
  var logits: FloatBuffer { get }

  /// Makes room for the logits of so many tokens.
  func reserveLogits(rows: Int)
  /// Computes some stages of some tokens, at most `chunkSize` at once.
  /// - Parameters:
  ///   - parts: of several texts, or one of one.
  ///   - stages: the first one is 0, or one that the prefix cache has the hidden state before.
  ///   - logitsRow: where in `logits` those that the parts want go, one part after another.
  ///   - tokens: one for each position of the parts.
  func forward(_ parts: [TextPart], stages: Range<Int>, logitsRow: Int, tokens: ArraySlice<Int>)
  /// Gives a text the keys and values of the first positions of another.
  func copy(positions: Int, from source: Int, to target: Int)
  /// Forgets a text, whose memory goes back to the system.
  func clear(text: Int)
}

/// Several networks made ready to run side by side, numbered as they were added, with the KV caches of many texts.
public protocol CompiledBatch: AnyObject, Sendable {
  /// Blocks and stitching layers that a step of texts of all networks computes: what some have in common counts once.
  var stageCount: Int { get }
  func add(_ network: Network)
  /// Computes some tokens of several texts, at most `chunkSize` at once, each by its text's network.
  /// - Parameters:
  ///   - parts: each text once, with logits of its last token or none.
  ///   - tokens: one for each position of the parts.
  /// - Returns: the logits that the parts want, in their order, good until the next call.
  func forward(_ parts: [(network: Int, part: TextPart)], tokens: [Int]) -> [VectorView]
  /// Gives a text the keys and values of the first positions of another, both of one network.
  func copy(positions: Int, from source: Int, to target: Int, network: Int)
  /// Gives memory back that a text took with other networks than this.
  func release(text: Int, butFor network: Int)
}

/// Some tokens of one text that follow one another.
public struct TextPart: Sendable {
  /// Which of the KV caches is the text's.
  public var text = 0
  public var positions: Range<Int>
  /// Logits wanted, of the last so many tokens; only where all stages up to the last one are computed.
  public var logits = 0
}
