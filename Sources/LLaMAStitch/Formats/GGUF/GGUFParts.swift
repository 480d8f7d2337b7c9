import Foundation

/// The files that make up one GGUF model: a single one, or parts beside each other that are named
/// `NAME-00001-of-00003.gguf` and so on, which any of them stands for.
public struct GGUFParts: Sendable, Equatable {
  /// In order.
  public let files: [URL]
  /// The model's file name without number and extension.
  public let name: String

  /// Goes by names alone, and opens nothing.
  /// - Throws: `GGUFError` where a part is missing, or the number in the name cannot be.
  public init(of url: URL) throws(GGUFError) {
    let stem = url.deletingPathExtension().lastPathComponent
    guard let match = stem.wholeMatch(of: /(.+)-([0-9]{5})-of-([0-9]{5})/),
      let number = Int(match.output.2), let count = Int(match.output.3)
    else {
      (files, name) = ([url], stem)
      return
    }
    let name = String(match.output.1)
    guard number >= 1, number <= count else {
      throw .unsupported(
        file: url.path, cause: "there is no part \(number) of \(count)", remedy: "download it again, under its own name"
      )
    }
    let folder = url.deletingLastPathComponent()
    files = (1...count).map {
      folder.appendingPathComponent("\(name)-\(Self.digits($0))-of-\(match.output.3).\(url.pathExtension)")
    }
    self.name = name
    for (index, file) in files.enumerated() where !FileManager.default.fileExists(atPath: file.path) {
      throw .unsupported(
        file: file.path, cause: "part \(index + 1) of the \(count) that make up the model is missing",
        remedy: "download it to the same directory")
    }
  }

  /// What stands for all the parts that a file belongs to, whether it is there or not: the first of them, or the file.
  public static func first(of url: URL) -> URL {
    let name = url.lastPathComponent
    guard let match = name.wholeMatch(of: /(.+-)[0-9]{5}(-of-[0-9]{5}\.[A-Za-z]+)/) else { return url }
    return url.deletingLastPathComponent().appendingPathComponent("\(match.output.1)00001\(match.output.2)")
  }

  private static func digits(_ number: Int) -> String {
    let digits = String(number)
    return String(repeating: "0", count: max(0, 5 - digits.count)) + digits
  }

  // MARK: One model

  /// Puts the contents of the files together, in their order.
  /// - Throws: `GGUFError` where they say that they are no parts of one model.
  func joined(
    _ contents: [(metadata: [String: GGUFValue], tensors: [String: GGUFFile.Tensor])]
  ) throws(GGUFError) -> (metadata: [String: GGUFValue], tensors: [String: GGUFFile.Tensor]) {
    let (metadata, first) = contents[0]
    var tensors = first
    for (index, (file, content)) in zip(files, contents).enumerated() {
      // Without them it is whole; numbers that no part has are kept out of arithmetic.
      let count = content.metadata[GGUFKey.partCount].map { $0.integer ?? 0 } ?? 1
      let number = content.metadata[GGUFKey.partNumber].map { $0.integer ?? -1 } ?? 0
      guard (1...99_999).contains(count), (0..<count).contains(number) else {
        throw .damaged(file: file.path, cause: "\(GGUFKey.partNumber) and \(GGUFKey.partCount) are of no part")
      }
      guard count == files.count, number == index else {
        throw .unsupported(
          file: file.path,
          cause: files.count == 1
            ? "it is part \(number + 1) of \(count), but not named so"
            : "its name says part \(index + 1) of \(files.count), its metadata \(number + 1) of \(count)",
          remedy: files.count == 1
            ? "name the parts NAME-00001-of-0000\(count).gguf and so on, in one directory"
            : "download it again, under its own name")
      }
      if index == 0 { continue }
      let differs = content.metadata.contains { key, value in
        key != GGUFKey.partNumber && metadata[key].map { $0 != value } ?? (key == GGUFKey.tensorCount)
      }
      if differs || content.tensors.keys.contains(where: { tensors[$0] != nil }) {
        throw foreign(file, "it is a part of another model than \(files[0].lastPathComponent)")
      }
      tensors.merge(content.tensors) { old, _ in old }
    }
    if let expected = metadata[GGUFKey.tensorCount]?.integer, expected != tensors.count {
      throw foreign(files[0], "its \(files.count) parts have \(tensors.count) tensors, not \(expected)")
    }
    return (metadata, tensors)
  }

  private func foreign(_ file: URL, _ cause: String) -> GGUFError {
    .unsupported(file: file.path, cause: cause, remedy: "download the parts of one model to a directory of their own")
  }
}
