import Foundation
import Support

/// Merges adapters by scales that are learned while everything else is frozen (ScaLearn: Frohmann et al. 2024, arXiv
/// 2310.01217): what each adapter adds is multiplied by its ω, and the results are added up,
///
/// > Σₜ ωₜ ⊙ oₜ, ω free, from 2/T for T adapters on.
///
/// The paper has one adapter a layer; here are several low-rank updates a block, each with a bias. With `.vectors` (ScaLearn)
/// ω is a number for each output of each of them, with `.numbers` (ScaLearnUniform) one number for a block. Stitches that
/// pass through a block share its ω. What is learned is folded into the result: a reply takes no longer for it.
///
/// The paper's learning rate (6e-3) and dropout of ω (0.3, while learning) are kept.
public final class ScaleLearning {
  public enum Shape: String, Sendable { case vectors, numbers }

  public struct Settings: Sendable {
    public var shape: Shape
    public var steps: Int
    public var tokensPerStep = 1024
    public var learningRate = 6e-3
    public var dropout = 0.3
    public var seed: UInt64 = 1

    public init(shape: Shape, steps: Int) {
      self.shape = shape
      self.steps = steps
    }
  }

  fileprivate struct Scales {
    /// By adapter.
    var values: [[Double]]
    var firstMoments: [[Double]]
    var secondMoments: [[Double]]
    var steps = 0
  }

  private let family: Family
  private let adapters: [Adapter]
  private let settings: Settings
  private let networks: AdaptedNetworks
  private let rule: Backpropagation
  private let stream: ExampleStream
  private var random: SeededGenerator
  private var scales: [String: Scales] = [:]
  /// Of the trained values that have a scale, by the place they share one in.
  private let places: [String: [String]]
  /// Those places, always in the same order.
  private let order: [String]

  /// - Parameters:
  ///   - adapters: at least two.
  ///   - weights: what ω begins at, for each; 2/T if absent.
  /// - Throws: `AdapterMergeError`, `TrainingError.noData`, `ComputeError`.
  public init(
    _ adapters: [Adapter], weights: [Float]? = nil, in family: Family, settings: Settings,
    examples: [TrainingExample], pool: ComputePool
  ) throws {
    try Adapter.checkMergeable(adapters)
    for (index, adapter) in adapters.enumerated() {
      let options = adapter.options
      if options.hasScales { throw AdapterMergeError.noScale(index: index, what: "scales and norms") }
      if options.kronecker != nil { throw AdapterMergeError.noScale(index: index, what: "Kronecker experts") }
      if options.parallel != nil { throw AdapterMergeError.noScale(index: index, what: "adapters beside the MLPs") }
    }
    self.family = family
    self.adapters = adapters
    self.settings = settings
    let merged = try Adapter.merged(adapters.map { ($0, 1) }, in: family)
    var adaptation = AdaptationSettings(steps: max(1, settings.steps))
    adaptation.options = merged.options
    networks = AdaptedNetworks(family, settings: adaptation, adapter: merged)
    rule = try Backpropagation(store: networks.store, pool: pool)
    stream = try AdaptationData(examples, heldOutTokens: 0).stream(adaptation)
    random = SeededGenerator(seed: settings.seed, stream: 7)
    let scaled = networks.store.parameters.filter { !$0.name.hasSuffix(".lora_A") }
    places = Dictionary(grouping: scaled.map(\.name)) { Self.place(of: $0, settings.shape) }
    order = places.keys.sorted()
    for (place, names) in places {
      let width =
        settings.shape == .numbers ? 1 : networks.store.parameters[networks.store.index(of: names[0])!].shape[0]
      let values = adapters.indices.map { index in
        [Double](repeating: weights.map { Double($0[index]) } ?? 2 / Double(adapters.count), count: width)
      }
      let zeros = adapters.map { _ in [Double](repeating: 0, count: width) }
      scales[place] = Scales(values: values, firstMoments: zeros, secondMoments: zeros)
    }
  }

  /// What shares a scale: an updated projection with its biases, or a block; of a stitching layer, its update.
  static func place(of name: String, _ shape: Shape) -> String {
    guard let range = name.range(of: "anchors."), name.contains(".layers.") else {
      return String(name[..<(name.range(of: ".", options: .backwards)?.lowerBound ?? name.endIndex)])
    }
    let parts = name[range.lowerBound...].split(separator: ".")
    // anchors.NAME.layers.N.self_attn.q_proj.bias
    return parts.prefix(shape == .numbers ? 4 : parts.count - 1).joined(separator: ".")
  }

  /// Learns the scales.
  /// - Parameter progress: hears of each step and its loss.
  public func run(progress: (_ step: Int, _ loss: Double) -> Void = { _, _ in }) {
    let stops = family.stops
    for step in 0..<settings.steps {
      let stitch = stops[random.index(below: stops.count)]
      var kept: [String: [[Double]]] = [:]
      for place in order {
        kept[place] = scales[place]!.values.map { values in
          values.map { _ in random.unit() < settings.dropout ? 0 : 1 / (1 - settings.dropout) }
        }
      }
      apply(kept)
      let (loss, gradients) = rule.gradients(
        networks.network(stitch.route), stream.batch(step, tokens: settings.tokensPerStep))
      // Falls along a line, as the paper's trainer has it.
      update(gradients, kept, rate: settings.learningRate * (1 - Double(step) / Double(settings.steps)))
      progress(step + 1, loss)
    }
    apply(nil)
  }

  /// What was learned, as one adapter.
  public func merged() -> Adapter {
    networks.snapshot(step: adapters.map(\.step).max() ?? 0, importance: Adapter.meanImportance(adapters))
  }

  // MARK: Steps

  /// Writes what the scales make of the adapters into the trained values.
  /// - Parameter kept: what each scale is multiplied by.
  private func apply(_ kept: [String: [[Double]]]?) {
    for (place, names) in places {
      var factors = scales[place]!.values
      if let kept = kept?[place] { factors = zip(factors, kept).map { zip($0, $1).map(*) } }
      for name in names {
        let value = networks.store.value(networks.store.index(of: name)!)
        value.fill(0)
        each(name) { part, row, entry, own in
          value[entry] += Float(factors[part][factors[part].count == 1 ? 0 : row]) * own
        }
      }
    }
  }

  /// Adam on the scales that the gradient says something of.
  private func update(_ gradients: [String: [Float]], _ kept: [String: [[Double]]], rate: Double) {
    for (place, names) in places {
      var sums = scales[place]!.values.map { [Double](repeating: 0, count: $0.count) }
      var isTouched = false
      for name in names {
        guard let gradient = gradients[name] else { continue }
        isTouched = true
        each(name) { part, row, entry, own in
          sums[part][sums[part].count == 1 ? 0 : row] += Double(gradient[entry]) * Double(own)
        }
      }
      guard isTouched else { continue }
      for (part, factors) in kept[place]!.enumerated() {
        for (index, factor) in factors.enumerated() { sums[part][index] *= factor }
      }
      scales[place]!.descend(sums, rate: rate)
    }
  }

  /// Each entry of a merged tensor with the adapter it comes from, its output, and what that adapter has there.
  private func each(_ name: String, _ body: (_ part: Int, _ row: Int, _ entry: Int, _ own: Float) -> Void) {
    let rank = networks.layout.options.rank
    var column = 0
    for (part, adapter) in adapters.enumerated() {
      guard let tensor = adapter.tensors[name] else { continue }
      if name.hasSuffix(".lora_B") {
        for row in 0..<tensor.rows {
          for own in 0..<tensor.columns {
            body(part, row, row * rank + column + own, adapter.options.scale * tensor[row, own])
          }
        }
        column += tensor.columns
      } else {
        for row in 0..<tensor.columns { body(part, row, row, tensor[0, row]) }
      }
    }
  }
}

extension ScaleLearning.Scales {
  /// One step of Adam.
  fileprivate mutating func descend(_ gradient: [[Double]], rate: Double) {
    steps += 1
    let (beta1, beta2) = (0.9, 0.999)
    let (first, second) = (1 - pow(beta1, Double(steps)), 1 - pow(beta2, Double(steps)))
    for part in gradient.indices {
      for index in gradient[part].indices {
        let slope = gradient[part][index]
        firstMoments[part][index] += (1 - beta1) * (slope - firstMoments[part][index])
        secondMoments[part][index] += (1 - beta2) * (slope * slope - secondMoments[part][index])
        values[part][index] -=
          rate * firstMoments[part][index] / first / ((secondMoments[part][index] / second).squareRoot() + 1e-8)
      }
    }
  }
}
