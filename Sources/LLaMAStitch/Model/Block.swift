/// One transformer block with its own widths, so that blocks of different models can follow each other.
public struct Block: Sendable {
  /// Heads, rotary positions and norm of the model the block comes from.
  public let configuration: LlamaConfiguration
  /// `[hidden]`
  public var attentionNorm: VectorView
  /// `[heads · headDimension × hidden]`
  public var query: Projection
  /// `[keyValueHeads · headDimension × hidden]`
  public var key: Projection
  /// `[keyValueHeads · headDimension × hidden]`
  public var value: Projection
  /// `[hidden × heads · headDimension]`
  public var output: Projection
  /// `[hidden]`
  public var mlpNorm: VectorView
  /// `[intermediate × hidden]`
  public var gate: Projection
  /// `[intermediate × hidden]`
  public var up: Projection
  /// `[hidden × intermediate]`
  public var down: Projection

  public init(
    configuration: LlamaConfiguration, attentionNorm: VectorView, query: Projection, key: Projection,
    value: Projection, output: Projection, mlpNorm: VectorView, gate: Projection, up: Projection,
    down: Projection
  ) {
    self.configuration = configuration
    self.attentionNorm = attentionNorm
    self.query = query
    self.key = key
    self.value = value
    self.output = output
    self.mlpNorm = mlpNorm
    self.gate = gate
    self.up = up
    self.down = down
  }

  /// The seven projections in the order of the forward pass.
  public var projections: [Projection] { [query, key, value, output, gate, up, down] }

  public var flopsPerToken: Int { projections.reduce(0) { $0 + $1.flopsPerToken } }
  public var parameterCount: Int {
    projections.reduce(attentionNorm.count + mlpNorm.count) { $0 + $1.parameterCount }
  }
  public var byteCount: Int {
    projections.reduce(4 * (attentionNorm.count + mlpNorm.count)) { $0 + $1.byteCount }
  }
}
