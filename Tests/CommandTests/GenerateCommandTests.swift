import FamilyFixture
import Foundation
import Testing

/// `stitch generate`: data that a model of random weights writes, nonsense of which a part ends by itself.
@Suite struct GenerateCommandTests {
  private struct Line: Decodable, Equatable {
    struct Message: Decodable, Equatable {
      var role: String
      var content: String
    }
    struct Made: Decodable, Equatable {
      var index: Int
      var finish: String
      var seed: Int
      var model: String
    }
    var messages: [Message]?
    var text: String?
    var generation: Made
  }

  private static func lines(_ file: URL) throws -> [Line] {
    try Data(contentsOf: file).split(separator: UInt8(ascii: "\n")).map {
      try JSONDecoder().decode(Line.self, from: $0)
    }
  }

  private static func prompts(_ text: String, _ workspace: Workspace) throws -> URL {
    let file = workspace.directory.appending(path: "prompts")
    try Data(text.utf8).write(to: file)
    return file
  }

  /// At this temperature any token may come next: some replies meet one that ends them, others do not.
  private static func command(_ prompts: URL, _ workspace: Workspace, output: URL) -> [String] {
    [
      "generate", "--family", workspace.family.path, "--stitch", "small", "--prompts", prompts.path, "--output",
      output.path, "--max-tokens", "60", "--temperature", "30", "--seed", "7",
    ]
  }

  private static let questions = "the cat sat\n\n  on the mat \nthe sea is blue\r\nwhat is that\n"

  @Test func whatIsWrittenDependsOnPromptAndSeedAlone() throws {
    try Workspace.with { workspace in
      let prompts = try Self.prompts(Self.questions, workspace)
      var bytes: [Data] = []
      for (batch, threads) in [(1, 1), (3, 2), (16, 3), (40, 1)] {
        let output = workspace.directory.appending(path: "replies-\(batch).jsonl")
        let outcome = try workspace.run(
          Self.command(prompts, workspace, output: output)
            + ["--count", "40", "--batch", "\(batch)", "--threads", "\(threads)", "--json"])
        #expect(outcome.status == 0, "\(outcome.complaint)")
        bytes.append(try Data(contentsOf: output))
        struct Report: Decodable {
          var written: Int
          var left_out: Int
          var batch: Int
        }
        let report = try JSONDecoder().decode(Report.self, from: outcome.output)
        let found = try Self.lines(output)
        #expect(report.written == found.count && report.left_out == 40 - found.count && report.batch == batch)
        #expect(outcome.complaint.contains("\(found.count) replies, \(40 - found.count) left out"))
      }
      #expect(Set(bytes).count == 1)
      let found = try Self.lines(workspace.directory.appending(path: "replies-1.jsonl"))
      // Some ended, and some did not and are left out.
      #expect((2..<39).contains(found.count), "\(found.count)")
      let questions = ["the cat sat", "on the mat", "the sea is blue", "what is that"]
      for line in found {
        #expect(line.generation.finish == "stop" && line.generation.seed == 7 && line.generation.model == "family")
        #expect(line.messages?.map(\.role) == ["user", "assistant"])
        #expect(line.messages?.first?.content == questions[line.generation.index % 4])
      }
      #expect(found.map(\.generation.index) == found.map(\.generation.index).sorted())
      // Another seed says something else, and one prompt's replies differ.
      #expect(Set(found.compactMap { $0.messages?.last?.content }).count == found.count)
      // What is read for training.
      let check = try workspace.run([
        "data", "check", workspace.directory.appending(path: "replies-1.jsonl").path, "--family", workspace.family.path,
      ])
      #expect(check.text.contains("\(found.count) messages"), "\(check.text)\(check.complaint)")
    }
  }

  @Test func cutRepliesAreKeptWhereThatIsWanted() throws {
    try Workspace.with { workspace in
      let prompts = try Self.prompts(Self.questions, workspace)
      let outcome = try workspace.run(
        Self.command(prompts, workspace, output: workspace.output) + ["--count", "40", "--keep-cut"])
      #expect(outcome.status == 0, "\(outcome.complaint)")
      let finishes = Set(try Self.lines(workspace.output).map(\.generation.finish))
      #expect(finishes == ["stop", "length"])
    }
  }

  @Test func conversationsKeepTheirTurns() throws {
    try Workspace.with { workspace in
      let prompts = try Self.prompts(
        """
        {"messages":[{"role":"system","content":"be kind"},{"role":"user","content":"hi"},{"role":"assistant","content":"ho"},{"role":"user","content":"and"},{"role":"assistant","content":"gone"}]}
        {"instruction":"say","input":"one"}
        {"messages":[{"role":"assistant","content":"x"}]}
        {"prompt":"the mat"}
        """, workspace)
      let outcome = try workspace.run(
        Self.command(prompts, workspace, output: workspace.output) + ["--keep-cut", "--batch", "2"])
      #expect(outcome.status == 0 && outcome.complaint.contains("line 3: no turn of the user to answer (skipped)"))
      let found = try Self.lines(workspace.output).map { $0.messages?.dropLast().map(\.content) }
      #expect(found == [["be kind", "hi", "ho", "and"], ["say\n\none"], ["the mat"]])
    }
  }

  @Test func textsBeginWithNothing() throws {
    try Workspace.with { workspace in
      var bytes: [Data] = []
      for batch in ["1", "5"] {
        let output = workspace.directory.appending(path: "texts-\(batch).jsonl")
        let outcome = try workspace.run([
          "generate", "--family", workspace.family.path, "--stitch", "small-large@2", "--output", output.path,
          "--count",
          "6", "--max-tokens", "30", "--batch", batch,
        ])
        #expect(outcome.status == 0, "\(outcome.complaint)")
        bytes.append(try Data(contentsOf: output))
        let found = try Self.lines(output)
        #expect(found.count == 6 && Set(found.map(\.text)).count == 6)
        #expect(found.allSatisfy { $0.messages == nil && $0.text?.isEmpty == false })
      }
      #expect(bytes[0] == bytes[1])
    }
  }

  // MARK: - Interrupted runs

  @Test func whatAnInterruptedRunHasWrittenStays() throws {
    try Workspace.with { workspace in
      let prompts = try Self.prompts(Self.questions, workspace)
      let alone = workspace.directory.appending(path: "alone.jsonl")
      let part = workspace.output.appendingPathExtension("part")
      func run(_ output: URL, _ more: [String] = []) throws -> StitchProcess.Outcome {
        try workspace.run(Self.command(prompts, workspace, output: output) + ["--count", "40", "--batch", "4"] + more)
      }
      #expect(try run(alone).status == 0)
      let all = try Data(contentsOf: alone)
      let lines = all.split(separator: UInt8(ascii: "\n"))
      try #require(lines.count > 2)
      // Whole lines, and a part of one, or nothing but that.
      for (whole, more) in [(0, 5), (0, 0), (1, 40), (2, 0), (lines.count, 0)] {
        var kept = lines[..<whole].reduce(into: Data()) { $0 += $1 + [UInt8(ascii: "\n")] }
        kept += lines[min(whole, lines.count - 1)].prefix(more)
        try kept.write(to: part)
        let outcome = try run(workspace.output)
        #expect(outcome.status == 0, "\(outcome.complaint)")
        #expect(outcome.complaint.contains("going on from \(part.path): \(whole) of 40") == (whole > 0))
        #expect(try Data(contentsOf: workspace.output) == all, "after \(whole) lines and \(more) bytes")
        #expect(!FileManager.default.fileExists(atPath: part.path))
        try FileManager.default.removeItem(at: workspace.output)
      }
      // Of another run nothing is taken, and nothing changed.
      try Data(lines[0] + [UInt8(ascii: "\n")]).write(to: part)
      let command = Self.command(prompts, workspace, output: workspace.output)
      try workspace.expectRefusal(command + ["--seed", "8"], [part.path, "the seed 7"])
      try workspace.expectRefusal(command + ["--max-tokens", "61"], [part.path, "--max-tokens 60"])
      try workspace.expectRefusal(command + ["--top-p", "0.5"], [part.path, "other options of sampling"])
      let others = workspace.directory.appending(path: "others")
      try Data("something else\n".utf8).write(to: others)
      try workspace.expectRefusal(
        Self.command(others, workspace, output: workspace.output) + ["--count", "40"], [part.path, "other prompts"])
      for foreign in ["my notes", "my notes\n", "{\"messages\":[]}\n"] {
        try Data(foreign.utf8).write(to: part)
        try workspace.expectRefusal(command, [part.path, "no interrupted run has left it"])
      }
    }
  }

  @Test(arguments: [SIGKILL, SIGINT]) func aRunThatIsEndedGoesOn(_ number: Int32) throws {
    signal(number, SIG_DFL)
    var signals = sigset_t()
    sigemptyset(&signals)
    sigaddset(&signals, number)
    pthread_sigmask(SIG_UNBLOCK, &signals, nil)
    try Workspace.with { workspace in
      let prompts = try Self.prompts(Self.questions, workspace)
      let part = workspace.output.appendingPathExtension("part")
      let arguments = ["--count", "400", "--batch", "4"]
      let alone = workspace.directory.appending(path: "alone.jsonl")
      #expect(try workspace.run(Self.command(prompts, workspace, output: alone) + arguments).status == 0)
      let complaint = workspace.directory.appending(path: "complaint")
      try Data().write(to: complaint)
      let process = workspace.process(Self.command(prompts, workspace, output: workspace.output) + arguments)
      process.standardError = try FileHandle(forWritingTo: complaint)
      try process.run()
      func size() -> Int {
        ((try? FileManager.default.attributesOfItem(atPath: part.path))?[.size] as? Int) ?? 0
      }
      while process.isRunning, size() < 2000 { usleep(1000) }
      kill(process.processIdentifier, number)
      process.waitUntilExit()
      #expect(process.terminationReason == .uncaughtSignal && process.terminationStatus == number)
      #expect(!FileManager.default.fileExists(atPath: workspace.output.path))
      let said = try String(contentsOf: complaint, encoding: .utf8)
      #expect(said.contains("the same command goes on from \(part.path)") == (number == SIGINT), "\(said)")
      let rest = try workspace.run(Self.command(prompts, workspace, output: workspace.output) + arguments)
      #expect(rest.status == 0 && rest.complaint.contains("going on from"), "\(rest.complaint)")
      #expect(try Data(contentsOf: workspace.output) == Data(contentsOf: alone))
      let left = try FileManager.default.contentsOfDirectory(atPath: workspace.directory.path)
      #expect(!left.contains { $0.hasSuffix(".part") })
    }
  }

  // MARK: - Bad input

  @Test func whatCannotBeDoneIsRefusedBefore() throws {
    try Workspace.with { workspace in
      let prompts = try Self.prompts(Self.questions, workspace)
      let command = Self.command(prompts, workspace, output: workspace.output)
      let without = ["generate", "--model", workspace.model.path, "--output", workspace.output.path]
      let missing = workspace.directory.appending(path: "missing")
      try workspace.expectRefusal(
        Self.command(missing, workspace, output: workspace.output), [missing.path, "no such file"])
      try workspace.expectRefusal(
        Self.command(prompts, workspace, output: missing.appending(path: "x")), [missing.path, "check the path"])
      try workspace.expectRefusal(
        Self.command(prompts, workspace, output: workspace.text), [workspace.text.path, "exists already"])
      try workspace.expectRefusal(command + ["--batch", "0"], ["--batch must be 1 … 256"])
      try workspace.expectRefusal(command + ["--count", "0"], ["--count"])
      try workspace.expectRefusal(command + ["--top-p", "2"], ["top-p"])
      try workspace.expectRefusal(without + ["--keep-cut"], ["--keep-cut"])
      try workspace.expectRefusal(
        ["generate", "--model", missing.path, "--output", workspace.output.path], [missing.path])
      try workspace.expectRefusal(without + ["--temperature", "0"], ["64 texts at temperature 0"])
      try workspace.expectRefusal(
        command + ["--count", "5", "--temperature", "0"], ["5 replies to 4 prompts at temperature 0"])
      let long = try Self.prompts(String(repeating: "the cat sat ", count: 200), workspace)
      try workspace.expectRefusal(
        Self.command(long, workspace, output: workspace.output), [long.path, "128"], lines: 2)
      try Data("\n \n".utf8).write(to: prompts)
      try workspace.expectRefusal(command, [prompts.path, "no usable"])
      // Nothing ends: nothing is worth a file.
      try Data("the cat\n".utf8).write(to: prompts)
      let outcome = try workspace.run(command + ["--max-tokens", "1", "--temperature", "0"])
      #expect(outcome.status == 2 && outcome.complaint.contains("--keep-cut"), "\(outcome.complaint)")
      let left = try FileManager.default.contentsOfDirectory(atPath: workspace.directory.path)
      #expect(!left.contains { $0.hasPrefix("output") }, "\(left)")
    }
  }
}
