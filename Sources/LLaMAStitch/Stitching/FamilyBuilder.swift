import Foundation
import Support

/// Makes a family from anchors: routes, and their stitching layers fitted on calibration text.
public struct FamilyBuilder {
  /// What a listener hears.
  public enum Progress: Sendable {
    /// The weights of an anchor are being stored as they will be in the family.
    case storing(anchor: String)
    /// All anchors are stored; fitting begins.
    case stored
    /// So many stitching layers are fitted.
    case fitting(layers: Int, of: Int)
    /// Routes within an anchor are looked for.
    case searching(anchor: String, RouteSearch.Progress)
    /// So many were found; none where it has too few blocks to leave any out.
    case found(anchor: String, routes: Int)
    case training(step: Int, of: Int, loss: Double)
    /// All is fitted and is being written.
    case writing
  }

  public struct Options: Sendable {
    public var name: String
    /// See `FamilyDescription.chatTemplate`.
    public var chatTemplate: JSONValue
    /// Entry points l, l + 1, … for each m.
    public var window = 1
    /// Whether there are the joins of neighbours.
    public var joinsNeighbours = true
    /// Further routes, besides the anchors and the joins of neighbours.
    public var moreRoutes: [Route] = []
    /// How routes within each anchor are looked for; `nil`: not at all.
    public var selfRoutes: RouteSearch.Options?
    /// Numbers of blocks that further routes within each anchor leave out, the least influential first (`BlockInfluence`),
    /// with layers in their place that change nothing.
    public var droppedBlocks: [Int] = []
    /// Share of the mean diagonal added to it.
    public var ridge = 1e-4
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
    /// How base weights are stored, quantised or not: `nil` as they come.
    public var elementType: ElementType?
    /// Whether weights that are stored as they come are links to the anchors' files, where the file system can: for files
    /// that nobody writes to.
    public var linksWeights = false
    public var seed: UInt64 = 1
    /// Memory for the normal equations of a group of routes.
    public var memory = 2 << 30

    public init(name: String, chatTemplate: JSONValue) {
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
  private let routes: [Route]
  private let options: Options
  private let pool: ComputePool

  /// - Parameter anchors: cheapest first.
  public init(_ anchors: [Anchor], options: Options, pool: ComputePool) throws {
    try LinearAlgebra.load()
    guard anchors.count >= 1 else {
      throw FamilyError.unstitchable(cause: "a family needs at least one; name its model directory")
    }
    for anchor in anchors where !FamilyDescription.isGoodName(anchor.name) {
      throw FamilyError.unstitchable(
        cause: "“\(anchor.name)” cannot name an anchor; use letters, digits, “_” and “.”, at most 40")
    }
    guard Set(anchors.map(\.name)).count == anchors.count else {
      throw FamilyError.unstitchable(
        cause: "two of them have the same name; give each a name of its own")
    }
    try Family.checkStitchable(anchors.map(\.directory.configuration), names: anchors.map(\.name))
    self.anchors = anchors
    self.options = options
    self.pool = pool
    let costs = try anchors.map { try LlamaModel($0.directory).network().flopsPerToken }
    for index in costs.indices.dropFirst() where costs[index] < costs[index - 1] {
      throw FamilyError.unstitchable(
        cause: "\(anchors[index].name) costs less than \(anchors[index - 1].name) before it; give the cheapest first")
    }
    let depths = anchors.map(\.directory.configuration.blockCount)
    if let count = options.droppedBlocks.first(where: { $0 < 1 || $0 > depths.max()! - 2 }) {
      throw FamilyError.unstitchable(
        cause: "of \(depths.max()!) blocks \(count) cannot be left out; the first and the last stay")
    }
    for route in options.moreRoutes {
      if let problem = route.problem(depths: depths) { throw FamilyError.unstitchable(cause: problem) }
    }
    let usual =
      options.joinsNeighbours
      ? Route.all(depths: depths, window: options.window) : depths.indices.map { Route(anchor: $0, depth: depths[$0]) }
    routes = usual + options.moreRoutes.filter { !usual.contains($0) }
  }

  /// Fits everything and writes the directory, which must not exist.
  /// - Parameters:
  ///   - calibration: token sequences, each with its BOS; at most `contextLength` tokens are used of each.
  ///   - jointText: documents of the joint phase, with BOS and EOS, and which of their tokens are to be learned.
  ///   - tokenizer: the tokenizer's files, content by name.
  public func build(
    calibration: [[Int32]], jointText: [TrainingExample] = [], tokenizer: [String: Data], output: URL,
    listener: (Progress) -> Bool = { _ in true }
  ) throws -> Family? {
    try NewDirectory.check(output)
    guard
      !needsText || options.initialization == .random
        || calibration.contains(where: { min($0.count, contextLength) > 1 })
    else {
      throw LeastSquares.tooShort
    }
    struct Stopped: Error {}
    do {
      try NewDirectory.write(output) { staging in
        guard try build(calibration, jointText: jointText, tokenizer: tokenizer, in: staging, listener: listener) else {
          throw Stopped()
        }
      }
    } catch is Stopped { return nil }
    return try Family(output)
  }

  /// - Returns: `false` if the listener stopped it.
  private func build(
    _ calibration: [[Int32]], jointText: [TrainingExample], tokenizer: [String: Data], in directory: URL,
    listener: (Progress) -> Bool
  ) throws -> Bool {
    // Stored first, then fitted: what is fitted is what will run. Weights stay in their files and are read from there.
    let places = anchors.map { directory.appendingPathComponent(FamilyWriter.place(of: $0.name)) }
    for (anchor, place) in zip(anchors, places) {
      _ = listener(.storing(anchor: anchor.name))
      if options.linksWeights, options.elementType == nil {
        try anchor.directory.writeLinks(to: place)
      } else {
        try anchor.directory.writeCopy(to: place, elementType: options.elementType)
      }
    }
    func stored() throws -> [LlamaModel] {
      try places.map { try LlamaModel.load(directory: $0).preparedForTraining }
    }
    _ = listener(.stored)
    var tensors = try stored()
    var layers =
      switch options.initialization {
      case .leastSquares: try fit(tensors, calibration, listener: listener)
      case .random: randomLayers(tensors)
      }
    if options.jointSteps > 0 {
      let joint = LossFit(
        anchors: tensors, routes: routes, layers: layers, scope: .everything,
        learningRate: options.jointLearningRate, seed: options.seed)
      guard
        try joint.run(
          jointText.flatMap { $0.pieces(ofAtMost: contextLength) }, steps: options.jointSteps,
          tokensPerStep: options.jointTokensPerStep, pool: pool, checkpoint: options.checkpoint,
          listener: { listener(.training(step: $0, of: options.jointSteps, loss: $1)) })
      else { return false }
      layers = joint.layers
      for ((anchor, place), trained) in zip(zip(anchors, places), joint.trainedAnchors) {
        try FileManager.default.removeItem(at: place)
        try ModelDirectory.write(
          to: place, configuration: anchor.directory.configuration,
          elementType: options.elementType ?? anchor.directory.elementType ?? .f32, weights: trained.floats)
      }
      tensors = try stored()
    }
    var routes = routes
    var stops: [Route]?
    if !options.droppedBlocks.isEmpty {
      let found = dropBlocks(tensors, calibration).filter { !routes.contains($0.route) }
      for one in found { layers[one.route] = one.layers }
      routes += found.map(\.route)
      _ = listener(.found(anchor: anchors.map(\.name).joined(separator: ", "), routes: found.count))
    }
    var agreement: [Route: Double]?
    if options.selfRoutes != nil {
      let found = try searchRoutes(tensors, calibration, listener: listener).filter { !routes.contains($0.route) }
      for stop in found { layers[stop.route] = stop.layers }
      routes += found.map(\.route)
      // Where nothing else was measured, the slider has what was.
      if anchors.count == 1, !found.isEmpty {
        let whole = Route(anchor: 0, depth: tensors[0].blocks.count)
        stops = found.map(\.route) + [whole]
        // What is trained further is no longer what was measured.
        if options.fitSteps == 0 {
          agreement = Dictionary(uniqueKeysWithValues: found.map { ($0.route, $0.agreement) } + [(whole, 1)])
        }
      }
    }
    if options.fitSteps > 0, routes.contains(where: { !$0.isAnchor }) {
      let fit = LossFit(
        anchors: tensors, routes: routes, layers: layers, scope: .layers,
        learningRate: options.fitLearningRate, seed: options.seed)
      guard
        try fit.run(
          calibration.flatMap { TrainingExample(text: $0).pieces(ofAtMost: min(contextLength, 256)) },
          steps: options.fitSteps, tokensPerStep: 1024, pool: pool,
          listener: { listener(.training(step: $0, of: options.fitSteps, loss: $1)) })
      else { return false }
      layers = fit.layers
    }
    _ = listener(.writing)
    let types = Set(anchors.map { options.elementType ?? $0.directory.elementType })
    let (names, depths) = (anchors.map(\.name), anchors.map(\.directory.configuration.blockCount))
    try FamilyWriter(
      name: options.name, chatTemplate: options.chatTemplate,
      quantization: (types.count == 1 ? types.first! : nil)?.rawValue.lowercased() ?? "mixed",
      isQuantized: isQuantized, routes: routes, names: names, depths: depths,
      models: options.elementType == nil && options.jointSteps == 0 ? try models : [:],
      stops: stops?.map { $0.id(names: names, depths: depths) },
      agreement: agreement.map { agreement in
        Dictionary(uniqueKeysWithValues: agreement.map { ($0.key.id(names: names, depths: depths), $0.value) })
      }
    ).write(layers, tokenizer: tokenizer, to: directory)
    return true
  }

  /// What the anchors were packed from, by name, where they were.
  private var models: [String: FamilyDescription.Model] {
    get throws {
      var models: [String: FamilyDescription.Model] = [:]
      for anchor in anchors {
        models[anchor.name] = try ModelOrigin.read(in: anchor.directory.url).map { FamilyDescription.Model($0) }
      }
      return models
    }
  }

  /// Whether anything is fitted.
  private var needsText: Bool {
    let depths = anchors.map(\.directory.configuration.blockCount)
    return routes.count > anchors.count || !options.droppedBlocks.isEmpty
      || (options.selfRoutes != nil && depths.contains { RouteSearch.canLeaveOut(depth: $0) })
  }

  private var isQuantized: Bool {
    options.elementType?.isQuantized ?? anchors.contains { $0.directory.isQuantized }
  }

  private var contextLength: Int { anchors.map(\.directory.configuration.contextLength).min()! }

  private func fit(
    _ tensors: [LlamaModel], _ calibration: [[Int32]], listener: (Progress) -> Bool
  ) throws -> [Route: [Projection]] {
    let stitched = routes.filter { !$0.isAnchor }
    let leastSquares = LeastSquares(
      anchors: tensors, routes: stitched, ridge: options.ridge, memory: options.memory, pool: pool)
    return try leastSquares.fit(LeastSquares.batches(of: calibration, contextLength: contextLength)) {
      _ = listener(.fitting(layers: $0, of: LeastSquares.layerCount(stitched)))
    }
  }

  /// Routes within each anchor without the blocks that change least, as far as it has so many.
  private func dropBlocks(
    _ tensors: [LlamaModel], _ calibration: [[Int32]]
  ) -> [(route: Route, layers: [Projection])] {
    var (text, tokens) = ([[Int32]](), 0)
    for sequence in calibration where tokens < Self.influenceTokens {
      text.append(sequence)
      tokens += sequence.count
    }
    let batches = LeastSquares.batches(of: text, contextLength: contextLength)
    return tensors.indices.flatMap { index in
      let influence = BlockInfluence(tensors[index], batches, pool: pool)
      let layer = Projection.identity(width: tensors[index].configuration.hiddenSize)
      return options.droppedBlocks.filter { $0 <= influence.values.count - 2 }.map { count in
        let route = influence.route(dropping: count, anchor: index)
        return (route, route.junctions.map { _ in layer })
      }
    }
  }

  /// What the influence of blocks is measured on, about.
  private static let influenceTokens = 16_384

  /// Routes within each anchor, cheapest first.
  private func searchRoutes(
    _ tensors: [LlamaModel], _ calibration: [[Int32]], listener: (Progress) -> Bool
  ) throws -> [RouteSearch.Stop] {
    guard let search = options.selfRoutes else { return [] }
    return try tensors.indices.flatMap { index in
      let name = anchors[index].name
      let stops = try RouteSearch(
        tensors[index], index: index,
        layerType: FamilyWriter.layerType(
          besideQuantized: isQuantized, columns: tensors[index].configuration.hiddenSize), options: search,
        pool: pool
      ).run(calibration) { _ = listener(.searching(anchor: name, $0)) }
      _ = listener(.found(anchor: name, routes: stops.count))
      return stops
    }
  }

  private func randomLayers(_ anchors: [LlamaModel]) -> [Route: [Projection]] {
    var random = SeededGenerator(seed: options.seed, stream: 9)
    var layers: [Route: [Projection]] = [:]
    for route in routes where !route.isAnchor {
      layers[route] = route.randomLayers(widths: anchors.map(\.configuration.hiddenSize), &random)
    }
    return layers
  }
}

/// How the stitching layers of a family begin.
public enum LayerInitialization: String, Sendable, CaseIterable {
  case leastSquares = "least-squares"
  /// Normal weights of variance 1/inputs, biases 0: the ablation.
  case random
}
