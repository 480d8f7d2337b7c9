import ArgumentParser
import ChatEngine
import Foundation
import LLaMAStitch
import Workflows

extension AdapterMergeJob.Method: ExpressibleByArgument {}

extension AdapterCommand {
  struct Merge: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "merge", abstract: "Make one adapter of several.",
      discussion: """
        sum adds up as much of each as its --weight says (task arithmetic); without --weight each counts as an equal part of \
        1: their average. Ranks add up, and so does the time that a reply takes for them. fisher averages each value, weighted \
        by how much it matters to what the adapter was taught: --data once for each, in their order. It is for adapters of one \
        rank that go on from the same one. scalearn learns how much each output of each adapter counts, on --data of what the \
        result is for, each file as much as another; scalearn-uniform one number for each block and adapter. With --first and \
        --last less of the early blocks is kept of each before.
        """)
    @Argument(help: "Two adapters or more.") var adapters: [String]
    @Option(help: "How: \(AdapterMergeJob.Method.allCases.map(\.rawValue).joined(separator: ", ")).") var method =
      AdapterMergeJob.Method.sum
    @Option(
      help: "The weight of an adapter, in their order; as many as there are. Of scalearn, where its scales begin.")
    var weight: [Float] = []
    @Option(parsing: .upToNextOption, help: "fisher, scalearn: data files, as for `stitch adapt`.") var data: [String] =
      []
    @Option(help: "fisher: examples of each file, at most (default: 256).") var examples: Int?
    @Option(help: "scalearn: steps (default: \(AdapterMergeJob.defaultSteps)).") var steps: Int?
    @OptionGroup var depths: Depths
    @OptionGroup var place: Place
    @Option(help: "fisher, scalearn: threads; the result does not depend on their number.") var threads = 2
    @Flag(help: "One JSON document on standard output.") var json = false

    func validate() throws {
      try Check.threads(threads)
      if adapters.count < 2 { throw ValidationError("name two adapters or more") }
      if !weight.isEmpty && weight.count != adapters.count {
        throw ValidationError(
          "--weight is given \(weight.count) times for \(adapters.count) adapters; give one for each")
      }
      for weight in weight where !(-10...10).contains(weight) {
        throw ValidationError("--weight must be between -10 and 10, not \(weight)")
      }
      for (option, value) in [("--examples", examples), ("--steps", steps)] {
        if let value, !(1...1_000_000).contains(value) {
          throw ValidationError("\(option) must be 1 or more, not \(value)")
        }
      }
      switch method {
      case .sum:
        if !data.isEmpty { throw ValidationError("--data is for --method fisher or scalearn") }
      case .fisher:
        if data.count != adapters.count {
          throw ValidationError(
            "--data names \(data.count) files for \(adapters.count) adapters; give what each was taught")
        }
        if let weight = weight.first(where: { $0 < 0 }) {
          throw ValidationError("a Fisher-weighted average has no negative weights, as \(weight) is")
        }
      case .scalearn, .scalearnUniform:
        if data.isEmpty { throw ValidationError("--data is missing: what the result is for") }
      }
      if examples != nil && method != .fisher { throw ValidationError("--examples is for --method fisher") }
      if steps != nil && method != .scalearn && method != .scalearnUniform {
        throw ValidationError("--steps is for --method scalearn")
      }
    }

    func run() throws {
      let (text, store) = try place.open()
      let meter = ProgressMeter()
      let job = AdapterMergeJob(
        method: method, adapters: adapters, weights: weight, scale: depths.scale,
        data: data.map { URL(fileURLWithPath: $0) }, examples: examples ?? 256,
        steps: steps ?? AdapterMergeJob.defaultSteps,
        threads: threads)
      let merged = try job.run(text, store: store, note: meter.note) { progress in
        switch progress {
        case .example(let file, let done, let all): meter.share("what matters to \(file)", done, of: all)
        case .step(let step, let steps, let loss):
          meter.work("scales: step \(step)/\(steps) · loss \(String(format: "%.3f", loss))")
        }
      }
      meter.end()
      try AdapterCommand.save(merged, in: store, json: json)
    }
  }
}
