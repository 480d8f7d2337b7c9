/// Merges adapters by Fisher-weighted averaging (Matena & Raffel 2022, arXiv 2111.09832): each value of the result is
///
/// > θ = Σ λᵢ Fᵢ θᵢ / Σ λᵢ Fᵢ,
///
/// Fᵢ being the diagonal of adapter i's Fisher information, the mean over examples of (∂ log p(y | x) / ∂θ)². As in the
/// authors' code, each F is divided by its norm over all values, and none is less than a floor.
///
/// Values are averaged where they stand: of low-rank updates A and B, not their product. That means something where the
/// adapters go on from one and the same. y are the data's replies (the empirical Fisher), where the paper draws labels from
/// the model; each example goes through one stitch, in turn.
public enum FisherMerging {
  /// The least that a value of F counts, before it is divided by the norm.
  static let floor: Float = 1e-6

  /// The diagonal of an adapter's Fisher information, by the names of its tensors.
  /// - Parameters:
  ///   - examples: at least one; those without a target are left out.
  ///   - progress: how many are done.
  /// - Throws: `TrainingError.noData`, `ComputeError`.
  public static func fisher(
    of adapter: Adapter, in family: Family, examples: [TrainingExample], pool: ComputePool,
    progress: (Int) -> Void = { _ in }
  ) throws -> [String: [Float]] {
    let usable = examples.filter { $0.tokens.count > 1 && $0.lossMask.dropFirst().contains(true) }
    if usable.isEmpty { throw TrainingError.noData(what: "the data has no reply to learn") }
    var settings = AdaptationSettings(steps: 1)
    settings.options = adapter.options
    let networks = AdaptedNetworks(family, settings: settings, adapter: adapter)
    let rule = try Backpropagation(store: networks.store, pool: pool)
    var squares: [String: [Float]] = [:]
    var counts: [String: Int] = [:]
    let stops = family.stops
    for (index, example) in usable.enumerated() {
      var batch = PackedBatch()
      batch.append(example.tokens, lossMask: example.lossMask)
      let (_, gradients) = rule.gradients(networks.network(stops[index % stops.count].route), batch)
      // What is differentiated is the mean over the reply's tokens.
      let targets = Float(batch.targetCount)
      for (name, gradient) in gradients {
        var sum = squares[name] ?? [Float](repeating: 0, count: gradient.count)
        for place in gradient.indices { sum[place] += (targets * gradient[place]) * (targets * gradient[place]) }
        squares[name] = sum
        counts[name, default: 0] += 1
      }
      progress(index + 1)
    }
    for (name, sum) in squares { squares[name] = sum.map { $0 / Float(counts[name]!) } }
    return squares
  }

  /// The average of several adapters of one family, trained alike.
  /// - Parameter parts: at least one; `weight` is λ.
  /// - Throws: `AdapterMergeError`.
  public static func merged(
    _ parts: [(adapter: Adapter, fisher: [String: [Float]], weight: Float)], in family: Family
  ) throws(AdapterMergeError) -> Adapter {
    try check(parts.map(\.adapter))
    let first = parts[0].adapter
    let factors = parts.map { part in
      // In one order, so that the sum is always the same.
      let squares = part.fisher.sorted { $0.key < $1.key }.map { $0.value.reduce(0.0) { $0 + Double($1) * Double($1) } }
      let norm = squares.reduce(0, +).squareRoot()
      return Double(part.weight) / (norm > 0 ? norm : 1)
    }
    let tensors = first.tensors.map { name, tensor -> (String, MatrixView) in
      let average = FloatBuffer(count: tensor.rows * tensor.columns).matrix(rows: tensor.rows, columns: tensor.columns)
      for row in 0..<tensor.rows {
        for column in 0..<tensor.columns {
          var (sum, total) = (0.0, 0.0)
          for (part, factor) in zip(parts, factors) {
            let fisher = part.fisher[name].map { $0[row * tensor.columns + column] } ?? 0
            let weight = factor * Double(max(floor, fisher))
            sum += weight * Double(part.adapter.tensors[name]![row, column])
            total += weight
          }
          average[row, column] = Float(sum / total)
        }
      }
      return (name, average)
    }
    return Adapter(
      options: first.options, step: parts.map(\.adapter.step).max() ?? 0, family: family,
      importance: Adapter.meanImportance(parts.map(\.adapter)), tensors: Dictionary(uniqueKeysWithValues: tensors))
  }

  /// Whether adapters can be averaged value by value.
  /// - Throws: `AdapterMergeError`.
  public static func check(_ adapters: [Adapter]) throws(AdapterMergeError) {
    try Adapter.checkMergeable(adapters)
    for (index, adapter) in adapters.enumerated() where adapter.options != adapters[0].options {
      throw .unlike(index: index, what: "ranks")
    }
  }
}
