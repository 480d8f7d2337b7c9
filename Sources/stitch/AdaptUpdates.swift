import ArgumentParser
import LLaMAStitch

extension AdapterUpdate: ExpressibleByArgument {}

/// What `adapt` trains, and the options that one kind of update has and others do not.
struct UpdateOptions: ParsableArguments {
  @Option(
    help:
      "What is trained: lora (low-rank updates), alore (sums of Kronecker products with low-rank experts), or difffit (biases, scales and norms). All are merged when exported."
  ) var update = AdapterUpdate.lora
  @Option(
    help:
      "alore: the parts that inputs and outputs are cut into, and as many experts; --rank is each one's (default: 4).")
  var kronecker: Int?

  func validate() throws { try Check.range("--kronecker", kronecker ?? 1, 1...64) }

  /// What is trained instead of low-rank updates, with what the command's other options say.
  func apply(to settings: inout AdaptationSettings, rank: Int?, alpha: Float?) {
    if update == .lora { return }
    settings.update = update
    switch update {
    case .lora: break
    case .diffFit: settings.options = .diffFit(scope: settings.options.scope)
    case .alore:
      let rank = rank ?? KroneckerOptions().rank
      settings.options.hasLowRank = false
      settings.options.kronecker = KroneckerOptions(
        factor: kronecker ?? KroneckerOptions().factor, rank: rank, scale: alpha.map { $0 / Float(rank) } ?? 1)
    }
  }

  /// Options that another kind of update has are refused rather than ignored.
  func validate(with command: Adapt) throws {
    func refuse(_ isGiven: Bool, _ option: String, _ reason: String) throws {
      if isGiven { throw ValidationError("\(option) does not go with --update \(update.rawValue): \(reason)") }
    }
    try refuse(kronecker != nil && update != .alore, "--kronecker", "it has no Kronecker products")
    if update == .lora { return }
    if ![.esta, .mezo, .dizo].contains(command.method) {
      throw ValidationError(
        "--update \(update.rawValue) does not go with --method \(command.method.rawValue); it goes with esta, mezo and dizo"
      )
    }
    try refuse(command.heal, "--heal", "stitches are healed by low-rank updates")
    if update == .alore { return }
    let what = "it trains biases, scales and norms"
    try refuse(command.rank != nil, "--rank", what)
    try refuse(command.alpha != nil, "--alpha", what)
    try refuse(command.targets != nil, "--targets", what)
    try refuse(command.noStitchBiases, "--no-stitch-biases", what)
    try refuse(command.noLayerUpdates, "--no-layer-updates", what)
  }
}
