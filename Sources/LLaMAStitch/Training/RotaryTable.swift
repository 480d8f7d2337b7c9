/// Cosines and sines of rotary positions as training uses them.
public struct RotaryTable: Sendable {
  /// [positions × headDimension/2]
  public let cosines: MatrixView
  /// [positions × headDimension/2]
  public let sines: MatrixView

  public init(configuration: LlamaConfiguration, positions: Int) {
    let tables = RotaryEmbedding.tables(configuration, positions: positions)
    let half = configuration.headDimension / 2
    cosines = tables.cosines.matrix(rows: positions, columns: half)
    sines = tables.sines.matrix(rows: positions, columns: half)
  }
}
