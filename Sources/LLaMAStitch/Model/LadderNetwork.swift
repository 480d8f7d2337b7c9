import Foundation

/// A small network that runs beside the blocks of another and reads what they compute (ladder side tuning, LST: Sung et
/// al. 2022, arXiv 2206.06522). Nothing of it flows back into them, so that training it needs no gradient of theirs.
///
/// Its state begins with the embedding and goes on, after some of the stages, by
///
/// > s ← block(μ · D x̂ + (1 − μ) · s), μ = σ(α / T), T = 0.1,
///
/// where x̂ is the hidden state there over its root mean square, D a projection down to the width of s, and block one of
/// the same kind as the others. In the end U · norm(s) is added to the hidden state, before the last norm and the head.
///
/// The paper leaves to the reader how large hidden states are, which in LLaMAs grow by thousands at the first token: so
/// they are divided by their root mean square; and it makes the last state of s alone the output, where here it is added
/// to that of the network, for U = 0 then leaves every reply as it was before training.
public struct LadderNetwork: Sendable {
  /// From the embedding, `[width × hidden]`.
  public let entry: WeightMatrix
  /// One a stage of the network; `nil` where nothing is read.
  public let rungs: [Rung?]
  /// `[width]`
  public let norm: WeightVector
  /// U, `[hidden × width]`, of the ending model.
  public let exit: WeightMatrix

  /// What is computed beside a stage.
  public struct Rung: Sendable {
    /// D, `[width × hidden]`.
    public let down: WeightMatrix
    /// α, one number.
    public let gate: WeightVector
    public let block: Block

    /// T of the paper.
    static let temperature: Float = 0.1

    /// μ
    var openness: Float { 1 / (1 + exp(-gate.values[0] / Self.temperature)) }

    var flopsPerToken: Int { 2 * down.elementCount + block.flopsPerToken }
    var parameterCount: Int { down.elementCount + 1 + block.parameterCount }
    var byteCount: Int { down.byteCount + 4 + block.byteCount }
    var parameters: [Int] { [down.parameter, gate.parameter].compactMap { $0 } + block.parameters }
  }

  /// Of its state.
  public var width: Int { norm.count }

  private var present: [Rung] { rungs.compactMap { $0 } }

  var flopsPerToken: Int {
    present.reduce(2 * (entry.elementCount + exit.elementCount)) { $0 + $1.flopsPerToken }
  }
  var parameterCount: Int {
    present.reduce(entry.elementCount + norm.count + exit.elementCount) { $0 + $1.parameterCount }
  }
  var byteCount: Int { present.reduce(entry.byteCount + 4 * norm.count + exit.byteCount) { $0 + $1.byteCount } }

  /// The parameters of a store that it uses.
  var parameters: [Int] {
    present.reduce([entry.parameter, norm.parameter, exit.parameter].compactMap { $0 }) { $0 + $1.parameters }
  }
}
