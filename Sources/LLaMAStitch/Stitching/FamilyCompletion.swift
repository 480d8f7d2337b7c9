import Foundation
import Support

extension FamilyDescription {
  /// The files of a family, besides those of its anchors.
  /// - Throws: `FamilyError.outside`.
  public func files(in directory: URL) throws -> [URL] {
    try (Self.parts + tokenizerFiles(in: directory)).compactMap { name in
      try Self.checkInside(name, of: directory)
      let file = directory.appendingPathComponent(name)
      return FileManager.default.fileExists(atPath: file.path) ? file : nil
    }
  }

  /// The anchors whose weights are not in the family's directory, with the model files that are known to have them.
  public func missing(in directory: URL) -> [(anchor: Anchor, model: Model)] {
    if isModel { return [] }
    return anchors.compactMap { anchor in
      let place = directory.appendingPathComponent(anchor.directory)
      if FileManager.default.fileExists(atPath: place.path) { return nil }
      return anchor.model.map { (anchor, $0) }
    }
  }

  /// Puts a family that is kept without weights together with the models that have them: a directory that must not exist
  /// yet, in which weights are links where the file system can.
  /// - Parameter models: model directories, by the names of the anchors they are for.
  /// - Throws: `FamilyError.otherModel` where a model is not the one that the family was made of.
  public static func complete(_ directory: URL, with models: [String: URL], to output: URL) throws {
    let description = try read(in: directory)
    try NewDirectory.write(output) { staging in
      for file in try description.files(in: directory) {
        try NewDirectory.copy(file, to: staging.appendingPathComponent(file.lastPathComponent))
      }
      for anchor in description.anchors {
        try checkInside(anchor.directory, of: staging)
        let place = staging.appendingPathComponent(anchor.directory)
        guard let model = models[anchor.name] else {
          try NewDirectory.copy(try part(anchor.directory, of: directory), to: place)
          continue
        }
        guard let wanted = anchor.model, try ModelOrigin.read(in: model)?.sha256 == wanted.sha256 else {
          throw FamilyError.otherModel(
            model: model.path, family: directory.path, wanted: anchor.model?.name ?? anchor.name)
        }
        try ModelDirectory(model).writeLinks(to: place)
      }
    }
  }
}
