import Foundation
import Support

extension Family {
  /// Writes a copy of the family with another adapter and other stops; the directory must not exist.
  /// - Parameter rehearsal: content of its `rehearsal.jsonl`; none if absent.
  public func writeCopy(to output: URL, adapter: Adapter?, stops: [String]?, rehearsal: Data? = nil) throws {
    try NewDirectory.write(output) { copy in
      let parts =
        description.anchors.map(\.directory) + [FamilyDescription.stitchesName] + tokenizerFiles
      for part in parts {
        try NewDirectory.copy(directory.appendingPathComponent(part), to: copy.appendingPathComponent(part))
      }
      try adapter?.write(to: copy.appendingPathComponent(FamilyDescription.adapterName))
      if let rehearsal {
        try AtomicFile.write(rehearsal, to: copy.appendingPathComponent(FamilyDescription.rehearsalName))
      }
      var description = description
      description.stops = stops
      description.tokenizerFiles = tokenizerFiles
      try description.write(in: copy)
    }
  }

  /// Replaces the slider's stops in `family.json`.
  public func writeStops(_ stops: [String]) throws {
    for id in stops { _ = try stitch(id) }
    var description = description
    description.stops = stops
    description.tokenizerFiles = tokenizerFiles
    try description.write(in: directory)
  }
}
