import FamilyFixture
import Foundation
import LLaMAStitch
import Support
import Testing

/// `stitch adapter search`, and `adapt --configuration`.
@Suite struct AdapterSearchTests {
  private struct Report: Decodable, Equatable {
    struct Row: Decodable, Equatable {
      var rank: Int
      var targets: [String]
      var blocks: [String: [Int]]
      var parameters: Int
      var held_out_loss: Double
    }
    var evaluated: Int
    var best: Row
    var frontier: [Row]
    var all: [Row]
  }

  private static func search(_ workspace: Workspace, _ output: URL, evaluations: Int) -> [String] {
    [
      "adapter", "search", "--family", workspace.family.path, "--data", workspace.lesson.path, "--output", output.path,
      "--evaluations", "\(evaluations)", "--steps", "40", "--tokens-per-step", "32", "--ranks", "1", "2", "4", "--json",
    ]
  }

  private static func report(_ outcome: StitchProcess.Outcome) throws -> Report {
    #expect(outcome.status == 0, "\(outcome.complaint)")
    return try JSONDecoder().decode(Report.self, from: outcome.output)
  }

  /// A search in two parts, the second one begun by a kill in the middle of a candidate, ends as one does; what it writes
  /// is what adapt takes.
  @Test func goesOnAfterAKill() throws {
    try Workspace.with { workspace in
      try Data(RandomFamily.lesson(count: 60).utf8).write(to: workspace.lesson)
      let (one, two) = (
        workspace.directory.appending(path: "one.json"), workspace.directory.appending(path: "two.json")
      )
      let whole = try Self.report(workspace.run(Self.search(workspace, one, evaluations: 10)))
      #expect(whole.evaluated == 10 && whole.frontier.contains(whole.best))
      #expect(whole.frontier.map(\.parameters) == whole.frontier.map(\.parameters).sorted())
      #expect(whole.frontier.map(\.held_out_loss) == whole.frontier.map(\.held_out_loss).sorted(by: >))
      _ = try Self.report(workspace.run(Self.search(workspace, two, evaluations: 3)))
      let process = workspace.process(Self.search(workspace, two, evaluations: 10))
      process.standardOutput = FileHandle.nullDevice
      process.standardError = FileHandle.nullDevice
      try process.run()
      while process.isRunning,
        !(4..<10).contains(where: { FileManager.default.fileExists(atPath: "\(two.path).journal.\($0)") })
      { usleep(500) }
      kill(process.processIdentifier, SIGKILL)
      process.waitUntilExit()
      #expect(process.terminationReason == .uncaughtSignal)
      let resumed = try Self.report(workspace.run(Self.search(workspace, two, evaluations: 10)))
      #expect(resumed.all == whole.all && resumed.best == whole.best)
      #expect(try Data(contentsOf: one) == Data(contentsOf: two))
      let left = try FileManager.default.contentsOfDirectory(atPath: workspace.directory.path).filter {
        $0.contains(".journal.") || $0.hasSuffix(".lock")
      }
      #expect(left.isEmpty, "\(left)")

      let adapted = try workspace.run([
        "adapt", "--family", workspace.family.path, "--data", workspace.lesson.path, "--output", workspace.output.path,
        "--steps", "40", "--tokens-per-step", "32", "--held-out-tokens", "4096", "--configuration", one.path, "--json",
      ])
      #expect(adapted.status == 0, "\(adapted.complaint)")
      struct Adapted: Decodable {
        var trainable_parameters: Int
        var held_out_loss: Double
      }
      let found = try JSONDecoder().decode(Adapted.self, from: adapted.output)
      #expect(found.trainable_parameters == whole.best.parameters)
      #expect(found.held_out_loss == whole.best.held_out_loss)
    }
  }

  @Test func badInput() throws {
    try Workspace.with { workspace in
      let output = workspace.directory.appending(path: "best.json")
      let search = Self.search(workspace, output, evaluations: 1)
      try workspace.expectRefusal(search + ["--ranks", "0"], ["--ranks"])
      try workspace.expectRefusal(search + ["--evaluations", "0"], ["--evaluations"])
      try Data("[]".utf8).write(to: output)
      try workspace.expectRefusal(search, [output.path, "not a configuration"])
      let adapt = [
        "adapt", "--family", workspace.family.path, "--data", workspace.lesson.path, "--output", workspace.output.path,
        "--configuration", output.path,
      ]
      try workspace.expectRefusal(adapt, [output.path, "not a configuration"])
      try Data(
        #"{"format":"stitch-configuration-1","rank":2,"targets":["q_proj"],"blocks":{"huge":[0]}}"#.utf8
      ).write(to: output)
      try workspace.expectRefusal(adapt, [output.path, "huge"])
      try workspace.expectRefusal(adapt + ["--rank", "4"], ["--configuration", "--rank"])
      try workspace.expectRefusal(adapt + ["--update", "prefix"], ["--configuration", "prefix"])
    }
  }
}
