import ArgumentParser
import ChatEngine
import Foundation
import LLaMAStitch
import Support
import Tokenizer
import Workflows

// MARK: - Build and show

struct FamilyCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "family", abstract: "Make a family from anchors, or look at one.",
    subcommands: [Build.self, Show.self, Strip.self])

  struct Build: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "build",
      abstract: "Make a family from anchors: routes, and stitching layers fitted on calibration text.",
      discussion: """
        Each anchor is a Hugging Face model directory with its tokenizer, a GGUF file, or a name from \
        stitch models list, cheapest first; it is named after its directory or file, or NAME where NAME=ANCHOR is \
        given. All must share one tokenizer.
        """)

    @Option(name: .customLong("anchor"), help: "A model directory or GGUF file; give one, or more, cheapest first.")
    var anchors: [String]
    @Option(
      help: "Text to fit the stitching layers on: JSON Lines or plain text (default: the largest anchor writes it).")
    var calibration: String?
    @Option(help: "The family directory to write; it must not exist.") var output: String
    @Option(
      help:
        "Chat template: alpaca, chatml, llama2, tiny, vicuna or zephyr (default: the anchors' own, or alpaca where they have none)."
    )
    var template: String?
    @Option(
      help:
        "A generation_config.json: how tokens are drawn where nobody says otherwise (default: that of the last anchor that has one)."
    )
    var generationConfig: String?
    @Option(help: "Name of the family (default: that of the directory).") var name: String?
    @Option(
      help:
        "Kinds of routes, with commas: across, from an anchor into the next; self, within an anchor, without some of its blocks; two-way, into the next and back; dropped, within an anchor without the blocks that change least and with nothing in their place, to compare with (default: self for one anchor, else across)."
    )
    var routes: String?
    @Option(
      help: "Routes to look for within an anchor, evenly over its cost down to half.") var stops = 10
    @Option(
      help: ArgumentHelp(
        "Tokens of calibration that routes within an anchor are judged on.",
        discussion: "More of them choose better, and take longer.")) var judgedTokens = 512
    @Option(
      help: ArgumentHelp(
        "How much more a route within an anchor must promise that leaves it early.",
        discussion: """
          With 0.5 one that shares nothing counts as half as bad again as one that shares all: what is shared is not \
          computed anew when the slider moves.
          """)) var moveWeight = 0.5
    @Option(help: "Numbers of blocks that dropped routes leave out, with commas (default: about ten, up to half).")
    var leaveOut: String?
    @Option(help: "Ways into each block of the larger anchor.") var window = 1
    @Option(help: "Ridge of the least squares, as a share of the mean diagonal.") var ridge = 1e-4
    @Option(help: "How the stitching layers begin: least-squares or random.") var initialization = "least-squares"
    @Option(help: "Steps of the fit by loss after that.") var fitSteps = 0
    @Option(help: "Steps of a joint phase that trains anchors and stitching layers together on text.") var jointSteps =
      0
    @Option(help: "Tokens of a step of the joint phase, about.") var jointTokensPerStep = 4096
    @Option(help: "Highest learning rate of the joint phase.") var jointLearningRate: Float = 1e-3
    @Option(parsing: .upToNextOption, help: "Text of the joint phase.") var jointData: [String] = []
    @Option(help: "How to store base weights: f32, f16, bf16, q8_0, q4_1 or q4_0 (default: as they are).") var quantize:
      String?
    @Option(help: "Tokens of calibration, at most.") var calibrationTokens = 200_000
    @Option(help: "Seed of the fit by loss, and of random stitching layers.") var seed: UInt64 = 1
    @Option(help: "Threads.") var threads = 2

    func validate() throws {
      guard LayerInitialization(rawValue: initialization) != nil else {
        throw ValidationError("--initialization must be least-squares or random, not \(initialization)")
      }
      let kinds = try routeKinds()
      if try leftOut() != nil, kinds?.contains(.dropped) != true {
        throw ValidationError("--leave-out is for --routes dropped")
      }
      try Check.range("--window", window, 1...64)
      try Check.range("--stops", stops, 1...100)
      try Check.range("--judged-tokens", judgedTokens, 64...1 << 20)
      guard moveWeight >= 0, moveWeight.isFinite else {
        throw ValidationError("--move-weight must be 0 or a positive number, not \(moveWeight)")
      }
      try Check.range("--fit-steps", fitSteps, 0...1_000_000_000)
      try Check.range("--joint-steps", jointSteps, 0...1_000_000_000)
      try Check.range("--joint-tokens-per-step", jointTokensPerStep, 1...1 << 24)
      try Check.range("--calibration-tokens", calibrationTokens, 1...Int.max)
      if jointSteps > 0 && jointData.isEmpty { throw ValidationError("--joint-steps needs text: give --joint-data") }
      try Check.threads(threads)
      try Check.positive("--joint-learning-rate", Double(jointLearningRate))
      guard ridge >= 0, ridge.isFinite else {
        throw ValidationError("--ridge must be 0 or a positive number, not \(ridge)")
      }
    }

    private func routeKinds() throws -> Set<RouteKind>? {
      try routes.map { routes in
        Set(
          try routes.split(separator: ",", omittingEmptySubsequences: false).map { name in
            guard let kind = RouteKind(rawValue: String(name)) else {
              throw ValidationError(
                "--routes must be some of \(RouteKind.allCases.map(\.rawValue).joined(separator: ", ")), not \(name)")
            }
            return kind
          })
      }
    }

    /// What an anchor is to be called, where that is given, and where it is.
    private static func named(_ anchor: String) -> (name: String?, place: String) {
      let parts = anchor.split(separator: "=", maxSplits: 1).map(String.init)
      guard parts.count == 2, !FileManager.default.fileExists(atPath: anchor),
        FamilyDescription.anchorName(from: parts[0]) == parts[0]
      else { return (nil, anchor) }
      return (parts[0], parts[1])
    }

    private func leftOut() throws -> [Int]? {
      try leaveOut.map { numbers in
        try numbers.split(separator: ",", omittingEmptySubsequences: false).map { number in
          guard let count = Int(number), count > 0 else {
            throw ValidationError("--leave-out must be positive numbers with commas between, not \(numbers)")
          }
          return count
        }
      }
    }

    /// A directory or a file, or the file or directory of a model known by name.
    private func anchorPlace(_ anchor: String) throws -> URL {
      let url = URL(fileURLWithPath: anchor)
      return FileManager.default.fileExists(atPath: url.path) || !KnownModel.all.contains { $0.name == anchor }
        ? url : try ModelStore().directory(of: anchor)
    }

    func run() throws {
      let kind = try template.map { name in
        guard let kind = ChatTemplate.Kind(rawValue: name) else {
          throw ValidationError(
            "there is no template “\(name)”; choose one of \(ChatTemplate.Kind.allCases.map(\.rawValue).joined(separator: ", "))"
          )
        }
        return kind
      }
      let url = URL(fileURLWithPath: output)
      var options = FamilyBuilder.Options(name: name ?? url.lastPathComponent, chatTemplate: "alpaca")
      options.window = window
      options.ridge = ridge
      options.initialization = LayerInitialization(rawValue: initialization)!
      options.fitSteps = fitSteps
      options.seed = seed
      options.jointSteps = jointSteps
      options.jointTokensPerStep = jointTokensPerStep
      options.jointLearningRate = jointLearningRate
      options.elementType = try quantize.map { try ElementType(option: $0) }
      var job = FamilyBuildJob(
        anchors: try anchors.map { try anchorPlace(Self.named($0).place) },
        calibration: calibration.map { URL(fileURLWithPath: $0) },
        output: url, template: kind.map { ChatTemplate($0) }, options: options, threads: threads)
      for (index, anchor) in anchors.enumerated() { job.givenNames[index] = Self.named(anchor).name }
      job.generationDefaults = generationConfig.map { URL(fileURLWithPath: $0) }
      job.calibrationTokens = calibrationTokens
      job.routes = try routeKinds()
      job.search.stops = stops
      job.search.heldOutTokens = judgedTokens
      job.search.spanTokens = judgedTokens / 2
      job.search.recomputing = moveWeight
      job.droppedBlocks = try leftOut()
      job.jointText = jointData.map { URL(fileURLWithPath: $0) }
      let meter = ProgressMeter()
      let start = Date()
      let family = try job.run(
        note: { meter.note($0) },
        progress: { progress in
          switch progress {
          case .storing(let anchor): meter.note("storing \(anchor)" + (quantize.map { " as \($0.lowercased())" } ?? ""))
          case .stored: break
          case .writing: meter.note("writing")
          case .searching(_, .reading(let calibration, let heldOut)):
            meter.note("looking for routes: \(calibration) tokens to fit on, \(heldOut) held out to judge on")
          case .searching(_, .computing(let done, let all)): meter.share("computing hidden states", done, of: all)
          case .searching(_, .judging(let done, let most)): meter.share("judging spans of blocks alone", done, of: most)
          case .searching(_, .chaining(let done, let all)): meter.share("judging routes", done, of: all)
          case .found(let anchor, 0): meter.note("\(anchor) has too few blocks to leave any out")
          case .found(let anchor, let routes): meter.note("\(anchor): \(routes) routes within it")
          case .fitting(let done, let all): meter.note("fitted \(done) of \(all) stitching layers")
          case .training(let step, let total, let loss):
            meter.update(
              step: step, of: total, loss: loss, heldOutLoss: nil,
              tokensPerSecond: Double(step * (jointSteps > 0 ? jointTokensPerStep : 1024))
                / max(1e-3, Date().timeIntervalSince(start)))
          }
        })
      meter.note("wrote \(output): \(family.stitches.count) stitches")
    }
  }

  struct Strip: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "strip", abstract: "Copy a family without the weights of its anchors.",
      discussion: """
        What is left, stitching layers, healing and adapter, is small; it opens wherever the model files that the family \
        was made of were pulled or packed.
        """)

    @Argument(help: "The family directory.") var family: String
    @Option(help: "The family directory to write; it must not exist.") var output: String

    func run() throws {
      let family = try Family(FamilyOptions.directory(of: family))
      try family.writeWithoutWeights(to: URL(fileURLWithPath: output))
      let models = family.description.anchors.compactMap(\.model?.name).joined(separator: ", ")
      ProgressMeter().note("wrote \(output); it opens where \(models) is at hand")
    }
  }

  struct Show: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "show", abstract: "The stitches of a family, cheapest first.")

    @Argument(help: "The family directory.") var family: String
    @Flag(help: "One JSON document on standard output.") var json = false

    private struct Row: Encodable {
      var id: String
      var route: String
      var parameters: Int
      var flops_per_token: Int
      var weight_bytes: Int
      var importance: Double?
      var exact_match: Double?
      var loss: Double?
      var agreement: Double?
      var divergence: Double?
      var ms_per_token: Double?
      var stop: Bool
    }

    func run() throws {
      let family = try Family(FamilyOptions.directory(of: family))
      let adapter = try family.ownAdapter()
      let frontier = try Frontier.read(of: family)
      let stops = Set(family.stops.map(\.id))
      let rows = family.stitches.map { stitch in
        let measured = frontier?.stitches.first { $0.id == stitch.id }
        return Row(
          id: stitch.id, route: stitch.routeText, parameters: stitch.parameters,
          flops_per_token: stitch.flopsPerToken, weight_bytes: stitch.weightBytes,
          importance: adapter?.importance[stitch.id], exact_match: measured?.exactMatch, loss: measured?.loss,
          agreement: family.agreement(of: stitch, frontier), divergence: measured?.divergence,
          ms_per_token: measured?.millisecondsPerToken, stop: stops.contains(stitch.id))
      }
      if json {
        struct Document: Encodable {
          var name: String
          var identity: String
          var quantization: String
          var adapter_step: Int?
          var stitches: [Row]
        }
        return try Console.write(
          json: Document(
            name: family.description.name, identity: family.identity, quantization: family.description.quantization,
            adapter_step: adapter?.step, stitches: rows))
      }
      var table = TextTable([
        "stitch", "route", "parameters", "FLOPs/token", "bytes", "ms/token", "importance", "agreement", "exact match",
        "stop",
      ])
      for row in rows {
        table.add([
          row.id, row.route, Quantity.short(row.parameters), Quantity.short(row.flops_per_token),
          Quantity.short(row.weight_bytes), row.ms_per_token.map { String(format: "%.2f", $0) } ?? "",
          row.importance.map { String(format: "%.2e", $0) } ?? "",
          row.agreement.map { String(format: "%.1f %%", 100 * $0) } ?? "",
          row.exact_match.map { String(format: "%.1f %%", 100 * $0) } ?? "", row.stop ? "●" : "",
        ])
      }
      try Console.write(text: table.text + "base weights: \(family.description.quantization)\n")
    }
  }
}

// MARK: - Import and export

struct Import: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "import", abstract: "Turn a GGUF file into a model directory, tokenizer included.",
    discussion: """
      Weights in F32, F16, BF16, Q8_0, Q4_1 and Q4_0 are kept as they are; those in Q5, K-quants and IQ4 become Q8_0, \
      unless --quantize says otherwise. The vocabulary may be SentencePiece's or byte-level BPE. `stitch family build` takes GGUF files directly.

      Example: stitch import TinyLlama-1.1B.Q4_K_M.gguf --output tinyllama
      """)

  @Argument(help: "The GGUF file.") var file: String
  @Option(help: "The model directory to write; it must not exist.") var output: String
  @Option(help: "How to store weights: f32, f16, bf16, q8_0, q4_1 or q4_0.") var quantize: String?

  func run() throws {
    try ImportJob(
      file: URL(fileURLWithPath: file), output: URL(fileURLWithPath: output),
      elementType: try quantize.map { try ElementType(option: $0) }
    ).run()
    try Console.write(Array("wrote \(output)\n".utf8))
  }
}

struct Export: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "export", abstract: "Write an anchor of a family, as adapted, for other programs.",
    discussion: """
      Formats: hf, a model directory for transformers; gguf, a file for llama.cpp; peft, the low-rank updates and biases \
      alone, for PEFT over the anchor's own weights. A stitch of two models is no LLaMA and cannot be exported.

      Example: stitch export --stitch large --format gguf --output large.gguf
      """)

  @OptionGroup var family: FamilyOptions
  @Option(help: "What to write: hf, gguf or peft.") var format: String = "hf"
  @Option(help: "The directory or file to write; it must not exist.") var output: String
  @Option(
    help:
      "How to store weights: f32, f16, bf16, q8_0, q4_1 or q4_0 (default: as they are, f32 where an adapter is merged)."
  )
  var quantize: String?

  func run() throws {
    guard let format = ExportJob.Format(rawValue: format) else {
      throw ValidationError("--format must be hf, gguf or peft, not \(format)")
    }
    if format == .peft && quantize != nil { throw ValidationError("--quantize does not go with --format peft") }
    let job = ExportJob(
      family: try family.directory(), stitch: family.stitchID, adapter: try family.adapterChoice(), format: format,
      output: URL(fileURLWithPath: output), elementType: try quantize.map { try ElementType(option: $0) })
    try Console.write(Array((try job.run() + "\n").utf8))
  }
}
