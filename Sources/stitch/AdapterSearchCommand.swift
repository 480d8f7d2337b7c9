import ArgumentParser
import Foundation
import LLaMAStitch
import Support
import Workflows

extension AdapterCommand {
  struct Search: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "search", abstract: "Find which blocks, projections and rank are worth their values.",
      discussion: """
        Candidates are trained for the same few steps and measured on held-out examples; which is measured next, Bayesian \
        optimisation decides by loss and number of trained values (AutoPEFT). A search that is stopped or killed goes on when \
        the same command is given again, and with more --evaluations when it had ended. The best configuration is written as \
        a file that `stitch adapt --configuration` takes.
        """)
    @OptionGroup var place: Place
    @Option(parsing: .upToNextOption, help: "Data files, as for adapt.") var data: [String]
    @Option(help: "The configuration to write: the least loss on the frontier.") var output: String
    @Option(help: "Candidates to measure, in all.") var evaluations = 24
    @Option(help: "Optimiser steps that a candidate is trained for.") var steps = 60
    @Option(help: "Tokens of a step, about.") var tokensPerStep = 1024
    @Option(help: "The highest learning rate.") var learningRate: Float = 2e-3
    @Option(parsing: .upToNextOption, help: "The ranks to choose from.") var ranks = [1, 2, 4, 8, 16, 32, 64]
    @Option(help: "Values that the configuration written may have (default: any number).") var mostParameters: Int?
    @Option(help: "Where what was measured is kept (default: beside the output).") var journal: String?
    @Option(help: "Tokens held out to measure by, at most.") var heldOutTokens = 4096
    @Flag(help: "One JSON document on standard output: the frontier, and everything measured.") var json = false
    @Option(help: "Seed.") var seed: UInt64 = 1
    @Option(help: "Threads; the result does not depend on their number.") var threads = 2

    func validate() throws {
      try Check.range("--evaluations", evaluations, 1...100_000)
      try Check.range("--steps", steps, 1...1_000_000)
      try Check.range("--tokens-per-step", tokensPerStep, 1...1 << 24)
      try Check.positive("--learning-rate", Double(learningRate))
      try Check.range("--most-parameters", mostParameters ?? 1, 1...Int.max)
      try Check.range("--held-out-tokens", heldOutTokens, 1...Int.max)
      try Check.threads(threads)
      if ranks.isEmpty || Set(ranks).count != ranks.count { throw ValidationError("--ranks wants different ranks") }
      for rank in ranks { try Check.range("--ranks", rank, 1...4096) }
    }

    func run() throws {
      var settings = AdaptationSettings(steps: steps, tokensPerStep: tokensPerStep, seed: seed)
      settings.optimizer.learningRate = learningRate
      settings.sampler.warmup = min(100, steps / 10)
      settings.heldOutTokens = heldOutTokens
      var job = AdapterSearchJob(
        family: try FamilyOptions.directory(of: place.family), dataFiles: data.map { URL(fileURLWithPath: $0) },
        settings: settings, ranks: ranks.sorted(), evaluations: evaluations, output: URL(fileURLWithPath: output),
        threads: threads)
      job.journal = journal.map { URL(fileURLWithPath: $0) }
      job.mostParameters = mostParameters
      let meter = ProgressMeter()
      let report = try job.run(
        note: { meter.note($0) },
        progress: { number, progress in
          meter.work("candidate \(number + 1)/\(evaluations), step \(progress.step)/\(progress.totalSteps)")
        })
      meter.end()
      if json { return try Console.write(json: report) }
      var table = TextTable(["parameters", "held out", "rank", "projections", "blocks"])
      for row in report.frontier {
        table.add([
          Quantity.short(row.parameters), ProgressMeter.fixed(row.heldOutLoss, 4), String(row.rank),
          row.targets.map { $0.replacingOccurrences(of: "_proj", with: "") }.joined(separator: ","),
          row.blocks.sorted { $0.key < $1.key }.map { "\($0.key): \(Self.ranges($0.value))" }.joined(separator: "; "),
        ])
      }
      try Console.write(text: table.text)
      meter.note("wrote \(report.output), after \(report.evaluated) candidates")
    }

    /// `0-3,7`
    private static func ranges(_ blocks: [Int]) -> String {
      var parts: [ClosedRange<Int>] = []
      for block in blocks.sorted() {
        if let last = parts.last, last.upperBound == block - 1 {
          parts[parts.count - 1] = last.lowerBound...block
        } else {
          parts.append(block...block)
        }
      }
      let text = parts.map { $0.count == 1 ? "\($0.lowerBound)" : "\($0.lowerBound)-\($0.upperBound)" }
      return text.isEmpty ? "none" : text.joined(separator: ",")
    }
  }
}
