import Foundation
import LLaMAStitch
import Testing

/// Models in parts, as the package gguf splits them (scripts/gguf_fixture.py).
@Suite struct GGUFPartsTests {
  private static func part(_ number: Int) -> String { "tiny-0000\(number)-of-00003.gguf" }

  @Test(arguments: 1...3) func anyPartIsTheWholeModel(number: Int) throws {
    let whole = try GGUFModel(Fixtures.gguf("tiny.gguf"))
    let parts = try GGUFModel(Fixtures.gguf(Self.part(number)))
    #expect(parts.configuration == whole.configuration)
    #expect(parts.file.tensors.count == 21)
    for (name, tensor) in whole.file.tensors {
      let found = try #require(parts.file.tensors[name])
      #expect(found.type == tensor.type && found.shape == tensor.shape && found.floats() == tensor.floats(), "\(name)")
    }
    try withScratchDirectory { directory in
      for (model, name) in [(whole, "whole"), (parts, "parts")] {
        try model.write(to: directory.appending(path: name), elementType: nil, files: [:])
      }
      func bytes(_ name: String) throws -> Data {
        try Data(contentsOf: directory.appending(path: "\(name)/model.safetensors"))
      }
      #expect(try bytes("whole") == bytes("parts"))
    }
  }

  /// A copy of the parts to damage.
  private func withCopy(_ body: (_ directory: URL, _ parts: [URL]) throws -> Void) throws {
    try withScratchDirectory { directory in
      let parts = (1...3).map { directory.appending(path: Self.part($0)) }
      for part in parts { try FileManager.default.copyItem(at: Fixtures.gguf(part.lastPathComponent), to: part) }
      try body(directory, parts)
    }
  }

  @Test func aPartThatIsMissingIsNamed() throws {
    try withCopy { directory, parts in
      for missing in parts {
        let data = try Data(contentsOf: missing)
        try FileManager.default.removeItem(at: missing)
        for part in parts {
          expectOneLine([missing.path, "part", "of the 3", "is missing", "download it to the same directory"]) {
            _ = try GGUFFile(part)
          }
        }
        try data.write(to: missing)
      }
      _ = try GGUFModel(parts[1])
    }
  }

  @Test func aPartUnderAnotherNameIsRefused() throws {
    try withCopy { directory, parts in
      let alone = directory.appending(path: "second.gguf")
      try FileManager.default.copyItem(at: parts[1], to: alone)
      expectOneLine([alone.path, "part 2 of 3", "not named so", "-00001-of-00003.gguf"]) { _ = try GGUFFile(alone) }
      // The third in the place of the second.
      try FileManager.default.removeItem(at: parts[1])
      try FileManager.default.copyItem(at: parts[2], to: parts[1])
      expectOneLine([parts[1].path, "name says part 2 of 3, its metadata 3 of 3"]) { _ = try GGUFFile(parts[0]) }
      // A whole file with the name of a part.
      try FileManager.default.removeItem(at: parts[1])
      try FileManager.default.copyItem(at: Fixtures.gguf("tiny.gguf"), to: parts[1])
      expectOneLine([parts[1].path, "name says part 2 of 3, its metadata 1 of 1"]) { _ = try GGUFFile(parts[0]) }
      let impossible = directory.appending(path: "tiny-00004-of-00003.gguf")
      try Data().write(to: impossible)
      expectOneLine([impossible.path, "no part 4 of 3"]) { _ = try GGUFFile(impossible) }
      let none = directory.appending(path: "tiny-00001-of-00000.gguf")
      try Data().write(to: none)
      expectOneLine([none.path, "no part 1 of 0"]) { _ = try GGUFFile(none) }
    }
  }

  @Test func numbersThatCannotBeAreRefused() throws {
    for (number, count) in [(UInt64(Int.max), UInt64(3)), (0, 0), (3, 3), (0, 1 << 60), (.max, .max)] {
      var bytes = GGUFBytes(tensors: 0, values: 2)
      for (key, value) in [("split.no", number), ("split.count", count)] {
        bytes.put(key)
        bytes.put(UInt32(10))
        bytes.put(value)
      }
      try withScratchDirectory { directory in
        let file = directory.appending(path: "one.gguf")
        try bytes.data.write(to: file)
        expectOneLine([file.path]) { _ = try GGUFFile(file) }
      }
    }
  }

  @Test func aPartOfAnotherModelIsRefused() throws {
    func part(_ number: UInt16, _ tensors: [String], count: Int32 = 3, name: String? = nil) -> Data {
      var bytes = GGUFBytes(tensors: UInt64(tensors.count), values: name == nil ? 3 : 4)
      for (key, value) in [("split.no", number), ("split.count", 2)] {
        bytes.put(key)
        bytes.put(UInt32(2))
        bytes.put(value)
      }
      bytes.put("split.tensors.count")
      bytes.put(UInt32(5))
      bytes.put(count)
      if let name {
        bytes.put("general.name")
        bytes.put(UInt32(8))
        bytes.put(name)
      }
      for (index, tensor) in tensors.enumerated() { bytes.tensor(tensor, [8], start: UInt64(32 * index)) }
      bytes.content(32 * tensors.count)
      return bytes.data
    }
    try withScratchDirectory { directory in
      let files = (1...2).map { directory.appending(path: "m-0000\($0)-of-00002.gguf") }
      try part(0, ["a", "b"], name: "mine").write(to: files[0])
      for (second, words) in [
        (part(1, ["b"]), "another model than m-00001-of-00002.gguf"), (part(1, ["c"], count: 4), "another model"),
        (part(1, ["c"], name: "theirs"), "another model"), (part(1, ["c", "d"]), "its 2 parts have 4 tensors, not 3"),
      ] {
        try second.write(to: files[1])
        expectOneLine([directory.path, words, "parts of one model"]) { _ = try GGUFFile(files[0]) }
      }
      // Damage is told of the part that has it.
      try part(1, ["c"]).dropLast(1).write(to: files[1])
      expectOneLine([files[1].path, "cut short"]) { _ = try GGUFFile(files[0]) }
      try part(1, ["c"], name: "mine").write(to: files[1])
      #expect(try GGUFFile(files[1]).tensors.count == 3)
    }
  }
}
