import Foundation
import Support

/// Which stitch to train next, and which to deploy: importance by sensitivity, sampled within bins of cost.
///
/// Importance is the moving average of mean |θ ⊙ ∂L/∂θ| over the trainable parameters a stitch uses (after SNIP, Lee
/// et al. 2019; a sum would favour stitches with more parameters), corrected for its start at zero. A draw takes a
/// bin, uniformly or by cost, then a stitch in it with probability softmax(z(I)/τ). The first draws are uniform: while every B
/// and bias is zero, all importances are zero or nearly so.
public struct StitchSampler: Sendable, Codable, Equatable {
  public struct Settings: Sendable, Codable, Equatable {
    /// Number of bins. Each holds about as many stitches as any other, in order of cost: of equal width, those where
    /// stitches crowd, at the ends of the larger anchors, would leave each of them few draws.
    public var bins: Int
    /// τ; the higher, the nearer to uniform within a bin.
    public var temperature: Double
    /// β of the moving average.
    public var decay: Double
    /// Draws that are uniform over all stitches.
    public var warmup: Int
    /// Draw uniformly always: the ablation.
    public var uniform: Bool
    /// γ: a bin is drawn with probability ∝ (mean cost)^−γ. With 0, every bin is as likely; with 1, each takes about as
    /// much compute as any other, and the small networks, which are slow to learn, get the more steps.
    public var costExponent: Double

    public init(
      bins: Int = 8, temperature: Double = 2, decay: Double = 0.95, warmup: Int = 100, uniform: Bool = false,
      costExponent: Double = 0
    ) {
      self.bins = bins
      self.temperature = temperature
      self.decay = decay
      self.warmup = warmup
      self.uniform = uniform
      self.costExponent = costExponent
    }
  }

  public let settings: Settings
  /// The stitches of each bin, by index.
  public let bins: [[Int]]
  /// How often each stitch was drawn.
  public private(set) var drawn: [Int]
  private let candidates: [Int]
  private let binWeights: [Double]
  private var averages: [Double]
  private var updates: [Int]

  /// - Parameters:
  ///   - costs: FLOPs per token of each stitch.
  ///   - candidates: the stitches to draw from, by index, at least one; all if absent.
  public init(costs: [Int], candidates: [Int]? = nil, settings: Settings) {
    let candidates = candidates ?? Array(costs.indices)
    self.settings = settings
    self.candidates = candidates
    drawn = Array(repeating: 0, count: costs.count)
    averages = Array(repeating: 0, count: costs.count)
    updates = Array(repeating: 0, count: costs.count)
    let count = max(1, min(settings.bins, candidates.count))
    var bins = Array(repeating: [Int](), count: count)
    let order = candidates.sorted { (costs[$0], $0) < (costs[$1], $1) }
    for (rank, index) in order.enumerated() { bins[rank * count / order.count].append(index) }
    self.bins = bins.map { $0.sorted() }
    binWeights = bins.map { bin in
      pow(bin.reduce(0) { $0 + Double(costs[$1]) } / Double(bin.count), -settings.costExponent)
    }
  }

  /// I of a stitch, 0 before its first update.
  public func importance(_ stitch: Int) -> Double {
    updates[stitch] == 0 ? 0 : averages[stitch] / (1 - pow(settings.decay, Double(updates[stitch])))
  }

  /// The chance of each stitch in a bin to be drawn once the bin is.
  public func probabilities(inBin bin: Int) -> [Double] {
    let values = bins[bin].map(importance)
    let mean = values.reduce(0, +) / Double(values.count)
    let deviation = (values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(values.count)).squareRoot()
    let scores = values.map { deviation > 0 ? ($0 - mean) / deviation / settings.temperature : 0 }
    let top = scores.max() ?? 0
    let weights = scores.map { exp($0 - top) }
    let sum = weights.reduce(0, +)
    return weights.map { $0 / sum }
  }

  /// Draws a stitch and counts it.
  public mutating func draw(_ random: inout SeededGenerator) -> Int {
    let total = drawn.reduce(0, +)
    let stitch: Int
    if settings.uniform || total < settings.warmup {
      stitch = candidates[random.index(below: candidates.count)]
    } else {
      let bin = random.index(weights: binWeights)
      stitch = bins[bin][random.index(weights: probabilities(inBin: bin))]
    }
    drawn[stitch] += 1
    return stitch
  }

  /// I ← β I + (1 − β) · sensitivity.
  public mutating func update(_ stitch: Int, sensitivity: Double) {
    guard sensitivity.isFinite else { return }
    averages[stitch] = settings.decay * averages[stitch] + (1 - settings.decay) * sensitivity
    updates[stitch] += 1
  }

  /// The most important stitch of each bin, and those in `always`; ascending.
  public func deployed(always: [Int]) -> [Int] {
    let best = bins.map { bin in bin.max { (importance($0), -$0) < (importance($1), -$1) }! }
    return Set(best + always).sorted()
  }
}
