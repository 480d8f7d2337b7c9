/// What can run networks: it compiles one into a form of its own. The kernels of this processor are one backend.
public protocol ComputeBackend: AnyObject, Sendable {
  /// Tokens computed at once when a long text is prefilled.
  var chunkSize: Int { get }
  /// How keys and values are kept.
  var cacheType: CacheType { get }

  /// Makes a network ready to run.
  /// - Parameters:
  ///   - contextLength: positions to have room for.
  ///   - prefix: what the blocks before the first stitching layer share with other networks; as many positions.
  func compile(_ network: Network, contextLength: Int, prefix: PrefixCache?) -> any CompiledNetwork
}

/// A network made ready to run, with the KV cache of one text. Calls take turns: `InferenceSession` sees to that.
public protocol CompiledNetwork: AnyObject, Sendable {
  /// Blocks and stitching layers.
  var stageCount: Int { get }
  /// How many of the first stages are shared, and leave their results in the prefix cache.
  var sharedStages: Int { get }
  /// Of the last step; `[rows × vocabulary]`.
  var logits: FloatBuffer { get }

  /// Makes room for the logits of so many tokens.
  func reserveLogits(rows: Int)
  /// Computes some stages of some tokens.
  /// - Parameter tokens: one for each position of the step.
  func forward(_ step: ForwardStep, tokens: ArraySlice<Int>)
}

/// What a compiled network is to compute.
public struct ForwardStep: Sendable {
  /// Of the tokens, at most `chunkSize`.
  public var positions: Range<Int>
  /// The first one is 0, or one that the prefix cache has the hidden state before.
  public var stages: Range<Int>
  /// Logits wanted, of the last so many tokens; only where `stages` ends with the last one.
  public var logits = 0
  /// Where in `CompiledNetwork.logits` they go.
  public var logitsRow = 0
}
