import Foundation
import Testing

/// Weights that are damaged or belong to something else.
@Suite struct BadInputWeightsTests {
  private static let embedding = "model.embed_tokens.weight"
  private static let norm = "model.norm.weight"

  @Test func damagedSafetensors() throws {
    try Workspace.with { workspace in
      let file = workspace.model.appending(path: "model.safetensors")
      let whole = try SafetensorsText(file)
      let score = ["score", workspace.text.path, "--model", workspace.model.path]
      #expect(try workspace.run(score).status == 0)
      func expect(
        _ parts: String..., sourceLocation: SourceLocation = #_sourceLocation, _ damage: () throws -> Void
      ) throws {
        try workspace.restoring(file) {
          try damage()
          try workspace.expectRefusal(score, [file.path] + parts, sourceLocation: sourceLocation)
        }
      }
      func expect(
        _ parts: String..., sourceLocation: SourceLocation = #_sourceLocation,
        changing change: (inout SafetensorsText) -> Void
      ) throws {
        try workspace.restoring(file) {
          var text = whole
          change(&text)
          try text.write(to: file)
          try workspace.expectRefusal(score, [file.path] + parts, sourceLocation: sourceLocation)
        }
      }
      let again = "download or write it again"
      try expect("cut short", again) { try (try Data(contentsOf: file)).dropLast(100).write(to: file) }
      try expect("too few for the length of a header", again) { try Data([1, 2, 3]).write(to: file) }
      try expect("too few", again) { try Data().write(to: file) }
      try expect("the header needs", again) { try whole.write(to: file, length: 90_000_000) }
      for length in [UInt64(1) << 63, .max, 100_000_001] {
        try expect("claims \(length) bytes", again) { try whole.write(to: file, length: length) }
      }
      for header in ["hello", "{", "[1]", "{\"a\":1,\"a\":2}", "\u{FFFD}"] {
        try expect("header", again) { try SafetensorsText.write(Data(header.utf8), whole.data, to: file) }
      }
      try expect("header", again) { try SafetensorsText.write(Data([0x7B, 0xFF, 0xFE]), whole.data, to: file) }
      let deep = Data(repeating: UInt8(ascii: "["), count: 1_000_000)
      try expect("nested too deeply", again) { try SafetensorsText.write(deep, whole.data, to: file) }

      let end = whole.data.count
      let range = whole.field(Self.norm, "data_offsets")
      try expect(
        "of \(end)", Self.norm, again,
        changing: { $0.set(Self.norm, "data_offsets", to: [end, end + range[1] - range[0]]) })
      try expect("no shape", again) {
        try SafetensorsText.write(Data("{\"a\":{\"dtype\":\"F32\"}}".utf8), whole.data, to: file)
      }
      try expect("data_offsets", again, changing: { $0.set(Self.norm, "data_offsets", to: [-4, 4]) })
      try expect("data_offsets", again, changing: { $0.set(Self.norm, "data_offsets", to: [8, 4]) })
      try expect("data_offsets", again, changing: { $0.set(Self.norm, "data_offsets", to: [0, Double(Int.max) * 4]) })
      try expect("overlaps", again, changing: { $0.set(Self.norm, "data_offsets", to: [0, range[1] - range[0]]) })
      try expect("belong to no tensor", again, changing: { $0.header[Self.norm] = nil })
      try expect("needs", "data_offsets give", again, changing: { $0.set(Self.norm, "dtype", to: "F64") })
      try expect("unknown dtype", again, changing: { $0.set(Self.norm, "dtype", to: "F12") })
      try expect("shape", again, changing: { $0.set(Self.norm, "shape", to: [1 << 40, 1 << 40]) })
      try expect("shape", again, changing: { $0.set(Self.norm, "shape", to: [-32]) })
    }
  }

  @Test func weightsOfAnotherModel() throws {
    try Workspace.with { workspace in
      let file = workspace.model.appending(path: "model.safetensors")
      let whole = try SafetensorsText(file)
      let commands = [
        ["score", workspace.text.path, "--model", workspace.model.path], ["ask", "x", "--model", workspace.model.path],
      ]
      func expect(
        _ parts: [String], sourceLocation: SourceLocation = #_sourceLocation,
        changing change: (inout SafetensorsText) -> Void
      ) throws {
        try workspace.restoring(file) {
          var text = whole
          change(&text)
          try text.write(to: file)
          for command in commands { try workspace.expectRefusal(command, parts, sourceLocation: sourceLocation) }
        }
      }
      try expect(
        [file.path, Self.norm, "I32", "convert the weights"], changing: { $0.set(Self.norm, "dtype", to: "I32") })
      try expect(
        [file.path, Self.norm, "[2, 16]", "[32]", "belong together"],
        changing: { $0.set(Self.norm, "shape", to: [2, 16]) })
      try expect(
        [workspace.model.path, Self.embedding, "belong together"],
        changing: {
          $0.header["another"] = $0.header[Self.embedding]
          $0.header[Self.embedding] = nil
        })
      // Weights that are not numbers are found when they are used.
      try workspace.restoring(file) {
        var text = whole
        text.data = Data(repeating: 0xFF, count: text.data.count)
        try text.write(to: file)
        for command in commands { try workspace.expectRefusal(command, ["not a number", "damaged"]) }
      }
      try workspace.restoring(file) {
        try FileManager.default.removeItem(at: file)
        for command in commands {
          try workspace.expectRefusal(command, [workspace.model.path, "neither model.safetensors nor", "name a"])
        }
      }
    }
  }

  @Test func indexOfShards() throws {
    try Workspace.with { workspace in
      let file = workspace.model.appending(path: "model.safetensors")
      let shard = workspace.model.appending(path: "model-00001-of-00002.safetensors")
      let index = workspace.model.appending(path: "model.safetensors.index.json")
      let names = try SafetensorsText(file).header.keys.filter { $0 != "__metadata__" }
      let outside = workspace.directory.appending(path: "outside.safetensors")
      try FileManager.default.copyItem(at: file, to: outside)
      try FileManager.default.moveItem(at: file, to: shard)
      func write(_ place: (String) -> Any) throws {
        let map = Dictionary(uniqueKeysWithValues: names.map { ($0, place($0)) })
        try JSONSerialization.data(withJSONObject: ["weight_map": map]).write(to: index)
      }
      let score = ["score", workspace.text.path, "--model", workspace.model.path]
      try write { _ in shard.lastPathComponent }
      #expect(try workspace.run(score).status == 0)
      let again = "download or export the model again"
      let second = "model-00002-of-00002.safetensors"
      try write { $0 == Self.norm ? second : shard.lastPathComponent }
      try workspace.expectRefusal(score, [index.path, second, "missing", again])
      for path in ["../outside.safetensors", outside.path, "a/b", "..", ""] {
        try write { _ in path }
        try workspace.expectRefusal(score, [index.path, "“\(path)” is not the name of a file beside it", again])
      }
      try write { _ in 7 }
      try workspace.expectRefusal(score, [index.path, "a number", again])
      for text in ["", "[]", "{\"weight_map\": 3}", "nonsense"] {
        try Data(text.utf8).write(to: index)
        try workspace.expectRefusal(score, [index.path, again])
      }
      // A shard that lacks what the index promises.
      try write { _ in shard.lastPathComponent }
      var text = try SafetensorsText(shard)
      text.header["another"] = text.header[Self.norm]
      text.header[Self.norm] = nil
      try text.write(to: shard)
      try workspace.expectRefusal(score, [index.path, Self.norm, again])
    }
  }
}
