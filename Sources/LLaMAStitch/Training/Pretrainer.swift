import Foundation
import Support

/// How an anchor is trained from nothing.
public struct PretrainingPlan: Sendable, Equatable, Codable {
  public var hiddenSize: Int
  public var intermediateSize: Int
  public var blockCount: Int
  public var headCount: Int
  public var keyValueHeadCount: Int?
  /// Documents longer than this are cut.
  public var contextLength: Int
  public var ropeTheta: Double?
  public var tiedEmbeddings: Bool?
  /// Tokens to train on, in all; the data is gone through as often as that takes.
  public var tokens: Int
  /// Tokens of a step, about: a step takes whole documents.
  public var tokensPerStep: Int
  /// Tokens of a micro-batch, which go through the network at a time; the gradients of a step are accumulated.
  public var tokensPerMicroBatch: Int?
  public var learningRate: Float
  public var warmupSteps: Int?
  public var weightDecay: Float?
  public var seed: UInt64

  private enum CodingKeys: String, CodingKey, CaseIterable {
    case hiddenSize, intermediateSize, blockCount, headCount, keyValueHeadCount, contextLength, ropeTheta,
      tiedEmbeddings
    case tokens, tokensPerStep, learningRate, warmupSteps, weightDecay, seed
    // As plans and checkpoints have always called it.
    case tokensPerMicroBatch = "tokensAtOnce"
  }

  /// What a plan's fields are called in its file.
  public static let fieldNames = Set(CodingKeys.allCases.map(\.rawValue))

  /// The configuration of the anchor.
  public func configuration(vocabularySize: Int, bosToken: Int?, eosTokens: [Int]) throws -> LlamaConfiguration {
    func check(_ holds: Bool, _ cause: String) throws {
      if !holds { throw TrainingError.plan(cause: "the pretraining plan cannot work: \(cause)") }
    }
    try check(hiddenSize > 0 && hiddenSize <= 65_536, "hiddenSize must be 1 … 65536, not \(hiddenSize)")
    try check((1...1 << 20).contains(intermediateSize), "intermediateSize must be 1 … 1048576, not \(intermediateSize)")
    try check((1...1024).contains(blockCount), "blockCount must be 1 … 1024, not \(blockCount)")
    try check(
      headCount > 0 && hiddenSize % headCount == 0 && hiddenSize / headCount % 2 == 0,
      "headCount must divide hiddenSize \(hiddenSize) into even heads, \(headCount) does not")
    let keyValueHeads = keyValueHeadCount ?? headCount
    try check(
      keyValueHeads > 0 && headCount % keyValueHeads == 0,
      "keyValueHeadCount must divide headCount \(headCount), \(keyValueHeads) does not")
    try check((2...1 << 20).contains(contextLength), "contextLength must be 2 … 1048576, not \(contextLength)")
    try check((1...1 << 50).contains(tokens), "tokens must be positive and at most 2⁵⁰, not \(tokens)")
    try check((1...1 << 24).contains(tokensPerStep), "tokensPerStep must be 1 … 16777216, not \(tokensPerStep)")
    try check((1...1 << 24).contains(tokensPerMicroBatch ?? 1), "tokensAtOnce must be 1 … 16777216")
    try check((ropeTheta ?? 1) > 0 && (ropeTheta ?? 1).isFinite, "ropeTheta must be positive")
    try check((warmupSteps ?? 0) >= 0, "warmupSteps must not be negative")
    try check((weightDecay ?? 0) >= 0 && (weightDecay ?? 0).isFinite, "weightDecay must not be negative")
    try check(learningRate > 0 && learningRate.isFinite, "learningRate must be positive, not \(learningRate)")
    return LlamaConfiguration(
      vocabularySize: vocabularySize, hiddenSize: hiddenSize, intermediateSize: intermediateSize,
      blockCount: blockCount, headCount: headCount, keyValueHeadCount: keyValueHeads,
      contextLength: contextLength, ropeTheta: ropeTheta ?? 10_000,
      tiedEmbeddings: tiedEmbeddings ?? true, bosToken: bosToken, eosTokens: eosTokens)
  }

  /// Micro-batches whose gradients make up one step.
  var microBatchCount: Int {
    let atOnce = min(tokensPerMicroBatch ?? 4096, tokensPerStep)
    return (tokensPerStep + atOnce - 1) / atOnce
  }

  public var stepCount: Int { (tokens + tokensPerStep - 1) / tokensPerStep }

  var optimizer: OptimizerSettings {
    OptimizerSettings(learningRate: learningRate, warmupSteps: warmupSteps ?? 100, weightDecay: weightDecay ?? 0.1)
  }
}

/// Trains an anchor from nothing on documents of token ids.
///
/// Documents are shuffled anew each time round and gathered into steps; none sees another, and each starts at position
/// 0, as a chat does. Batches depend on the seed and the step alone, so a run resumed from a checkpoint ends in the same
/// bytes as one that was never interrupted.
public final class Pretrainer {
  /// What a listener hears after each step.
  public struct Progress: Sendable {
    public var step: Int
    public var totalSteps: Int
    public var loss: Double
    public var heldOutLoss: Double?
    public var learningRate: Float
    public var tokensPerSecond: Double
  }

  private struct State: Codable {
    var plan: PretrainingPlan
    var documents: Int
    var tokens: Int
    var step: Int
  }

  public let plan: PretrainingPlan
  public let configuration: LlamaConfiguration
  private let stream: ExampleStream
  /// Tokens of all documents, held-out ones not counted.
  private let tokenCount: Int
  private let heldOut: PackedBatch
  private let store: ParameterStore
  private let anchor: LlamaModel
  private let rule: any StepRule
  private let communicator: any Communicator
  /// What all processes are to have in common.
  private let digest: () -> String
  public private(set) var step = 0

  /// - Parameters:
  ///   - documents: each with its BOS and EOS, and which of its tokens are to be learned.
  ///   - configuration: from `plan.configuration`.
  ///   - communicator: the processes that train together; all of them make the same trainer.
  public init(
    plan: PretrainingPlan, configuration: LlamaConfiguration, documents: [TrainingExample], pool: ComputePool,
    communicator: any Communicator = SingleProcess()
  ) throws {
    let usable = documents.filter(\.hasTargets)
    // One document in 200, at most 64, is held out and never trained on.
    let heldOutCount = min(64, usable.count / 200)
    let training = Array(usable.dropLast(heldOutCount))
    guard !training.isEmpty else { throw TrainingError.noData(what: "the data has no token to learn") }
    var heldOut = PackedBatch()
    for document in usable.suffix(heldOutCount) {
      heldOut.append(
        Array(document.tokens.prefix(configuration.contextLength)), lossMask: document.lossMask)
    }
    self.heldOut = heldOut
    self.plan = plan
    self.configuration = configuration
    stream = ExampleStream(training.flatMap { $0.pieces(ofAtMost: configuration.contextLength) }, seed: plan.seed)
    tokenCount = training.reduce(0) { $0 + $1.tokens.count }
    let declarations = configuration.declarations()
    // Values, two moments, and a gradient for each worker.
    let bytes = declarations.reduce(0.0) { $0 + Double($1.shape.reduce(1, *)) } * Double(4 * (3 + pool.threads))
    let memory = Double(ProcessInfo.processInfo.physicalMemory)
    guard bytes < memory else {
      throw TrainingError.plan(
        cause: "training this anchor takes \(Int(bytes / 1e9)) GB of memory and \(Int(memory / 1e9)) are there")
    }
    store = ParameterStore(declarations)
    anchor = LlamaModel(configuration: configuration, store: store)
    rule = try Backpropagation(store: store, pool: pool, communicator: communicator)
    self.communicator = communicator
    digest = {
      var hash = SHA256()
      for document in usable { hash.update(document.tokens, document.lossMask) }
      return hash.finish()
    }
    initialise()
  }

  /// Normal weights of variance 1/(4·inputs), those that write to the residual stream smaller by √(2·blocks)
  /// (Radford et al. 2019), norms 1, biases 0.
  private func initialise() {
    var random = SeededGenerator(seed: plan.seed, stream: 1)
    for (index, parameter) in store.parameters.enumerated() {
      let values = store.value(index)
      if parameter.shape.count == 1 {
        values.fill(parameter.name.hasSuffix("norm.weight") ? 1 : 0)
        continue
      }
      var deviation = 0.5 / Double(parameter.shape[1]).squareRoot()
      if parameter.name.hasSuffix("o_proj.weight") || parameter.name.hasSuffix("down_proj.weight") {
        deviation /= Double(2 * configuration.blockCount).squareRoot()
      }
      values.copy(from: (0..<parameter.count).map { _ in Float(deviation * random.normal()) })
    }
  }

  /// Trains until the plan is done or `listener` answers `false`, with a checkpoint every `interval` steps, at the
  /// end and when stopped. Resumes from `checkpoint` if it exists.
  /// - Returns: whether the plan is done.
  public func run(
    checkpoint: URL?, interval: Int = 100, heldOutInterval: Int = 100,
    listener: (Progress) -> Bool
  ) throws -> Bool {
    if communicator.count > 1 { try compareProcesses() }
    if let checkpoint {
      let state = try TrainingCheckpoint.resume(store, state: State.self, from: checkpoint, communicator) { state in
        guard state.plan == plan else { throw TrainingError.otherRun(file: checkpoint.path, what: "plan") }
        guard state.documents == stream.count && state.tokens == tokenCount else {
          throw TrainingError.otherRun(file: checkpoint.path, what: "data")
        }
      }
      step = state?.step ?? 0
    }
    func save() throws {
      guard let checkpoint else { return }
      try TrainingCheckpoint.write(
        store,
        state: State(plan: plan, documents: stream.count, tokens: tokenCount, step: step),
        to: checkpoint, communicator)
    }
    let network = anchor.network()
    let total = plan.stepCount
    let count = plan.microBatchCount
    while step < total {
      let start = ContinuousClock.now
      let microBatches = (0..<count).map { stream.batch(step * count + $0, tokens: plan.tokensPerStep / count) }
      let rate = plan.optimizer.learningRate(step: step, total: total)
      let result = rule.step(
        network, microBatches, optimizer: plan.optimizer, learningRate: rate, gate: {})
      step += 1
      let seconds = (ContinuousClock.now - start) / .seconds(1)
      let measure = heldOut.rows > 0 && (step % heldOutInterval == 0 || step == total)
      let goOn = listener(
        Progress(
          step: step, totalSteps: total, loss: result.loss,
          heldOutLoss: measure ? rule.loss(network, heldOut) : nil, learningRate: rate,
          tokensPerSecond: Double(result.tokens) / seconds))
      if step % interval == 0 || step == total || !goOn { try save() }
      if !goOn && step < total { return false }
    }
    return true
  }

  private func compareProcesses() throws {
    let digests = try communicator.together {
      let encoder = JSONEncoder()
      encoder.outputFormatting = .sortedKeys
      return [
        (
          "plan", SHA256.hexadecimal(of: Array(try encoder.encode(plan))),
          "give every machine the same plan"
        ),
        ("set of documents", digest(), "give every machine the same data files and tokenizer"),
      ]
    }
    try communicator.compare(digests)
  }

  /// Writes the anchor as a Hugging Face model directory that must not exist yet.
  public func write(to directory: URL, elementType: ElementType, files: [String: Data] = [:]) throws {
    try ModelDirectory.write(
      to: directory, configuration: configuration, elementType: elementType, files: files, weights: anchor.floats)
  }
}
