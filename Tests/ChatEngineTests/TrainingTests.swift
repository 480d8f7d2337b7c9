import ChatEngine
import FamilyFixture
import Foundation
import LLaMAStitch
import Testing

@Suite struct TrainingTests {
  private func ask(_ backend: FamilyBackend) async -> CollectedReply {
    var options = ReplyOptions()
    options.maxTokens = 12
    return await CollectedReply(backend.reply(to: [.user("say 3")], stitch: "large", options: options))
  }

  @Test func pauseResumeStopAndUndo() async throws {
    let fixture = try EngineFixture()
    let before = try fixture.familyContents()
    let backend = fixture.backend()
    #expect(try await backend.load().adapterStep == nil)
    let untrained = await ask(backend)
    try await backend.startTraining(dataFile: try fixture.lesson(), steps: 1_000_000)
    await #expect(throws: EngineError.trainingIsRunning) {
      try await backend.startTraining(dataFile: try fixture.lesson(), steps: 5)
    }
    let running = try #require(await backend.status { $0.step >= 3 })
    #expect(running.phase == .running && running.totalSteps == 1_000_000 && running.loss != nil)
    #expect(running.drawn.values.reduce(0, +) >= 3 && running.importance.count == RandomFamily.stitchIDs.count)

    // Replies while training runs are made with the adapter in use, which is none.
    #expect(await ask(backend).started?.adapterStep == nil)

    await backend.pauseTraining()
    let paused = try #require(await backend.status { $0.phase == .paused })
    // Saving works while it is paused, after the step under way when the pause came.
    await backend.saveTraining()
    let saved = await ask(backend)
    let later = try #require(await backend.status { _ in true })
    #expect(later.phase == .paused && later.step <= paused.step + 1)
    #expect(saved.stamp?.adapterStep == later.step)
    try await Task.sleep(for: .milliseconds(300))
    #expect(await backend.status { _ in true }?.step == later.step)

    await backend.resumeTraining()
    _ = try #require(await backend.status { $0.phase == .running && $0.step >= later.step + 3 })
    await backend.endTraining()
    let stopped = try #require(await backend.status { $0.phase == .idle })
    #expect(stopped.step > later.step && stopped.message.contains("kept as"))
    let trained = await ask(backend)
    #expect(trained.stamp?.adapterStep == stopped.step)
    #expect(try await backend.load().adapterStep == stopped.step)

    // Both snapshots are in the store, and the newest opens again; the family is as it was.
    let store = try TextFamily(fixture.family).adapterStore(root: fixture.data)
    #expect(try store.list().count == 2)
    let again = fixture.backend(adapter: .latest)
    #expect(try await again.load().adapterStep == stopped.step)
    #expect(await ask(again).text == trained.text)
    #expect(try fixture.familyContents() == before)

    #expect(await backend.undoAdapter().contains("step \(later.step)"))
    #expect(await ask(backend).text == saved.text)
    #expect(await backend.undoAdapter().contains("without an adapter"))
    #expect(await ask(backend).text == untrained.text)
    #expect(await backend.undoAdapter().contains("no earlier adapter"))
  }

  /// The dearest anchor teaches on texts, too, and losses are what is between it and the others.
  @Test func theLargestSizeTeaches() async throws {
    let fixture = try EngineFixture()
    let backend = fixture.backend()
    let lines = (0..<60).map { #"{"text": "one and \#($0) and two"}"# }.joined(separator: "\n")
    try await backend.startTraining(dataFile: try fixture.file("texts.jsonl", lines).path, steps: 60, distills: true)
    let status = try #require(await backend.status { $0.phase == .finished })
    #expect(status.distills && status.message.contains("step 60 in use") && !status.message.contains("text"))
    // The other anchor comes nearer to it than it was.
    #expect(try #require(status.heldOutCurve.last).loss < status.heldOutCurve[0].loss, "\(status.heldOutCurve)")
  }

  @Test func finishingTakesIntoUse() async throws {
    let fixture = try EngineFixture()
    let backend = fixture.backend()
    let lines = RandomFamily.lesson() + "{broken\n" + #"{"instruction": "x"}"# + "\n" + #"{"text": "abc"}"# + "\n"
    try await backend.startTraining(dataFile: try fixture.file("mixed.jsonl", lines).path, steps: 8)
    let status = try #require(await backend.status { $0.phase == .finished })
    #expect(status.step == 8 && status.lossCurve.count == 8 && status.heldOutLoss != nil)
    #expect(status.message.contains("2 records skipped, the first at line 41: not valid JSON"))
    #expect(status.message.contains("1 text without a reply"))
    #expect(await ask(backend).stamp?.adapterStep == 8)
    // A second run goes on from there.
    try await backend.startTraining(dataFile: try fixture.lesson(), steps: 2)
    _ = try #require(await backend.status { $0.phase == .finished && $0.totalSteps == 2 })
    #expect(await ask(backend).stamp?.adapterStep == 10)
  }

  @Test func trainingLearns() async throws {
    let fixture = try EngineFixture()
    let backend = fixture.backend()
    try await backend.startTraining(dataFile: try fixture.lesson(), steps: 60)
    let status = try #require(await backend.status { $0.phase == .finished })
    #expect(status.lossCurve.last! < status.lossCurve.first! - 0.3)
  }

  @Test func badDataFilesAreRefusedInOneLine() async throws {
    let fixture = try EngineFixture()
    let backend = fixture.backend()
    let cases = [
      (fixture.root.appendingPathComponent("none.jsonl").path, "there is no such file"),
      (try fixture.file("empty.jsonl", "").path, "no usable example"),
      (try fixture.file("broken.jsonl", "{\n{\n").path, "line 1: not valid JSON"),
      (try fixture.file("text.txt", "just text\n").path, "without replies"),
      (
        try fixture.file(
          "long.jsonl", #"{"instruction": "x", "output": "\#(String(repeating: "hello ", count: 300))"}"#
        ).path, "fits the context of 128 tokens"
      ),
    ]
    for (file, part) in cases {
      do {
        try await backend.startTraining(dataFile: file, steps: 5)
        Issue.record("\(file) was taken")
      } catch {
        #expect("\(error)".contains(part) && "\(error)".contains(file) && !"\(error)".contains("\n"))
      }
    }
    await #expect(throws: EngineError.noSteps(0)) { try await backend.startTraining(dataFile: "x", steps: 0) }
    // Nothing is left running.
    try await backend.startTraining(dataFile: try fixture.lesson(), steps: 1)
    _ = try #require(await backend.status { $0.phase == .finished })
  }

  @Test func commandsWithoutTrainingReturn() async throws {
    let backend = try EngineFixture().backend()
    await backend.pauseTraining()
    await backend.resumeTraining()
    await backend.saveTraining()
    await backend.endTraining()
    #expect(await backend.status { _ in true } == TrainingStatus())
  }

  @Test func trainingWaitsForAReply() async throws {
    let fixture = try EngineFixture(contextLength: 4096)
    let gate = Gate(after: 5)
    let backend = fixture.backend(gate: gate)
    try await backend.startTraining(dataFile: try fixture.lesson(), steps: 100_000)
    _ = try #require(await backend.status { $0.step >= 2 })
    var options = ReplyOptions()
    options.maxTokens = 3000
    var (before, after) = (-1, 0)
    _ = await CollectedReply(backend.reply(to: [.user("hello")], stitch: "large", options: options)) { pieces in
      guard pieces == 5 else { return }
      // The reply is held now. The step under way ends; then training stands still for as long as one looks.
      for _ in 0..<40 where before != after {
        before = await backend.status { _ in true }?.step ?? -1
        try? await Task.sleep(for: .milliseconds(300))
        after = await backend.status { _ in true }?.step ?? -2
      }
      await backend.cancelReply()
      gate.open()
    }
    #expect(before >= 2 && after == before)
    // And goes on afterwards.
    let held = after
    _ = try #require(await backend.status { $0.step > held })
    await backend.endTraining()
  }
}
