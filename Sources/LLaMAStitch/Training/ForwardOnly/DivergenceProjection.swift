import Support

/// What DiZO does beside MeZO's steps; the values are those of the authors' code.
public struct ProjectionSettings: Sendable, Equatable, Codable {
  /// Steps from one projection to the next.
  public var interval: Int
  /// Estimates that a projection is learned with.
  public var iterations: Int
  /// How far a ratio is moved to either side.
  public var epsilon: Double
  /// Learning rate of ratios.
  public var rate: Double
  /// τ: a ratio stays within 1 ± τ.
  public var range: Double

  public init(
    interval: Int = 50, iterations: Int = 10, epsilon: Double = 0.2, rate: Double = 10, range: Double = 0.2
  ) {
    self.interval = interval
    self.iterations = iterations
    self.epsilon = epsilon
    self.rate = rate
    self.range = range
  }
}

/// The layer-wise projections of DiZO (Tan et al. 2025, arXiv 2502.03304): steps along random directions move all layers
/// alike, where gradients would move each as far as it needs. So now and then what a layer was moved since the start is
/// made longer or shorter,
///
/// > θ ← θ₀ + (γ / ‖Δθ‖) Δθ, Δθ = θ − θ₀,
///
/// with γ, one number a layer, learned by the same estimates from forward passes. It starts at ‖Δθ‖ each time, and
/// γ / ‖Δθ‖ stays within 1 ± τ. Here that ratio is what is learned, which is the same, and a layer is a trained tensor
/// that the drawn stitch uses.
package struct DivergenceProjection {
  private let settings: ProjectionSettings
  private let seed: UInt64
  private let step: Int
  /// Far from those of other uses.
  private static let stream: UInt64 = 1 << 41

  package init(_ settings: ProjectionSettings, seed: UInt64, step: Int) {
    self.settings = settings
    self.seed = seed
    self.step = step
  }

  /// - Parameters:
  ///   - parameters: of the store; each is a layer.
  ///   - start: θ₀.
  ///   - held: room for the values.
  ///   - loss: of the values as they are then; of the same data for the same iteration.
  package func apply(
    to store: ParameterStore, _ parameters: [Int], start: FloatBuffer, held: FloatBuffer, loss: (Int) -> Double
  ) {
    let ranges = parameters.map { store.parameters[$0].range }
    for range in ranges {
      held.vector(offset: range.lowerBound, count: range.count).copy(
        from: store.values.vector(offset: range.lowerBound, count: range.count))
    }
    func set(_ ratios: [Double]) {
      for (range, ratio) in zip(ranges, ratios) {
        let ratio = Float(ratio)
        for index in range {
          store.values.base[index] = start.base[index] + ratio * (held.base[index] - start.base[index])
        }
      }
    }
    var random = SeededGenerator(seed: seed, stream: Self.stream &+ UInt64(step))
    var ratios = [Double](repeating: 1, count: ranges.count)
    for iteration in 0..<settings.iterations {
      let direction = ranges.map { _ in random.normal() }
      func moved(_ factor: Double) -> [Double] { zip(ratios, direction).map { $0 + factor * settings.epsilon * $1 } }
      set(moved(1))
      let above = loss(iteration)
      set(moved(-1))
      let slope = (above - loss(iteration)) / (2 * settings.epsilon)
      guard slope.isFinite else { continue }
      ratios = zip(ratios, direction).map { ratio, u in
        min(1 + settings.range, max(1 - settings.range, ratio - settings.rate * slope * u))
      }
    }
    set(ratios)
  }
}
