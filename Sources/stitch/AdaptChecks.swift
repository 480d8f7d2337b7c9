import ArgumentParser
import ChatEngine
import LLaMAStitch

/// Which options of `adapt` are right, and which go together.
extension Adapt {
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
    try Check.range("--late-blocks", lateBlocks ?? 1, 1...1024)
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
    if activations != nil {
      try refuse(isForwardOnly, "--activations", "it has no backward pass that would keep any")
      try refuse(method == .unipt, "--activations", "its gradient flows through no block")
    }
    if isForwardOnly {
      try refuse(heal, "--heal", "forward passes alone learn the replies alone")
      try refuse(distill, "--distill", "forward passes alone learn the replies alone")
    } else {
      try refuse(epsilon != nil, "--epsilon", "it has the gradients")
    }
    try refuse(projectionInterval != nil && method != .dizo, "--projection-interval", "it projects nothing")
    try updates.validate(with: self)
    try refuse(lateBlocks != nil && method != .sherl, "--late-blocks", "it has no late blocks")
    if sideKind != nil {
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
}
