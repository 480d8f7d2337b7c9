/// What a network reads besides the tokens of a text (DePT: Shi & Lipani 2024, arXiv 2309.05173): trained vectors before
/// them, and a low-rank update of what their embeddings are, by position.
///
/// The prompt takes the first positions of the context and runs through all blocks once; the token at position p of the
/// text enters as `E[token] + Aₚ B`, where p has a row in A.
public struct SoftPrompt: Sendable {
  /// P, `[length × hidden]`, F32
  public let embeddings: WeightMatrix
  /// A, `[positions × rank]`, F32
  public let positions: WeightMatrix
  /// Bᵀ, `[hidden × rank]`, F32
  public let update: WeightMatrix

  public init(embeddings: WeightMatrix, positions: WeightMatrix, update: WeightMatrix) {
    precondition(
      positions.columns == update.columns && embeddings.columns == update.rows, "a soft prompt of parts that do not fit"
    )
    precondition(
      [embeddings, positions, update].allSatisfy { $0.floatsInPlace != nil }, "a soft prompt must be floats")
    self.embeddings = embeddings
    self.positions = positions
    self.update = update
  }

  /// Positions that it takes.
  public var length: Int { embeddings.rows }
  var flopsPerToken: Int { 2 * update.elementCount }
  var parameterCount: Int { embeddings.elementCount + positions.elementCount + update.elementCount }
  /// Bytes read per token.
  var byteCount: Int { 4 * (update.elementCount + update.columns) }
  /// The parameters of a store that it uses.
  var parameters: [Int] { [embeddings.parameter, positions.parameter, update.parameter].compactMap { $0 } }
}
