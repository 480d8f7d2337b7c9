import ChatEngine
import Foundation
import LLaMAStitch
import Support
import Tokenizer

/// `stitch adapt`: a family and instruction data in, an adapted family or an adapter out, resumable in between.
///
/// All methods but `snNet` leave the anchors as they are and write an adapter; that one writes other anchors and stitching
/// layers, and so always a family.
public struct AdaptationJob {
  public var family: URL
  /// The same, where it is open already.
  public var opened: TextFamily?
  public var dataFiles: [URL]
  public var settings: AdaptationSettings
  /// The family directory to write; `nil` puts the adapter into the user's store instead.
  public var output: URL?
  /// Go on from the family's own adapter instead of from nothing; not with `snNet`.
  public var continues: Bool
  /// Heal the stitches instead of teaching them: what is trained becomes part of the family. Whole anchors stay as they
  /// are. Needs `output`; with `continues` the healing there is goes on.
  public var heals = false
  /// Where training state is kept; in the cache folder, named by what is run, if absent.
  public var checkpoint: URL?
  /// Throw away the state of an interrupted run.
  public var restarts: Bool
  /// Steps between checkpoints.
  public var checkpointInterval = 100
  public var measuring = HeldOutMeasuring()
  /// Where to write the losses measured on the way.
  public var log: URL?
  public var threads: Int
  /// What the adapter says it was made of, where it goes into the store.
  public var origin: AdapterOrigin?
  /// The processes that do this together. The first of them writes everything.
  public var communicator: any Communicator = SingleProcess()

  public init(
    family: URL, dataFiles: [URL], settings: AdaptationSettings, output: URL?, continues: Bool,
    checkpoint: URL? = nil, restarts: Bool = false, threads: Int
  ) {
    self.family = family
    self.dataFiles = dataFiles
    self.settings = settings
    self.output = output
    self.continues = continues
    self.checkpoint = checkpoint
    self.restarts = restarts
    self.threads = threads
  }

  /// What came of a run, and what it cost.
  public struct Report: Sendable, Encodable {
    public var method: String
    /// What was trained, where that can be chosen.
    public var update: String?
    /// The adapted family, or the adapter.
    public var output: String
    /// Distinct parameters trained, over all stitches.
    public var trainableParameters: Int
    /// Size of the files to be kept besides the original family.
    public var storedBytes: Int
    public var stitches: Int
    public var steps: Int
    /// Tokens trained on.
    public var tokens: Int
    /// Without measuring and checkpoints.
    public var trainingSeconds: Double
    public var wallSeconds: Double
    public var cpuSeconds: Double
    public var peakMemoryBytes: Int
    /// Mean over the anchors, or over what was trained where no anchor was; absent where nothing was held out.
    public var heldOutLoss: Double?
    /// Mean over all stitches, if they were measured.
    public var stitchLoss: Double?
  }

  /// - Parameters:
  ///   - note: receives lines for people, in the first process.
  ///   - progress: hears of every step, in the first process.
  /// - Returns: `nil` in the other processes.
  public func run(
    note: (String) -> Void, progress: (AdaptationProgress) -> Void
  ) throws -> Report? {
    let isFirst = communicator.isFirst
    let note = isFirst ? note : { _ in }
    let checkpoint = checkpointFile
    let (run, lock, curve) = try communicator.together {
      if isFirst, let output { try NewDirectory.check(output) }
      let run = try prepare(note)
      guard isFirst else { return (run, nil as FileLock?, nil as LossLog?) }
      try NewDirectory.makePath(checkpoint.deletingLastPathComponent())
      let lock = try FileLock(of: checkpoint)
      let curve = try log.map { try LossLog($0) }
      if FileManager.default.fileExists(atPath: checkpoint.path) {
        if restarts { try TrainingCheckpoint.remove(checkpoint) } else { note("going on from \(checkpoint.path)") }
      }
      note(
        "\(run.examples) examples, \(run.stitches) stitches, \(run.trainer.parameterCount) trained parameters"
          + (communicator.count > 1 ? ", \(communicator.count) processes" : ""))
      return (run, lock, curve)
    }
    let trainer = run.trainer
    _ = try trainer.run(checkpoint: checkpoint, interval: checkpointInterval, measuring: measuring, gate: {}) {
      try curve?.add($0)
      if isFirst { progress($0) }
      return .goOn
    }
    let losses = trainer.heldOutLosses(all: measuring.measuresStitches)
    return try communicator.inFirst {
      let saved = try run.save()
      do { try TrainingCheckpoint.remove(checkpoint) } catch { note("\(checkpoint.path) can be deleted") }
      lock?.remove()
      return try report(run, saved, losses)
    }
  }

  private func report(_ run: Prepared, _ saved: Saved, _ losses: [String: Double]) throws -> Report {
    let cost = run.trainer.cost
    return Report(
      method: settings.method.name, update: settings.update?.rawValue, output: saved.place.path,
      trainableParameters: run.trainer.parameterCount,
      storedBytes: try saved.files.reduce(0) { try $0 + Self.size(of: $1) }, stitches: run.stitches,
      steps: run.trainer.step, tokens: cost.tokens, trainingSeconds: cost.trainingSeconds,
      wallSeconds: cost.wallSeconds, cpuSeconds: cost.cpuSeconds, peakMemoryBytes: cost.peakMemoryBytes,
      heldOutLoss: run.trainer.meanLoss(losses),
      stitchLoss: measuring.measuresStitches && !losses.isEmpty
        ? losses.values.sorted().reduce(0, +) / Double(losses.count) : nil)
  }

  /// What is to be run, and what writes its result.
  private struct Prepared {
    var trainer: any AdaptationTrainer
    var save: () throws -> Saved
    var examples: Int
    var stitches: Int
  }

  /// Reads the family and the data.
  private func prepare(_ note: (String) -> Void) throws -> Prepared {
    let text = try opened ?? TextFamily(family)
    let (examples, conversations) = try examples(text, note)
    let (trainer, save) =
      try heals
      ? prepareHealing(text, examples, rehearsal: Rehearsal.sample(of: conversations, atMost: Rehearsal.healedSize))
      : prepare(
        text, examples, rehearsal: (continues ? Rehearsal.kept(by: text) : Data()) + Rehearsal.sample(of: conversations)
      )
    return Prepared(
      trainer: trainer, save: save, examples: examples.count, stitches: text.family.stitches.count)
  }

  /// Reads the data.
  func examples(
    _ text: TextFamily, _ note: (String) -> Void
  ) throws -> (examples: [TrainingExample], conversations: [[ChatMessage]]) {
    var examples: [TrainingExample] = []
    var conversations: [[ChatMessage]] = []
    for file in dataFiles {
      let data = try DataFile(file)
      examples += try data.examples(
        for: text, contextLength: text.family.contextLength,
        // A teacher has something to say to every token of a text; without one only replies are learned.
        textLength: settings.distillationShare == nil ? nil : settings.tokensPerMicroBatch, note: note)
      conversations += data.conversations
    }
    return (examples, conversations)
  }

  /// Where a result is, and which files of it hold what was trained.
  private typealias Saved = (place: URL, files: [URL])

  /// The trainer of the method, and what writes its result.
  private func prepare(
    _ text: TextFamily, _ examples: [TrainingExample], rehearsal: Data
  ) throws -> (trainer: any AdaptationTrainer, save: () throws -> Saved) {
    let family = text.family
    let pool = ComputePool(threads: threads)
    if case .snNet = settings.method {
      guard let output else {
        throw TrainingError.plan(cause: "sn-net changes the anchors: name the family to write with --output")
      }
      let trainer = try SNNetTrainer(
        family: family, settings: settings, examples: examples, pool: pool, communicator: communicator)
      return (trainer, { (output, try trainer.write(to: output, rehearsal: rehearsal)) })
    }
    let trainer = try ESTATrainer(
      family: family, adapter: continues ? family.ownAdapter() : nil, settings: settings, examples: examples,
      rehearsal: continues ? Rehearsal.examples(of: text) : [], pool: pool, communicator: communicator)
    guard let output else {
      return (
        trainer,
        {
          let file = try AdapterStore(identity: family.identity).save(trainer.snapshot().made(of: origin)).file
          return (file, [file])
        }
      )
    }
    return (
      trainer,
      {
        try family.writeCopy(
          to: output, adapter: trainer.snapshot(), stops: continues ? family.description.stops : trainer.deployedStops,
          rehearsal: rehearsal)
        return (output, [output.appendingPathComponent(FamilyDescription.adapterName)])
      }
    )
  }

  /// The same where stitches are healed.
  private func prepareHealing(
    _ text: TextFamily, _ examples: [TrainingExample], rehearsal: Data
  ) throws -> (trainer: any AdaptationTrainer, save: () throws -> Saved) {
    guard let output else {
      throw TrainingError.plan(cause: "healing makes another family: name it with --output")
    }
    let family = text.family
    let trainer = try ESTATrainer(
      family: family.unhealed, adapter: continues ? family.healing?.adapter : nil, settings: settings,
      examples: examples, pool: ComputePool(threads: threads), communicator: communicator)
    return (
      trainer,
      {
        try family.writeHealed(to: output, by: trainer.snapshot(), rehearsal: rehearsal)
        return (output, [output.appendingPathComponent(FamilyDescription.healingName)])
      }
    )
  }

  private static func size(of file: URL) throws -> Int {
    (try FileManager.default.attributesOfItem(atPath: file.path)[.size] as? Int) ?? 0
  }

  /// Where training state is kept.
  public var checkpointFile: URL {
    if let checkpoint { return checkpoint }
    let parts =
      [settings.method.name, family.standardizedFileURL.path, output?.standardizedFileURL.path ?? ""]
      + dataFiles.map(\.standardizedFileURL.path)
    let name = SHA256.hexadecimal(of: Array(parts.joined(separator: "\n").utf8)).prefix(16)
    return UserDirectories.cache.appendingPathComponent("adapt/\(name).safetensors")
  }
}
