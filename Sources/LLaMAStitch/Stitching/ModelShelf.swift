import Foundation
import Support

/// The models on this machine that were pulled, or packed from a file: what a family that is kept without weights finds its
/// own among. Nothing here reads weights.
public struct ModelShelf: Sendable {
  private let cache: URL
  private let data: URL

  /// - Parameters:
  ///   - cache: below it packed models lie.
  ///   - data: below it pulled models lie.
  public init(cache: URL = UserDirectories.cache, data: URL = UserDirectories.data) {
    self.cache = cache
    self.data = data
  }

  /// Where packed models lie.
  package var packs: URL { cache.appendingPathComponent("models") }

  /// Where the file of a model lies, once it was pulled.
  package func file(of known: KnownModel) -> URL {
    data.appendingPathComponent("models/\(known.name)/\(known.fileName)")
  }

  /// The packs that are there; without an origin those that are damaged.
  package func packed() -> [(pack: URL, origin: ModelOrigin?)] {
    Self.names(in: packs).filter { !$0.hasPrefix(".") }.map { name in
      let pack = packs.appendingPathComponent(name)
      guard FamilyDescription.isFamily(pack), Self.holdsWeights(pack) else { return (pack, nil) }
      do { return (pack, try ModelOrigin.read(in: pack)) } catch { return (pack, nil) }
    }
  }

  /// The directory of the model that a file was packed to.
  public func pack(of model: FamilyDescription.Model) -> URL? {
    packed().first { $0.origin?.sha256 == model.sha256 }?.pack
  }

  /// Whether a model is packed, or could be: its file was pulled. Whether that file is what its name says, its packing tells.
  public func has(_ model: FamilyDescription.Model) -> Bool {
    if let known = KnownModel.ofFile(sha256: model.sha256),
      FileManager.default.fileExists(atPath: file(of: known).path)
    {
      return true
    }
    return pack(of: model) != nil
  }

  /// Why a family cannot be opened whose model is not packed.
  /// - Parameter family: its directory.
  package func refusal(of model: FamilyDescription.Model, family: URL) -> FamilyError {
    let remedy = KnownModel.ofFile(sha256: model.sha256)
    if let other = packed().first(where: { $0.origin?.name == model.name }) {
      return .otherModel(model: other.pack.path, family: family.relativePath, wanted: model, known: remedy)
    }
    return .modelNotHere(model, family: family.relativePath, known: remedy)
  }

  /// Whether a directory holds weights.
  package static func holdsWeights(_ directory: URL) -> Bool {
    names(in: directory).contains { $0.hasSuffix(".safetensors") }
  }

  /// What a directory holds. What cannot be listed holds nothing that could be opened.
  package static func names(in directory: URL) -> [String] {
    do { return try FileManager.default.contentsOfDirectory(atPath: directory.path).sorted() } catch { return [] }
  }
}
