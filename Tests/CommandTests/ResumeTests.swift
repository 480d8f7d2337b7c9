import Foundation
import Testing

/// Training that is killed and started again ends in the same bytes as training that was left alone.
@Suite struct ResumeTests {
  /// Starts a command and kills it once it has told of a step. Progress goes to a terminal that nobody reads further:
  /// the program cannot get more than some hundred steps ahead, however slow this process is.
  private func kill(_ arguments: [String], atStep step: Int, _ workspace: Workspace) throws {
    let terminal = try PseudoTerminal()
    let process = workspace.process(arguments)
    process.standardError = terminal.handle
    try terminal.start(process)
    var told = ""
    var reached = false
    while !reached, let more = try terminal.read() {
      told += String(decoding: more, as: UTF8.self)
      // Steps may be read many at a time.
      let steps = told.matches(of: /step (\d+)\//).compactMap { Int($0.1) }
      reached = (steps.last ?? 0) >= step
    }
    Foundation.kill(process.processIdentifier, SIGKILL)
    process.waitUntilExit()
    #expect(reached && process.terminationReason == .uncaughtSignal, "\(told.suffix(2000))")
  }

  /// - Parameter command: without `--output` and `--checkpoint`.
  private func expectSameBytes(_ command: [String], steps: Int, _ workspace: Workspace) throws {
    let alone = workspace.directory.appending(path: "alone")
    let whole = try workspace.run(command + ["--output", alone.path])
    #expect(whole.status == 0, "\(whole.complaint)")
    let checkpoint = workspace.directory.appending(path: "checkpoint.safetensors")
    // What a writer leaves behind that is killed while it writes; no process has this number. And what only looks so.
    let leftover = workspace.directory.appending(path: ".checkpoint.safetensors.2147483647.1.tmp")
    let foreign = workspace.directory.appending(path: ".checkpoint.safetensors.notes.tmp")
    for file in [leftover, foreign] { try Data("x".utf8).write(to: file) }
    let interrupted =
      command + ["--output", workspace.output.path, "--checkpoint", checkpoint.path, "--checkpoint-interval", "40"]
    for step in [90, 300] {
      try kill(interrupted, atStep: step, workspace)
      #expect(FileManager.default.fileExists(atPath: checkpoint.path))
      #expect(!FileManager.default.fileExists(atPath: workspace.output.path))
    }
    let rest = try workspace.run(interrupted)
    #expect(rest.status == 0, "\(rest.complaint)")
    let first = try #require(rest.complaint.firstMatch(of: /step (\d+)\//).flatMap { Int($0.1) })
    #expect(first > 240 && first < steps, "it began again at \(first)")
    #expect(!FileManager.default.fileExists(atPath: checkpoint.path))
    let all = try workspace.snapshot()
    func tree(_ name: String) -> [String: String] {
      Dictionary(
        uniqueKeysWithValues: all.filter { $0.key.hasPrefix(name + "/") }.map {
          ($0.key.dropFirst(name.count).description, $0.value)
        })
    }
    #expect(tree("alone") == tree("output") && tree("alone").count > 2)
    // Nothing else is left behind.
    #expect(all.keys.filter { $0.hasSuffix(".tmp") } == [foreign.lastPathComponent])
  }

  @Test func pretraining() throws {
    try Workspace.with { workspace in
      let plan = try workspace.pretrainingPlan(tokens: 2000 * 16, perStep: 16)
      try expectSameBytes(
        [
          "pretrain", "--config", plan.path, "--data", workspace.lesson.path, "--tokenizer",
          workspace.model.appending(path: "tokenizer.model").path,
        ], steps: 2000, workspace)
    }
  }

  @Test(arguments: [
    ["--rank", "2"], ["--method", "dizo", "--rank", "2"], ["--method", "lst", "--side-reduction", "2"],
    ["--method", "unipt", "--side-reduction", "2"], ["--method", "sherl", "--side-reduction", "2"],
    ["--update", "alore", "--kronecker", "2"], ["--update", "parallel", "--bottleneck", "3"],
    ["--update", "prefix", "--prefix-length", "2"], ["--update", "dept", "--prompt-length", "2", "--rank", "2"],
  ]) func adaptation(options: [String]) throws {
    try Workspace.with { workspace in
      try expectSameBytes(
        [
          "adapt", "--family", workspace.family.path, "--data", workspace.lesson.path, "--steps", "2000",
          "--tokens-per-step", "16", "--seed", "3",
        ] + options, steps: 2000, workspace)
    }
  }

  /// A file that may not grow beyond a limit fails like one on a full disk: in the middle of a write.
  @Test func checkpointsOnAFullDisk() throws {
    try Workspace.with { workspace in
      let checkpoint = workspace.directory.appending(path: "checkpoint.safetensors")
      let command = [
        "adapt", "--family", workspace.family.path, "--data", workspace.lesson.path, "--steps", "400",
        "--tokens-per-step", "16",
        "--rank", "2",
      ]
      let alone = workspace.directory.appending(path: "alone")
      #expect(try workspace.run(command + ["--output", alone.path]).status == 0)
      let adapt =
        command + ["--output", workspace.output.path, "--checkpoint", checkpoint.path, "--checkpoint-interval", "20"]
      try kill(adapt, atStep: 50, workspace)
      let good = try Data(contentsOf: checkpoint)
      // Half of it; bash counts in 1,024 bytes.
      let blocks = good.count / 1024 / 2
      let full = try StitchProcess.run(
        shell: "trap '' XFSZ; ulimit -S -f \(blocks); exec \"$0\" \"$@\"", adapt, environment: workspace.environment)
      #expect(full.status == 2)
      let complaint = full.complaint.split(separator: "\n").last ?? ""
      #expect(
        complaint.contains(checkpoint.path) && complaint.contains("too large") && complaint.contains("check"),
        "\(full.complaint)")
      #expect(try Data(contentsOf: checkpoint) == good)
      #expect(
        try FileManager.default.contentsOfDirectory(atPath: workspace.directory.path).allSatisfy {
          !$0.hasSuffix(".tmp")
        })
      #expect(!FileManager.default.fileExists(atPath: workspace.output.path))
      #expect(try workspace.run(adapt).status == 0)
      let name = "esta.safetensors"
      #expect(
        try Data(contentsOf: workspace.output.appending(path: name)) == Data(contentsOf: alone.appending(path: name)))
    }
  }

  @Test func damagedCheckpoints() throws {
    try Workspace.with { workspace in
      let checkpoint = workspace.directory.appending(path: "checkpoint.safetensors")
      let adapt = [
        "adapt", "--family", workspace.family.path, "--data", workspace.lesson.path, "--tokens-per-step", "16",
        "--checkpoint", checkpoint.path, "--checkpoint-interval", "1", "--steps", "2000", "--output",
        workspace.output.path,
      ]
      try kill(adapt, atStep: 3, workspace)
      let whole = try SafetensorsText(checkpoint)
      let name = try #require(whole.header.keys.first { $0.hasPrefix("value.") })
      let refusals: [(String, () throws -> Void)] = [
        ("cut short", { try (try Data(contentsOf: checkpoint)).dropLast(4).write(to: checkpoint) }),
        (
          "not a checkpoint",
          {
            try FileManager.default.removeItem(at: checkpoint)
            try FileManager.default.copyItem(at: workspace.model.appending(path: "model.safetensors"), to: checkpoint)
          }
        ),
        (
          "I32",
          {
            var text = whole
            text.set(name, "dtype", to: "I32")
            try text.write(to: checkpoint)
          }
        ),
      ]
      for (part, damage) in refusals {
        try workspace.restoring(checkpoint) {
          try damage()
          try workspace.expectRefusal(
            adapt, [checkpoint.path, "cannot be resumed", part, "delete it to start over"], lines: 3)
        }
      }
      for changed in [["--seed", "9"], ["--rank", "3"]] {
        try workspace.expectRefusal(
          adapt + changed, [checkpoint.path, "another setting", "delete the checkpoint"], lines: 3)
      }
    }
  }
}
