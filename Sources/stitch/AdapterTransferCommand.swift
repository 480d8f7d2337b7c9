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
        the family that was taught answers, and the other one learns the answers (Trans-LoRA).

        panda, for a soft prompt (adapt --update dept) and --data of another task: the family that was taught learns that task \
        from the old prompt on; then it teaches the other family, which may be itself or of another width, while that learns a \
        new prompt; the more, the more alike both tasks are (PANDA). pot: the new prompt begins as the old one, and nobody \
        teaches.

        What was stopped goes on by the same command.
        """)

    enum Method: String, ExpressibleByArgument, CaseIterable {
      case add
      case transLoRA = "trans-lora"
      case panda
      case pot
    }

    @Argument(help: "The adapter.") var adapter: String
    @OptionGroup var place: Place
    @Option(help: ArgumentHelp("The family to add it to.", valueName: "directory")) var to: String
    @Option(help: "How: add, trans-lora, panda, or pot.") var method = Method.add
    @Option(
      help:
        "trans-lora: data that the adapter was taught with, whose questions alone are read. panda, pot: what is to be learned."
    ) var data: String?
    @Option(help: "trans-lora: questions to answer (default: 400).") var questions: Int?
    @Option(help: "trans-lora: how likely a question must be real, 0 to 1 (default: 0.5).") var accept: Double?
    @Option(help: "trans-lora: steps in which the discriminator is trained (default: 100).") var discriminatorSteps:
      Int?
    @Option(help: "trans-lora: tokens of an answer, at most (default: 256).") var maxTokens: Int?
    @Flag(help: "trans-lora: learn answers that did not end, too.") var keepCut = false
    @Option(
      help:
        "panda: what the difference from the teacher counts for where both tasks are the same; 0: no teacher (default: 0.1)."
    ) var weight: Float?
    @Option(help: "panda: steps in which a prompt is learned to compare both tasks (default: 100).") var promptSteps:
      Int?
    @Option(
      help: "panda: steps in which the teacher learns the task first; 0: none (default: as many as --steps).")
    var teacherSteps: Int?
    @Option(
      help: "Steps in which the other family learns (default: with trans-lora as many as are usual, else 1000).")
    var steps: Int?
    @Option(help: "The seed, where something is trained (default: 1).") var seed: UInt64?
    @Option(help: "Threads; the result does not depend on their number (default: 2).") var threads: Int?
    @Flag(help: "One JSON document on standard output.") var json = false

    /// Options by what they are for; those that are given are refused elsewhere.
    private var given: [(option: String, isGiven: Bool, methods: [Method])] {
      let all: [Method] = [.transLoRA, .panda, .pot]
      return [
        ("--data", data != nil, all), ("--questions", questions != nil, [.transLoRA]),
        ("--accept", accept != nil, [.transLoRA]), ("--discriminator-steps", discriminatorSteps != nil, [.transLoRA]),
        ("--max-tokens", maxTokens != nil, [.transLoRA]), ("--keep-cut", keepCut, [.transLoRA]),
        ("--weight", weight != nil, [.panda]), ("--prompt-steps", promptSteps != nil, [.panda]),
        ("--teacher-steps", teacherSteps != nil, [.panda]),
        ("--steps", steps != nil, all), ("--seed", seed != nil, all), ("--threads", threads != nil, all),
      ]
    }

    func validate() throws {
      for (option, isGiven, methods) in given where isGiven && !methods.contains(method) {
        let names = methods.map(\.rawValue).joined(separator: ", ")
        throw ValidationError(
          "\(option) is for --method \(names)" + (method == .add ? "; add trains nothing" : ", not \(method.rawValue)"))
      }
      if data == nil, method != .add {
        let what = method == .transLoRA ? "a few questions of what the adapter was taught" : "what is to be learned"
        throw ValidationError("--method \(method.rawValue) needs --data: \(what)")
      }
      try Check.range("--questions", questions ?? 1, 1...1_000_000)
      try Check.range("--discriminator-steps", discriminatorSteps ?? 1, 1...1_000_000)
      try Check.range("--prompt-steps", promptSteps ?? 1, 1...1_000_000)
      try Check.range("--teacher-steps", teacherSteps ?? 1, 0...1_000_000_000)
      try Check.range("--steps", steps ?? 1, 1...1_000_000_000)
      try Check.range("--max-tokens", maxTokens ?? 1, 1...1_000_000)
      try Check.threads(threads ?? 2)
      if let accept, !(0...1).contains(accept) { throw ValidationError("--accept must be 0 to 1, not \(accept)") }
      if let weight, !(0...1000).contains(weight) {
        throw ValidationError("--weight must be 0 to 1000, not \(weight)")
      }
    }

    func run() throws {
      switch method {
      case .add: break
      case .transLoRA: return try distil()
      case .panda: return try transferPrompt(.panda)
      case .pot: return try transferPrompt(.pot)
      }
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
        case .learning(let step): Self.show(step, on: meter)
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

    private func transferPrompt(_ method: PromptTransferJob.Method) throws {
      var job = PromptTransferJob(
        method, adapter, of: try FamilyOptions.directory(of: place.family), to: try FamilyOptions.directory(of: to),
        data: URL(fileURLWithPath: data!), threads: threads ?? 2)
      if let weight { job.weight = weight }
      if let promptSteps { job.promptSteps = promptSteps }
      if let steps { job.steps = steps }
      job.teacherSteps = teacherSteps
      if let seed { job.seed = seed }
      let meter = ProgressMeter()
      let report = try job.run(note: meter.note) { progress in
        switch progress {
        case .comparing(let done, let all): meter.share("learning a prompt to compare", done, of: all)
        case .preparing(let done, let all): meter.share("the teacher learns", done, of: all)
        case .learning(let step): Self.show(step, on: meter)
        }
      }
      meter.end()
      if json { return try Console.write(json: report) }
      let name = report.adapter.prefix(8)
      let teacher = report.similarity.map {
        "similarity \(ProgressMeter.fixed($0, 3)), the teacher counts for \(ProgressMeter.fixed(Double(report.weight), 4)); "
      }
      let loss = report.heldOutLoss.map { "held out \(ProgressMeter.fixed($0, 4)); " } ?? ""
      try Console.write(
        text: (teacher ?? "") + loss + "saved as \(name); chat with it by --adapter \(name)\n")
    }

    private static func show(_ step: AdaptationProgress, on meter: ProgressMeter) {
      meter.update(
        step: step.step, of: step.totalSteps, loss: step.loss, heldOutLoss: step.heldOutLoss,
        tokensPerSecond: step.tokensPerSecond, extra: "  \(step.stitch)")
    }
  }
}
