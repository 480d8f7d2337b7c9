import Foundation
import LLaMAStitch
import Tokenizer

/// `stitch adapt`: a family and instruction data in, an adapted family or an adapter out, resumable in between.
public struct AdaptationJob {
  public var family: URL
  public var dataFiles: [URL]
  public var settings: AdaptationSettings
  /// The family directory to write; `nil` puts the adapter into the user's store instead.
  public var output: URL?
  /// Go on from the family's own adapter instead of from nothing.
  public var continues: Bool
  /// Where training state is kept; in the cache folder, named by what is run, if absent.
  public var checkpoint: URL?
  /// Throw away the state of an interrupted run.
  public var restarts: Bool
  /// Steps between checkpoints.
  public var checkpointInterval = 100
  public var threads: Int

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

  /// - Returns: where the adapted family or the adapter is.
  public func run(
    note: (String) -> Void, progress: (FamilyTrainer.Progress) -> Void
  ) throws -> URL {
    if let output { try NewDirectory.check(output) }
    let text = try TextFamily(family)
    var examples: [TrainingExample] = []
    var conversations: [[ChatMessage]] = []
    for file in dataFiles {
      let data = try DataFile(file)
      data.report(note)
      let (found, tooLong) = try TrainingText.examples(
        data.conversations, tokenizer: text.tokenizer, template: text.template,
        contextLength: text.family.contextLength)
      if tooLong > 0 { note("\(file.path): \(tooLong) examples longer than \(text.family.contextLength) tokens skipped") }
      if found.isEmpty {
        throw tooLong > 0
          ? DataError.allTooLong(file: file.path, contextLength: text.family.contextLength)
          : DataError.nothingUsable(file: file.path, first: "no conversations")
      }
      examples += found
      conversations += data.conversations
    }
    let trainer = try FamilyTrainer(
      family: text.family, adapter: continues ? text.family.ownAdapter() : nil, settings: settings,
      examples: examples, rehearsal: continues ? Rehearsal.examples(of: text) : [],
      pool: ComputePool(threads: threads))
    let checkpoint = checkpoint ?? defaultCheckpoint
    try NewDirectory.makePath(checkpoint.deletingLastPathComponent())
    if FileManager.default.fileExists(atPath: checkpoint.path) {
      if restarts { try TrainingCheckpoint.remove(checkpoint) }
      else { note("going on from \(checkpoint.path)") }
    }
    note(
      "\(examples.count) examples, \(text.family.stitches.count) stitches, \(trainer.snapshot().parameterCount) trained parameters"
    )
    _ = try trainer.run(checkpoint: checkpoint, interval: checkpointInterval) {
      progress($0)
      return .goOn
    }
    let place: URL
    if let output {
      try text.family.writeCopy(to: output, adapter: trainer.snapshot(), stops: trainer.deployedStops,
        rehearsal: Rehearsal.sample(of: conversations))
      place = output
    } else {
      place = try AdapterStore(identity: text.family.identity).save(trainer.snapshot()).file
    }
    do { try TrainingCheckpoint.remove(checkpoint) } catch { note("\(checkpoint.path) can be deleted") }
    return place
  }

  private var defaultCheckpoint: URL {
    let parts = [family.standardizedFileURL.path, output?.standardizedFileURL.path ?? ""]
      + dataFiles.map(\.standardizedFileURL.path)
    let name = SHA256.hexadecimal(of: Array(parts.joined(separator: "\n").utf8)).prefix(16)
    return UserDirectories.cache.appendingPathComponent("adapt/\(name).safetensors")
  }
}
