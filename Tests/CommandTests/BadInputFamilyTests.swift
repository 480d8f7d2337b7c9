import FamilyFixture
import Foundation
import LLaMAStitch
import Testing

/// Families whose parts are missing, damaged or lead elsewhere.
@Suite struct BadInputFamilyTests {
  private static func commands(_ workspace: Workspace) -> [[String]] {
    [
      ["ask", "x", "--family", workspace.family.path], ["chat", "--plain", "--family", workspace.family.path],
      ["score", workspace.text.path, "--family", workspace.family.path], ["family", "show", workspace.family.path],
      ["adapt", "--family", workspace.family.path, "--data", workspace.lesson.path, "--steps", "1"],
    ]
  }

  @Test func missingParts() throws {
    try Workspace.with { workspace in
      for part in ["stitches.safetensors", "tokenizer.model", "anchors/small", "anchors/large"] {
        let file = workspace.family.appending(path: part)
        try workspace.restoring(file) {
          try FileManager.default.removeItem(at: file)
          for command in Self.commands(workspace) {
            try workspace.expectRefusal(command, [file.path, "is missing", "copy the family again"])
          }
        }
      }
      for part in ["anchors/small/config.json", "anchors/large/model.safetensors"] {
        let file = workspace.family.appending(path: part)
        try workspace.restoring(file) {
          try FileManager.default.removeItem(at: file)
          try workspace.expectRefusal(Self.commands(workspace)[0], [file.deletingLastPathComponent().path, "; "])
        }
      }
      let description = workspace.family.appending(path: "family.json")
      try workspace.restoring(description) {
        try FileManager.default.removeItem(at: description)
        for command in Self.commands(workspace) {
          try workspace.expectRefusal(
            command, [workspace.family.path, "no readable family.json", "stitch family build"])
        }
      }
      // An anchor that is a file, and one that is too many.
      let anchor = workspace.family.appending(path: "anchors/small")
      try workspace.restoring(anchor) {
        try FileManager.default.removeItem(at: anchor)
        try Data("x".utf8).write(to: anchor)
        try workspace.expectRefusal(Self.commands(workspace)[0], [anchor.path, "not a readable directory"])
      }
    }
  }

  @Test func description() throws {
    try Workspace.with { workspace in
      let file = workspace.family.appending(path: "family.json")
      let whole = try JSONSerialization.jsonObject(with: Data(contentsOf: file)) as? [String: Any] ?? [:]
      let routes = try #require(whole["routes"] as? [[[String: Any]]])
      func segment(_ anchor: Int, _ blocks: [Int]) -> [String: Any] { ["anchor": anchor, "blocks": blocks] }
      func chain(_ segments: [String: Any]...) -> [Any] { routes + [segments] }
      // As families of format 1 spell them.
      func join(_ fields: [String: Int]) -> [Any] {
        routes + [["start": 0, "join": ["prefix": 1, "end": 1, "entry": 1].merging(fields) { $1 }]]
      }
      let again = "build or copy the family again"
      let cases: [(String, Any?, [String])] = [
        ("format", 99, ["format 99", "reads up to 2"]), ("format", "1", ["format"]), ("format", nil, ["format"]),
        ("anchors", [Any](), ["no anchors"]), ("anchors", nil, ["a field is missing"]),
        ("routes", join(["entry": 4]), ["blocks that are not there"]),
        ("routes", join(["entry": 0]), ["blocks that are not there"]),
        ("routes", join(["prefix": 3]), ["blocks that are not there"]),
        ("routes", join(["prefix": 0]), ["blocks that are not there"]),
        ("routes", join(["prefix": -1]), ["blocks that are not there"]),
        ("routes", join(["end": 2]), ["blocks that are not there"]),
        ("routes", join(["end": 0]), ["blocks that are not there"]),
        ("routes", join(["entry": Int.max]), ["blocks that are not there"]),
        ("routes", chain(segment(0, [0, 1]), segment(1, [4, 4])), ["blocks that are not there"]),
        ("routes", chain(segment(0, [0, 1]), segment(1, [2, 5])), ["blocks that are not there"]),
        ("routes", chain(segment(0, [0, 1]), segment(7, [1, 4])), ["blocks that are not there"]),
        ("routes", chain(segment(0, [0, 1]), segment(1, [-1, 4])), ["blocks that are not there"]),
        ("routes", chain(segment(0, [0, 1]), segment(1, [1, 3])), ["end with one's last"]),
        ("routes", chain(segment(1, [1, 4])), ["begin with an anchor's first"]),
        ("routes", chain(segment(1, [0, 2]), segment(1, [1, 4])), ["a block twice"]),
        ("routes", chain(segment(9, [0, 2])), ["an anchor that is not there"]),
        ("routes", chain(segment(0, [2, 1])), ["a field is missing or has the wrong kind"]),
        ("routes", chain(), ["a field is missing or has the wrong kind"]),
        ("routes", (routes as [Any]) + [["start": 5]], ["an anchor that is not there"]),
        ("routes", (routes as [Any]) + [["start": -1]], ["an anchor that is not there"]),
        ("routes", routes + [routes[0]], ["a route is there twice"]),
        ("routes", Array(routes.dropFirst()), ["not among the routes"]), ("routes", [Any](), ["not among the routes"]),
        ("stops", ["small", "medium"], ["the stop “medium” is not a stitch"]), ("stops", [Any](), ["no stops"]),
        ("stops", "small", ["a field is missing or has the wrong kind"]),
      ]
      for (name, value, parts) in cases {
        try workspace.restoring(file) {
          var members = whole
          members[name] = value
          try JSONSerialization.data(withJSONObject: members).write(to: file)
          try workspace.expectRefusal(Self.commands(workspace)[0], [file.path, again] + parts)
        }
      }
      for text in ["", "hello", "[]", "{\"format\": 1}", String(repeating: "[", count: 100_000)] {
        try workspace.restoring(file) {
          try Data(text.utf8).write(to: file)
          for command in Self.commands(workspace) { try workspace.expectRefusal(command, [file.path, again]) }
        }
      }
      try workspace.restoring(file) {
        try workspace.replace("\"tiny\"", by: "\"chatty\"", in: file)
        try workspace.expectRefusal(Self.commands(workspace)[0], [workspace.family.path, "chatty", "alpaca"])
      }
      try workspace.restoring(file) {
        try workspace.replace("\"name\" : \"small\"", by: "\"name\" : \"sm\\u001b[2Jall\"", in: file)
        try workspace.expectRefusal(Self.commands(workspace)[0], [file.path, "names of letters", again])
      }
    }
  }

  @Test func pathsThatLeadOutside() throws {
    try Workspace.with { workspace in
      let file = workspace.family.appending(path: "family.json")
      let trust = "use a family from a source you trust"
      let absolute = workspace.model.path
      for path in ["../../x", "../model", absolute, "anchors/../../model", "", ".", "anchors/.."] {
        try workspace.restoring(file) {
          try workspace.replace("\"anchors/small\"", by: "\"\(path)\"", in: file)
          for command in Self.commands(workspace) {
            try workspace.expectRefusal(command, ["“\(path)”", file.path, "outside the family", trust])
          }
        }
      }
      // Links that lead outside, at every place where a part may be.
      let places = [
        "anchors", "anchors/small", "anchors/small/model.safetensors", "anchors/large/config.json",
        "stitches.safetensors", "tokenizer.model", "family.json",
      ]
      for (index, part) in places.enumerated() {
        let inside = workspace.family.appending(path: part)
        let outside = workspace.directory.appending(path: "outside-\(index)")
        try workspace.restoring(inside) {
          try FileManager.default.moveItem(at: inside, to: outside)
          try FileManager.default.createSymbolicLink(at: inside, withDestinationURL: outside)
          for command in Self.commands(workspace) {
            try workspace.expectRefusal(command, [workspace.family.path, "outside the family", trust])
          }
        }
      }
      // A link inside the family is its own affair, and the family itself may be reached by one.
      let real = workspace.family.appending(path: "weights")
      try FileManager.default.moveItem(at: workspace.family.appending(path: "anchors"), to: real)
      try FileManager.default.createSymbolicLink(
        atPath: workspace.family.appending(path: "anchors").path, withDestinationPath: "weights")
      let link = workspace.directory.appending(path: "link")
      try FileManager.default.createSymbolicLink(at: link, withDestinationURL: workspace.family)
      #expect(try workspace.run(["ask", "x", "--family", link.path, "--max-tokens", "1"]).status == 0)
    }
  }

  @Test func layersAndAdapters() throws {
    try Workspace.with { workspace in
      let ask = Self.commands(workspace)[0]
      let layers = workspace.family.appending(path: "stitches.safetensors")
      let whole = try SafetensorsText(layers)
      let name = "stitches.small-large@1.bias"
      try workspace.restoring(layers) {
        var text = whole
        text.set(name, "dtype", to: "I32")
        try text.write(to: layers)
        try workspace.expectRefusal(ask, [layers.path, name, "I32", "build or copy the family again"])
        text = whole
        text.set(name, "shape", to: [2, 24])
        try text.write(to: layers)
        try workspace.expectRefusal(ask, [layers.path, name, "[2, 24]", "[48]", "build or copy the family again"])
        text = whole
        text.header["another"] = text.header[name]
        text.header[name] = nil
        try text.write(to: layers)
        try workspace.expectRefusal(ask, [layers.path, name, "check that it belongs"])
      }

      let adapted = workspace.directory.appending(path: "adapted")
      let adapt = ["adapt", "--data", workspace.lesson.path, "--steps", "2", "--rank", "2"]
      #expect(try workspace.run(adapt + ["--family", workspace.family.path, "--output", adapted.path]).status == 0)
      let adapter = adapted.appending(path: "esta.safetensors")
      let trained = try SafetensorsText(adapter)
      let commands = [
        ["ask", "x", "--family", adapted.path], ["chat", "--plain", "--family", adapted.path],
        ["family", "show", adapted.path],
        adapt + ["--family", adapted.path, "--continue"],
      ]
      func expect(
        _ parts: String..., sourceLocation: SourceLocation = #_sourceLocation, _ damage: () throws -> Void
      ) throws {
        try workspace.restoring(adapter) {
          try damage()
          for command in commands {
            try workspace.expectRefusal(command, [adapter.lastPathComponent] + parts, sourceLocation: sourceLocation)
          }
        }
      }
      try expect("cut short", "download or write it again") {
        try (try Data(contentsOf: adapter)).dropLast(8).write(to: adapter)
      }
      try expect("not an adapter of this program", "build or copy") {
        try FileManager.default.removeItem(at: adapter)
        try FileManager.default.copyItem(at: layers, to: adapter)
      }
      let lora = "anchors.small.layers.0.self_attn.q_proj.lora_A"
      try expect(lora, "I32", "build or copy") {
        var text = trained
        text.set(lora, "dtype", to: "I32")
        try text.write(to: adapter)
      }
      try expect(lora, "check that it belongs") {
        var text = trained
        text.header["another"] = text.header[lora]
        text.header[lora] = nil
        try text.write(to: adapter)
      }
      let outside = workspace.directory.appending(path: "outside.safetensors")
      try expect("outside the family") {
        try FileManager.default.moveItem(at: adapter, to: outside)
        try FileManager.default.createSymbolicLink(at: adapter, withDestinationURL: outside)
      }
      // The adapter of another family.
      let other = workspace.directory.appending(path: "other")
      try RandomFamily.make(at: other, width: 64)
      try FileManager.default.copyItem(at: adapter, to: other.appending(path: "esta.safetensors"))
      try workspace.expectRefusal(
        ["ask", "x", "--family", other.path], [other.path, "trained on another family", "choose the adapter"])
    }
  }

  @Test func namesOfStitches() throws {
    try Workspace.with { workspace in
      let family = workspace.family.path
      for (id, nearest) in [("nope", ""), ("small-large@9", "small-large@"), ("larg", "large"), ("LARGE", "large")] {
        for command in ["ask", "chat"] {
          try workspace.expectRefusal(
            [command, "--family", family, "--stitch", id] + (command == "ask" ? ["x"] : ["--plain"]),
            [family, "no stitch “\(id)”", "did you mean \(nearest)", "stitch family show"])
        }
      }
      try workspace.expectRefusal(
        ["ask", "x", "--family", workspace.text.path], [workspace.text.path, "not a family"])
      try workspace.expectRefusal(["ask", "x", "--model", workspace.text.path], [workspace.text.path])
    }
  }
}
