import FamilyFixture
import Foundation
import LLaMAStitch
import Testing

/// The study through its command line, on a stand-in for `stitch` and, once, on the real one.
@Suite struct StudyTests {
  private static let bundle = (Bundle.main.executableURL ?? URL(filePath: CommandLine.arguments[0]))
    .deletingLastPathComponent()
  private static let file = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "quick.yaml")

  private func process(
    _ fake: FakeStitch, _ arguments: [String] = [], study: URL = file, output: String = "out"
  ) throws -> (Process, URL) {
    let log = fake.directory.appending(path: "log-\(UUID().uuidString)")
    try Data().write(to: log)
    let process = Process()
    process.executableURL = Self.bundle.appending(path: "esta-study")
    process.arguments =
      [
        study.path, "--inputs", fake.inputs.path, "--work", fake.work.path, "--output",
        fake.directory.appending(path: output).path,
      ] + (arguments.contains("--stitch") ? [] : ["--stitch", fake.program.path]) + arguments
    process.standardOutput = FileHandle.nullDevice
    process.standardError = try FileHandle(forWritingTo: log)
    return (process, log)
  }

  private func run(
    _ fake: FakeStitch, _ arguments: [String] = [], study: URL = file, output: String = "out"
  ) throws -> (status: Int32, log: String) {
    let (process, log) = try process(fake, arguments, study: study, output: output)
    try process.run()
    process.waitUntilExit()
    return (process.terminationStatus, try String(contentsOf: log, encoding: .utf8))
  }

  private func text(_ fake: FakeStitch, _ path: String) throws -> String {
    try String(contentsOf: fake.directory.appending(path: path), encoding: .utf8)
  }

  /// Every file below a directory, with its content.
  private func tree(_ url: URL) throws -> [String: Data] {
    var found: [String: Data] = [:]
    for path in try FileManager.default.subpathsOfDirectory(atPath: url.path) {
      found[path] = FileManager.default.contents(atPath: url.appending(path: path).path)
    }
    return found
  }

  @Test func whatIsThereIsNotRunAgainAndTheReportIsTheSame() throws {
    try FakeStitch.with { fake in
      #expect(try run(fake).status == 0)
      let calls = try fake.calls.count
      #expect(calls == 26)
      #expect(try run(fake, output: "again").status == 0)
      #expect(try run(fake, ["--report-only"], output: "only").status == 0)
      #expect(try fake.calls.count == calls)
      let first = try tree(fake.directory.appending(path: "out"))
      for other in ["again", "only"] { #expect(try tree(fake.directory.appending(path: other)) == first) }
      #expect(
        Set(first.keys).isSuperset(of: [
          "results.md", "results/results.json", "results/frontier.svg", "results/ablations.svg",
        ]))
    }
  }

  @Test func theNumbersAreThoseOfTheFiles() throws {
    try FakeStitch.with { fake in
      #expect(try run(fake).status == 0)
      let report = try text(fake, "out/results.md")
      // The best learning rate is 0.002; of each seed the exact match rises by a point.
      #expect(report.contains("| small | 100 | 51.5 ± 0.7 % (stop: 2/2) |"))
      #expect(report.contains("ESTA trains at most 8 % of SN-Net's parameters | 100 of 2000: 0.050 | **holds**"))
      // Eight seconds of training, and the sweep.
      #expect(report.contains("| wall time, training steps | 2.0 ± 0.0 s | 8.0 ± 0.0 s |"))
      #expect(report.contains("| stitch biases help | 0.5613 against 0.4563 without;"))
      #expect(report.firstMatch(of: /importance sampling lifts the frontier.*\*\*within noise\*\*/) != nil)
      // Costs 0, log₁₀ 1.5 / log₁₀ 2, 1 of exact match 0.51, 0.56, 0.61 with seed 1.
      let middle = log10(1.5) / log10(2)
      let volume = 1.05 * 0.51 + (1.05 - middle) * 0.05 + 0.05 * 0.05
      #expect(report.contains("| esta | plain | 0.002 | \(String(format: "%.4f", volume)) | chosen |"))
      #expect(!report.contains(fake.directory.path))
    }
  }

  @Test func aStudyThatIsKilledGoesOn() throws {
    try FakeStitch.with { fake in
      try fake.hang("plain-lr0.002-seed2/family")
      let (first, _) = try process(fake)
      try first.run()
      let attempts = fake.work.appending(path: "methods/esta/plain-lr0.002-seed2/attempts.json")
      while !FileManager.default.fileExists(atPath: attempts.path) { usleep(20_000) }
      usleep(300_000)
      // Asked to end, it ends the run too.
      first.terminate()
      first.waitUntilExit()
      #expect(first.terminationStatus == 2)
      let before = try fake.calls.count
      try fake.hang(nil)
      #expect(try run(fake).status == 0)
      // The run that was stopped again, and what was left.
      #expect(try fake.calls.count == 27 && before < 27)
      let record = try text(fake, "work/methods/esta/plain-lr0.002-seed2/result.json")
      #expect(record.contains("\"attempts\" : 2") && record.contains("\"lostTime\" : false"))
    }
  }

  @Test func failuresAreReportedAndCanBeRetried() throws {
    try FakeStitch.with { fake in
      try fake.fail("uniform")
      let failed = try run(fake)
      #expect(failed.status == 1 && failed.log.contains("ablations/uniform failed: exit code 2: stitch: told to fail"))
      #expect(try text(fake, "out/results.md").contains("| ablations/uniform | exit code 2: stitch: told to fail |"))
      try fake.fail(nil)
      #expect(try run(fake).status == 1)
      #expect(try run(fake, ["--retry"]).status == 0)
      #expect(try text(fake, "out/results.md").contains("None: every run of the study gave a result."))
    }
  }

  @Test func otherInputsMakeOtherResults() throws {
    try FakeStitch.with { fake in
      #expect(try run(fake).status == 0)
      try Data("y".utf8).write(to: fake.inputs.appending(path: "family/file"))
      #expect(try run(fake).status == 0)
      // All but the building and measuring of the family made from the anchors.
      #expect(try fake.calls.count == 26 + 24)
    }
  }

  @Test func badInputIsOneLine() throws {
    try FakeStitch.with { fake in
      let good = try String(contentsOf: Self.file, encoding: .utf8)
      let cases: [(String, String, String)] = [
        ("steps: 6", "steps: many", "“steps”"), ("seeds: [1, 2]", "", "“seeds” is missing"),
        ("family: base", "family: none", "there is no family none"),
        ("[1e-3, 2e-3]", "[1e-3]", "as many learning rates"),
        ("of: esta", "of: other", "there is no method other"), ("name: quick", "name: ../quick", "cannot be a name"),
        ("path: family}", "path: nowhere}", "nowhere is missing"), ("name: quick", "name: [", "not valid YAML"),
      ]
      for (old, new, expected) in cases {
        let study = fake.directory.appending(path: "bad.yaml")
        let range = try #require(good.range(of: old))
        try Data(good.replacingCharacters(in: range, with: new).utf8).write(to: study)
        let outcome = try run(fake, study: study)
        let lines = outcome.log.split(separator: "\n").filter { !$0.contains("runs are kept in") }
        #expect(outcome.status == 2 && lines.count == 1 && outcome.log.contains(expected), "\(old): \(outcome.log)")
      }
      #expect(try fake.calls.isEmpty)
    }
  }

  @Test func theRealProgramTakesTheStudysCommands() throws {
    try FakeStitch.with { fake in
      try FileManager.default.removeItem(at: fake.inputs)
      try FileManager.default.createDirectory(at: fake.inputs, withIntermediateDirectories: true)
      let family = fake.inputs.appending(path: "family")
      try RandomFamily.make(at: family)
      let anchor = fake.inputs.appending(path: "anchors/small")
      try FileManager.default.createDirectory(at: anchor.deletingLastPathComponent(), withIntermediateDirectories: true)
      try FileManager.default.copyItem(at: family.appending(path: "anchors/small"), to: anchor)
      try FileManager.default.copyItem(
        at: family.appending(path: "tokenizer.model"), to: anchor.appending(path: "tokenizer.model"))
      try Data(RandomFamily.lesson(count: 60).utf8).write(to: fake.inputs.appending(path: "adapt.jsonl"))
      let questions = (0..<60).map { number in
        #"{"messages":[{"role":"user","content":"say \#(number)"}],"answer":"hello \#(number)"}"#
      }
      try Data(questions.joined(separator: "\n").utf8).write(to: fake.inputs.appending(path: "questions.jsonl"))
      let outcome = try run(fake, ["--stitch", Self.bundle.appending(path: "stitch").path])
      #expect(outcome.status == 0, "\(outcome.log)")
      #expect(try !text(fake, "out/results.md").contains("not measured"))
    }
  }
}
