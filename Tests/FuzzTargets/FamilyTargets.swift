import ChatEngine
import FamilyFixture
import Foundation
import LLaMAStitch
import Support

/// The files of a family, each in its place in a sound one, and adapters.
extension FuzzTarget {
  static let familyFiles = [
    FuzzTarget("family") { bytes in
      SoundFamily.with(FamilyDescription.fileName, bytes) { directory in
        refusing { _ = try Family(directory).stitches.count }
      }
    },
    FuzzTarget("frontier") { bytes in
      SoundFamily.with(FamilyDescription.frontierName, bytes) { directory in
        refusing { _ = try Frontier.read(of: Family(directory)) }
      }
    },
    FuzzTarget("adapter") { bytes in
      guard let family = SoundFamily.opened else { return }
      // No fuzzer guesses a hash: in place of one of zeros stands the family's.
      let zeros = Data(SoundFamily.noIdentity.utf8)
      var data = Data(bytes)
      if let place = data.firstRange(of: zeros) { data.replaceSubrange(place, with: Data(family.identity.utf8)) }
      let bytes = Array(data)
      Scratch.file("adapter.safetensors", bytes) { url in refusing { _ = try Adapter.read(url, for: family) } }
    },
  ]
}

/// A family that is sound, made once a process, in which one file is another.
enum SoundFamily {
  static let opened: Family? = {
    // What it remembers of files belongs to this process alone, too.
    setenv("XDG_CACHE_HOME", Scratch.directory.appendingPathComponent("cache").path, 1)
    do { return try RandomFamily.make(at: Scratch.directory.appendingPathComponent("family"), width: 16) } catch {
      expect(false, "a sound family, not \(error)")
      return nil
    }
  }()

  /// As long as an identity, and none.
  static let noIdentity = String(repeating: "0", count: 64)

  /// Links to all its files but one.
  static func with(_ name: String, _ bytes: [UInt8], _ body: (URL) -> Void) {
    guard let family = opened else { return }
    let copy = Scratch.directory.appendingPathComponent(UUID().uuidString)
    defer { do { try FileManager.default.removeItem(at: copy) } catch {} }
    refusing {
      try NewDirectory.makePath(copy)
      for item in try FileManager.default.contentsOfDirectory(atPath: family.directory.path) where item != name {
        try copyLinked(family.directory.appendingPathComponent(item), to: copy.appendingPathComponent(item))
      }
    }
    expect(
      FileManager.default.createFile(atPath: copy.appendingPathComponent(name).path, contents: Data(bytes)),
      "room for a scratch file")
    body(copy)
  }

  private static func copyLinked(_ source: URL, to target: URL) throws {
    guard source.hasDirectoryPath || isDirectory(source) else { return try NewDirectory.link(source, to: target) }
    try NewDirectory.makePath(target)
    for item in try FileManager.default.contentsOfDirectory(atPath: source.path) {
      try copyLinked(source.appendingPathComponent(item), to: target.appendingPathComponent(item))
    }
  }

  private static func isDirectory(_ url: URL) -> Bool {
    var isDirectory: ObjCBool = false
    return FileManager.default.fileExists(atPath: url.path, isDirectory: &isDirectory) && isDirectory.boolValue
  }
}

/// The seeds that are parts of a sound family.
package enum FamilySeeds {
  /// Writes them into the corpus.
  package static func write(to corpus: URL) throws {
    guard let family = SoundFamily.opened else { return }
    func seed(_ target: String, _ name: String, _ data: Data) throws {
      try data.write(to: corpus.appendingPathComponent(target).appendingPathComponent(name))
    }
    let described = family.directory.appendingPathComponent(FamilyDescription.fileName)
    try seed("family", "two-anchors", try Data(contentsOf: described))
    let every = AdapterOptions(rank: 1, targets: AdapterTarget.allCases, hasScales: true)
    for (name, options) in [("rank-1", AdapterOptions(rank: 1, targets: [.query])), ("all-kinds", every)] {
      var tensors: [String: MatrixView] = [:]
      for declaration in family.layout(options).declarations {
        let count = declaration.shape.reduce(1, *)
        let columns = declaration.shape.last ?? 1
        tensors[declaration.name] = FloatBuffer(count: count).matrix(rows: count / columns, columns: columns)
      }
      let adapter = Adapter(options: options, step: 3, family: family, importance: ["large": 0.5], tensors: tensors)
      let file = Scratch.directory.appendingPathComponent("seed")
      try adapter.write(to: file, as: .bf16)
      var data = try Data(contentsOf: file)
      if let place = data.firstRange(of: Data(family.identity.utf8)) {
        data.replaceSubrange(place, with: Data(SoundFamily.noIdentity.utf8))
      }
      try seed("adapter", name, data)
    }
  }
}
