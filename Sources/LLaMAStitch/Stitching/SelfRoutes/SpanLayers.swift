/// Layers that take the place of spans of blocks, fitted when they are first asked for.
final class SpanLayers {
  private let states: CalibrationStates
  private let ridge: Double
  private let storedType: ElementType
  private let pool: ComputePool
  /// What is fitted, as it will be stored.
  private var fitted: [Range<Int>: Projection] = [:]
  /// Normal matrices, where there is room for those of all exits.
  private var fits: [Int: ExitFit] = [:]
  private let keepsFits: Bool

  /// - Parameters:
  ///   - storedType: how layers will be stored.
  ///   - memory: for normal matrices, bytes.
  init(
    _ states: CalibrationStates, depth: Int, ridge: Double, storedType: ElementType, memory: Int,
    pool: ComputePool
  ) {
    self.states = states
    self.ridge = ridge
    self.storedType = storedType
    self.pool = pool
    keepsFits = depth * ExitFit.bytes(width: states.state(after: 1).columns) <= memory
  }

  /// The layer of a span that was fitted; `nil` where there was no finite answer.
  subscript(span: Range<Int>) -> Projection? { fitted[span] }

  /// Fits the layers of spans, those of one exit together.
  func fit(_ spans: [Range<Int>]) {
    let wanted = Dictionary(grouping: Set(spans.filter { fitted[$0] == nil }), by: \.lowerBound)
      .map { (exit: $0.key, entries: $0.value.map(\.upperBound).sorted()) }.sorted {
        $0.exit < $1.exit
      }
    let results = Results<(fit: ExitFit, layers: [ExitFit.Layer?])>(count: wanted.count)
    pool.run(parts: wanted.count) { [states, fits, ridge] part in
      let (exit, entries) = wanted[part]
      let fit = fits[exit] ?? ExitFit(x: states.state(after: exit), ridge: ridge)
      results[part] = (fit, fit.layers(entries.map { states.state(after: $0) }))
    }
    for (part, (exit, entries)) in wanted.enumerated() {
      guard let (fit, layers) = results[part] else { continue }
      if keepsFits { fits[exit] = fit }
      for (entry, layer) in zip(entries, layers) {
        if let layer { fitted[exit..<entry] = rounded(layer.projection) }
      }
    }
  }

  /// A layer as it will be stored; `nil` where it cannot be.
  private func rounded(_ layer: Projection) -> Projection? {
    guard storedType != .f32, let floats = layer.weight.floatsInPlace else { return layer }
    let weight =
      storedType.isQuantized
      ? WeightMatrix.quantized(floats, to: storedType) : WeightMatrix.bfloat16([floats])[0]
    return weight.map { Projection(weight: $0, bias: layer.bias) }
  }
}
