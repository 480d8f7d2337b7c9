import Foundation
import Support

/// One runnable network of a family.
public struct Stitch: Sendable, Equatable, Identifiable {
  public let id: String
  public let route: Route
  /// For people: `small[0..<4] → medium[3..<8]`.
  public let routeText: String
  /// Parameters of the network, adapter included.
  public let parameters: Int
  /// Floating-point operations of a token at zero context, head included.
  public let flopsPerToken: Int
  /// Bytes of the weights used.
  public let weightBytes: Int
}

/// Anchors, routes and stitching layers in memory. All stitches share the anchors' weights.
public struct Family: Sendable {
  public let directory: URL
  public let description: FamilyDescription
  /// The anchors and stitching layers, and how routes are made of them.
  public let assembler: Assembler
  /// Every stitch, cheapest first.
  public let stitches: [Stitch]
  /// Where the anchors are whose weights the directory does not hold.
  let shelf: ModelShelf

  /// Cheapest first.
  public var anchors: [LlamaModel] { assembler.anchors }
  public var names: [String] { description.anchors.map(\.name) }
  public var routes: [Route] { description.routes }
  public var identity: String { description.identity }
  /// The names of the tokenizer's files in the directory.
  public var tokenizerFiles: [String] { description.tokenizerFiles ?? [] }
  public var contextLength: Int { anchors.map(\.configuration.contextLength).min()! }

  /// Opens a family directory, or a model directory as a family of one.
  /// - Parameter shelf: where the models are found of a family that is kept without weights.
  /// - Throws: `FamilyError`, `CheckpointError`, `FileError`, `SafetensorsError`.
  public init(_ directory: URL, shelf: ModelShelf = ModelShelf()) throws {
    var description = try FamilyDescription.read(in: directory)
    if description.isModel {
      let files = try ModelDirectory(directory)
      description.quantization = files.elementType?.rawValue.lowercased() ?? "mixed"
      // There are no stitching layers, whose tensors anybody could ask for.
      try self.init(
        directory: directory, description: description, anchors: [try LlamaModel(files)], shelf: shelf
      ) { name, _, _ in
        throw FamilyError.damaged(file: directory.path, cause: "it has no “\(name)”")
      }
      return
    }
    func part(_ name: String) throws -> URL { try FamilyDescription.part(name, of: directory) }
    let anchors = try description.anchors.map { anchor in
      let place = try description.place(of: anchor, in: directory, shelf: shelf)
      if FileManager.default.fileExists(atPath: directory.appendingPathComponent(anchor.directory).path) {
        for name in try FamilyDescription.names(in: place) { _ = try part("\(anchor.directory)/\(name)") }
      }
      return try LlamaModel.load(directory: place)
    }
    let tensors = try SafetensorsFile(part(FamilyDescription.stitchesName))
    let plain = try Family(
      directory: directory, description: description, anchors: anchors, shelf: shelf
    ) { layer, part, shape in
      let written = tensors.metadata[FamilyWriter.sameLayerPrefix + layer] ?? layer
      let tensor = try tensors.tensor("\(written).\(part)")
      try tensor.check(shape: shape, file: tensors.url, mayBeQuantized: true)
      return tensor
    }.unhealed
    guard let sha256 = description.healingSHA256 else {
      self = plain
      return
    }
    let file = try part(FamilyDescription.healingName)
    let adapter = try Adapter.read(file, for: plain)
    guard adapter.options.keepsPrefix else {
      throw FamilyError.damaged(file: file.path, cause: "it changes whole anchors, which healing never does")
    }
    self = plain.healed(by: adapter, sha256: sha256)
  }

  init(
    directory: URL, description: FamilyDescription, anchors: [LlamaModel], shelf: ModelShelf,
    tensor: (_ layer: String, _ part: String, _ shape: [Int]) throws -> SafetensorsFile.Tensor
  ) throws {
    let file = directory.appendingPathComponent(FamilyDescription.fileName).path
    let depths = anchors.map(\.configuration.blockCount)
    let names = description.anchors.map(\.name)
    try Self.checkStitchable(anchors.map(\.configuration), names: names)
    func damaged(_ cause: String) -> FamilyError { .damaged(file: file, cause: cause) }
    var description = description
    // What format 1 leaves open.
    description.routes = description.routes.map { $0.resolved(depths: depths) }
    description.tokenizerFiles = try description.tokenizerFiles(in: directory)
    for name in description.tokenizerFiles ?? [] { _ = try FamilyDescription.part(name, of: directory) }
    var layers: [Route: [Projection]] = [:]
    var ids: Set<String> = []
    for route in description.routes {
      if let problem = route.problem(depths: depths) { throw damaged(problem) }
      let id = route.id(names: names, depths: depths)
      guard ids.insert(id).inserted else { throw damaged("a route is there twice") }
      layers[route] = try route.junctions.enumerated().map { index, junction in
        let name = AdapterLayout.layerName(id, junction: index, of: route)
        let (from, to) = (anchors[junction.from].configuration, anchors[junction.to].configuration)
        return Projection(
          weight: WeightMatrix(try tensor(name, "weight", [to.hiddenSize, from.hiddenSize])),
          bias: WeightVector(FloatBuffer(try tensor(name, "bias", [to.hiddenSize]).floats()).vector))
      }
    }
    for index in anchors.indices where !description.routes.contains(Route(anchor: index, depth: depths[index])) {
      throw damaged("the anchor \(names[index]) is not among the routes")
    }
    if let stops = description.stops, let wrong = stops.first(where: { !ids.contains($0) }) {
      throw damaged("the stop “\(wrong)” is not a stitch")
    }
    if description.stops?.isEmpty == true { throw damaged("it has no stops") }
    self.init(
      directory: directory, description: description, assembler: Assembler(anchors: anchors, layers: layers),
      shelf: shelf)
  }

  /// - Parameter description: checked already.
  init(directory: URL, description: FamilyDescription, assembler: Assembler, shelf: ModelShelf) {
    self.shelf = shelf
    self.directory = directory
    self.description = description
    self.assembler = assembler
    let names = description.anchors.map(\.name)
    let depths = assembler.anchors.map(\.configuration.blockCount)
    stitches = description.routes.map { route in
      let network = assembler.assemble(route)
      return Stitch(
        id: route.id(names: names, depths: depths), route: route, routeText: route.text(names: names),
        parameters: network.parameterCount, flopsPerToken: network.flopsPerToken, weightBytes: network.byteCount)
    }.sorted { ($0.flopsPerToken, $0.id) < ($1.flopsPerToken, $1.id) }
  }

  /// Anchors must share a vocabulary.
  static func checkStitchable(_ configurations: [LlamaConfiguration], names: [String]) throws {
    for (name, configuration) in zip(names, configurations).dropFirst()
    where configuration.vocabularySize != configurations[0].vocabularySize {
      throw FamilyError.unstitchable(
        cause:
          "\(name) has a vocabulary of \(configuration.vocabularySize), \(names[0]) one of \(configurations[0].vocabularySize); use anchors with the same tokenizer"
      )
    }
  }

  /// The slider's stops, cheapest first.
  public var stops: [Stitch] {
    guard let stops = description.stops else { return stitches }
    let wanted = Set(stops)
    return stitches.filter { wanted.contains($0.id) }
  }

  /// - Throws: `FamilyError.unknownStitch`, which names the nearest id.
  public func stitch(_ id: String) throws -> Stitch {
    if let stitch = stitches.first(where: { $0.id == id }) { return stitch }
    func distance(_ other: String) -> Int { editDistance(other.lowercased(), id.lowercased()) }
    let nearest = stitches.map(\.id).min { distance($0) < distance($1) }
    throw FamilyError.unknownStitch(id: id, family: directory.path, nearest: nearest)
  }

  /// An anchor whole, by index.
  public func route(ofAnchor index: Int) -> Route {
    Route(anchor: index, depth: anchors[index].configuration.blockCount)
  }

  public func layout(_ options: AdapterOptions) -> AdapterLayout {
    AdapterLayout(
      names: names, configurations: anchors.map(\.configuration), routes: routes, options: options)
  }

  /// The model directory of an anchor, by index.
  /// - Throws: `FamilyError`.
  package func place(ofAnchor index: Int) throws -> URL {
    if description.isModel { return directory }
    return try description.place(of: description.anchors[index], in: directory, shelf: shelf)
  }

  /// Whether its directory holds the weights of an anchor, by index.
  func holdsWeights(ofAnchor index: Int) -> Bool {
    let name = description.anchors[index].name
    return !description.missing(in: directory).contains { $0.anchor.name == name }
  }

  /// The tokenizer's files, content by name.
  func readTokenizer() throws -> [String: Data] {
    try Dictionary(
      uniqueKeysWithValues: tokenizerFiles.map { ($0, try Data(contentsOf: directory.appendingPathComponent($0))) })
  }

  /// The family's own adapter, `nil` if it was never adapted.
  public func ownAdapter() throws -> Adapter? {
    guard let file = try ownAdapterFile() else { return nil }
    let adapter = try Adapter.read(file, for: self)
    try checkOwnAdapter(sha256: ContentDigest.sha256(of: file))
    return adapter
  }

  /// The file of its own adapter, `nil` if it was never adapted.
  /// - Throws: `FamilyError.outside`.
  package func ownAdapterFile() throws -> URL? {
    let file = directory.appendingPathComponent(FamilyDescription.adapterName)
    guard FileManager.default.fileExists(atPath: file.path) else { return nil }
    return try FamilyDescription.part(FamilyDescription.adapterName, of: directory)
  }

  /// Prefixes of the low-rank updates whose weights are quantised, with the weights' types.
  func quantizedTargets(_ options: AdapterOptions) -> [String: ElementType] {
    let layout = layout(options)
    var types: [String: ElementType] = [:]
    func note(_ name: String, _ weight: WeightMatrix) {
      if weight.elementType.isQuantized { types[name] = weight.elementType }
    }
    for (anchor, model) in anchors.enumerated() {
      for (index, block) in model.blocks.enumerated() {
        for target in options.targets {
          note(layout.lowRankName(anchor: anchor, block: index, target), block[keyPath: target.path].weight)
        }
      }
    }
    for stitch in stitches {
      for (index, layer) in (assembler.layers[stitch.route] ?? []).enumerated() {
        note(AdapterLayout.layerName(stitch.id, junction: index, of: stitch.route), layer.weight)
      }
    }
    return types
  }

  /// A route as a runnable network over the shared weights.
  public func network(_ route: Route, adapter: Adapter?) -> Network {
    guard let adapter else { return assembler.assemble(route) }
    let layout = layout(adapter.options)
    return assembler.assemble(route, layout, from: adapter)
  }

  /// After how many blocks the slider's stops leave an anchor, and how many do.
  public func exits(of start: Int) -> [Int: Int] { stops.map(\.route).exits(of: start) }
}

extension SafetensorsFile.Tensor {
  /// Checks what a tensor of a family must be.
  /// - Parameter mayBeQuantized: whether a matrix of whole blocks will do.
  /// - Throws: `FamilyError.damaged`.
  func check(shape expected: [Int], file: URL, mayBeQuantized: Bool = false) throws(FamilyError) {
    guard shape == expected else {
      throw .damaged(file: file.path, cause: "“\(name)” has shape \(shape) instead of \(expected)")
    }
    guard type.isUsable || (mayBeQuantized && type.isQuantized && shape.count == 2) else {
      throw .damaged(file: file.path, cause: "“\(name)” is \(type.rawValue) instead of F32, F16 or BF16")
    }
  }
}
