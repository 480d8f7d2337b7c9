import FamilyFixture
import Foundation
import LLaMAStitch
import Support
import Testing

/// `stitch adapter transfer --method panda` and `pot`.
@Suite struct PromptTransferCommandTests {
  private struct Report: Decodable, Equatable {
    var adapter: String
    var file: String
    var similarity: Double?
    var weight: Double
    var steps: Int
    var trainable_parameters: Int
    var held_out_loss: Double?
  }

  private static let prompt = ["--prompt-length", "4", "--updated-positions", "8", "--rank", "2"]

  /// Teaches the workspace's family by soft prompts.
  /// - Returns: the adapter.
  @discardableResult
  private static func teach(_ workspace: Workspace) throws -> String {
    let taught = try workspace.run(
      ["adapt", "--update", "dept", "--data", workspace.lesson.path, "--steps", "8", "--tokens-per-step", "128"]
        + Self.prompt + ["--family", workspace.family.path, "--json"])
    #expect(taught.status == 0, "\(taught.complaint)")
    struct Report: Decodable { var output: String }
    let file = try JSONDecoder().decode(Report.self, from: taught.output).output
    return URL(fileURLWithPath: file).deletingPathExtension().lastPathComponent
  }

  /// Another task than `lesson`.
  private static func task(_ workspace: Workspace) throws -> URL {
    let file = workspace.directory.appending(path: "task.jsonl")
    let lines = (0..<48).map { index in
      #"{"messages":[{"role":"user","content":"count \#(index)"},{"role":"assistant","content":"the cat \#(index % 7)"}]}"#
    }
    try Data((lines.joined(separator: "\n") + "\n").utf8).write(to: file)
    return file
  }

  private static func command(
    _ workspace: Workspace, _ adapter: String = "latest", to target: URL, _ method: String
  ) throws -> [String] {
    [
      "adapter", "transfer", adapter, "--family", workspace.family.path, "--to", target.path, "--method", method,
      "--data", try task(workspace).path, "--steps", "4",
    ]
  }

  private static func report(_ workspace: Workspace, _ arguments: [String]) throws -> Report {
    let outcome = try workspace.run(arguments + ["--json"])
    #expect(outcome.status == 0, "\(arguments)\n\(outcome.complaint)")
    return try JSONDecoder().decode(Report.self, from: outcome.output)
  }

  /// Within a family and to a wider one; the same bytes again, on one thread too, and after the teacher nothing is left.
  @Test func aPromptTeachesItsOwnFamilyAndAWiderOne() throws {
    try Workspace.with { workspace in
      let adapter = try Self.teach(workspace)
      let wide = workspace.directory.appending(path: "wide")
      try RandomFamily.make(at: wide, width: 48, name: "wide")
      let all = try Self.snapshots(workspace)
      for (target, width) in [(wide, [48, 72]), (workspace.family, [32, 48])] {
        let command =
          try Self.command(workspace, adapter, to: target, "panda") + ["--prompt-steps", "3", "--weight", "2"]
        let made = try Self.report(workspace, command)
        let similarity = try #require(made.similarity)
        #expect(similarity > -1 && similarity < 1)
        #expect(abs(made.weight - 2 * max(0, similarity)) < 1e-6)
        #expect(made.steps == 4 && made.held_out_loss != nil)
        // A prompt of 4 vectors for each anchor, and what updates embeddings.
        #expect(made.trainable_parameters == width.reduce(0) { $0 + 4 * $1 + 8 * 2 + 2 * $1 })
        #expect(try Self.report(workspace, command + ["--threads", "1"]) == made)
        let listed = try workspace.run(["adapter", "show", made.adapter, "--family", target.path])
        #expect(listed.text.contains("taught by the soft prompt of ") && listed.text.contains("similarity "))
        let asked = try workspace.run([
          "ask", "say 1", "--max-tokens", "3", "--family", target.path, "--adapter", made.adapter,
        ])
        #expect(asked.status == 0, "\(asked.complaint)")
        // What the teacher has learned matters.
        let old = try Self.report(workspace, command + ["--teacher-steps", "0"])
        #expect(old.similarity == made.similarity && old.weight == made.weight && old.adapter != made.adapter)
      }
      #expect(try Self.snapshots(workspace) == all + 4)
      let cache = workspace.home.appending(path: "stitch/transfer")
      #expect(try FileManager.default.contentsOfDirectory(atPath: cache.path).isEmpty)
    }
  }

  private static func snapshots(_ workspace: Workspace) throws -> Int {
    let paths = try FileManager.default.subpathsOfDirectory(atPath: workspace.home.path)
    return paths.count { $0.contains("adapters/") && $0.hasSuffix(".safetensors") }
  }

  /// Without a teacher it is what `adapt` makes; and PoT goes on from the old prompt.
  @Test func withoutATeacher() throws {
    try Workspace.with { workspace in
      let adapter = try Self.teach(workspace)
      let alone = try Self.report(
        workspace, try Self.command(workspace, adapter, to: workspace.family, "panda") + ["--weight", "0"])
      let pot = try Self.report(workspace, try Self.command(workspace, adapter, to: workspace.family, "pot"))
      #expect(pot.similarity == nil && pot.weight == 0 && pot.adapter != alone.adapter)
      #expect(pot.trainable_parameters == alone.trainable_parameters)
      let output = workspace.output
      let adapted = try workspace.run(
        [
          "adapt", "--update", "dept", "--data", try Self.task(workspace).path, "--steps", "4", "--stitches", "stops",
          "--family", workspace.family.path, "--output", output.path,
        ] + Self.prompt)
      #expect(adapted.status == 0, "\(adapted.complaint)")
      let own = try Data(contentsOf: output.appending(path: FamilyDescription.adapterName))
      #expect(try Data(contentsOf: URL(fileURLWithPath: alone.file)) == own)
    }
  }

  /// A copy of an adapter whose last number is none.
  private static func broken(_ workspace: Workspace, _ adapter: String) throws -> String {
    let paths = try FileManager.default.subpathsOfDirectory(atPath: workspace.home.path)
    let file = workspace.home.appending(path: try #require(paths.first { $0.hasSuffix("\(adapter).safetensors") }))
    let data = try Data(contentsOf: file).dropLast(4) + Data([0, 0, 0xC0, 0x7F])
    let hash = SHA256.hexadecimal(of: Array(data))
    try data.write(to: file.deletingLastPathComponent().appending(path: "\(hash).safetensors"))
    return hash
  }

  @Test func refusals() throws {
    try Workspace.with { workspace in
      let here = workspace.family
      let bare = ["adapter", "transfer", "own", "--to", here.path, "--family", here.path]
      for (arguments, parts) in [
        (["--method", "panda"], ["panda", "--data"]), (["--method", "pot"], ["pot", "--data"]),
        (["--weight", "1"], ["--weight", "panda"]),
        (["--method", "pot", "--data", workspace.lesson.path, "--weight", "1"], ["--weight", "panda", "pot"]),
        (["--method", "panda", "--data", workspace.lesson.path, "--accept", "1"], ["--accept", "trans-lora"]),
        (["--method", "panda", "--data", workspace.lesson.path, "--weight", "-1"], ["--weight"]),
        (["--method", "panda", "--data", workspace.lesson.path], ["own"]),
      ] as [([String], [String])] { try workspace.expectRefusal(bare + arguments, parts) }

      // What was taught in another way.
      let lora = try workspace.run([
        "adapt", "--data", workspace.lesson.path, "--steps", "2", "--tokens-per-step", "64", "--family", here.path,
      ])
      #expect(lora.status == 0, "\(lora.complaint)")
      for method in ["panda", "pot"] {
        try workspace.expectRefusal(
          try Self.command(workspace, to: here, method), ["latest", "no soft prompt", "--update dept"])
      }

      let adapter = try Self.teach(workspace)
      let other = workspace.directory.appending(path: "other")
      try RandomFamily.make(at: other, name: "other", pieces: ["zzz", "yyy"])
      let wide = workspace.directory.appending(path: "wide")
      try RandomFamily.make(at: wide, width: 48, name: "wide")
      let short = workspace.directory.appending(path: "short")
      try RandomFamily.make(at: short, contextLength: 4, name: "short")
      var missing = try Self.command(workspace, to: here, "panda")
      missing[missing.firstIndex(of: "--data")! + 1] = workspace.directory.appending(path: "nowhere.jsonl").path
      try workspace.expectRefusal(missing, ["nowhere.jsonl"])
      try workspace.expectRefusal(try Self.command(workspace, to: other, "panda"), ["tokenizer", other.path])
      try workspace.expectRefusal(try Self.command(workspace, to: wide, "pot"), ["prompt", "shapes"])
      try workspace.expectRefusal(try Self.command(workspace, to: short, "panda"), ["soft prompt of 4", "4 tokens"])
      let broken = try Self.broken(workspace, adapter)
      for method in ["panda", "pot"] {
        try workspace.expectRefusal(
          try Self.command(workspace, broken, to: here, method), [".prompt.", "what is no number"])
      }
    }
  }
}
