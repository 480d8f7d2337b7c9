import Foundation
import Support

/// The steps of an adaptation, whatever the method: batches, checkpoints, measurements.
///
/// All state is in the checkpoint, so a run killed at any moment resumes to the same bytes.
final class AdaptationLoop {
  /// What differs between the methods.
  struct Plan {
    /// Called before a step is taken; the result must depend on the step and the trained values alone.
    var prepare: (Int) throws -> Void = { _ in }
    /// The stitch that a step trains, by index; `nil` leaves it to the sampler.
    var stitch: (Int) -> Int?
    var learningRate: (Int) -> Float
  }

  private struct State: Codable {
    var settings: AdaptationSettings
    var family: String
    var examples: Int
    var step: Int
    var sampler: StitchSampler
    var random: SeededGenerator
    var cost: TrainingCost
  }

  let family: Family
  let settings: AdaptationSettings
  private(set) var step = 0
  private(set) var sampler: StitchSampler
  private let store: ParameterStore
  private let network: (Route) -> Network
  private let teacher: (Route) -> Teacher?
  private let rule: any StepRule
  private let communicator: any Communicator
  private let data: AdaptationData
  private let stream: ExampleStream
  private let heldOut: PackedBatch
  /// Indices of the stitches that are drawn.
  private let trained: Set<Int>
  /// Indices of the stitches whose mean loss on held-out examples is the run's: the anchors, or what is trained where no
  /// anchor is.
  private let judged: [Int]
  private var random: SeededGenerator
  /// Up to the last resumption, but for tokens and training time, which are counted as they come.
  private var counted = TrainingCost()
  private let start = ContinuousClock.now
  private let usageAtStart = ProcessUsage.now

  /// - Parameters:
  ///   - stitches: those to draw from, by index; all if absent.
  ///   - network: a route over the tensors in `store`.
  ///   - teacher: who teaches a route.
  ///   - communicator: the processes that run this together.
  init(
    family: Family, settings: AdaptationSettings, data: AdaptationData, stitches: [Int]? = nil, store: ParameterStore,
    network: @escaping (Route) -> Network, teacher: @escaping (Route) -> Teacher? = { _ in nil }, pool: ComputePool,
    communicator: any Communicator
  ) throws {
    self.family = family
    self.settings = settings
    self.store = store
    self.network = network
    self.teacher = teacher
    self.communicator = communicator
    self.data = data
    rule = try settings.stepRule(store: store, pool: pool, communicator: communicator)
    stream = data.stream(settings)
    heldOut = data.heldOut
    let trained = stitches ?? Array(family.stitches.indices)
    self.trained = Set(trained)
    judged =
      trained.contains { family.stitches[$0].route.isAnchor }
      ? family.stitches.indices.filter { family.stitches[$0].route.isAnchor } : trained
    sampler = StitchSampler(
      costs: family.stitches.map(\.flopsPerToken), candidates: stitches, settings: settings.sampler)
    random = SeededGenerator(seed: settings.seed, stream: 5)
  }

  /// What the run has cost so far.
  var cost: TrainingCost {
    var cost = counted
    let usage = ProcessUsage.now
    cost.wallSeconds += (ContinuousClock.now - start) / .seconds(1)
    cost.cpuSeconds += usage.cpuSeconds - usageAtStart.cpuSeconds
    cost.peakMemoryBytes = max(cost.peakMemoryBytes, usage.peakMemoryBytes)
    return cost
  }

  /// Loss on held-out examples by stitch id; empty where nothing is held out.
  func heldOutLosses(all: Bool) -> [String: Double] {
    heldOutLosses(of: all ? Array(family.stitches.indices) : judged)
  }

  /// The mean over the judged stitches of what is known by stitch id; `nil` if it is not known of all.
  func meanLoss(_ losses: [String: Double]) -> Double? {
    let known = judged.compactMap { losses[family.stitches[$0].id] }
    return known.count == judged.count ? known.reduce(0, +) / Double(known.count) : nil
  }

  private func heldOutLosses(of stitches: [Int], gate: () -> Void = {}) -> [String: Double] {
    guard heldOut.rows > 0 else { return [:] }
    var losses: [String: Double] = [:]
    for index in stitches {
      gate()
      let stitch = family.stitches[index]
      let judge = teacher(stitch.route).flatMap { $0.isMeasured ? $0 : nil }
      losses[stitch.id] = rule.loss(network(stitch.route), heldOut, teacher: judge)
    }
    return losses
  }

  /// Measures what is due after this step: the anchors, what is trained as well, or all stitches.
  private func measure(_ measuring: HeldOutMeasuring, gate: () -> Void, into progress: inout AdaptationProgress) {
    func isDue(_ interval: Int) -> Bool { step % interval == 0 || step == settings.steps }
    let measuresTrained = measuring.trainedInterval.map(isDue) ?? false
    guard measuresTrained || isDue(measuring.interval) else { return }
    let measured = family.stitches.indices.filter { index in
      measuring.measuresStitches || judged.contains(index) || measuresTrained && trained.contains(index)
    }
    let losses = heldOutLosses(of: measured, gate: gate)
    progress.heldOutLoss = meanLoss(losses)
    if measuring.measuresStitches || measuresTrained { progress.stitchLosses = losses }
  }

  /// See `AdaptationTrainer.run`.
  func run(
    _ plan: Plan, checkpoint: URL?, interval: Int, measuring: HeldOutMeasuring, gate: () -> Void,
    listener: (AdaptationProgress) throws -> AdaptationControl
  ) throws -> Bool {
    if communicator.count > 1 { try compareProcesses() }
    if let checkpoint { try restore(checkpoint) }
    let count = settings.microBatchCount
    while step < settings.steps {
      let start = ContinuousClock.now
      try plan.prepare(step)
      let chosen = plan.stitch(step) ?? sampler.draw(&random)
      let stitch = family.stitches[chosen]
      let batches = (0..<count).map {
        stream.batch(step * count + $0, tokens: settings.tokensPerStep / count)
      }
      let result = rule.step(
        network(stitch.route), batches, teacher: teacher(stitch.route), optimizer: settings.optimizer,
        learningRate: plan.learningRate(step), number: step, gate: gate)
      let seconds = (ContinuousClock.now - start) / .seconds(1)
      sampler.update(chosen, sensitivity: result.sensitivity)
      step += 1
      counted.tokens += result.tokens
      counted.trainingSeconds += seconds
      var progress = AdaptationProgress(
        step: step, totalSteps: settings.steps, stitch: stitch.id, loss: result.loss,
        tokensPerSecond: Double(result.tokens) / seconds, tokens: counted.tokens,
        trainingSeconds: counted.trainingSeconds)
      measure(measuring, gate: gate, into: &progress)
      let control = try listener(progress)
      if step % interval == 0 || step == settings.steps || control == .end { try save(checkpoint) }
      if control == .end && step < settings.steps { return false }
    }
    return true
  }

  private func save(_ checkpoint: URL?) throws {
    guard let checkpoint else { return }
    try TrainingCheckpoint.write(
      store,
      state: State(
        settings: settings, family: family.identity, examples: stream.count, step: step, sampler: sampler,
        random: random, cost: cost),
      to: checkpoint, communicator)
  }

  private func restore(_ checkpoint: URL) throws {
    let state = try TrainingCheckpoint.resume(store, state: State.self, from: checkpoint, communicator) { state in
      func other(_ what: String) -> TrainingError { .otherRun(file: checkpoint.path, what: what) }
      guard state.settings.decisive == settings.decisive else { throw other("setting") }
      guard state.family == family.identity else { throw other("family") }
      guard state.examples == stream.count else { throw other("data") }
    }
    guard let state else { return }
    (step, sampler, random, counted) = (state.step, state.sampler, state.random, state.cost)
  }

  /// Makes sure that all processes run the same: what they would add up would mean nothing otherwise.
  private func compareProcesses() throws {
    let digests = try communicator.together {
      let encoder = JSONEncoder()
      encoder.outputFormatting = .sortedKeys
      return [
        (
          "set of options", SHA256.hexadecimal(of: Array(try encoder.encode(settings.decisive))),
          "give every process the same command"
        ),
        ("family", try family.contentDigest(), "give every machine the same \(family.directory.path)"),
        ("set of examples", data.digest, "give every machine the same data files"),
        ("start of training", store.digest, "give every machine the same adapter"),
      ]
    }
    try communicator.compare(digests)
  }
}

/// What a family is adapted on.
struct AdaptationData {
  /// What is trained on.
  var training: [TrainingExample]
  /// What the family knows and is not to forget; may be empty.
  var rehearsal: [TrainingExample]
  /// A few of the last examples, to measure on; empty where there are too few.
  var heldOut = PackedBatch()

  /// - Parameter heldOutTokens: at most so many are held out, but for one example.
  /// - Throws: `TrainingError.noData`.
  init(_ examples: [TrainingExample], rehearsal: [TrainingExample] = [], heldOutTokens: Int = .max) throws {
    let usable = examples.filter { $0.tokens.count > 1 && $0.lossMask.dropFirst().contains(true) }
    guard !usable.isEmpty else { throw TrainingError.noData(what: "the data has no reply to learn") }
    let heldOutCount = min(48, usable.count / 20)
    for example in usable.suffix(heldOutCount) where heldOut.rows < heldOutTokens {
      heldOut.append(example.tokens, lossMask: example.lossMask)
    }
    training = Array(usable.dropLast(heldOutCount))
    self.rehearsal = rehearsal
  }

  /// Names the content.
  var digest: String {
    var hash = SHA256()
    for examples in [training, rehearsal] {
      hash.update(Array("\(examples.count) examples\n".utf8))
      for example in examples { hash.update(example.tokens, example.lossMask) }
    }
    hash.update(heldOut.tokens, heldOut.targets.map { $0 != PackedBatch.ignored })
    return hash.finish()
  }

  /// Both, mixed. With a rehearsal, three times as many tokens are of the training data at first as at the end, so that
  /// what was shaken while learning settles again.
  func stream(_ settings: AdaptationSettings) -> ExampleStream {
    let batches = Double(max(1, settings.steps * settings.microBatchCount - 1))
    let share = meanShare
    return ExampleStream(
      training, rehearsal: rehearsal, share: { share * (1.5 - Double($0) / batches) }, seed: settings.seed)
  }

  /// The share of the training data's tokens over a whole run: a few facts are learned with less than a manner that shows
  /// in every reply. Chosen by what the lessons of the default family teach and what it forgets meanwhile.
  private var meanShare: Double {
    let tokens = training.reduce(0) { $0 + $1.tokens.count }
    return min(0.5, (Double(tokens) / 200_000).squareRoot())
  }
}
