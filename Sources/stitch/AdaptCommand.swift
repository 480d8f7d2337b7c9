import ArgumentParser
import ChatEngine
import Foundation
import LLaMAStitch
import Support
import Workflows

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
      now and then. lst trains a small network that runs beside the blocks and reads what they compute, unipt one layer that \
      reads the outputs of all blocks at once, both with no gradient through them; sherl merges the outputs of all blocks but \
      the last ones, through which alone the gradient flows. lora-per-anchor trains a LoRA for each \
      anchor and no stitches. sn-net trains every weight, of each anchor by itself and then of anchors and stitching \
      layers together. The last two are there to compare with.
      """)

  enum Method: String, ExpressibleByArgument, CaseIterable {
    case esta, mezo, dizo, lst, unipt, sherl
    case snNet = "sn-net"
    case loraPerAnchor = "lora-per-anchor"

    /// With its usual settings, if it trains a whole family and leaves its anchors as they are.
    var ofFamilies: AdaptationMethod? {
      switch self {
      case .esta: .esta
      case .mezo: .forwardOnly(ZerothOrderSettings())
      case .dizo: .forwardOnly(ZerothOrderSettings(projection: ProjectionSettings()))
      case .lst, .unipt, .sherl: SideKind(rawValue: rawValue).map(AdaptationMethod.side)
      case .snNet, .loraPerAnchor: nil
      }
    }
  }
  enum Targets: String, ExpressibleByArgument, CaseIterable {
    case attention, all
  }
  enum Sampling: String, ExpressibleByArgument, CaseIterable {
    case importance, uniform
  }

  @Option(help: "The family directory.") var family: String
  @Option(parsing: .upToNextOption, help: "Data files.") var data: [String]
  @Option(help: "The family directory to write; it must not exist. Needed by sn-net.") var output: String?
  @Option(help: "The method.") var method = Method.esta
  @Option(help: "Optimiser steps, of all stages together (default: 1000; with --continue as /train in the chat).")
  var steps: Int?
  @Option(help: "Tokens of a step, about (default: 2048; with --continue as /train in the chat).") var tokensPerStep:
    Int?
  @Option(
    help: "Tokens that go through the network at a time; fewer need less memory (default: 512).")
  var tokensPerMicroBatch: Int?
  @Option(
    help:
      "How blocks keep what they compute for the backward pass: exact, recompute (each block's input alone; the same result, slower), or 4bit (what non-linear functions are differentiated by is rounded to 4 bits) (default: exact)."
  )
  var activations: SavedActivations?
  @Option(help: ArgumentHelp("As --tokens-per-micro-batch.", visibility: .hidden)) var tokensAtOnce: Int?
  @Option(
    help:
      "The highest learning rate (default: 0.002; 0.0005 for sn-net, 0.001 for mezo and dizo, 0.01 with --update alore and dept, 0.2 with prefix; else with --continue as /train in the chat)."
  )
  var learningRate: Float?
  @OptionGroup var updates: UpdateOptions
  @Option(help: "mezo, dizo: how far values are moved to either side to see what the loss does (default: 0.01).")
  var epsilon: Float?
  @Option(help: "dizo: steps from one projection to the next (default: 50).") var projectionInterval: Int?
  @Option(
    help: "lst, unipt, sherl: how many times narrower than the dearest anchor the side network is (default: 8).")
  var sideReduction: Int?
  @Option(
    help: "lst, unipt, sherl: blocks from one that the side network reads to the next (default: 3 with lst, else 2).")
  var sideInterval: Int?
  @Option(help: "sherl: the last blocks, which run with what was merged (default: 1).") var lateBlocks: Int?
  @Option(help: "Weight decay of matrices.") var weightDecay: Float = 0
  @Option(help: "The learning rate of biases and norms, as a multiple of that of matrices.") var biasLearningRateFactor:
    Float = 1
  @Option(help: "sn-net: how many of the steps go to the anchors by themselves, in all (default: half).")
  var anchorSteps: Int?
  @Flag(help: "sn-net: keep the family's stitching layers instead of fitting them to the fine-tuned anchors.")
  var keepLayers = false
  @Option(help: "Rank of the low-rank updates; not of sn-net (default: 16; 4 with --update alore).") var rank: Int?
  @Option(help: "α of the low-rank updates (default: the rank).") var alpha: Float?
  @Option(help: "esta: whose the biases before the stitch point are, tail or all.") var scope: String = "tail"
  @Flag(help: "esta: without stitch-specific biases.") var noStitchBiases = false
  @Flag(help: "esta: without updates of the stitching layers.") var noLayerUpdates = false
  @Option(
    help:
      "What low-rank updates and biases are for: attention, or all projections of a block (default: attention; all with --heal)."
  )
  var targets: Targets?
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
  @Option(help: "esta: how stitches are drawn.") var sampling = Sampling.importance
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

  /// Of a method that trains a side network.
  var sideKind: SideKind? { SideKind(rawValue: method.rawValue) }

  private var isLesson: Bool { continues && !heal }
  static let usualSteps = 1000

  private func lessonSteps(of family: Family) -> Int {
    let dearest = family.stitches.map(\.flopsPerToken).max() ?? 0
    return LessonSettings.steps(flopsPerToken: Double(dearest))
  }

  private func settings(_ family: Family) throws -> AdaptationSettings {
    let steps = steps ?? (isLesson ? lessonSteps(of: family) : Self.usualSteps)
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
    case .lst, .unipt, .sherl: settings.method = .side(sideKind!)
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
    try updates.apply(to: &settings, rank: rank, alpha: alpha, family: family)
    if let sideKind {
      var side = SideOptions(kind: sideKind)
      if let sideReduction { side.reduction = sideReduction }
      if let sideInterval { side.interval = sideInterval }
      if let lateBlocks { side.lateBlocks = lateBlocks }
      settings.options = AdapterOptions(side: side)
    }
    settings.distillationShare = distill || heal ? distillShare ?? LessonSettings.distillationShare : nil
    settings.heldOutTokens = heldOutTokens
    settings.activations = activations
    settings.seed = seed
    settings.tokensPerMicroBatch = tokensPerMicroBatch ?? tokensAtOnce ?? 512
    if let stitches { settings.stitches = stitches }
    if let tokensPerStep { settings.tokensPerStep = tokensPerStep }

    if let learningRate { settings.optimizer.learningRate = learningRate }
    settings.optimizer.promptRateFactor = updates.promptRateFactor(settings.optimizer.learningRate)
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
    let text = try TextFamily(family)
    var job = AdaptationJob(
      family: family, dataFiles: data.map { URL(fileURLWithPath: $0) },
      settings: try settings(text.family),
      output: output.map { URL(fileURLWithPath: $0) }, continues: continues,
      checkpoint: checkpoint.map { URL(fileURLWithPath: $0) }, restarts: restart, threads: threads)
    job.opened = text
    job.heals = heal
    job.checkpointInterval = checkpointInterval
    job.log = log.map { URL(fileURLWithPath: $0) }
    job.measuring = HeldOutMeasuring(interval: measureInterval, measuresStitches: logStitches)
    job.communicator = processes
    return job
  }
}
