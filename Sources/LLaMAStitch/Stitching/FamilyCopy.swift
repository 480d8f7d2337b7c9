import Foundation

extension Family {
  /// Writes a copy of the family with another adapter and other stops; the directory must not exist.
  public func writeCopy(to output: URL, adapter: Adapter?, stops: [String]?) throws {
    try NewDirectory.write(output) { copy in
      let parts = description.anchors.map(\.directory) + [FamilyDescription.stitchesName, FamilyDescription.tokenizerName]
      for part in parts {
        try NewDirectory.copy(directory.appendingPathComponent(part), to: copy.appendingPathComponent(part))
      }
      try adapter?.write(to: copy.appendingPathComponent(FamilyDescription.adapterName))
      var description = description
      description.stops = stops
      try description.write(in: copy)
    }
  }

  /// Replaces the slider's stops in `family.json`.
  public func writeStops(_ stops: [String]) throws {
    for id in stops { _ = try stitch(id) }
    var description = description
    description.stops = stops
    try description.write(in: directory)
  }
}
