import Foundation

extension Family {
  /// Writes a copy of the family with another adapter and other stops; the directory must not exist.
  public func writeCopy(to output: URL, adapter: Adapter?, stops: [String]?) throws {
    let files = FileManager.default
    if files.fileExists(atPath: output.path) { throw FamilyError.exists(directory: output.path) }
    let parent = output.deletingLastPathComponent()
    try files.createDirectory(at: parent, withIntermediateDirectories: true)
    let staging = parent.appendingPathComponent(".\(output.lastPathComponent).\(UInt32.random(in: 0 ... .max)).tmp")
    do {
      try files.createDirectory(at: staging, withIntermediateDirectories: false)
      for anchor in description.anchors {
        let target = staging.appendingPathComponent(anchor.directory)
        try files.createDirectory(at: target.deletingLastPathComponent(), withIntermediateDirectories: true)
        try files.copyItem(at: directory.appendingPathComponent(anchor.directory), to: target)
      }
      for name in [FamilyDescription.stitchesName, FamilyDescription.tokenizerName] {
        try files.copyItem(at: directory.appendingPathComponent(name), to: staging.appendingPathComponent(name))
      }
      try adapter?.write(to: staging.appendingPathComponent(FamilyDescription.adapterName))
      var description = description
      description.stops = stops
      try description.write(in: staging)
      try files.moveItem(at: staging, to: output)
    } catch {
      do { try files.removeItem(at: staging) } catch {}  // the first error matters
      throw error
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
