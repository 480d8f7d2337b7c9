import Foundation

/// Which stitch to train next, and which to deploy: importance by sensitivity, sampled within bins of cost.
///
/// Importance is the moving average of mean |θ ⊙ ∂L/∂θ| over the trainable parameters a stitch uses (after SNIP, Lee
/// et al. 2019; a sum would favour stitches with more parameters), corrected for its start at zero. A draw takes a
/// bin uniformly, then a stitch in it with probability softmax(z(I)/τ). The first draws are uniform: while every B
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
    /// Share of the draws that go to one of the anchors before anything else is considered. The last blocks of a small
    /// anchor serve few stitches; where there are few steps, they learn little without it.
    public var anchorShare: Double

    public init(
      bins: Int = 8, temperature: Double = 2, decay: Double = 0.95, warmup: Int = 100, uniform: Bool = false,
      anchorShare: Double = 0
    ) {
      self.bins = bins
      self.temperature = temperature
      self.decay = decay
      self.warmup = warmup
      self.uniform = uniform
      self.anchorShare = anchorShare
    }
  }

  public let settings: Settings
  /// The stitches of each bin, by index.
  public let bins: [[Int]]
  /// How often each stitch was drawn.
  public private(set) var drawn: [Int]
  private let anchors: [Int]
  private var averages: [Double]
  private var updates: [Int]

  /// - Parameters:
  ///   - costs: FLOPs per token of each stitch.
  ///   - anchors: which of them are anchors.
  public init(costs: [Int], anchors: [Int] = [], settings: Settings) {
    self.settings = settings
    self.anchors = anchors
    drawn = Array(repeating: 0, count: costs.count)
    averages = Array(repeating: 0, count: costs.count)
    updates = Array(repeating: 0, count: costs.count)
    let count = max(1, min(settings.bins, costs.count))
    var bins = Array(repeating: [Int](), count: count)
    let order = costs.indices.sorted { (costs[$0], $0) < (costs[$1], $1) }
    for (rank, index) in order.enumerated() { bins[rank * count / costs.count].append(index) }
    self.bins = bins.map { $0.sorted() }
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
    if settings.anchorShare > 0, !anchors.isEmpty, random.unit() < settings.anchorShare {
      stitch = anchors[random.index(below: anchors.count)]
    } else if settings.uniform || total < settings.warmup {
      stitch = random.index(below: drawn.count)
    } else {
      let bin = random.index(below: bins.count)
      var left = random.unit()
      var choice = bins[bin].count - 1
      for (index, probability) in probabilities(inBin: bin).enumerated() {
        left -= probability
        if left < 0 {
          choice = index
          break
        }
      }
      stitch = bins[bin][choice]
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
