import Support

/// The tensors of a side network. What stands beside a block of an anchor is shared by all stitches that pass through it,
/// as low-rank updates are, and the state has the same width everywhere: so a route's side network needs no stitching
/// layers.
///
/// Of a ladder
/// - of an anchor `anchors.NAME.side.entry` `[width × hidden]`, `.side.norm` `[width]`, `.side.exit` `[hidden × width]`
/// - beside a block `anchors.NAME.layers.N.side.down` `[width × hidden]`, `.side.gate` `[1]`, and the block's own tensors,
///   `.side.q_proj` and so on
///
/// Others: `ParallelNetworkLayout.swift`.
extension AdapterLayout {
  /// A tensor of a side network, and the block of an anchor at which it acts.
  typealias SideDeclaration = (declaration: ParameterStore.Declaration, anchor: Int, block: Int)

  /// - Throws: `TrainingError.plan` where the anchors are too narrow, or too shallow.
  func checkSide() throws {
    guard let side = options.side else { return }
    if side.configuration(beside: configurations) == nil {
      throw TrainingError.plan(
        cause:
          "a side network \(side.reduction) times narrower than \(names[names.count - 1]), which is \(configurations[configurations.count - 1].hiddenSize) wide, has no head; give a smaller --side-reduction"
      )
    }
    if side.kind == .sherl,
      let shallow = configurations.indices.first(where: { configurations[$0].blockCount <= side.lateBlocks })
    {
      throw TrainingError.plan(
        cause:
          "\(names[shallow]) has \(configurations[shallow].blockCount) blocks, none before the last \(side.lateBlocks); give a smaller --late-blocks"
      )
    }
  }

  /// Whether a tensor is of a side network.
  static func isSide(_ name: String) -> Bool {
    name.hasPrefix("anchors.") && name.split(separator: ".").dropLast().last == "side"
  }

  /// Whether a tensor of an adapter has one dimension.
  static func isVector(_ name: String) -> Bool {
    name.hasSuffix("bias") || isScale(name)
      || isSide(name) && ["norm", ".gate", ".confidence", ".weighing", ".keep"].contains { name.hasSuffix($0) }
  }

  /// Whether a side network is as strong as this tensor of it.
  static func isSideStrength(_ name: String) -> Bool { name.hasSuffix(".exit") || name.hasSuffix(".keep") }

  private static let blockNorms = ["attention_norm", "mlp_norm"]

  func sideName(_ anchor: Int, _ block: Int? = nil, _ part: String) -> String {
    "anchors.\(names[anchor])." + (block.map { "layers.\($0)." } ?? "") + "side." + part
  }

  /// Every tensor of the side network, with where it acts.
  var sideDeclarations: [SideDeclaration] {
    guard let side = options.side, let own = side.configuration(beside: configurations) else { return [] }
    return side.kind == .lst ? ladderDeclarations(side, own) : parallelNetworkDeclarations(side, width: own.hiddenSize)
  }

  private func ladderDeclarations(_ side: SideOptions, _ own: LlamaConfiguration) -> [SideDeclaration] {
    var all: [SideDeclaration] = []
    for (anchor, configuration) in configurations.enumerated() {
      func add(_ part: String, _ shape: [Int], after block: Int, of place: Int?) {
        all.append(
          (.init(sideName(anchor, place, part), shape: shape, decays: shape.count > 1), anchor, block))
      }
      let last = configuration.blockCount - 1
      add("entry", [own.hiddenSize, configuration.hiddenSize], after: 0, of: nil)
      for block in 0...last where side.reads(block, of: configuration) {
        add("down", [own.hiddenSize, configuration.hiddenSize], after: block, of: block)
        add("gate", [1], after: block, of: block)
        for norm in Self.blockNorms { add(norm, [own.hiddenSize], after: block, of: block) }
        for target in AdapterTarget.allCases {
          add(target.rawValue, [target.outputs(own), target.inputs(own)], after: block, of: block)
        }
      }
      add("norm", [own.hiddenSize], after: last, of: nil)
      add("exit", [configuration.hiddenSize, own.hiddenSize], after: last, of: nil)
    }
    return all
  }

  /// The side network of a route; `nil` where the adapter has none.
  func side(_ route: Route, from tensors: some DeltaTensors) -> SideNetwork? {
    guard let side = options.side, let own = side.configuration(beside: configurations) else { return nil }
    return side.kind == .lst
      ? ladder(route, side, own, from: tensors).map(SideNetwork.ladder)
      : parallelNetwork(route, side, from: tensors).map(SideNetwork.parallel)
  }

  private func ladder(
    _ route: Route, _ side: SideOptions, _ own: LlamaConfiguration, from tensors: some DeltaTensors
  ) -> LadderNetwork? {
    guard let entry = tensors.matrix(sideName(route.start, nil, "entry")),
      let norm = tensors.bias(sideName(route.end, nil, "norm")),
      let exit = tensors.matrix(sideName(route.end, nil, "exit"))
    else { return nil }
    var rungs: [LadderNetwork.Rung?] = []
    for (index, segment) in route.segments.enumerated() {
      if index > 0 { rungs.append(nil) }
      for block in segment.blocks {
        rungs.append(
          side.reads(block, of: configurations[segment.anchor])
            ? rung(segment.anchor, block, own, from: tensors) : nil)
      }
    }
    return LadderNetwork(entry: entry, rungs: rungs, norm: norm, exit: exit)
  }

  private func rung(
    _ anchor: Int, _ block: Int, _ configuration: LlamaConfiguration, from tensors: some DeltaTensors
  ) -> LadderNetwork.Rung? {
    func matrix(_ part: String) -> WeightMatrix? { tensors.matrix(sideName(anchor, block, part)) }
    func vector(_ part: String) -> WeightVector? { tensors.bias(sideName(anchor, block, part)) }
    func projection(_ target: AdapterTarget) -> Projection? { matrix(target.rawValue).map { Projection(weight: $0) } }
    guard let down = matrix("down"), let gate = vector("gate"), let first = vector(Self.blockNorms[0]),
      let second = vector(Self.blockNorms[1]), let query = projection(.query), let key = projection(.key),
      let value = projection(.value), let output = projection(.output), let gateProjection = projection(.gate),
      let up = projection(.up), let downProjection = projection(.down)
    else { return nil }
    return LadderNetwork.Rung(
      down: down, gate: gate,
      block: Block(
        configuration: configuration, attentionNorm: first,
        attention: Attention(query: query, key: key, value: value, output: output), mlpNorm: second,
        mlp: MLP(gate: gateProjection, up: up, down: downProjection)))
  }

  /// What a tensor of a side network is before training: random, but that norms are 1, gates half open, and nothing is
  /// added to the hidden state.
  static func startSide(_ parameter: Parameter, _ values: VectorView, _ random: inout SeededGenerator) {
    let part = parameter.name.split(separator: ".").last!
    if part.hasSuffix("norm") { return values.fill(1) }
    if ["exit", "gate", "keep"].contains(part) { return values.fill(0) }
    values.fillUniformly(within: 1 / Float(parameter.shape.last!).squareRoot(), &random)
  }
}
