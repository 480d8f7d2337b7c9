import Foundation
import Support

/// Whether a family's files are still those that its description was written of.
extension FamilyDescription {
  /// The weights that a description has a digest of and that lie in the family's directory.
  private func digested(in directory: URL) -> [(file: URL, sha256: String)] {
    // A family that was copied from a single model keeps what that is known by, which may be the digest of another file.
    if isModel || stitchesSHA256.isEmpty { return [] }
    let anchors = anchors.map { ("\($0.directory)/\(ModelDirectory.weightsName)", $0.sha256) }
    let others = [(Self.stitchesName, stitchesSHA256), (Self.healingName, healingSHA256 ?? "")]
    return (anchors + others).compactMap { name, sha256 in
      let file = directory.appendingPathComponent(name)
      return sha256.isEmpty || !FileManager.default.fileExists(atPath: file.path) ? nil : (file, sha256)
    }
  }

  /// Holds the weights against the digests in the description. A file is read for that once, and again only when it was
  /// changed.
  /// - Throws: `FamilyError.tampered` for the first that is another; `FileError`.
  func checkDigests(in directory: URL) throws {
    for (file, sha256) in digested(in: directory) {
      guard try ContentDigest.sha256(of: file) == sha256 else {
        throw FamilyError.tampered(file: file.path, family: directory.path)
      }
    }
  }

  /// Hashes what opening a family or a model compares or names, where that was not done yet: opening it is quick then.
  public static func hash(_ directory: URL, progress: (_ file: String, _ done: Int, _ all: Int) -> Void) throws {
    let isFamily = FileManager.default.fileExists(atPath: directory.appendingPathComponent(fileName).path)
    if try !isFamily && ModelOrigin.read(in: directory) != nil { return }
    let files: [URL]
    if isFamily {
      // What is wrong with a family, its opening says.
      do { files = try read(in: directory).digested(in: directory).map(\.file) } catch { return }
    } else {
      files = try ModelDirectory.files(in: directory)
    }
    for file in files { _ = try ContentDigest.sha256(of: file) { progress(file.lastPathComponent, $0, $1) } }
  }
}

extension Family {
  /// Holds the family's weights against the digests that were written when it was made. Those of a family without weights
  /// are the shelf's concern: a model is known by the digest of its file.
  /// - Throws: `FamilyError.tampered` for the first file that is another; `FileError`.
  public func checkDigests() throws { try description.checkDigests(in: directory) }
}
