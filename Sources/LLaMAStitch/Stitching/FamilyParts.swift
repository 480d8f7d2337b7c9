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

  /// The model files that have what a family's directory does not hold. None of a model directory, nor of a family that cannot
  /// be read: what is wrong with it, its opening says.
  public static func missingModels(in directory: URL) -> [Model] {
    guard FileManager.default.fileExists(atPath: directory.appendingPathComponent(fileName).path) else { return [] }
    do { return try read(in: directory).missing(in: directory).map(\.model) } catch { return [] }
  }

  /// The model directory of an anchor: in the family's directory, or where the family is kept without weights, that of the
  /// model on the shelf which its weights came from.
  /// - Throws: `FamilyError`.
  func place(of anchor: Anchor, in directory: URL, shelf: ModelShelf) throws -> URL {
    guard let (_, model) = missing(in: directory).first(where: { $0.anchor.name == anchor.name }) else {
      return try Self.part(anchor.directory, of: directory)
    }
    guard let pack = shelf.pack(of: model) else { throw shelf.refusal(of: model, family: directory) }
    return pack
  }
}
