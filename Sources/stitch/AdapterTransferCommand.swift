import ArgumentParser
import ChatEngine
import Foundation
import LLaMAStitch
import Workflows

extension AdapterCommand {
  struct Transfer: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "transfer",
      abstract: "Add what a family was taught to another one, or teach it to that.",
      discussion: """
        add, for the next version of a family, or one with other routes: what the adapter adds to the weights is added there, \
        where anchors have the same shapes. Nothing is trained; sizes that the family it comes from does not have begin with \
        what all share.

        trans-lora, for any other family: it writes questions like those of --data, a discriminator keeps what passes for real, \
        the family that was taught answers, and the other one learns the answers (Trans-LoRA). The same command goes on where it \
        was stopped.
        """)

    enum Method: String, ExpressibleByArgument, CaseIterable {
      case add
      case transLoRA = "trans-lora"
    }

    @Argument(help: "The adapter.") var adapter: String
    @OptionGroup var place: Place
    @Option(help: ArgumentHelp("The family to add it to.", valueName: "directory")) var to: String
    @Option(help: "How: add, or trans-lora.") var method = Method.add
    @Option(help: "trans-lora: data that the adapter was taught with, whose questions alone are read.") var data:
      String?
    @Option(help: "trans-lora: questions to answer (default: 400).") var questions: Int?
    @Option(help: "trans-lora: how likely a question must be real, 0 to 1 (default: 0.5).") var accept: Double?
    @Option(help: "trans-lora: steps in which the discriminator is trained (default: 100).") var discriminatorSteps:
      Int?
    @Option(help: "trans-lora: steps in which the other family learns (default: as many as are usual).") var steps: Int?
    @Option(help: "trans-lora: tokens of an answer, at most (default: 256).") var maxTokens: Int?
    @Flag(help: "trans-lora: learn answers that did not end, too.") var keepCut = false
    @Option(help: "trans-lora: the seed (default: 1).") var seed: UInt64?
    @Option(help: "trans-lora: threads; the result does not depend on their number (default: 2).") var threads: Int?
    @Flag(help: "One JSON document on standard output.") var json = false

    func validate() throws {
      let given: [(String, Bool)] = [
        ("--data", data != nil), ("--questions", questions != nil), ("--accept", accept != nil),
        ("--discriminator-steps", discriminatorSteps != nil), ("--steps", steps != nil),
        ("--max-tokens", maxTokens != nil), ("--keep-cut", keepCut), ("--seed", seed != nil),
        ("--threads", threads != nil),
      ]
      if method == .add {
        for (option, isGiven) in given where isGiven {
          throw ValidationError("\(option) is for --method trans-lora; add trains nothing")
        }
      } else if data == nil {
        throw ValidationError("--method trans-lora needs --data: a few questions of what the adapter was taught")
      }
      try Check.range("--questions", questions ?? 1, 1...1_000_000)
      try Check.range("--discriminator-steps", discriminatorSteps ?? 1, 1...1_000_000)
      try Check.range("--steps", steps ?? 1, 1...1_000_000_000)
      try Check.range("--max-tokens", maxTokens ?? 1, 1...1_000_000)
      try Check.threads(threads ?? 2)
      if let accept, !(0...1).contains(accept) { throw ValidationError("--accept must be 0 to 1, not \(accept)") }
    }

    func run() throws {
      if method == .transLoRA { return try distil() }
      let (text, store) = try place.open()
      let other = try TextFamily(FamilyOptions.directory(of: to))
      let (moved, bare) = try AdapterTransferJob(adapter, of: text, to: other).run(store: store)
      if !bare.isEmpty { Console.log("new sizes, which begin with what all share: \(bare.joined(separator: ", "))\n") }
      try AdapterCommand.save(moved, in: other.adapterStore(), json: json)
    }

    private func distil() throws {
      var job = AdapterDistillationJob(
        adapter, of: try FamilyOptions.directory(of: place.family), to: try FamilyOptions.directory(of: to),
        data: URL(fileURLWithPath: data!), threads: threads ?? 2)
      if let questions { job.count = questions }
      if let accept { job.accepted = accept }
      if let discriminatorSteps { job.discriminatorSteps = discriminatorSteps }
      if let maxTokens { job.maxTokens = maxTokens }
      if let seed { job.seed = seed }
      job.steps = steps
      job.keepsCut = keepCut
      let meter = ProgressMeter()
      let report = try job.run(note: meter.note) { progress in
        switch progress {
        case .writing(let done, let all): meter.share("writing questions", done, of: all)
        case .discriminating(let done, let all): meter.share("training the discriminator", done, of: all)
        case .answering(let done, let all): meter.share("answering", done, of: all)
        case .learning(let step):
          meter.update(
            step: step.step, of: step.totalSteps, loss: step.loss, heldOutLoss: step.heldOutLoss,
            tokensPerSecond: step.tokensPerSecond, extra: "  \(step.stitch)")
        }
      }
      meter.end()
      if json { return try Console.write(json: report) }
      let name = report.adapter.prefix(8)
      try Console.write(
        text:
          "\(report.written) questions written, \(report.accepted) passed for real, \(report.answered) answers learned; "
          + "saved as \(name); chat with it by --adapter \(name)\n")
    }
  }
}
