import Foundation
import LLaMAStitch
import Support

/// One run of adaptation in the background, on a thread of its own at low priority. It yields to replies between the
/// parts of a step, publishes its state, and brings snapshots into the store and into use.
struct TrainingRun: Sendable {
  let text: TextFamily
  let file: URL
  let steps: Int
  /// Whether the dearest anchor teaches.
  let distills: Bool
  let threads: Int
  let adapters: AdapterInUse
  /// `nil`: snapshots are not written.
  let store: AdapterStore?
  let control: TrainingControl
  let board: StatusBoard
  /// Called after a snapshot was taken into use.
  let adapterChanged: @Sendable () -> Void

  /// Starts the thread and returns once the data is known to be good.
  /// - Throws: what is wrong with the data, in one line.
  func start() async throws {
    try await withCheckedThrowingContinuation { (started: CheckedContinuation<Void, any Error>) in
      BackgroundThread.start(name: "stitch-train") {
        run(started)
        // A lesson's buffers are gone.
        Heap.trim()
      }
    }
  }

  private func run(_ started: CheckedContinuation<Void, any Error>) {
    let trainer: ESTATrainer
    let note: String
    do {
      if distills, text.family.stitches.count == 1 {
        throw TrainingError.plan(cause: "there is one size, which has none to teach; open a family, or use --slider")
      }
      let lesson = try Lesson(file, for: text, distills: distills)
      let adapter = adapters.current.adapter
      trainer = try ESTATrainer(
        family: text.family, adapter: adapter,
        settings: Lesson.settings(steps: steps, from: adapter, distills: distills),
        examples: lesson.examples, rehearsal: lesson.rehearsal,
        pool: ComputePool(threads: threads, name: "stitch-train"))
      note = lesson.note
    } catch {
      control.ended()
      started.resume(throwing: error)
      return
    }
    board.publish { status in
      status = TrainingStatus()
      status.phase = .running
      status.dataFile = file.path
      status.distills = distills
      status.totalSteps = steps
      status.message = note
    }
    started.resume()
    do {
      let isFinished = try train(trainer, note: note)
      let message = trainer.step > 0 ? keep(trainer) : "nothing was learnt yet"
      board.publish { status in
        status.phase = isFinished ? .finished : .idle
        status.secondsLeft = nil
        status.message = Self.joined(message, note)
      }
    } catch {
      board.publish { status in
        status.phase = .failed
        status.message = "\(error)"
      }
    }
    control.ended()
  }

  /// Steps between measurements on held-out examples: of the anchors, and of every stop. A measurement of the anchors takes
  /// as long as several steps.
  private static func measuring(steps: Int) -> HeldOutMeasuring {
    HeldOutMeasuring(interval: max(20, steps / 40), trainedInterval: max(100, steps / 5))
  }

  /// - Returns: whether all steps were done.
  private func train(_ trainer: ESTATrainer, note: String) throws -> Bool {
    let before = trainer.meanLoss(trainer.heldOutLosses(all: false))
    var meter = TrainingMeter()
    if let before { meter.measured(before, step: 0) }
    func gate() {
      let start = ContinuousClock.now
      while true {
        switch control.next() {
        case .goOn, .end:
          meter.waited(ContinuousClock.now - start)
          return
        case .save:
          let message = trainer.step > 0 ? keep(trainer) : "nothing was learnt yet"
          board.publish { $0.message = Self.joined(message, note) }
          control.saved()
        }
      }
    }
    return try trainer.run(measuring: Self.measuring(steps: trainer.settings.steps), gate: gate) { progress in
      meter.add(progress)
      board.publish { status in
        meter.describe(&status)
        status.step = progress.step
        if let losses = progress.stitchLosses {
          status.stitchLosses = losses
          status.stitchLossesStep = progress.step
        }
        status.drawn = trainer.drawn
        status.importance = trainer.importance
      }
      return control.isToEnd ? .end : .goOn
    }
  }

  /// Writes a snapshot and takes it into use for the next reply.
  /// - Returns: a line that says so.
  private func keep(_ trainer: ESTATrainer) -> String {
    defer { adapterChanged() }
    let adapter = trainer.snapshot()
    guard let store else {
      adapters.take(adapter, hash: nil)
      return "step \(adapter.step) in use from the next reply on"
    }
    do {
      let snapshot = try store.save(adapter)
      adapters.take(adapter, hash: snapshot.hash)
      return
        "step \(adapter.step) in use from the next reply on, kept as \(snapshot.shortHash) (--adapter \(snapshot.shortHash))"
    } catch {
      // What was learnt is not lost before the program ends.
      adapters.take(adapter, hash: nil)
      return "step \(adapter.step) in use from the next reply on, but not kept: \(error)"
    }
  }

  private static func joined(_ message: String, _ note: String) -> String {
    note.isEmpty ? message : "\(message); \(note)"
  }
}
