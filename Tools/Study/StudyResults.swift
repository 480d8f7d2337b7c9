import Foundation

/// Mean and spread over seeds.
public struct Spread: Sendable, Equatable, Codable {
  public var mean: Double
  /// Sample standard deviation; 0 of a single value.
  public var deviation: Double
  public var count: Int

  /// - Returns: `nil` of nothing.
  public init?(_ values: [Double]) {
    guard !values.isEmpty else { return nil }
    count = values.count
    let mean = values.reduce(0, +) / Double(values.count)
    self.mean = mean
    deviation =
      values.count < 2
      ? 0 : (values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(values.count - 1)).squareRoot()
  }
}

/// All numbers of a study, as `results.json` has them.
public struct StudyResults: Sendable, Equatable, Codable {
  /// A learning rate and a variant that a method was tried with.
  public struct Trial: Sendable, Equatable, Codable {
    public var method: String
    public var variant: String
    public var learningRate: Double
    /// On the validation split, seed 1.
    public var hypervolume: Double?
    public var isChosen: Bool
  }

  public struct Stitch: Sendable, Equatable, Codable {
    public var id: String
    public var route: String
    public var flopsPerToken: Int
    public var parameters: Int
    public var exactMatch: Spread
    /// Nats per token of the reference answers.
    public var loss: Spread
    /// Of how many seeds' deployed stops it is one.
    public var deployed: Int
  }

  /// A method with its chosen setting, over all seeds that succeeded.
  public struct Method: Sendable, Equatable, Codable {
    public var name: String
    public var title: String
    public var variant: String
    public var learningRate: Double
    public var seeds: Int
    public var trainableParameters: Int
    public var storedBytes: Int
    public var tokens: Int
    /// Of training without measuring and checkpoints, seconds.
    public var trainingWall: Spread
    /// Of the whole training process.
    public var processWall: Spread
    /// Of evaluating every stitch on the validation split, where the method needs that before it can deploy.
    public var sweepWall: Spread?
    /// Training and, where there is one, the sweep.
    public var totalWall: Spread
    /// The same, of each seed.
    public var walls: [Double]
    /// Of their whole processes.
    public var totalCPU: Spread
    /// Of training.
    public var peakBytes: Spread
    /// Whether an attempt's end was missed: the seconds of whole processes are lower bounds then.
    public var lostTime: Bool
    /// Of all its networks, test split.
    public var hypervolume: Spread
    /// Of the stops that would be chosen with every stitch measured on the validation split; test split.
    public var sweptHypervolume: Spread
    /// Of the stops the method itself chose while it trained; test split.
    public var deployedHypervolume: Spread?
    /// Deployed over swept, per seed.
    public var deployedShare: Spread?
    /// Seconds of training until the held-out loss, mean over all stitches, reached what the worst of the methods that
    /// measured it ended with.
    public var secondsToEqualLoss: Spread?
    public var stitches: [Stitch]
  }

  /// One run with one thing changed.
  public struct Ablation: Sendable, Equatable, Codable {
    public var name: String
    public var title: String
    /// What it is compared with.
    public var against: String
    public var trainableParameters: Int
    public var wallSeconds: Double
    public var hypervolume: Double
    /// Change against what it is compared with.
    public var hypervolumeChange: Double?
    public var exactMatch: Double
    public var loss: Double
    public var lossChange: Double?
  }

  /// A family before adaptation.
  public struct Unadapted: Sendable, Equatable, Codable {
    public var name: String
    public var title: String
    public var hypervolume: Double
    /// Means over the stitches that are no anchors.
    public var stitchedExactMatch: Double?
    public var stitchedLoss: Double?
    /// Means over the anchors.
    public var anchorExactMatch: Double
    public var anchorLoss: Double
    public var buildSeconds: Double?
  }

  public enum Verdict: String, Sendable, Codable {
    case holds
    case fails = "does not hold"
    case withinNoise = "within noise"
    case notMeasured = "not measured"
  }

  public struct Claim: Sendable, Equatable, Codable {
    public var claim: String
    public var measured: String
    public var verdict: Verdict
  }

  /// A job without a result.
  public struct Missing: Sendable, Equatable, Codable {
    public var job: String
    public var reason: String
  }

  public var study: String
  public var steps: Int
  public var tokensPerStep: Int
  public var seeds: [UInt64]
  public var validationQuestions: Int
  public var testQuestions: Int
  public var ablationQuestions: Int
  public var referenceCost: Double
  public var threads: Int
  public var machine: Machine?
  public var commits: [String]
  /// Number of different programs that ran; more than one where the code changed meanwhile.
  public var programs: Int
  public var runs: Int
  public var totalSeconds: Double
  /// Of the difference of two single runs of the first method's hypervolume: two standard errors, from its seeds.
  public var singleRunNoise: Double?
  public var trials: [Trial]
  public var methods: [Method]
  /// The first method's first seed on the questions of the ablations.
  public var ablationBaseline: Ablation?
  public var ablations: [Ablation]
  public var unadapted: [Unadapted]
  public var claims: [Claim]
  public var missing: [Missing]
}
