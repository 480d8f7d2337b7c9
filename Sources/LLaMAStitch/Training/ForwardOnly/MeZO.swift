import Support

/// How methods of forward passes alone estimate gradients and what they do with them.
public struct ZerothOrderSettings: Sendable, Equatable, Codable {
  /// ε: how far values are moved to either side.
  public var epsilon: Float
  /// What DiZO adds; `nil`: plain MeZO.
  public var projection: ProjectionSettings?

  /// Where nobody says otherwise.
  public static let learningRate: Float = 1e-3

  public init(epsilon: Float = 1e-2, projection: ProjectionSettings? = nil) {
    self.epsilon = epsilon
    self.projection = projection
  }
}

/// Takes steps by forward passes alone (MeZO: Malladi et al. 2023, arXiv 2305.17333): gradient descent along a random
/// direction z,
///
/// > g = (L(θ + ε z) − L(θ − ε z)) / 2ε, θ ← θ − η (g z + λ θ),
///
/// whose expectation is that along the gradient, for E[z zᵀ] = 1. No moments are kept, no gradients and no activations;
/// losses are computed as replies are. With projections it is DiZO (see `DivergenceProjection`).
///
/// Where the paper moves the values themselves there and back, a copy of those that are trained is kept instead, which
/// are few, so that rounding moves nothing.
public final class MeZO: StepRule {
  public let store: ParameterStore
  private let settings: ZerothOrderSettings
  private let seed: UInt64
  private let pool: ComputePool
  private let forward: ForwardLoss
  /// The values between two steps, while those of the store are moved.
  private let held: FloatBuffer
  /// The values before the first step, where something is measured from them.
  private let start: FloatBuffer?

  /// - Parameter holdsStart: keep a copy of the values as they are now, for the start decay; projections need it, too.
  public init(
    store: ParameterStore, settings: ZerothOrderSettings, seed: UInt64, pool: ComputePool, holdsStart: Bool = false
  ) {
    self.store = store
    self.settings = settings
    self.seed = seed
    self.pool = pool
    forward = ForwardLoss(pool: pool)
    held = FloatBuffer(count: store.values.count)
    start = holdsStart || settings.projection != nil ? FloatBuffer(count: store.values.count) : nil
    start?.vector.copy(from: store.values.vector)
  }

  public func step(
    _ network: Network, _ microBatches: [PackedBatch], teacher: Teacher?, optimizer: OptimizerSettings,
    learningRate: Float, number: Int, gate: () -> Void
  ) -> StepResult {
    precondition(teacher == nil, "forward passes alone learn the replies alone")
    let pieces = pieces(of: network)
    let z = Perturbation(seed: seed, number: number)
    let (above, below) = losses(network, microBatches, beside: pieces, along: z, gate: gate)
    let slope = (above - below) / (2 * Double(settings.epsilon))
    let products = update(pieces, along: z, slope: slope, settings: optimizer, learningRate: learningRate)
    if let projection = settings.projection, let start, (number + 1) % projection.interval == 0 {
      DivergenceProjection(projection, seed: seed, step: number).apply(
        to: store, network.parameters, start: start, held: held
      ) { iteration in
        meanLoss(network, [microBatches[iteration % microBatches.count]], gate: gate)
      }
    }
    let count = pieces.reduce(0) { $0 + $1.slice.count }
    return StepResult(
      loss: (above + below) / 2, targets: microBatches.reduce(0) { $0 + $1.targetCount },
      tokens: microBatches.reduce(0) { $0 + $1.rows }, gradientNorm: abs(slope),
      sensitivity: abs(slope) * products / Double(max(1, count)))
  }

  public func loss(_ network: Network, _ batch: PackedBatch, teacher: Teacher?) -> Double {
    precondition(teacher == nil, "forward passes alone learn the replies alone")
    return meanLoss(network, [batch], gate: {})
  }

  /// The estimate g z of the gradient of every parameter, by name, with nothing changed.
  package func gradients(_ network: Network, _ batch: PackedBatch, number: Int) -> [String: [Float]] {
    let pieces = pieces(of: network)
    let z = Perturbation(seed: seed, number: number)
    let (above, below) = losses(network, [batch], beside: pieces, along: z, gate: {})
    let slope = Float((above - below) / (2 * Double(settings.epsilon)))
    var named: [String: [Float]] = [:]
    for piece in pieces {
      let (held, values) = (held, store.values)
      z.forEach(in: piece.slice) { index, z in
        values.base[index] = held.base[index]
        named[store.parameters[piece.parameter].name, default: []].append(slope * z)
      }
    }
    return named
  }

  // MARK: Parts of a step

  /// Values that are handled at a time, and whose they are.
  private struct Piece: Sendable {
    var parameter: Int
    var slice: Range<Int>
  }

  private func pieces(of network: Network) -> [Piece] {
    network.parameters.flatMap { parameter in
      store.slices(of: [parameter]).map { Piece(parameter: parameter, slice: $0) }
    }
  }

  /// Adds up what the pieces give, in order.
  @discardableResult
  private func each(_ pieces: [Piece], _ body: @escaping @Sendable (Piece) -> Double) -> Double {
    let sums = Slots(count: pieces.count)
    pool.run(parts: pieces.count) { sums[$0] = body(pieces[$0]) }
    return sums.sum
  }

  /// L(θ + ε z) and L(θ − ε z). The values are held afterwards, and the store's moved.
  private func losses(
    _ network: Network, _ batches: [PackedBatch], beside pieces: [Piece], along z: Perturbation, gate: () -> Void
  ) -> (above: Double, below: Double) {
    let (values, held) = (store.values, held)
    each(pieces) { piece in
      held.vector(offset: piece.slice.lowerBound, count: piece.slice.count).copy(
        from: values.vector(offset: piece.slice.lowerBound, count: piece.slice.count))
      return 0
    }
    func loss(_ distance: Float) -> Double {
      each(pieces) { piece in
        z.forEach(in: piece.slice) { values.base[$0] = held.base[$0] + distance * $1 }
        return 0
      }
      return meanLoss(network, batches, gate: gate)
    }
    return (loss(settings.epsilon), loss(-settings.epsilon))
  }

  /// Mean loss of all targets, nats per token.
  private func meanLoss(_ network: Network, _ batches: [PackedBatch], gate: () -> Void) -> Double {
    let targets = batches.reduce(0) { $0 + $1.targetCount }
    return batches.reduce(0) {
      gate()
      return $0 + forward.sum(network, $1)
    } / Double(max(1, targets))
  }

  /// θ ← θ − η (g z + λ θ + λ₀ (θ − θ₀)), from the values held; those again where the slope is no number.
  /// - Returns: Σ |θ z| before.
  private func update(
    _ pieces: [Piece], along z: Perturbation, slope: Double, settings: OptimizerSettings, learningRate: Float
  ) -> Double {
    let (values, held, start) = (store.values, held, start)
    let parameters = store.parameters
    let slope = Float(slope)
    return each(pieces) { piece in
      let parameter = parameters[piece.parameter]
      let rate = slope.isFinite ? settings.rate(of: parameter, learningRate) : 0
      let direction = slope.isFinite ? slope : 0
      let decay = parameter.decays ? settings.weightDecay : 0
      let pull = settings.startDecay
      var products = 0.0
      z.forEach(in: piece.slice) { index, z in
        let value = held.base[index]
        products += Double(abs(value * z))
        let away = pull > 0 ? pull * (value - start!.base[index]) : 0
        values.base[index] = value - rate * (direction * z + decay * value + away)
      }
      return products
    }
  }
}
