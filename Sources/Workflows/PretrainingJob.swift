import ChatEngine
import Foundation
import LLaMAStitch
import Support
import Tokenizer

/// `stitch pretrain`: text and conversations in, a model directory out, resumable in between.
public struct PretrainingJob {
  public var plan: PretrainingPlan
  public var dataFiles: [URL]
  public var tokenizerFile: URL
  public var output: URL
  /// Where training state is kept until the model is written; in the cache folder, named by what is run, if absent.
  public var checkpoint: URL?
  public var elementType: ElementType
  /// Steps between checkpoints.
  public var checkpointInterval = 100
  public var threads: Int
  /// The processes that do this together. The first of them writes everything.
  public var communicator: any Communicator = SingleProcess()

  public init(
    plan: PretrainingPlan, dataFiles: [URL], tokenizerFile: URL, output: URL, checkpoint: URL? = nil,
    elementType: ElementType = .bf16, threads: Int
  ) {
    self.plan = plan
    self.dataFiles = dataFiles
    self.tokenizerFile = tokenizerFile
    self.output = output
    self.checkpoint = checkpoint
    self.elementType = elementType
    self.threads = threads
  }

  /// Runs to the end, or until `progress` answers `false`.
  /// - Parameters:
  ///   - note: receives lines for people, in the first process: what was skipped, where the checkpoint is.
  ///   - progress: whether to go on; all processes answer the same.
  /// - Returns: whether the model was written.
  public func run(note: (String) -> Void, progress: (Pretrainer.Progress) -> Bool) throws -> Bool {
    let note = communicator.isFirst ? note : { _ in }
    let checkpoint = checkpointFile
    let (trainer, tokenizer, lock) = try communicator.together { try prepare(checkpoint, note) }
    guard try trainer.run(checkpoint: checkpoint, interval: checkpointInterval, listener: progress) else {
      return false
    }
    try communicator.inFirst {
      try trainer.write(to: output, elementType: elementType, files: tokenizer.files)
      do { try TrainingCheckpoint.remove(checkpoint) } catch { note("\(checkpoint.path) can be deleted") }
      lock?.remove()
    }
    return true
  }

  /// Reads the data; in the first process, makes sure that nobody else has the checkpoint.
  private func prepare(
    _ checkpoint: URL, _ note: (String) -> Void
  ) throws -> (Pretrainer, any Tokenizer, FileLock?) {
    if communicator.isFirst { try NewDirectory.check(output) }
    let tokenizer = try loadTokenizer(from: tokenizerFile.path)
    let template = ChatTemplate(.tiny)
    var documents: [TrainingExample] = []
    for file in dataFiles {
      let data = try DataFile(file)
      data.report(note)
      documents += try TrainingText.documents(data.records, tokenizer: tokenizer, template: template)
    }
    let configuration = try plan.configuration(
      vocabularySize: tokenizer.vocabularySize, bosToken: tokenizer.bosToken,
      eosTokens: [tokenizer.eosToken].compactMap { $0 })
    let trainer: Pretrainer
    do {
      trainer = try Pretrainer(
        plan: plan, configuration: configuration, documents: documents, pool: ComputePool(threads: threads),
        communicator: communicator)
    } catch TrainingError.noData(let what) {
      throw TrainingError.noData(what: "\(dataFiles.map(\.path).joined(separator: ", ")): \(what)")
    }
    guard communicator.isFirst else { return (trainer, tokenizer, nil) }
    try NewDirectory.makePath(checkpoint.deletingLastPathComponent())
    let lock = try FileLock(of: checkpoint)
    note(
      "\(documents.count) documents, \(documents.reduce(0) { $0 + $1.tokens.count }) tokens; checkpoint \(checkpoint.path)"
    )
    return (trainer, tokenizer, lock)
  }

  /// Where training state is kept until the model is written.
  public var checkpointFile: URL {
    if let checkpoint { return checkpoint }
    let name = SHA256.hexadecimal(of: Array(output.standardizedFileURL.path.utf8)).prefix(16)
    return UserDirectories.cache.appendingPathComponent("pretrain/\(name).safetensors")
  }
}
