/// What healing added to the stitches of a family so that they answer like its dearest anchor: low-rank updates behind the
/// first stitching layer, biases, updates of stitching layers. It is part of the family, as the layers are: adapters that
/// are trained later come on top of it.
///
/// The blocks before the first stitching layer, and so whole anchors, stay as they were (`AdapterOptions.keepsPrefix`).
public struct Healing: Sendable {
  public let adapter: Adapter
  private let layout: AdapterLayout

  init(_ adapter: Adapter, layout: AdapterLayout) {
    self.adapter = adapter
    self.layout = layout
  }

  /// What it adds to a projection of a route.
  func deltas(_ route: Route, _ site: Assembler.Site) -> [Delta] { layout.deltas(route, site, from: adapter) }
}

extension Family {
  /// The same family with its stitches healed.
  /// - Parameters:
  ///   - adapter: trained on the family without healing; it keeps prefixes.
  ///   - sha256: of the file it is in.
  func healed(by adapter: Adapter, sha256: String) -> Family {
    var description = description
    description.healingSHA256 = sha256
    // It was measured before.
    description.agreement = nil
    return Family(
      directory: directory, description: description,
      assembler: Assembler(
        anchors: anchors, layers: assembler.layers, healing: Healing(adapter, layout: layout(adapter.options))),
      shelf: shelf)
  }

  /// What was healed.
  public var healing: Healing? { assembler.healing }

  /// The same family before it was healed; itself if it never was.
  public var unhealed: Family {
    if description.healingSHA256 == nil { return self }
    var description = description
    description.healingSHA256 = nil
    return Family(
      directory: directory, description: description, assembler: Assembler(anchors: anchors, layers: assembler.layers),
      shelf: shelf)
  }
}
