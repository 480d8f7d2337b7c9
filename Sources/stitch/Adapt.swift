import ArgumentParser
import ChatEngine
import Foundation
import LLaMAStitch

struct Adapt: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Adapt a whole family to instructions, in one stage (ESTA).",
    discussion: """
      Data: JSON or JSON Lines with `messages`, `conversations` (ShareGPT), `instruction`/`input`/`output` (Alpaca) \
      or `instruction`/`instances` (self-instruct). Only the replies are learned. With --output a new family is \
      written; without it the adapter goes into your own store and the family stays as it is. A run that is \
      stopped or killed goes on from its checkpoint when the same command is given again.
      """)

  @Option(help: "The family directory.") var family: String
  @Option(parsing: .upToNextOption, help: "Data files.") var data: [String]
  @Option(help: "The family directory to write; it must not exist.") var output: String?
  @Option(help: "Optimiser steps.") var steps = 1000
  @Option(help: "Tokens of a step, about.") var tokensPerStep = 2048
  @Option(help: "The highest learning rate.") var learningRate: Float = 2e-3
  @Option(help: "Rank of the low-rank updates.") var rank = 16
  @Option(help: "α of the low-rank updates (default: the rank).") var alpha: Float?
  @Option(help: "Whose the biases before the stitch point are: tail or all.") var scope: String = "tail"
  @Option(help: "Bins of cost to sample from.") var bins = 8
  @Option(help: "Temperature within a bin.") var temperature = 2.0
  @Option(help: "Decay of the moving average of importance.") var decay = 0.95
  @Flag(help: "Draw stitches uniformly instead of by importance.") var uniform = false
  @Flag(help: "Without stitch-specific biases.") var noBiases = false
  @Flag(name: .customLong("continue"), help: "Go on from the family's own adapter.") var continues = false
  @Flag(help: "Go on from the checkpoint of an interrupted run (the default).") var resume = false
  @Flag(help: "Throw away the checkpoint of an interrupted run.") var restart = false
  @Option(help: "Where to keep the training state (default: in the cache folder).") var checkpoint: String?
  @Option(help: "Steps between checkpoints.") var checkpointInterval = 100
  @Option(help: "Seed.") var seed: UInt64 = 1
  @Option(help: "Threads; the result depends on their number.") var threads = 2

  func validate() throws {
    guard BiasScope(rawValue: scope) != nil else { throw ValidationError("--scope must be tail or all, not \(scope)") }
    try Check.range("--steps", steps, 1...1_000_000_000)
    try Check.range("--tokens-per-step", tokensPerStep, 1...1 << 24)
    try Check.range("--rank", rank, 1...4096)
    try Check.range("--bins", bins, 1...10_000)
    try Check.range("--checkpoint-interval", checkpointInterval, 1...1_000_000)
    try Check.threads(threads)
    try Check.positive("--learning-rate", Double(learningRate))
    try Check.positive("--temperature", temperature)
    try Check.positive("--alpha", Double(alpha ?? 1))
    guard (0..<1).contains(decay) else { throw ValidationError("--decay must be at least 0 and below 1, not \(decay)") }
    if resume && restart { throw ValidationError("--resume and --restart contradict each other") }
  }

  func run() throws {
    let settings = AdaptationSettings(
      steps: steps, tokensPerStep: tokensPerStep, tokensAtOnce: 2048,
      optimizer: OptimizerSettings(
        learningRate: learningRate, warmupSteps: min(50, max(1, steps / 10)), finalShare: 0.1),
      options: AdapterOptions(
        rank: rank, alpha: alpha, scope: BiasScope(rawValue: scope)!, trainsBiases: !noBiases),
      sampler: .init(
        bins: bins, temperature: temperature, decay: decay, warmup: min(100, steps / 10), uniform: uniform),
      seed: seed)
    var job = AdaptationJob(
      family: URL(fileURLWithPath: family), dataFiles: data.map { URL(fileURLWithPath: $0) }, settings: settings,
      output: output.map { URL(fileURLWithPath: $0) }, continues: continues,
      checkpoint: checkpoint.map { URL(fileURLWithPath: $0) }, restarts: restart, threads: threads)
    job.checkpointInterval = checkpointInterval
    let meter = ProgressMeter()
    let place = try job.run(
      note: { meter.note($0) },
      progress: {
        meter.update(
          step: $0.step, of: $0.totalSteps, loss: $0.loss, heldOutLoss: $0.heldOutLoss,
          tokensPerSecond: $0.tokensPerSecond, extra: "  \($0.stitch)")
      })
    meter.note("wrote \(place.path)")
  }
}
