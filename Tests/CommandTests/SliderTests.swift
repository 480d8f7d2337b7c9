import FamilyFixture
import Foundation
import LLaMAStitch
import Testing

/// A slider for a single model: made by a command or in the chat, and kept without the model's weights.
@Suite struct SliderTests {
  /// The large anchor of a workspace, of four blocks, packed from a GGUF file.
  private func pack(_ workspace: Workspace, _ anchor: String = "large") throws -> URL {
    let file = workspace.directory.appending(path: "\(anchor)-model.gguf")
    for arguments in [
      ["export", "--family", workspace.family.path, "--stitch", anchor, "--format", "gguf", "--output", file.path],
      ["ask", "hello", "--model", file.path, "--max-tokens", "1"],
    ] {
      let outcome = try workspace.run(arguments)
      #expect(outcome.status == 0, "\(outcome.complaint)")
    }
    let packs = workspace.home.appending(path: "stitch/models")
    let name = try #require(
      try FileManager.default.contentsOfDirectory(atPath: packs.path).first { $0.hasPrefix("\(anchor)-model") })
    return packs.appending(path: name)
  }

  private func score(_ workspace: Workspace, _ arguments: [String]) throws -> Data {
    let outcome = try workspace.run(["score", workspace.text.path, "--json"] + arguments)
    #expect(outcome.status == 0, "\(outcome.complaint)")
    return outcome.output
  }

  @Test func aFamilyWithoutWeightsFindsItsModel() throws {
    try Workspace.with { workspace in
      let pack = try pack(workspace)
      let family = workspace.directory.appending(path: "sliding")
      let built = try workspace.run([
        "family", "build", "--anchor", pack.path, "--template", "tiny", "--output", family.path,
      ])
      #expect(built.status == 0, "\(built.complaint)")
      let stitches = try Family(family).stitches
      let agreement = try #require(try Family(family).description.agreement)
      #expect(
        Set(agreement.keys) == Set(stitches.map(\.id)) && agreement["large_model"] == 1
          && agreement.values.allSatisfy { (0...1).contains($0) })
      let smaller = try #require(stitches.first { !$0.route.isAnchor })
      #expect(Set(stitches.map(\.route.start)) == [0] && stitches.last?.id == "large_model")

      let kit = workspace.directory.appending(path: "kit")
      let stripped = try workspace.run(["family", "strip", family.path, "--output", kit.path])
      #expect(stripped.status == 0 && stripped.complaint.contains("large-model"), "\(stripped.complaint)")
      #expect(!FileManager.default.fileExists(atPath: kit.appending(path: "anchors").path))
      for stitch in [smaller.id, "large_model"] {
        let arguments = ["--stitch", stitch, "--family"]
        #expect(try score(workspace, arguments + [kit.path]) == score(workspace, arguments + [family.path]))
      }
      try whatIsMadeOfItIsFound(workspace, kit: kit, family: family)

      // Without the model, and with another one in its place.
      let origin = pack.appending(path: "origin.json")
      try workspace.restoring(origin) {
        let digest = try #require(try Family(family).description.anchors[0].model?.sha256)
        try workspace.replace(digest, by: String(repeating: "0", count: 64), in: origin)
        try workspace.expectRefusal(
          ["ask", "x", "--family", kit.path], [pack.path, "is not the model that", kit.path, "stitch ask --model"])
      }
      try FileManager.default.removeItem(at: pack)
      for command in [
        ["ask", "x", "--family", kit.path], ["ask", "x", "--model", kit.path], ["family", "show", kit.path],
        ["chat", "--plain", "--family", kit.path], ["score", workspace.text.path, "--family", kit.path],
        ["frontier", "--family", kit.path, "--data", workspace.lesson.path],
        ["adapt", "--family", kit.path, "--data", workspace.lesson.path, "--steps", "1"],
        ["export", "--family", kit.path, "--output", workspace.output.path],
        ["generate", "--family", kit.path, "--output", workspace.output.path],
        ["bench", "--suite", "memory", "--family", kit.path],
        ["data", "check", workspace.lesson.path, "--family", kit.path],
      ] {
        try workspace.expectRefusal(command, [kit.path, "large-model", "not here", "stitch ask --model"])
      }
      // Of weights whose file nobody knows there is nothing to leave out.
      try workspace.expectRefusal(
        ["family", "strip", workspace.family.path, "--output", workspace.output.path], [workspace.family.path])
    }
  }

  /// What is measured is written where the family is; what is trained and said belongs to it, weights beside it or not.
  private func whatIsMadeOfItIsFound(_ workspace: Workspace, kit: URL, family: URL) throws {
    func succeed(_ arguments: [String], input: String = "") throws -> StitchProcess.Outcome {
      let outcome = try workspace.run(arguments, input: Data(input.utf8))
      #expect(outcome.status == 0, "\(arguments.joined(separator: " "))\n\(outcome.complaint)")
      return outcome
    }
    _ = try succeed([
      "frontier", "--family", kit.path, "--data", workspace.lesson.path, "--questions", "2", "--only-stops", "--write",
    ])
    #expect(FileManager.default.fileExists(atPath: kit.appending(path: "frontier.json").path))
    _ = try succeed([
      "adapt", "--family", kit.path, "--data", workspace.lesson.path, "--steps", "1", "--tokens-per-step", "64",
    ])
    // What is written beside it has no weights either.
    let written = workspace.directory.appending(path: "written")
    _ = try succeed([
      "adapt", "--family", kit.path, "--data", workspace.lesson.path, "--steps", "1", "--tokens-per-step", "64",
      "--output",
      written.path,
    ])
    #expect(!FileManager.default.fileExists(atPath: written.appending(path: "anchors").path))
    _ = try succeed(["ask", "x", "--max-tokens", "1", "--adapter", "own", "--family", written.path])
    _ = try succeed(["chat", "--plain", "--max-tokens", "2", "--family", kit.path], input: "hello there\n")
    for place in [kit, family] {
      _ = try succeed(["ask", "x", "--max-tokens", "1", "--adapter", "latest", "--family", place.path])
      let resumed = try succeed(["chat", "--plain", "--resume", "--family", place.path], input: "/copy\n")
      #expect(!resumed.complaint.contains("no conversation"), "\(resumed.complaint)")
    }
    let script = workspace.directory.appending(path: "kit.yaml")
    try Data("family: kit\nsteps:\n  - user: hello\n    expect: {max_tokens: 128}\n".utf8).write(to: script)
    _ = try succeed(["replay", script.path])
    // Weights are used where they are.
    #expect(!FileManager.default.fileExists(atPath: workspace.home.appending(path: "stitch/families").path))
    #expect(!FileManager.default.fileExists(atPath: kit.appending(path: "anchors").path))
  }

  @Test func whatHasNoSlider() throws {
    try Workspace.with { workspace in
      try workspace.expectRefusal(["chat", "--plain", "--slider"], ["--slider", "--model"])
      try workspace.expectRefusal(
        ["chat", "--plain", "--slider", "--model", workspace.family.path], [workspace.family.path, "--slider"])
    }
  }
}

/// The same in a real terminal.
@Suite(.serialized, .enabled(if: Tmux.executable != nil, "tmux is not installed: the terminal UI is not driven"))
struct SliderEndToEndTests {
  @Test func sizesComeWhileOneChats() throws {
    let stage = try TerminalStage(default: false)
    let model = stage.root.appendingPathComponent("model")
    try FileManager.default.copyItem(at: stage.family.directory.appendingPathComponent("anchors/large"), to: model)
    try FileManager.default.copyItem(
      at: stage.family.directory.appendingPathComponent("tokenizer.model"),
      to: model.appendingPathComponent("tokenizer.model"))
    let command =
      "\(StitchProcess.executable.path) chat --model \(model.path) --slider --max-tokens 8; echo \"status=$?\""
    try stage.tmux.enter(command)
    try stage.tmux.wait("the sizes") { $0.contains("sizes now") }
    try stage.ask("Hello", stitch: "model")
    try stage.tmux.press("M-Left")
    try stage.tmux.enter("Again")
    try stage.tmux.wait("a smaller size") { $0.contains("model → model@") }
    try stage.tmux.press("C-d")
    try stage.tmux.wait("the end") { $0.contains("status=0") }
    // The next time they are there at once.
    let families = stage.root.appendingPathComponent("cache/stitch/families").path
    #expect(try FileManager.default.contentsOfDirectory(atPath: families).count == 1)
    try stage.tmux.enter("clear; " + command)
    try stage.tmux.wait("the slider") { $0.contains("model · ") && $0.contains(" sizes") && !$0.contains("sizes now") }
    try stage.tmux.press("C-d")
    try stage.tmux.wait("the end") { $0.contains("status=0") }
    // What was said when there was no slider yet is the latest conversation all the same.
    try stage.tmux.enter("clear; " + command.replacing("--slider", with: "--slider --resume"))
    try stage.tmux.wait("the conversation") { $0.contains("› Hello") && $0.contains("› Again") }
    try stage.tmux.press("C-d")
    try stage.tmux.wait("the end") { $0.contains("status=0") }
  }
}
