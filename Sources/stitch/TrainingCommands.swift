import ArgumentParser
import ChatEngine
import Foundation
import LLaMAStitch
import Support
import Tokenizer
import Workflows

// MARK: - Adapt

extension AdapterUpdate: ExpressibleByArgument {}

extension TrainedStitches: ExpressibleByArgument {
  /// `all`, `stops`, or ids with commas between.
  public init?(argument: String) {
    switch argument {
    case "all": self = .all
    case "stops": self = .stops
    default: self = .named(argument.split(separator: ",").map(String.init))
    }
  }
}

struct Adapt: DividedCommand {
  static let configuration = CommandConfiguration(
    commandName: "adapt", abstract: "Adapt a whole family to instructions.",
    discussion: """
      Data: JSON, JSON Lines or CSV with `messages`, `conversations` (ShareGPT), `prompt`/`completion`, \
      `instruction`/`input`/`output` (Alpaca) or `instruction`/`instances` (self-instruct). Only the replies are learned. With --output a new family is \
      written; without it the adapter goes into your own store and the family stays as it is. A run that is \
      stopped or killed goes on from its checkpoint when the same command is given again.

      The methods: esta trains a small adapter for all stitches in one stage. mezo and dizo train the same with forward \
      passes alone, which take no more memory than a chat and many more steps; dizo projects the updates of each layer \
      now and then. lst trains a small network that runs beside the blocks and reads what they compute, with no gradient \
      through them. lora-per-anchor trains a LoRA for each \
      anchor and no stitches. sn-net trains every weight, of each anchor by itself and then of anchors and stitching \
      layers together. The last two are there to compare with.
      """)

  private enum Method: String, ExpressibleByArgument, CaseIterable {
    case esta, mezo, dizo, lst
    case snNet = "sn-net"
    case loraPerAnchor = "lora-per-anchor"
  }
  private enum Targets: String, ExpressibleByArgument, CaseIterable {
    case attention, all
  }
  private enum Sampling: String, ExpressibleByArgument, CaseIterable {
    case importance, uniform
  }

  @Option(help: "The family directory.") var family: String
  @Option(parsing: .upToNextOption, help: "Data files.") var data: [String]
  @Option(help: "The family directory to write; it must not exist. Needed by sn-net.") var output: String?
  @Option(help: "The method.") private var method = Method.esta
  @Option(help: "Optimiser steps, of all stages together (default: 1000; with --continue as /train in the chat).")
  var steps: Int?
  @Option(help: "Tokens of a step, about (default: 2048; with --continue as /train in the chat).") var tokensPerStep:
    Int?
  @Option(
    help: "Tokens that go through the network at a time; fewer need less memory (default: 512).")
  var tokensPerMicroBatch: Int?
  @Option(help: ArgumentHelp("As --tokens-per-micro-batch.", visibility: .hidden)) var tokensAtOnce: Int?
  @Option(
    help:
      "The highest learning rate (default: 0.002; 0.0005 for sn-net, 0.001 for mezo and dizo; else with --continue as /train in the chat)."
  )
  var learningRate: Float?
  @Option(
    help:
      "What is trained: lora (low-rank updates), or difffit (biases, scales and norms; merged when exported)."
  ) private var update = AdapterUpdate.lora
  @Option(help: "mezo, dizo: how far values are moved to either side to see what the loss does (default: 0.01).")
  var epsilon: Float?
  @Option(help: "dizo: steps from one projection to the next (default: 50).") var projectionInterval: Int?
  @Option(help: "lst: how many times narrower than the dearest anchor the side network is (default: 8).")
  var sideReduction: Int?
  @Option(help: "lst: blocks from one that the side network reads to the next (default: 2).") var sideInterval: Int?
  @Option(help: "Weight decay of matrices.") var weightDecay: Float = 0
  @Option(help: "The learning rate of biases and norms, as a multiple of that of matrices.") var biasLearningRateFactor:
    Float = 1
  @Option(help: "sn-net: how many of the steps go to the anchors by themselves, in all (default: half).")
  var anchorSteps: Int?
  @Flag(help: "sn-net: keep the family's stitching layers instead of fitting them to the fine-tuned anchors.")
  var keepLayers = false
  @Option(help: "Rank of the low-rank updates; not of sn-net (default: 16).") var rank: Int?
  @Option(help: "α of the low-rank updates (default: the rank).") var alpha: Float?
  @Option(help: "esta: whose the biases before the stitch point are, tail or all.") var scope: String = "tail"
  @Flag(help: "esta: without stitch-specific biases.") var noStitchBiases = false
  @Flag(help: "esta: without updates of the stitching layers.") var noLayerUpdates = false
  @Option(
    help:
      "What low-rank updates and biases are for: attention, or all projections of a block (default: attention; all with --heal)."
  )
  private var targets: Targets?
  @Flag(
    help:
      "esta, sn-net: the dearest anchor, as it is when training begins, teaches the stitches: they learn its distribution."
  )
  var distill = false
  @Option(
    help: "Part of the loss that is the divergence from the teacher; the rest is that of the replies (default: 0.9).")
  var distillShare: Float?
  @Flag(
    help: ArgumentHelp(
      "esta: heal the stitches, by distillation, instead of teaching the family; needs --output.",
      discussion: "Whole anchors, and the blocks before the first stitching layer, stay as they are."))
  var heal = false
  @Option(
    help:
      "esta: which stitches are trained: all, stops, or ids with commas (default: all; with --continue as /train in the chat)."
  )
  var stitches: TrainedStitches?
  @Option(help: "esta: how stitches are drawn.") private var sampling = Sampling.importance
  @Option(help: "esta: bins of cost to sample from (default: 8; with --continue as /train in the chat).") var bins: Int?
  @Option(help: "esta: temperature within a bin.") var temperature = 2.0
  @Option(help: "esta: decay of the moving average of importance.") var decay = 0.95
  @Option(
    help:
      "esta: a bin is drawn in proportion to its cost to the power of minus this (default: 0; with --continue as /train in the chat)."
  )
  var costExponent: Double?
  @Option(
    help: "Decay towards the start of training, of everything (default: 0; with --continue as /train in the chat).")
  var startDecay: Float?
  @Option(help: "esta: first draws that are uniform (default: a tenth of the steps, at most 100).") var warmupDraws:
    Int?
  @Flag(
    name: .customLong("continue"),
    help: "Go on from the family's own adapter, with --heal from its healing; not with sn-net.") var continues =
    false
  @Flag(help: "Go on from the checkpoint of an interrupted run (the default).") var resume = false
  @Flag(help: "Throw away the checkpoint of an interrupted run.") var restart = false
  @Option(help: "Where to keep the training state (default: in the cache folder).") var checkpoint: String?
  @Option(help: "Steps between checkpoints.") var checkpointInterval = 100
  @Option(help: "Where to write the held-out loss as it is measured (JSON Lines).") var log: String?
  @Option(help: "Steps between measurements.") var measureInterval = HeldOutMeasuring().interval
  @Option(help: "Tokens of the data held out to measure, at most; 0 for none (default: enough, 2048 with a teacher).")
  var heldOutTokens: Int?
  @Flag(help: "Measure the held-out loss of every stitch, not of the anchors alone.") var logStitches = false
  @Flag(help: "One JSON document on standard output: what was trained and what it cost.") var json = false
  @Option(help: "Seed.") var seed: UInt64 = 1
  @Option(help: "Threads of a process; the result does not depend on their number.") var threads = 2

  func validate() throws {
    guard BiasScope(rawValue: scope) != nil else { throw ValidationError("--scope must be tail or all, not \(scope)") }
    try Check.range("--steps", steps ?? 1, 1...1_000_000_000)
    try Check.range("--tokens-per-step", tokensPerStep ?? 1, 1...1 << 24)
    try Check.range("--tokens-per-micro-batch", tokensPerMicroBatch ?? 1, 1...1 << 24)
    try Check.range("--tokens-at-once", tokensAtOnce ?? 1, 1...1 << 24)
    try Check.range("--rank", rank ?? 1, 1...4096)
    try Check.range("--bins", bins ?? 1, 1...10_000)
    try Check.range("--warmup-draws", warmupDraws ?? 0, 0...1_000_000_000)
    try Check.range("--checkpoint-interval", checkpointInterval, 1...1_000_000)
    try Check.range("--measure-interval", measureInterval, 1...1_000_000)
    try Check.range("--held-out-tokens", heldOutTokens ?? 0, 0...Int.max)
    try Check.threads(threads)
    try Check.positive("--learning-rate", Double(learningRate ?? 1))
    try Check.positive("--bias-learning-rate-factor", Double(biasLearningRateFactor))
    try Check.positive("--epsilon", Double(epsilon ?? 1))
    try Check.range("--side-reduction", sideReduction ?? 1, 1...1024)
    try Check.range("--side-interval", sideInterval ?? 1, 1...1024)
    try Check.range("--projection-interval", projectionInterval ?? 1, 1...1_000_000_000)
    try Check.positive("--temperature", temperature)
    try Check.positive("--alpha", Double(alpha ?? 1))
    guard weightDecay >= 0, weightDecay.isFinite else {
      throw ValidationError("--weight-decay must be 0 or a positive number, not \(weightDecay)")
    }
    if let costExponent, !(0...4).contains(costExponent) {
      throw ValidationError("--cost-exponent must be 0 to 4, not \(costExponent)")
    }
    if let startDecay, !(0...100).contains(startDecay) {
      throw ValidationError("--start-decay must be 0 to 100, not \(startDecay)")
    }
    guard (0..<1).contains(decay) else { throw ValidationError("--decay must be at least 0 and below 1, not \(decay)") }
    if resume && restart { throw ValidationError("--resume and --restart contradict each other") }
    try validateMethod()
  }

  /// Options that another method has are refused rather than ignored.
  private func validateMethod() throws {
    func refuse(_ isGiven: Bool, _ option: String, _ reason: String) throws {
      if isGiven { throw ValidationError("\(option) does not go with --method \(method.rawValue): \(reason)") }
    }
    if method == .snNet {
      if output == nil { throw ValidationError("--method sn-net changes the anchors: give --output") }
      try refuse(continues, "--continue", "it trains the anchors, not an adapter")
      try refuse(rank != nil, "--rank", "it trains whole matrices")
      try refuse(alpha != nil, "--alpha", "it trains whole matrices")
      try refuse(targets != nil, "--targets", "it trains whole matrices")
      try Check.range("--anchor-steps", anchorSteps ?? 0, 0...max(0, (steps ?? Self.usualSteps) - 1))
    } else {
      try refuse(anchorSteps != nil, "--anchor-steps", "it has one stage")
      try refuse(keepLayers, "--keep-layers", "it never fits them anew")
    }
    if let distillShare {
      guard distill || heal else { throw ValidationError("--distill-share is for --distill and --heal") }
      guard distillShare > 0, distillShare <= 1 else {
        throw ValidationError("--distill-share must be above 0 and at most 1, not \(distillShare)")
      }
    }
    if heal && output == nil { throw ValidationError("--heal makes another family: give --output") }
    let isForwardOnly = method == .mezo || method == .dizo
    if isForwardOnly {
      try refuse(heal, "--heal", "forward passes alone learn the replies alone")
      try refuse(distill, "--distill", "forward passes alone learn the replies alone")
    } else {
      try refuse(epsilon != nil, "--epsilon", "it has the gradients")
    }
    try refuse(projectionInterval != nil && method != .dizo, "--projection-interval", "it projects nothing")
    if update == .diffFit {
      for (option, isGiven) in [
        ("--heal", heal), ("--rank", rank != nil), ("--alpha", alpha != nil), ("--targets", targets != nil),
        ("--no-stitch-biases", noStitchBiases), ("--no-layer-updates", noLayerUpdates),
      ] where isGiven {
        throw ValidationError("\(option) does not go with --update difffit: it trains biases, scales and norms")
      }
      if ![.esta, .mezo, .dizo].contains(method) {
        throw ValidationError(
          "--update difffit does not go with --method \(method.rawValue); it goes with esta, mezo and dizo")
      }
    }
    if method == .lst {
      for (option, isGiven) in [
        ("--heal", heal), ("--distill", distill), ("--rank", rank != nil), ("--alpha", alpha != nil),
        ("--targets", targets != nil), ("--scope", scope != "tail"), ("--no-stitch-biases", noStitchBiases),
        ("--no-layer-updates", noLayerUpdates),
      ] { try refuse(isGiven, option, "it trains a side network by the replies alone") }
    } else {
      try refuse(sideReduction != nil, "--side-reduction", "it has no side network")
      try refuse(sideInterval != nil, "--side-interval", "it has no side network")
    }
    if method == .snNet || method == .loraPerAnchor {
      try refuse(heal, "--heal", "it trains no stitches by themselves")
      try refuse(distill && method != .snNet, "--distill", "it learns the replies alone")
      try refuse(noStitchBiases, "--no-stitch-biases", "it has none")
      try refuse(noLayerUpdates, "--no-layer-updates", "it has none")
      try refuse(sampling == .uniform, "--sampling", "it does not draw by importance")
      try refuse(stitches != nil, "--stitches", "it does not choose")
      try refuse(costExponent != nil, "--cost-exponent", "it does not draw by cost")
    }
  }

  private var isLesson: Bool { continues && !heal }
  private static let usualSteps = 1000

  private func lessonSteps(of family: URL) throws -> Int {
    let dearest = try Family(family).stitches.map(\.flopsPerToken).max() ?? 0
    return LessonSettings.steps(flopsPerToken: Double(dearest))
  }

  private func settings(_ family: URL) throws -> AdaptationSettings {
    let steps = try steps ?? (isLesson ? lessonSteps(of: family) : Self.usualSteps)
    var settings = isLesson ? LessonSettings.adaptation(steps: steps) : AdaptationSettings(steps: steps)
    switch method {
    case .esta: settings.method = .esta
    case .mezo, .dizo:
      settings.method = .forwardOnly(
        ZerothOrderSettings(
          epsilon: epsilon ?? ZerothOrderSettings().epsilon,
          projection: method == .dizo
            ? ProjectionSettings(interval: projectionInterval ?? ProjectionSettings().interval) : nil))
      settings.optimizer.learningRate = ZerothOrderSettings.learningRate
    case .lst: settings.method = .ladder
    case .loraPerAnchor: settings.method = .loraPerAnchor
    case .snNet:
      settings.method = .snNet(anchorSteps: anchorSteps ?? steps / 2, keepsLayers: keepLayers)
      settings.optimizer.learningRate = 5e-4
    }
    settings.options = AdapterOptions(
      rank: rank ?? 16, alpha: alpha, scope: BiasScope(rawValue: scope)!, trainsBiases: !noStitchBiases,
      updatesLayers: !noLayerUpdates,
      targets: targets ?? (heal ? .all : .attention) == .all ? AdapterTarget.allCases : AdapterTarget.attention,
      keepsPrefix: heal)
    if update == .diffFit {
      settings.update = .diffFit
      settings.options = .diffFit(scope: BiasScope(rawValue: scope)!)
    }
    if method == .lst {
      settings.options = AdapterOptions(
        side: SideOptions(
          reduction: sideReduction ?? SideOptions().reduction, interval: sideInterval ?? SideOptions().interval))
    }
    settings.distillationShare = distill || heal ? distillShare ?? LessonSettings.distillationShare : nil
    settings.heldOutTokens = heldOutTokens
    settings.seed = seed
    settings.tokensPerMicroBatch = tokensPerMicroBatch ?? tokensAtOnce ?? 512
    if let stitches { settings.stitches = stitches }
    if let tokensPerStep { settings.tokensPerStep = tokensPerStep }

    if let learningRate { settings.optimizer.learningRate = learningRate }
    if let startDecay { settings.optimizer.startDecay = startDecay }
    settings.optimizer.weightDecay = weightDecay
    settings.optimizer.vectorRateFactor = biasLearningRateFactor == 1 ? nil : biasLearningRateFactor

    if let bins { settings.sampler.bins = bins }
    if let costExponent { settings.sampler.costExponent = costExponent }
    settings.sampler.temperature = temperature
    settings.sampler.decay = decay
    settings.sampler.warmup = warmupDraws ?? min(100, steps / 10)
    settings.sampler.uniform = sampling == .uniform
    return settings
  }

  func run() throws {
    let processes = try Processes.join()
    let job = try processes.together { try self.job(processes) }
    Processes.sayHowToGoOn(from: job.checkpointFile, processes)
    let meter = ProgressMeter()
    let report = try job.run(
      note: { meter.note($0) },
      progress: {
        meter.update(
          step: $0.step, of: $0.totalSteps, loss: $0.loss, heldOutLoss: $0.heldOutLoss,
          tokensPerSecond: $0.tokensPerSecond, extra: "  \($0.stitch)")
      })
    TemporaryPaths.beforeEnding(nil)
    guard let report else { return }
    meter.note("wrote \(report.output)")
    let loss = report.heldOutLoss.map { ", held out \(ProgressMeter.fixed($0, 4))" } ?? ""
    meter.note(
      "\(report.method): \(report.trainableParameters) trained parameters in \(Quantity.short(report.storedBytes))B, "
        + "\(report.steps) steps, \(report.tokens) tokens, \(ProgressMeter.time(report.wallSeconds)), "
        + "processor \(ProgressMeter.time(report.cpuSeconds)), memory \(Quantity.short(report.peakMemoryBytes))B\(loss)"
    )
    if json { try Console.write(json: report) }
  }

  private func job(_ processes: any Communicator) throws -> AdaptationJob {
    let family = try FamilyOptions.directory(of: family)
    var job = AdaptationJob(
      family: family, dataFiles: data.map { URL(fileURLWithPath: $0) },
      settings: try settings(family),
      output: output.map { URL(fileURLWithPath: $0) }, continues: continues,
      checkpoint: checkpoint.map { URL(fileURLWithPath: $0) }, restarts: restart, threads: threads)
    job.heals = heal
    job.checkpointInterval = checkpointInterval
    job.log = log.map { URL(fileURLWithPath: $0) }
    job.measuring = HeldOutMeasuring(interval: measureInterval, measuresStitches: logStitches)
    job.communicator = processes
    return job
  }
}

// MARK: - Pretrain

struct Pretrain: DividedCommand {
  static let configuration = CommandConfiguration(
    commandName: "pretrain", abstract: "Train an anchor from nothing.",
    discussion: """
      The plan is a YAML file with the fields hiddenSize, intermediateSize, blockCount, headCount, contextLength, \
      tokens, tokensPerStep, learningRate and seed, and, if wanted, keyValueHeadCount, ropeTheta, \
      tiedEmbeddings, tokensAtOnce, warmupSteps and weightDecay. A run that is stopped or killed resumes from \
      its checkpoint when the same command is given again.
      """)

  @Option(help: "The plan (YAML).") var config: String
  @Option(parsing: .upToNextOption, help: "Data: JSON Lines with `text` or `messages`, or plain text.")
  var data: [String]
  @Option(help: "The tokenizer to use.") var tokenizer: String
  @Option(help: "The model directory to write; it must not exist.") var output: String
  @Option(help: "Where to keep the training state (default: in the cache folder).") var checkpoint: String?
  @Option(help: "Steps between checkpoints.") var checkpointInterval = 100
  @Option(help: "Type of the written weights: f32, f16 or bf16.") var type: String = "bf16"
  @Option(help: "Threads of a process; the result does not depend on their number.") var threads: Int = 2

  func validate() throws {
    try Check.threads(threads)
    try Check.range("--checkpoint-interval", checkpointInterval, 1...1_000_000)
  }

  func run() throws {
    let processes = try Processes.join()
    let job = try processes.together { try self.job(processes) }
    Processes.sayHowToGoOn(from: job.checkpointFile, processes)
    let meter = ProgressMeter()
    do {
      let done = try job.run(
        note: { meter.note($0) },
        progress: { progress in
          guard processes.isFirst else { return true }
          meter.update(
            step: progress.step, of: progress.totalSteps, loss: progress.loss,
            heldOutLoss: progress.heldOutLoss, tokensPerSecond: progress.tokensPerSecond)
          return true
        })
      TemporaryPaths.beforeEnding(nil)
      if done, processes.isFirst { meter.note("wrote \(output)") }
    } catch TrainingError.plan(let cause) {
      throw CommandError.malformed(config, expected: "\(cause); correct the plan")
    }
  }

  private func job(_ processes: any Communicator) throws -> PretrainingJob {
    guard let elementType = ElementType(rawValue: type.uppercased()), elementType.isUsable else {
      throw ValidationError("--type must be f32, f16 or bf16, not \(type)")
    }
    var job = PretrainingJob(
      plan: try PretrainingPlan(file: URL(fileURLWithPath: config)), dataFiles: data.map { URL(fileURLWithPath: $0) },
      tokenizerFile: URL(fileURLWithPath: tokenizer), output: URL(fileURLWithPath: output),
      checkpoint: checkpoint.map { URL(fileURLWithPath: $0) }, elementType: elementType, threads: threads)
    job.checkpointInterval = checkpointInterval
    job.communicator = processes
    return job
  }
}

// MARK: - Train a tokenizer

/// `stitch train-tokenizer`: a new SentencePiece model from text.
struct TrainTokenizer: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "train-tokenizer", abstract: "Train a SentencePiece tokenizer (BPE) from text.",
    discussion: """
      Digits are split, characters without a piece are spelled in bytes, and a newline is a piece of its own. The same \
      data and options make the same file. Data is plain text, or JSON Lines with 'text', 'messages' or the other \
      formats that 'stitch adapt' takes.
      """)

  @Option(parsing: .upToNextOption, help: ArgumentHelp("Plain text or JSON Lines.", valueName: "file"))
  var data: [String]

  @Option(help: ArgumentHelp("Number of pieces, special ones and 256 bytes included.", valueName: "n"))
  var vocabularySize: Int

  @Option(help: ArgumentHelp("The model to write, usually \(SentencePieceTokenizer.fileName).", valueName: "file"))
  var output: String

  @Option(
    name: .customLong("control-symbol"),
    help: ArgumentHelp("A piece that text never encodes to, such as <|user|>; may be repeated.", valueName: "symbol"))
  var controlSymbols: [String] = []

  @Option(help: ArgumentHelp("Longest piece, in characters.", valueName: "n"))
  var maximumPieceLength = 16

  func run() throws {
    try TokenizerTrainingJob(
      dataFiles: data.map { URL(filePath: $0) },
      trainer: SentencePieceTrainer(
        vocabularySize: vocabularySize, controlSymbols: controlSymbols, maximumPieceLength: maximumPieceLength),
      output: output
    ).run(note: { Console.complain($0) })
  }
}
