import Foundation
import Support

/// Whether a family's files are still those that its description was written of.
extension FamilyDescription {
  /// What a description has a digest of and what lies in the family's directory: weights, the tokenizer's files together.
  private func digested(in directory: URL) -> [(files: [URL], sha256: String)] {
    // A family that was copied from a single model keeps what that is known by, which may be the digest of another file.
    if isModel || stitchesSHA256.isEmpty { return [] }
    var digested = anchors.map { (["\($0.directory)/\(ModelDirectory.weightsName)"], $0.sha256) }
    digested.append(([Self.stitchesName], stitchesSHA256))
    digested.append(([Self.healingName], healingSHA256 ?? ""))
    digested.append((tokenizerFiles?.sorted() ?? [], tokenizerSHA256))
    return digested.compactMap { names, sha256 in
      let files = names.map(directory.appendingPathComponent)
      let areThere = files.allSatisfy { FileManager.default.fileExists(atPath: $0.path) }
      return sha256.isEmpty || files.isEmpty || !areThere ? nil : (files, sha256)
    }
  }

  /// Holds the family's files against the digests in the description. A file is read for that once, and again only when it
  /// was changed.
  /// - Throws: `FamilyError.tampered` for the first that is another, or one of them; `FileError`.
  func checkDigests(in directory: URL) throws {
    for (files, sha256) in digested(in: directory) {
      guard try ContentDigest.sha256(of: files) == sha256 else {
        throw FamilyError.tampered(files: files.map(\.path), family: directory.path)
      }
    }
  }

  /// Hashes what opening a family or a model compares or names, where that was not done yet: opening it is quick then.
  public static func hash(_ directory: URL, progress: (_ file: String, _ done: Int, _ all: Int) -> Void) throws {
    let isFamily = FileManager.default.fileExists(atPath: directory.appendingPathComponent(fileName).path)
    if try !isFamily && ModelOrigin.read(in: directory) != nil { return }
    let parts: [[URL]]
    if isFamily {
      // What is wrong with a family, its opening says.
      do { parts = try read(in: directory).digested(in: directory).map(\.files) } catch { return }
    } else {
      parts = try ModelDirectory.files(in: directory).map { [$0] }
    }
    for part in parts { _ = try ContentDigest.sha256(of: part) { progress(part[0].lastPathComponent, $0, $1) } }
  }
}

extension Family {
  /// Holds the family's files against the digests that were written when it was made. Those of a family without weights
  /// are the shelf's concern: a model is known by the digest of its file.
  /// - Throws: `FamilyError.tampered` for the first file that is another; `FileError`.
  public func checkDigests() throws { try description.checkDigests(in: directory) }

  /// Holds its own adapter against the digest that was written with it; after reading it, so that damage is named as such.
  /// - Parameter sha256: of the file.
  /// - Throws: `FamilyError.tampered`.
  package func checkOwnAdapter(sha256: String) throws {
    guard let written = description.adapterSHA256, written != sha256 else { return }
    let file = directory.appendingPathComponent(FamilyDescription.adapterName)
    throw FamilyError.tampered(files: [file.path], family: directory.path)
  }
}
