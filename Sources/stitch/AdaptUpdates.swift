import ArgumentParser
import Foundation
import LLaMAStitch
import Workflows

extension AdapterUpdate: ExpressibleByArgument {}
extension SavedActivations: ExpressibleByArgument {}

/// What `adapt` trains, and the options that one kind of update has and others do not.
struct UpdateOptions: ParsableArguments {
  @Option(
    help:
      "What is trained: lora (low-rank updates), alore (sums of Kronecker products with low-rank experts), difffit (biases, scales and norms), parallel (bottlenecks beside the MLPs), prefix (keys and values before every text), or dept (a soft prompt and a low-rank update of embeddings, by position). The first three are merged when exported."
  ) var update = AdapterUpdate.lora
  @Option(
    help:
      "alore: the parts that inputs and outputs are cut into, and as many experts; --rank is each one's (default: 4).")
  var kronecker: Int?

  @Option(
    help:
      "lora: which blocks, projections and rank, as `stitch adapter search` writes it; instead of --rank and --targets."
  )
  var configuration: String?

  @Option(help: "parallel: the width of a bottleneck (default: 64).") var bottleneck: Int?
  @Option(help: "parallel: what is added is multiplied by this (default: 4).") var parallelScale: Float?
  @Option(help: "prefix: keys and values of a block, positions that they take of the context (default: 16).")
  var prefixLength: Int?

  @Option(help: "dept: vectors of the soft prompt, positions that they take of the context (default: 20).")
  var promptLength: Int?
  @Option(help: "dept: positions of a text whose embeddings are updated; --rank is the update's (default: 256).")
  var updatedPositions: Int?
  @Option(help: "dept: the learning rate of the soft prompt (default: 0.3, or 30 times --learning-rate).")
  var promptLearningRate: Float?

  func validate() throws {
    try Check.range("--prompt-length", promptLength ?? 1, 1...Int.max)
    try Check.range("--updated-positions", updatedPositions ?? 1, 1...65_536)
    try Check.positive("--prompt-learning-rate", Double(promptLearningRate ?? 1))
    try Check.range("--kronecker", kronecker ?? 1, 1...64)
    try Check.range("--bottleneck", bottleneck ?? 1, 1...65_536)
    try Check.positive("--parallel-scale", Double(parallelScale ?? 1))
    try Check.range("--prefix-length", prefixLength ?? 1, 1...Int.max)
  }

  /// The highest learning rate where nobody says otherwise; `nil` where it is that of low-rank updates. Prefixes and soft
  /// prompts are read as they are, and want one by which they come to be as large as what stands beside them.
  private var usualLearningRate: Float? {
    switch update {
    case .lora, .diffFit, .parallel: nil
    case .alore: 0.01
    case .dept: PromptOptions.learningRate
    case .prefix: 0.2
    }
  }

  /// What is trained instead of low-rank updates, with what the command's other options say.
  func apply(to settings: inout AdaptationSettings, rank: Int?, alpha: Float?, family: Family) throws {
    if let configuration {
      let file = URL(fileURLWithPath: configuration)
      settings.options = try ConfigurationDocument.read(file).placement(in: family, file: file).applied(
        to: settings.options)
    }
    if update == .lora { return }
    settings.update = update
    if settings.method == .esta, let usualLearningRate { settings.optimizer.learningRate = usualLearningRate }
    switch update {
    case .lora: break
    case .diffFit: settings.options = .diffFit(scope: settings.options.scope)
    case .parallel:
      settings.options = .besideProjections
      settings.options.parallel = ParallelOptions(
        width: bottleneck ?? ParallelOptions().width, scale: parallelScale ?? ParallelOptions().scale)
    case .prefix:
      settings.options = .besideProjections
      settings.options.prefix = PrefixOptions(length: prefixLength ?? PrefixOptions().length)
    case .dept:
      settings.options = .besideProjections
      let usual = PromptOptions()
      settings.options.prompt = PromptOptions(
        length: promptLength ?? usual.length, positions: updatedPositions ?? usual.positions, rank: rank ?? usual.rank)
    case .alore:
      let rank = rank ?? KroneckerOptions().rank
      settings.options.hasLowRank = false
      settings.options.kronecker = KroneckerOptions(
        factor: kronecker ?? KroneckerOptions().factor, rank: rank, scale: alpha.map { $0 / Float(rank) } ?? 1)
    }
  }

  /// What the soft prompt's learning rate is, as a multiple of that of the rest.
  func promptRateFactor(_ learningRate: Float) -> Float? {
    update == .dept ? promptLearningRate.map { $0 / learningRate } ?? PromptOptions.vectorRateFactor : nil
  }

  /// Options that another kind of update has are refused rather than ignored.
  func validate(with command: Adapt) throws {
    func refuse(_ isGiven: Bool, _ option: String, _ reason: String) throws {
      if isGiven { throw ValidationError("\(option) does not go with --update \(update.rawValue): \(reason)") }
    }
    try refuse(kronecker != nil && update != .alore, "--kronecker", "it has no Kronecker products")
    try refuse(bottleneck != nil && update != .parallel, "--bottleneck", "it has no bottlenecks")
    try refuse(parallelScale != nil && update != .parallel, "--parallel-scale", "it has no bottlenecks")
    for (option, isGiven) in [
      ("--prompt-length", promptLength != nil), ("--updated-positions", updatedPositions != nil),
      ("--prompt-learning-rate", promptLearningRate != nil),
    ] { try refuse(isGiven && update != .dept, option, "it has no soft prompt") }
    try refuse(prefixLength != nil && update != .prefix, "--prefix-length", "it has no prefix")
    if configuration != nil {
      try refuse(update != .lora, "--configuration", "it says where low-rank updates are")
      for (option, isGiven) in [
        ("--rank", command.rank != nil), ("--alpha", command.alpha != nil), ("--targets", command.targets != nil),
        ("--continue", command.continues), ("--heal", command.heal),
        ("--method \(command.method.rawValue)", command.sideKind != nil),
        ("--method sn-net", command.method == .snNet),
      ] where isGiven {
        throw ValidationError("--configuration does not go with \(option): it says what the update's shape is")
      }
    }
    if update == .lora { return }
    if ![.esta, .mezo, .dizo].contains(command.method) {
      throw ValidationError(
        "--update \(update.rawValue) does not go with --method \(command.method.rawValue); it goes with esta, mezo and dizo"
      )
    }
    try refuse(command.heal, "--heal", "stitches are healed by low-rank updates")
    if update == .alore { return }
    let what =
      switch update {
      case .parallel: "it trains bottlenecks beside the MLPs"
      case .prefix: "it trains keys and values"
      case .dept: "it trains a soft prompt and an update of embeddings"
      default: "it trains biases, scales and norms"
      }
    try refuse(update != .diffFit && command.scope != "tail", "--scope", what)
    try refuse(command.rank != nil && update != .dept, "--rank", what)
    try refuse(
      command.distill && update == .dept, "--distill",
      "a prompt is taught by another one: stitch adapter transfer --method panda")
    try refuse(command.alpha != nil, "--alpha", what)
    try refuse(command.targets != nil, "--targets", what)
    try refuse(command.noStitchBiases, "--no-stitch-biases", what)
    try refuse(command.noLayerUpdates, "--no-layer-updates", what)
  }
}
