import Foundation
import Support

/// Writes what makes a family of anchors that are already in their places: stitching layers, tokenizer, description.
struct FamilyWriter {
  var name: String
  var chatTemplate: JSONValue?
  /// How base weights are stored, for `family.json`.
  var quantization: String
  /// Whether any base weights are quantised.
  var isQuantized: Bool
  var routes: [Route]
  /// Of the anchors, cheapest first.
  var names: [String]
  var depths: [Int]
  /// What they were packed from, by name, where they were.
  var models: [String: FamilyDescription.Model] = [:]
  /// The slider's, cheapest first; all stitches where it is absent.
  var stops: [String]?
  /// See `FamilyDescription.agreement`.
  var agreement: [String: Double]?

  /// What the file of stitching layers says of itself.
  static let layersMetadata = ["format": "stitch-layers-1"]
  /// Before a layer's name, how the file's metadata name the one that it is the same as.
  static let sameLayerPrefix = "same:"

  /// Where an anchor lies in a family directory.
  static func place(of name: String) -> String { "anchors/\(name)" }

  /// How a stitching layer is stored: beside a quantised base in Q8_0, more would be wasted on it; in BF16 where its rows are
  /// not whole blocks.
  /// - Parameter columns: width of the hidden state it starts from.
  static func layerType(besideQuantized isQuantized: Bool, columns: Int) -> ElementType {
    guard isQuantized else { return .f32 }
    return columns % ElementType.q8_0.blockLength == 0 ? .q8_0 : .bf16
  }

  /// - Parameters:
  ///   - layers: of each route that has any, in order of its junctions.
  ///   - tokenizer: the tokenizer's files, content by name.
  /// - Throws: `FileError`, `SafetensorsError`.
  func write(_ layers: [Route: [Projection]], tokenizer: [String: Data], to directory: URL) throws {
    let described = try names.map { name in
      let place = Self.place(of: name)
      return FamilyDescription.Anchor(
        name: name, directory: place,
        sha256: try Self.hash(directory.appendingPathComponent("\(place)/\(ModelDirectory.weightsName)")),
        model: models[name])
    }
    let named = layers.flatMap { route, layers in
      layers.enumerated().map { junction, layer in
        let id = route.id(names: names, depths: depths)
        return (name: AdapterLayout.layerName(id, junction: junction, of: route), layer: layer)
      }
    }.sorted { $0.name < $1.name }
    // Routes that leave out the same blocks may have the same layer there, which is written once.
    func place(_ layer: Projection) -> [UInt] {
      [UInt(bitPattern: layer.weight.bytes.base), layer.bias.map { UInt(bitPattern: $0.values.base) } ?? 0]
    }
    var first: [[UInt]: String] = [:]
    var metadata = Self.layersMetadata
    for (name, layer) in named {
      if let first = first[place(layer)] {
        metadata[Self.sameLayerPrefix + name] = first
      } else {
        first[place(layer)] = name
      }
    }
    var writer = SafetensorsWriter(metadata: metadata)
    for (name, layer) in named where metadata[Self.sameLayerPrefix + name] == nil {
      let (rows, columns) = (layer.weight.rows, layer.weight.columns)
      writer.add(
        "\(name).weight", shape: [rows, columns],
        as: Self.layerType(besideQuantized: isQuantized, columns: columns), layer.weight.floats())
      writer.add("\(name).bias", shape: [rows], layer.bias?.values.array ?? [Float](repeating: 0, count: rows))
    }
    let stitches = directory.appendingPathComponent(FamilyDescription.stitchesName)
    try writer.write(to: stitches)
    let files = tokenizer.sorted { $0.key < $1.key }
    for (name, data) in files { try AtomicFile.write(data, to: directory.appendingPathComponent(name)) }
    try FamilyDescription(
      format: FamilyDescription.currentFormat, name: name, anchors: described, routes: routes,
      quantization: quantization, chatTemplate: chatTemplate,
      tokenizerSHA256: SHA256.hexadecimal(of: files.flatMap { Array($0.value) }),
      tokenizerFiles: files.map(\.key), stitchesSHA256: try Self.hash(stitches), stops: stops,
      agreement: agreement
    ).write(in: directory)
  }

  fileprivate static func hash(_ file: URL) throws -> String {
    SHA256.hexadecimal(of: try MappedFile(file).bytes)
  }
}

extension Family {
  /// Writes a copy of the family with another adapter and other stops; the directory must not exist.
  /// - Parameter rehearsal: content of its `rehearsal.jsonl`; none if absent.
  public func writeCopy(to output: URL, adapter: Adapter?, stops: [String]?, rehearsal: Data? = nil) throws {
    try NewDirectory.write(output) { copy in
      let file = copy.appendingPathComponent(FamilyDescription.adapterName)
      try adapter?.write(to: file)
      try copyBase(to: copy, stops: stops, adapterSHA256: adapter.map { _ in try FamilyWriter.hash(file) })
      if let rehearsal {
        try AtomicFile.write(rehearsal, to: copy.appendingPathComponent(FamilyDescription.rehearsalName))
      }
    }
  }

  /// Writes a copy of the family, without its own adapter, whose stitches are healed; the directory must not exist.
  /// - Parameters:
  ///   - adapter: trained on `unhealed`; it keeps prefixes.
  ///   - rehearsal: content of its `rehearsal.jsonl`, which lessons mix in; none if absent or empty.
  public func writeHealed(to output: URL, by adapter: Adapter, rehearsal: Data? = nil) throws {
    try NewDirectory.write(output) { copy in
      let file = copy.appendingPathComponent(FamilyDescription.healingName)
      // Beside a quantised base those of blocks are multiplied in BF16 anyhow.
      let isQuantized = anchors.flatMap(\.blocks).contains { block in
        Block.projectionPaths.contains { block[keyPath: $0].weight.elementType.isQuantized }
      }
      try adapter.write(to: file, as: isQuantized ? .bf16 : .f32)
      try unhealed.healed(by: adapter, sha256: FamilyWriter.hash(file)).copyBase(
        to: copy, stops: description.stops, isHealed: true)
      if let rehearsal, !rehearsal.isEmpty {
        try AtomicFile.write(rehearsal, to: copy.appendingPathComponent(FamilyDescription.rehearsalName))
      }
    }
  }

  /// Copies everything but the family's own adapter into a directory.
  /// - Parameters:
  ///   - isHealed: whether the healing lies there already.
  ///   - adapterSHA256: of the adapter that the copy has.
  private func copyBase(to copy: URL, stops: [String]?, isHealed: Bool = false, adapterSHA256: String? = nil) throws {
    var description = description
    description.adapterSHA256 = adapterSHA256
    let healing = healing == nil || isHealed ? [] : [FamilyDescription.healingName]
    let parts = tokenizerFiles + healing + (description.isModel ? [] : [FamilyDescription.stitchesName])
    for part in parts {
      try NewDirectory.copy(directory.appendingPathComponent(part), to: copy.appendingPathComponent(part))
    }
    for (index, anchor) in description.anchors.enumerated() {
      // Weights that are kept elsewhere stay there, and are found by the same name.
      if anchor.model != nil && !holdsWeights(ofAnchor: index) { continue }
      let place = description.isModel ? FamilyWriter.place(of: anchor.name) : anchor.directory
      try copyModel(anchor: index, to: copy.appendingPathComponent(place))
      description.anchors[index].directory = place
    }
    if self.description.isModel {
      // The description's hash of them stays as it was: the copy is the same family, whose adapters fit it.
      let stitches = copy.appendingPathComponent(FamilyDescription.stitchesName)
      try SafetensorsWriter(metadata: FamilyWriter.layersMetadata).write(to: stitches)
    }
    description.stops = stops
    try description.write(in: copy)
  }

  /// Writes a copy of the family without the anchors' weights; the directory must not exist. It is for where the models
  /// are at hand: see `ModelShelf`.
  /// - Throws: `FamilyError.unstitchable` where a model has no name that it could be found by.
  public func writeWithoutWeights(to output: URL) throws {
    guard description.anchors.allSatisfy({ $0.model != nil }) else {
      throw FamilyError.unstitchable(
        cause: "\(directory.path) was not made of model files, which could be found again; keep its weights")
    }
    try NewDirectory.write(output) { copy in
      for file in try description.files(in: directory) {
        try NewDirectory.copy(file, to: copy.appendingPathComponent(file.lastPathComponent))
      }
    }
  }

  /// Copies what is an anchor's own: of a model's directory, which holds more, configuration and weights.
  private func copyModel(anchor index: Int, to copy: URL) throws {
    let place = try place(ofAnchor: index)
    guard description.isModel || !holdsWeights(ofAnchor: index) else { return try NewDirectory.copy(place, to: copy) }
    for file in [place.appendingPathComponent(ModelDirectory.configurationName)] + (try ModelDirectory.files(in: place))
    {
      try NewDirectory.copy(file, to: copy.appendingPathComponent(file.lastPathComponent))
    }
  }

  /// Replaces the slider's stops in `family.json`. A model directory has none to replace.
  public func writeStops(_ stops: [String]) throws {
    for id in stops { _ = try stitch(id) }
    if description.isModel { return }
    var description = description
    description.stops = stops
    try description.write(in: directory)
  }
}
