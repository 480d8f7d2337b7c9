/// What a front end needs to adapt the family in the background while it is chatted with.
public protocol TrainingBackend: Sendable {
  /// The data files that come with the family.
  func lessons() async -> [LessonFile]

  /// Starts adapting the family to a data file, or a lesson by its name, in the background. Throws a one-line error if
  /// the file is unusable.
  /// - Parameter distills: whether the dearest anchor teaches the other sizes on what the file holds, texts as well,
  ///   instead of all learning its replies.
  func startTraining(dataFile: String, steps: Int, distills: Bool) async throws
  func pauseTraining() async
  func resumeTraining() async
  /// Writes a snapshot of the adapter as it is now, takes it into use for the next reply, and goes on.
  func saveTraining() async
  /// Ends training and keeps what was learnt: a snapshot is written and taken into use for the next reply.
  func endTraining() async

  /// Goes back to the adapter that was in use before the last snapshot, from the next reply on.
  /// - Returns: one line that says what is in use now.
  func undoAdapter() async -> String

  /// Takes an adapter that was in use in another session into use again, from the next reply on.
  /// - Throws: a one-line error if it is not there any more; nothing changes then.
  func useAdapter(_ adapter: AdapterReference) async throws

  /// The newest state of training, again at each change; older ones may be skipped.
  func trainingStatus() -> AsyncStream<TrainingStatus>
}

extension TrainingBackend {
  /// The same where all sizes learn the file's replies.
  public func startTraining(dataFile: String, steps: Int) async throws {
    try await startTraining(dataFile: dataFile, steps: steps, distills: false)
  }
}

/// A loss and the step it was measured at.
public struct LossPoint: Sendable, Equatable {
  public var step: Int
  /// Nats per token.
  public var loss: Double

  public init(step: Int, loss: Double) {
    self.step = step
    self.loss = loss
  }
}

/// A data file that comes with a family, to teach it something.
public struct LessonFile: Sendable, Equatable {
  /// Short, and good for `startTraining` as well: `facts`.
  public var name: String
  public var file: String

  public init(name: String, file: String) {
    self.name = name
    self.file = file
  }
}

/// The state of background adaptation; only the newest matters.
public struct TrainingStatus: Sendable, Equatable {
  public enum Phase: String, Sendable {
    case idle, preparing, running, paused
    case ending = "stopping"
    case finished, failed

    /// Whether training goes on, or will.
    package var isActive: Bool {
      switch self {
      case .preparing, .running, .paused, .ending: true
      case .idle, .finished, .failed: false
      }
    }
  }
  public var phase: Phase = .idle
  public var dataFile: String = ""
  /// Whether the dearest anchor teaches; losses are divergences from it then.
  public var distills = false
  public var step = 0
  public var totalSteps = 0
  /// Smoothed training loss, nats per token.
  public var loss: Double?
  public var heldOutLoss: Double?
  /// Smoothed training losses so far, thinned to at most a few hundred points.
  public var lossCurve: [Double] = []
  /// Losses on examples that are not learnt from, thinned likewise; the first is from before the first step.
  public var heldOutCurve: [LossPoint] = []
  /// The same by stitch, and the step they were measured at; empty where they were not.
  public var stitchLosses: [String: Double] = [:]
  public var stitchLossesStep = 0
  public var tokensPerSecond: Double?
  public var secondsLeft: Double?
  /// How often each stitch was drawn.
  public var drawn: [String: Int] = [:]
  public var importance: [String: Double] = [:]
  /// A line to show: what was skipped in the data file, what failed and why.
  public var message: String = ""
  /// The adapter that the next reply is made with, once that is known.
  public var adapter: AdapterReference?

  public init() {}
}
