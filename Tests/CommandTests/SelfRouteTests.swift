import FamilyFixture
import Foundation
import LLaMAStitch
import Testing

/// `stitch family build` with one anchor: a slider of its own blocks.
@Suite struct SelfRouteTests {
  private static func makeModel(_ workspace: Workspace, blocks: Int) throws -> URL {
    let model = workspace.directory.appending(path: "model-\(blocks)")
    try RandomFamily.writeAnchor(at: model, blocks: blocks)
    try FileManager.default.copyItem(
      at: workspace.family.appending(path: "tokenizer.model"), to: model.appending(path: "tokenizer.model"))
    return model
  }

  private static func makeText(_ workspace: Workspace) throws -> URL {
    let text = workspace.directory.appending(path: "calibration.txt")
    try Data((0..<60).map { "the cat number \($0) sat on the mat and said hello" }.joined(separator: "\n\n").utf8)
      .write(to: text)
    return text
  }

  @Test func aSliderOfOneModel() throws {
    try Workspace.with { workspace in
      let (model, text) = (try Self.makeModel(workspace, blocks: 6), try Self.makeText(workspace))
      func build(_ more: [String]) throws -> StitchProcess.Outcome {
        try workspace.run(
          ["family", "build", "--anchor", model.path, "--template", "tiny", "--output", workspace.output.path] + more)
      }
      func bytes() throws -> [Data] {
        try ["family.json", "stitches.safetensors"].map { try Data(contentsOf: workspace.output.appending(path: $0)) }
      }
      let built = try build(["--calibration", text.path])
      #expect(built.status == 0 && built.complaint.contains("routes within it"), "\(built.complaint)")
      let family = try Family(workspace.output)
      #expect(family.stops.count >= 3 && family.stops == family.stitches && family.stops.last?.id == "model_6")
      for stop in family.stops {
        let asked = try workspace.run([
          "ask", "hello", "--family", workspace.output.path, "--stitch", stop.id, "--temperature", "0", "--max-tokens",
          "4",
        ])
        #expect(asked.status == 0, "\(asked.complaint)")
      }
      // The same bytes with one thread.
      let before = try bytes()
      try FileManager.default.removeItem(at: workspace.output)
      #expect(try build(["--calibration", text.path, "--threads", "1"]).status == 0)
      #expect(try bytes() == before)
      // Without text it writes its own.
      try FileManager.default.removeItem(at: workspace.output)
      let alone = try build(["--quantize", "q8_0"])
      #expect(alone.status == 0 && alone.complaint.contains("writes the calibration text itself"))
      #expect(try Family(workspace.output).stops.count >= 3)
    }
  }

  @Test func nothingToLeaveOut() throws {
    try Workspace.with { workspace in
      let built = try workspace.run([
        "family", "build", "--anchor", workspace.model.path, "--output", workspace.output.path,
      ])
      #expect(built.status == 0 && built.complaint.contains("model has too few blocks to leave any out"))
      #expect(try Family(workspace.output).stitches.map(\.id) == ["model"])
    }
  }

  @Test func kindsOfRoutes() throws {
    try Workspace.with { workspace in
      let (six, text) = (try Self.makeModel(workspace, blocks: 6), try Self.makeText(workspace))
      let four = try Self.makeModel(workspace, blocks: 4)
      func build(_ anchors: [URL], _ routes: String) -> [String] {
        [
          "family", "build", "--calibration", text.path, "--output", workspace.output.path, "--template", "tiny",
          "--routes", routes,
        ] + anchors.flatMap { ["--anchor", $0.path] }
      }
      let built = try workspace.run(build([four, six], "across,self,two-way"))
      #expect(built.status == 0, "\(built.complaint)")
      let routes = try Family(workspace.output).routes
      let kinds = Dictionary(grouping: routes.filter { !$0.isAnchor }) { route in
        Set(route.segments.map(\.anchor)).count == 1 ? "self" : route.segments.count == 2 ? "across" : "two-way"
      }.mapValues(\.count)
      #expect(kinds["across"] == 5 && kinds["two-way"] == 2 && kinds["self", default: 0] >= 3, "\(kinds)")

      try FileManager.default.removeItem(at: workspace.output)
      try workspace.expectRefusal(
        build([six], "across"), ["“across” need two anchors", "give another one, or ask for self"])
      for wrong in ["", "sideways", "self,", "self,,across"] {
        try workspace.expectRefusal(build([six], wrong), ["--routes", "across, self, two-way"])
      }
      // Blocks that are simply left out, to compare with.
      let dropped = try workspace.run(build([six], "dropped") + ["--leave-out", "1,3"])
      #expect(dropped.status == 0, "\(dropped.complaint)")
      let family = try Family(workspace.output)
      #expect(family.stitches.map { $0.route.blocks.count } == [3, 5, 6] && family.stops.count == 3)
      let data = workspace.directory.appending(path: "texts.jsonl")
      try Data(#"{"text":"the cat sat on the mat"}"#.utf8).write(to: data)
      let frontier = ["frontier", "--family", workspace.output.path, "--data", data.path, "--no-speeds"]
      let (own, other) = (
        try workspace.run(frontier + ["--json"]), try workspace.run(frontier + ["--json", "--reference", six.path])
      )
      #expect(own.status == 0 && other.status == 0, "\(other.complaint)")
      func agreement(_ output: Data) throws -> [Double] {
        let document = try #require(JSONSerialization.jsonObject(with: output) as? [String: Any])
        return try #require(document["stitches"] as? [[String: Any]]).compactMap { $0["agreement"] as? Double }
      }
      #expect(try agreement(own.output) == agreement(other.output) && agreement(own.output).last == 1)
      let one = try workspace.run(frontier + ["--json", "--stitches", family.stitches[0].id])
      #expect(try agreement(one.output) == Array(agreement(own.output).prefix(1)))
      try workspace.expectRefusal(frontier + ["--stitches", "nothing"], ["nothing", "; "])
      try workspace.expectRefusal(frontier + ["--stitches", "a", "--write"], ["--stitches", "--write"])
      try FileManager.default.removeItem(at: workspace.output)
      try workspace.expectRefusal(build([six], "self") + ["--leave-out", "1"], ["--leave-out", "dropped"])
      for wrong in ["0", "one", "1,"] {
        try workspace.expectRefusal(build([six], "dropped") + ["--leave-out", wrong], ["--leave-out", wrong])
      }
      try workspace.expectRefusal(
        build([six], "dropped") + ["--leave-out", "5"], ["of 6 blocks 5 cannot be left out"])
      // Shorter than what a layer could be fitted on and judged by.
      try Data("hello".utf8).write(to: text)
      try workspace.expectRefusal(build([six], "self"), ["calibration text is too short", "give more text"], lines: 3)
    }
  }
}
