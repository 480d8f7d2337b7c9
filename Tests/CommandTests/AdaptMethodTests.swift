import FamilyFixture
import Foundation
import LLaMAStitch
import Support
import Testing

/// `stitch adapt --method …`: what it reports, what it refuses.
@Suite struct AdaptMethodTests {
  private struct Report: Decodable {
    var method: String
    var output: String
    var trainable_parameters: Int
    var stored_bytes: Int
    var steps: Int
    var tokens: Int
    var held_out_loss: Double?
    var stitch_loss: Double?
    var peak_memory_bytes: Int
  }

  /// A line of the log.
  private struct Measured: Decodable {
    var step: Int
    var tokens: Int
    var heldOutLoss: Double
    var stitchLoss: Double?
    var stitches: [String: Double]?
  }

  private static func lines(_ file: URL) throws -> [Measured] {
    try String(contentsOf: file, encoding: .utf8).split(separator: "\n").map {
      try JSONDecoder().decode(Measured.self, from: Data($0.utf8))
    }
  }

  private static func size(_ url: URL) throws -> Int { try Data(contentsOf: url).count }

  @Test(arguments: ["esta", "sn-net", "lora-per-anchor"]) func reports(method: String) throws {
    try Workspace.with { workspace in
      try Data(RandomFamily.lesson(count: 60).utf8).write(to: workspace.lesson)
      let log = workspace.directory.appending(path: "log.jsonl")
      let outcome = try workspace.run([
        "adapt", "--family", workspace.family.path, "--data", workspace.lesson.path, "--output", workspace.output.path,
        "--method", method, "--steps", "6", "--tokens-per-step", "64", "--measure-interval", "4", "--log", log.path,
        "--log-stitches", "--json",
      ])
      #expect(outcome.status == 0, "\(outcome.complaint)")
      let report = try JSONDecoder().decode(Report.self, from: outcome.output)
      #expect(report.method == method && report.output == workspace.output.path && report.steps == 6)
      #expect(report.tokens >= 6 * 64 && report.peak_memory_bytes > 1 << 20)
      let files =
        method == "sn-net"
        ? ["anchors/small/model.safetensors", "anchors/large/model.safetensors", "stitches.safetensors"]
        : ["esta.safetensors"]
      #expect(try report.stored_bytes == files.reduce(0) { try $0 + Self.size(workspace.output.appending(path: $1)) })
      #expect(report.stored_bytes >= 4 * report.trainable_parameters)
      let measured = try Self.lines(log)
      #expect(measured.map(\.step) == [4, 6])
      let last = try #require(measured.last)
      #expect(
        last.heldOutLoss == report.held_out_loss && last.stitchLoss == report.stitch_loss
          && last.tokens == report.tokens)
      #expect(Set(try #require(last.stitches).keys) == Set(RandomFamily.stitchIDs))
      let left = try workspace.snapshot().keys.filter { $0.hasSuffix(".lock") }
      #expect(left.isEmpty)
    }
  }

  /// Forward passes alone take less memory than backpropagation; what is trained beside or instead of low-rank updates is
  /// written, and runs.
  @Test(arguments: [
    ["--method", "mezo"], ["--method", "dizo", "--projection-interval", "2"],
    ["--method", "lst", "--side-reduction", "2"], ["--method", "unipt", "--side-reduction", "2"],
    ["--method", "sherl", "--side-reduction", "2"],
    ["--update", "difffit"], ["--method", "mezo", "--update", "difffit"],
    ["--update", "parallel", "--bottleneck", "3"], ["--update", "prefix", "--prefix-length", "5"],
    ["--update", "dept", "--prompt-length", "4", "--rank", "2"], ["--method", "mezo", "--update", "dept"],
    ["--update", "alore", "--kronecker", "2"], ["--method", "mezo", "--update", "alore", "--kronecker", "2"],
  ]) func otherWays(options: [String]) throws {
    try Workspace.with { workspace in
      try Data(RandomFamily.lesson(count: 60).utf8).write(to: workspace.lesson)
      func adapt(_ output: URL, _ more: [String]) throws -> Report {
        let outcome = try workspace.run(
          [
            "adapt", "--family", workspace.family.path, "--data", workspace.lesson.path, "--output", output.path,
            "--steps", "6", "--tokens-per-step", "64", "--json",
          ] + more)
        #expect(outcome.status == 0, "\(outcome.complaint)")
        return try JSONDecoder().decode(Report.self, from: outcome.output)
      }
      let report = try adapt(workspace.output, options)
      #expect(report.trainable_parameters > 0 && report.stored_bytes >= 4 * report.trainable_parameters)
      for stitch in ["small", "small-large@2", "large"] {
        let outcome = try workspace.run([
          "ask", "say 3", "--family", workspace.output.path, "--stitch", stitch, "--max-tokens", "8",
        ])
        #expect(outcome.status == 0, "\(outcome.complaint)")
      }
      if options[0] == "--method", options[1] != "mezo", options[1] != "dizo" {
        let exported = workspace.directory.appending(path: "exported")
        try workspace.expectRefusal(
          ["export", "--family", workspace.output.path, "--stitch", "large", "--output", exported.path],
          ["large", "side network"])
        #expect(!FileManager.default.fileExists(atPath: exported.path))
      }
    }
  }

  /// What is no change of weights does not leave the family, and what does not add up is not added; a line says so.
  @Test(arguments: [["--update", "prefix"], ["--update", "dept"], ["--update", "parallel", "--bottleneck", "3"]])
  func whatNothingElseCanHold(options: [String]) throws {
    try Workspace.with { workspace in
      try Data(RandomFamily.lesson(count: 60).utf8).write(to: workspace.lesson)
      let family = ["--family", workspace.family.path]
      let outcome = try workspace.run(
        ["adapt", "--data", workspace.lesson.path, "--steps", "4", "--tokens-per-step", "64"] + family + options)
      #expect(outcome.status == 0, "\(outcome.complaint)")
      for format in ["hf", "gguf", "peft"] {
        try workspace.expectRefusal(
          ["export", "--stitch", "small", "--format", format, "--adapter", "latest", "--output", workspace.output.path]
            + family, ["no change of weights", "--adapter none"])
      }
      if options.contains("parallel") { return }
      try workspace.expectRefusal(["adapter", "scale", "latest", "--last", "0.5"] + family, ["latest", "no part"])
      try workspace.expectRefusal(["adapter", "merge", "latest", "latest"] + family, ["do not add up", "without one"])
    }
  }

  /// Of the default family: what backpropagation keeps of its blocks is not there.
  @Test func lessMemoryThanBackpropagation() throws {
    let checkout = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
    let family = checkout.appending(path: "weights/tiny")
    guard FileManager.default.fileExists(atPath: family.appending(path: "family.json").path) else { return }
    try Workspace.with { workspace in
      func peak(_ name: String, _ options: [String]) throws -> Double {
        // A process counts as its own what its parent had when it was started: a shell has little.
        let outcome = try StitchProcess.run(
          shell: "\"$0\" \"$@\"; exit $?",
          [
            "adapt", "--continue", "--family", family.path, "--data",
            checkout.appending(path: "weights/lessons/facts.jsonl").path, "--output",
            workspace.directory.appending(path: name).path, "--steps", "2", "--tokens-per-step", "512",
            "--held-out-tokens", "0", "--json",
          ] + options, environment: workspace.environment)
        #expect(outcome.status == 0, "\(outcome.complaint)")
        return Double(try JSONDecoder().decode(Report.self, from: outcome.output).peak_memory_bytes)
      }
      let whole = try peak("esta", [])
      let forward = try peak("mezo", ["--method", "mezo"])
      #expect(forward < 0.7 * whole, "\(forward) and \(whole)")
      for method in ["lst", "unipt", "sherl"] {
        let side = try peak(method, ["--method", method])
        #expect(side < 0.8 * whole, "\(method): \(side) and \(whole)")
      }
    }
  }

  /// What blocks keep does not show in the result where it is computed again; every method that keeps any takes it.
  @Test func activationsComputedAgain() throws {
    try Workspace.with { workspace in
      try Data(RandomFamily.lesson(count: 60).utf8).write(to: workspace.lesson)
      for (index, method) in [["esta"], ["sherl", "--side-reduction", "2"], ["sn-net"]].enumerated() {
        let trees = try ["exact", "recompute", "4bit"].map { activations in
          let output = workspace.directory.appending(path: "\(index)-\(activations)")
          let outcome = try workspace.run(
            [
              "adapt", "--family", workspace.family.path, "--data", workspace.lesson.path, "--output", output.path,
              "--steps", "4", "--tokens-per-step", "64", "--activations", activations, "--method",
            ] + method)
          #expect(outcome.status == 0, "\(outcome.complaint)")
          return try FileManager.default.subpathsOfDirectory(atPath: output.path)
            .filter { $0.hasSuffix(".safetensors") }.sorted().map { try Data(contentsOf: output.appending(path: $0)) }
        }
        #expect(trees[0] == trees[1] && trees[0] != trees[2], "\(method)")
      }
    }
  }

  /// Healing is part of the family that is written; its largest anchor stays as it was, and a lesson comes on top.
  @Test func healing() throws {
    try Workspace.with { workspace in
      try Data(RandomFamily.lesson(count: 60).utf8).write(to: workspace.lesson)
      func adapt(_ family: URL, _ output: URL, _ more: [String]) throws -> Report {
        let outcome = try workspace.run(
          [
            "adapt", "--family", family.path, "--data", workspace.lesson.path, "--output", output.path, "--steps", "6",
            "--tokens-per-step", "64", "--json",
          ] + more)
        #expect(outcome.status == 0, "\(outcome.complaint)")
        return try JSONDecoder().decode(Report.self, from: outcome.output)
      }
      func score(_ family: URL, _ stitch: String) throws -> Data {
        let outcome = try workspace.run(
          ["score", workspace.text.path, "--family", family.path, "--stitch", stitch, "--json"])
        #expect(outcome.status == 0, "\(outcome.complaint)")
        return outcome.output
      }
      let healed = workspace.output
      let report = try adapt(workspace.family, healed, ["--heal"])
      #expect(report.stored_bytes == (try Self.size(healed.appending(path: FamilyDescription.healingName))))
      #expect(!FileManager.default.fileExists(atPath: healed.appending(path: FamilyDescription.adapterName).path))
      let (anchor, stitch) = (
        RandomFamily.stitchIDs.first { $0 == "large" }!, RandomFamily.stitchIDs.first { $0.contains("@") }!
      )
      #expect(try score(healed, anchor) == score(workspace.family, anchor))
      #expect(try score(healed, stitch) != score(workspace.family, stitch))

      let more = workspace.directory.appending(path: "more")
      _ = try adapt(healed, more, ["--heal", "--continue"])
      #expect(try score(more, anchor) == score(workspace.family, anchor))
      #expect(try score(more, stitch) != score(healed, stitch))
      let taught = workspace.directory.appending(path: "taught")
      _ = try adapt(healed, taught, ["--distill", "--targets", "all"])
      #expect(try score(taught, stitch) != score(healed, stitch))
      try workspace.expectRefusal(
        [
          "adapt", "--family", healed.path, "--data", workspace.lesson.path, "--steps", "4", "--method", "sn-net",
          "--output",
          workspace.directory.appending(path: "other").path,
        ], [healed.path, "healed", "sn-net"])
    }
  }

  @Test func refusals() throws {
    try Workspace.with { workspace in
      let adapt = ["adapt", "--family", workspace.family.path, "--data", workspace.lesson.path, "--steps", "4"]
      let written = ["--output", workspace.output.path]
      let cases: [([String], [String])] = [
        (["--method", "magic"], ["magic", "esta", "sn-net", "lora-per-anchor"]),
        (["--method", "sn-net"], ["sn-net", "--output"]),
        (["--method", "sn-net", "--continue"] + written, ["--continue", "sn-net"]),
        (["--method", "sn-net", "--rank", "4"] + written, ["--rank", "sn-net"]),
        (["--method", "lora-per-anchor", "--stitches", "stops"], ["--stitches", "lora-per-anchor"]),
        (["--cost-exponent", "-1"], ["--cost-exponent"]), (["--start-decay", "nan"], ["--start-decay"]),
        (["--method", "sn-net", "--anchor-steps", "4"] + written, ["--anchor-steps", "0 … 3"]),
        (["--method", "sn-net", "--no-stitch-biases"] + written, ["--no-stitch-biases", "sn-net"]),
        (["--method", "lora-per-anchor", "--sampling", "uniform"], ["--sampling", "lora-per-anchor"]),
        (["--anchor-steps", "1"], ["--anchor-steps", "esta"]), (["--keep-layers"], ["--keep-layers", "esta"]),
        (["--weight-decay", "nan"], ["--weight-decay"]), (["--heal"], ["--heal", "--output"]),
        (["--method", "sn-net", "--heal"] + written, ["--heal", "sn-net"]),
        (["--method", "lora-per-anchor", "--distill"], ["--distill", "lora-per-anchor"]),
        (["--distill-share", "0.5"], ["--distill-share", "--distill"]),
        (["--distill", "--distill-share", "1.5"], ["--distill-share", "1.5"]),
        (["--targets", "heads"], ["heads", "attention", "all"]),
        (["--method", "mezo", "--distill"], ["--distill", "mezo"]),
        (["--method", "dizo", "--heal"] + written, ["--heal", "dizo"]),
        (["--method", "mezo", "--epsilon", "0"], ["--epsilon"]), (["--epsilon", "0.1"], ["--epsilon", "esta"]),
        (["--method", "mezo", "--projection-interval", "9"], ["--projection-interval", "mezo"]),
        (["--method", "lst", "--rank", "4"], ["--rank", "lst"]),
        (["--side-reduction", "4"], ["--side-reduction", "esta"]),
        (["--method", "lst", "--side-reduction", "64"], ["large", "--side-reduction"]),
        (["--method", "lst", "--update", "difffit"], ["--update difffit", "lst"]),
        (["--method", "unipt", "--scope", "all"], ["--scope", "unipt"]),
        (["--method", "unipt", "--late-blocks", "1"], ["--late-blocks", "unipt"]),
        (["--method", "sherl", "--side-reduction", "2", "--late-blocks", "64"], ["small", "--late-blocks"]),
        (["--method", "sherl", "--distill"], ["--distill", "sherl"]),
        (["--update", "difffit", "--rank", "4"], ["--rank", "difffit"]),
        (["--update", "magic"], ["magic", "difffit"]),
        (["--update", "alore", "--kronecker", "7"], ["factor of 7", "--kronecker"]),
        (["--kronecker", "2"], ["--kronecker", "lora"]),
        (["--update", "prefix", "--prefix-length", "100000"], ["100000 positions", "--prefix-length"]),
        (["--update", "dept", "--prompt-length", "100000"], ["100000 positions", "--prompt-length"]),
        (["--update", "prefix", "--prompt-length", "2"], ["--prompt-length", "prefix"]),
        (["--update", "parallel", "--rank", "2"], ["--rank", "parallel"]),
        (["--update", "dept", "--distill"], ["--distill", "dept"]),
        (["--update", "alore", "--method", "lst"], ["alore", "lst"]),
        (["--update", "alore", "--heal"] + written, ["--heal", "alore"]),
        (["--activations", "8bit"], ["8bit", "recompute", "4bit"]),
        (["--activations", "recompute", "--method", "dizo"], ["--activations", "dizo", "no backward pass"]),
        (["--activations", "4bit", "--method", "unipt"], ["--activations", "unipt", "no block"]),
      ]
      for (arguments, parts) in cases { try workspace.expectRefusal(adapt + arguments, parts) }
    }
  }

  @Test func aLogIsNeverWrittenOverSomethingElse() throws {
    try Workspace.with { workspace in
      let checkpoint = workspace.directory.appending(path: "checkpoint")
      try workspace.expectRefusal(
        [
          "adapt", "--family", workspace.family.path, "--data", workspace.lesson.path, "--steps", "4", "--output",
          workspace.output.path, "--log", workspace.text.path, "--checkpoint", checkpoint.path,
        ], [workspace.text.path, "not a log", "--log"])
    }
  }

  @Test func oneRunToACheckpoint() throws {
    try Workspace.with { workspace in
      let checkpoint = workspace.directory.appending(path: "checkpoint")
      let lock = try FileLock(of: checkpoint)
      try workspace.expectRefusal(
        [
          "adapt", "--family", workspace.family.path, "--data", workspace.lesson.path, "--steps", "4", "--output",
          workspace.output.path, "--checkpoint", checkpoint.path,
        ], [checkpoint.path, "in use by another run", "wait"])
      withExtendedLifetime(lock) {}
    }
  }
}
