/// What a network says at some positions, kept to see how far others are from it.
///
/// `@unchecked Sendable`: a row is written by the thread that keeps it and read after all are kept, or by the thread that
/// wrote it.
final class KeptDistributions: @unchecked Sendable {
  /// How another network's distribution differs.
  struct Difference: Sendable, Equatable {
    /// KL(kept ‖ other), nats.
    var divergence: Double
    /// Whether the token that was most likely is so here, too.
    var agrees: Bool
    /// log Σ exp of the other's logits.
    var logSum: Double
  }

  /// `[rows × vocabulary]`
  private let probabilities: MatrixView
  /// Σ p·logit and log Σ exp of each row: their difference is Σ p log p.
  private let means: Slots
  private let logSums: Slots
  /// The most likely token of each.
  private let tops: Slots

  init(rows: Int, vocabulary: Int) {
    probabilities = FloatBuffer(count: rows * vocabulary).matrix(rows: rows, columns: vocabulary)
    means = Slots(count: rows)
    logSums = Slots(count: rows)
    tops = Slots(count: rows)
  }

  /// Rows that there is room for.
  var rows: Int { probabilities.rows }

  /// Keeps what these logits `[vocabulary]` say.
  func keep(_ logits: VectorView, at row: Int) {
    let kept = probabilities.row(row)
    kept.copy(from: logits)
    logSums[row] = Self.softmax(kept)
    means[row] = TrainingKernels.dot(kept, logits)
    tops[row] = Double(Self.largest(logits))
  }

  /// Compares what is kept with other logits `[vocabulary]`, which become probabilities.
  func compare(_ logits: VectorView, at row: Int) -> Difference {
    let agrees = Self.isLargest(Int(tops[row]), of: logits)
    let mean = TrainingKernels.dot(probabilities.row(row), logits)
    let logSum = Self.softmax(logits)
    // Exactly 0 where the logits are the same.
    return Difference(
      divergence: (means[row] - mean) - (logSums[row] - logSum), agrees: agrees, logSum: logSum)
  }

  /// In place.
  /// - Returns: log Σ exp.
  private static func softmax(_ row: VectorView) -> Double {
    var logSum: Float = 0
    TrainingKernels.softmax(row, logSum: &logSum)
    return Double(logSum)
  }

  private static func largest(_ values: VectorView) -> Int {
    let base = values.base
    var best = 0
    for index in 0..<values.count where base[index] > base[best] { best = index }
    return best
  }

  private static func isLargest(_ place: Int, of values: VectorView) -> Bool {
    let (base, value) = (values.base, values[place])
    for index in 0..<values.count where base[index] > value { return false }
    return true
  }
}
