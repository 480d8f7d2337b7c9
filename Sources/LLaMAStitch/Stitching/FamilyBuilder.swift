import Foundation

/// Makes a family from anchors: routes, and their stitching layers fitted on calibration text.
public struct FamilyBuilder {
  /// What a listener hears.
  public enum Progress: Sendable {
    case fitting(routes: Int, of: Int)
    case training(step: Int, of: Int, loss: Double)
  }

  public struct Options: Sendable {
    public var name: String
    public var chatTemplate: String
    /// Entry points l, l + 1, … for each m.
    public var window = 1
    /// Share of the mean diagonal added to it.
    public var ridge = 1e-4
    /// How the stitching layers begin.
    public var initialization = LayerInitialization.leastSquares
    /// Steps of the fit by loss; 0 for the initialisation alone.
    public var fitSteps = 0
    public var fitLearningRate: Float = 1e-3
    /// Steps of a joint phase after least squares, in which the anchors are trained too; 0 leaves them as they are.
    public var jointSteps = 0
    public var jointLearningRate: Float = 1e-3
    public var jointTokensPerStep = 4096
    /// Where the state of the joint phase is kept.
    public var checkpoint: URL?
    /// How base weights are stored: `nil` as they come.
    public var elementType: ElementType?
    public var seed: UInt64 = 1
    /// Memory for the normal equations of a group of routes.
    public var memory = 2 << 30

    public init(name: String, chatTemplate: String) {
      self.name = name
      self.chatTemplate = chatTemplate
    }
  }

  public struct Anchor: Sendable {
    public var name: String
    public var directory: ModelDirectory

    public init(name: String, directory: ModelDirectory) {
      self.name = name
      self.directory = directory
    }
  }

  private let anchors: [Anchor]
  private let models: [LlamaModel]
  private let frozen: [AnchorTensors]
  private let routes: [Route]
  private let options: Options
  private let pool: ComputePool

  /// - Parameter anchors: cheapest first.
  public init(_ anchors: [Anchor], options: Options, pool: ComputePool) throws {
    try LinearAlgebra.load()
    guard anchors.count >= 1 else { throw FamilyError.unstitchable(cause: "a family needs at least one; name its model directory") }
    for anchor in anchors where !FamilyDescription.isGoodName(anchor.name) {
      throw FamilyError.unstitchable(
        cause: "“\(anchor.name)” cannot name an anchor; use letters, digits, “_” and “.”, at most 40")
    }
    guard Set(anchors.map(\.name)).count == anchors.count else {
      throw FamilyError.unstitchable(cause: "two of them have the same name; give each anchor once, in a directory of its own name")
    }
    try Family.checkStitchable(anchors.map(\.directory.configuration), names: anchors.map(\.name))
    self.anchors = anchors
    self.options = options
    self.pool = pool
    // What is fitted is what will run: weights rounded to the type they will be stored in.
    models = try anchors.map { try LlamaModel($0.directory) }
    let costs = models.map { $0.network().flopsPerToken }
    for index in costs.indices.dropFirst() where costs[index] < costs[index - 1] {
      throw FamilyError.unstitchable(
        cause: "\(anchors[index].name) costs less than \(anchors[index - 1].name) before it; give the cheapest first")
    }
    let type = options.elementType
    frozen = models.map { AnchorTensors(frozen: $0).rounded(to: type) }
    routes = Route.all(depths: anchors.map(\.directory.configuration.blockCount), window: options.window)
  }

  /// Fits everything and writes the directory, which must not exist.
  /// - Parameters:
  ///   - calibration: token sequences, each with its BOS; at most `contextLength` tokens are used of each.
  ///   - jointText: documents of the joint phase, with BOS and EOS.
  ///   - tokenizer: bytes of `tokenizer.model`.
  public func build(
    calibration: [[Int32]], jointText: [[Int32]] = [], tokenizer: Data, output: URL,
    listener: (Progress) -> Bool = { _ in true }
  ) throws -> Family? {
    try NewDirectory.check(output)
    var layers: [Route: FittedLayer]
    switch options.initialization {
    case .leastSquares:
      layers = try LeastSquares(
        anchors: frozen, routes: routes, ridge: options.ridge, memory: options.memory
      ).fit(calibration) { _ = listener(.fitting(routes: $0, of: $1)) }
    case .random: layers = FittedLayer.random(routes, anchors: frozen, seed: options.seed)
    }
    var anchors = frozen
    if options.jointSteps > 0 {
      let joint = LossFit(
        anchors: anchors, routes: routes, layers: layers, scope: .everything,
        learningRate: options.jointLearningRate, seed: options.seed)
      guard
        try joint.run(
          jointText, sequenceLength: contextLength, steps: options.jointSteps,
          tokensPerStep: options.jointTokensPerStep, pool: pool, checkpoint: options.checkpoint,
          listener: { listener(.training(step: $0, of: options.jointSteps, loss: $1)) })
      else { return nil }
      layers = joint.layers
      anchors = joint.trainedAnchors.map { $0.rounded(to: options.elementType) }
    }
    if options.fitSteps > 0, routes.contains(where: { $0.join != nil }) {
      let fit = LossFit(
        anchors: anchors, routes: routes, layers: layers, scope: .layers,
        learningRate: options.fitLearningRate, seed: options.seed)
      guard
        try fit.run(
          calibration, sequenceLength: min(contextLength, 256), steps: options.fitSteps, tokensPerStep: 1024,
          pool: pool, listener: { listener(.training(step: $0, of: options.fitSteps, loss: $1)) })
      else { return nil }
      layers = fit.layers
    }
    let writer = FamilyWriter(
      name: options.name, chatTemplate: options.chatTemplate,
      quantization: options.elementType?.rawValue.lowercased() ?? "mixed", routes: routes,
      anchors: self.anchors.map {
        .init(
          name: $0.name, configuration: $0.directory.configuration,
          elementType: options.elementType ?? $0.directory.commonElementType)
      })
    try NewDirectory.write(output) { try writer.write(anchors, layers, tokenizer: tokenizer, to: $0) }
    return try Family(output)
  }

  private var contextLength: Int { models.map(\.configuration.contextLength).min()! }
}

/// How the stitching layers of a family begin.
public enum LayerInitialization: String, Sendable, CaseIterable {
  case leastSquares = "least-squares"
  /// Normal weights of variance 1/inputs, biases 0: the ablation.
  case random
}

/// Least squares for every stitching layer of a family, on calibration tokens.
struct LeastSquares {
  var anchors: [AnchorTensors]
  var routes: [Route]
  /// Share of the mean diagonal added to it.
  var ridge: Double
  /// Bytes for the normal equations of a group of routes.
  var memory: Int

  private var contextLength: Int { anchors.map(\.configuration.contextLength).min()! }

  /// - Parameter progress: hears how many of how many routes are fitted.
  func fit(
    _ calibration: [[Int32]], progress: (Int, Int) -> Void = { _, _ in }
  ) throws -> [Route: FittedLayer] {
    let stitched = routes.filter { $0.join != nil }
    var fitted: [Route: FittedLayer] = [:]
    var begin = 0
    while begin < stitched.count {
      // As many routes at a time as their normal equations fit into memory.
      var end = begin
      var bytes = 0
      while end < stitched.count {
        let (from, to) = widths(stitched[end])
        bytes += LayerFit.bytes(inputs: from, outputs: to)
        if end > begin && bytes > memory { break }
        end += 1
      }
      let group = Array(stitched[begin..<end])
      for (route, layer) in try fitGroup(group, calibration) { fitted[route] = layer }
      begin = end
      progress(end, stitched.count)
    }
    return fitted
  }

  private func widths(_ route: Route) -> (Int, Int) {
    (anchors[route.start].configuration.hiddenSize, anchors[route.end].configuration.hiddenSize)
  }

  private func fitGroup(_ group: [Route], _ calibration: [[Int32]]) throws -> [Route: FittedLayer] {
    let used = Set(group.flatMap { [$0.start, $0.end] }).sorted()
    let passes = used.map { _ in TrainingPass() }
    var fits = group.map { route in
      let (from, to) = widths(route)
      return LayerFit(inputs: from, outputs: to)
    }
    // Batches of about 1,024 tokens.
    var batch = PackedBatch()
    func flush() {
      if batch.rows == 0 { return }
      let leftOut = Set(batch.starts)
      // The residual stream of each anchor after each number of blocks.
      var streams: [Int: [MatrixView]] = [:]
      for (place, anchor) in used.enumerated() {
        var kept: [MatrixView] = []
        passes[place].residualStream(anchors[anchor].network, batch: batch) { _, stream in
          let copy = FloatBuffer(count: stream.rows * stream.columns)
          copy.vector.copy(from: stream.dense)
          kept.append(copy.matrix(rows: stream.rows, columns: stream.columns))
        }
        streams[anchor] = kept
      }
      for (place, route) in group.enumerated() {
        let join = route.join!
        fits[place].add(
          x: streams[route.start]![join.prefix], y: streams[join.end]![join.entry], leftOut: leftOut)
      }
      batch = PackedBatch()
    }
    for sequence in calibration {
      batch.append(Array(sequence.prefix(contextLength)))
      if batch.rows >= 1024 { flush() }
    }
    flush()
    var fitted: [Route: FittedLayer] = [:]
    for (route, fit) in zip(group, fits) {
      guard fit.tokens > 0, let solution = fit.solve(ridge: ridge) else {
        throw FamilyError.unstitchable(
          cause: "the calibration text is too short to fit a stitching layer; give more text")
      }
      let (from, to) = widths(route)
      fitted[route] = FittedLayer(
        weight: FloatBuffer(solution.weight).matrix(rows: to, columns: from),
        bias: FloatBuffer(solution.bias).vector)
    }
    return fitted
  }
}

/// Writes the base of a family: anchors, stitching layers, tokenizer, description.
struct FamilyWriter {
  struct Anchor {
    var name: String
    var configuration: LlamaConfiguration
    var elementType: ElementType
  }

  var name: String
  var chatTemplate: String
  /// For `family.json`: how base weights are stored.
  var quantization: String
  var routes: [Route]
  /// Cheapest first.
  var anchors: [Anchor]

  /// - Parameters:
  ///   - tensors: of each anchor.
  ///   - tokenizer: bytes of `tokenizer.model`.
  ///   - directory: exists and is empty.
  func write(
    _ tensors: [AnchorTensors], _ layers: [Route: FittedLayer], tokenizer: Data, to directory: URL
  ) throws {
    var described: [FamilyDescription.Anchor] = []
    for (anchor, tensors) in zip(anchors, tensors) {
      let place = "anchors/\(anchor.name)"
      let target = directory.appendingPathComponent(place)
      try ModelDirectory.write(
        to: target, configuration: anchor.configuration, weights: tensors.namedWeights, elementType: anchor.elementType)
      described.append(
        .init(name: anchor.name, directory: place, sha256: try Self.hash(target.appendingPathComponent(ModelDirectory.weightsName))))
    }
    let names = anchors.map(\.name)
    let depths = anchors.map(\.configuration.blockCount)
    var writer = SafetensorsWriter(metadata: ["format": "stitch-layers-1"])
    for (route, layer) in layers {
      let id = route.id(names: names, depths: depths)
      writer.add("stitches.\(id).weight", shape: [layer.weight.rows, layer.weight.columns], layer.weight.dense)
      writer.add("stitches.\(id).bias", shape: [layer.bias.count], layer.bias)
    }
    let stitches = directory.appendingPathComponent(FamilyDescription.stitchesName)
    try writer.write(to: stitches)
    try AtomicFile.write(tokenizer, to: directory.appendingPathComponent(FamilyDescription.tokenizerName))
    try FamilyDescription(
      format: FamilyDescription.currentFormat, name: name, anchors: described, routes: routes,
      quantization: quantization, chatTemplate: chatTemplate,
      tokenizerSHA256: SHA256.hexadecimal(of: Array(tokenizer)), stitchesSHA256: try Self.hash(stitches), stops: nil
    ).write(in: directory)
  }

  private static func hash(_ file: URL) throws -> String {
    SHA256.hexadecimal(of: Array(try Data(contentsOf: file)))
  }
}

/// W [d₂ × d₁] and b [d₂] of a stitching layer.
struct FittedLayer: Sendable {
  var weight: MatrixView
  var bias: VectorView

  /// A layer for each stitched route: W normal of variance 1/d₁, b zero.
  static func random(_ routes: [Route], anchors: [AnchorTensors], seed: UInt64) -> [Route: FittedLayer] {
    var random = SeededGenerator(seed: seed, stream: 9)
    var layers: [Route: FittedLayer] = [:]
    for route in routes where route.join != nil {
      let from = anchors[route.start].configuration.hiddenSize
      let to = anchors[route.end].configuration.hiddenSize
      let deviation = 1 / Double(from).squareRoot()
      let weight = (0..<to * from).map { _ in Float(deviation * random.normal()) }
      layers[route] = FittedLayer(
        weight: FloatBuffer(weight).matrix(rows: to, columns: from), bias: FloatBuffer(count: to).vector)
    }
    return layers
  }
}
