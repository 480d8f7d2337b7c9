import ChatEngine
import Foundation
import LLaMAStitch
import Support
import Tokenizer

/// `stitch adapter transfer --method panda` and `pot`: a soft prompt that a family learned from one task (`stitch adapt --update
/// dept`) helps a family to learn another task.
///
/// PANDA (Zhong et al. 2022, arXiv 2208.10160): the network with the old prompt learns the new task first, from that prompt on;
/// frozen then, it teaches the network with a new prompt, which begins anew. The loss of a token is its cross-entropy and λ · s
/// times the mean square of what the logits of both differ by, as in the authors' code; s is how alike both tasks are, the
/// cosine of `TaskEmbedding`s of the old prompt and of one that is learned from the new task in a few steps. All of that is
/// done in the source, s in its dearest anchor, so that the target may be of any width. Of one and the same family each
/// route teaches itself; another family is taught by that anchor.
///
/// PoT, what the paper compares with (SPoT: Vu et al. 2022, arXiv 2110.07904): the new prompt begins as the old one, and nobody
/// teaches. The families must have the same shapes.
public struct PromptTransferJob {
  public enum Method: String, Sendable {
    case panda
    case pot
  }

  /// What the teacher counts for at similarity 1, where nobody says otherwise: that of the authors' code.
  public static let usualWeight: Float = 0.1
  public static let usualPromptSteps = 100
  public static let usualSteps = 1000

  public var method: Method
  /// As for chat: `own`, `latest`, or the beginning of a snapshot's hash.
  public var adapter: String
  public var source: URL
  public var target: URL
  /// Of the new task.
  public var data: URL
  /// λ; with 0 nobody teaches, and nothing is compared.
  public var weight = usualWeight
  /// In which the source learns a prompt to compare.
  public var promptSteps = usualPromptSteps
  public var steps = usualSteps
  /// In which the teacher learns the new task first; 0: it has the old prompt as it is. `nil`: as many as `steps`.
  public var teacherSteps: Int?
  public var seed: UInt64 = 1
  public var threads: Int

  /// Texts that a task embedding is the mean of, at most.
  private static let mostTexts = 200

  public init(_ method: Method, _ adapter: String, of source: URL, to target: URL, data: URL, threads: Int) {
    self.method = method
    self.adapter = adapter
    self.source = source
    self.target = target
    self.data = data
    self.threads = threads
  }

  /// What came of it.
  public struct Report: Sendable, Encodable {
    public var method: String
    public var adapter: String
    public var file: String
    /// How alike both tasks are, where that was asked.
    public var similarity: Double?
    /// What the teacher counted for.
    public var weight: Float
    public var steps: Int
    public var trainableParameters: Int
    /// Cross-entropy, the mean over the target's anchors, where something was held out.
    public var heldOutLoss: Double?
  }

  /// A step that has been done.
  public enum Progress: Sendable {
    case comparing(Int, of: Int)
    case preparing(Int, of: Int)
    case learning(AdaptationProgress)
  }

  /// What is transferred, from where to where.
  private struct Transfer {
    var from: TextFamily
    var to: TextFamily
    var taught: Adapter
    /// Of the adapter's file.
    var hash: String
    /// What the new prompt comes on top of.
    var start: Adapter?
    var prompt: PromptOptions
    var examples: [TrainingExample]
  }

  /// - Returns: what was made; the adapter is in the target's store.
  /// - Throws: `PromptTransferError`, `AdapterTransferError`, `EngineError`, `FamilyError`, `DataError`, `TrainingError`,
  ///   `InferenceError`, `FileError`; what is learned so far is kept, and the same command goes on.
  public func run(note: (String) -> Void, progress: (Progress) -> Void) throws -> Report {
    let transfer = try prepare(note)
    let (from, to) = (transfer.from.family, transfer.to.family)
    let work = try folder(transfer)
    try NewDirectory.makePath(work)
    let lock = try FileLock(of: work.appendingPathComponent("run"))
    let pool = ComputePool(threads: threads)

    let compares = method == .panda && weight > 0
    let similarity =
      compares
      ? try similarity(transfer, work.appendingPathComponent("similarity.json"), pool) {
        progress(.comparing($0, of: promptSteps))
      } : nil
    let counts = Teacher.weight(compares ? weight : 0, similarity: similarity ?? 0)
    let isSame = from.identity == to.identity
    let teacher = try counts > 0 ? teacher(transfer, isSame: isSame, work, pool, progress) : transfer.taught
    let anchor = from.network(from.dearestAnchor.route, adapter: teacher)
    let trainer = try ESTATrainer(
      family: to, adapter: transfer.start, settings: settings(steps: steps, .stops, transfer.prompt),
      examples: transfer.examples,
      teacher: { route in
        if counts == 0 { return nil }
        return Teacher(isSame ? from.network(route, adapter: teacher) : anchor, .logits(weight: counts))
      }, pool: pool)
    let checkpoint = work.appendingPathComponent("checkpoint.safetensors")
    _ = try trainer.run(checkpoint: checkpoint) {
      progress(.learning($0))
      return .goOn
    }
    // Where nobody was to teach, nothing is of the other's making.
    let origin: AdapterOrigin? =
      switch method {
      case .panda: similarity.map { AdapterOrigin(.panda, [.init(transfer.hash, weight: Float($0))]) }
      case .pot: AdapterOrigin(.pot, [.init(transfer.hash)])
      }
    let saved = try transfer.to.adapterStore().save(trainer.snapshot().made(of: origin))
    do { try FileManager.default.removeItem(at: work) } catch { note("\(work.path) can be deleted") }
    lock.remove()
    return Report(
      method: method.rawValue, adapter: saved.hash, file: saved.file.path, similarity: similarity, weight: counts,
      steps: trainer.step, trainableParameters: trainer.parameterCount,
      heldOutLoss: trainer.meanLoss(trainer.heldOutLosses(all: false)))
  }

  /// Everything that can be refused, before anything is written.
  private func prepare(_ note: (String) -> Void) throws -> Transfer {
    let (from, to) = (try TextFamily(source), try TextFamily(target))
    guard from.tokenizer.isSame(as: to.tokenizer) else {
      throw EngineError.otherTokenizer(model: source.path, family: target.path)
    }
    let sizes = [from, to].map { $0.family.anchors[0].configuration.vocabularySize }
    guard sizes[0] == sizes[1] else {
      throw PromptTransferError.vocabulary(
        source: source.path, rows: sizes[0], target: target.path, expected: sizes[1])
    }
    let (taught, hash) = try from.adapter(named: adapter, store: from.adapterStore())
    guard let prompt = taught.options.prompt else { throw PromptTransferError.noPrompt(adapter: adapter) }
    if let broken = taught.firstNotFinite { throw AdapterTransferError.notFinite(tensor: broken) }
    let start: Adapter?
    switch method {
    case .panda: start = try to.family.ownAdapter()?.withoutPrompt(in: to.family)
    case .pot: start = try AdapterTransferJob.moved(taught, from: from.family, to: to.family).adapter
    }
    var options = start?.options ?? .besideProjections
    options.prompt = prompt
    try to.family.layout(options).check()
    let examples = try DataFile(data).examples(
      for: to, contextLength: min(from.family.contextLength, to.family.contextLength), note: note)
    return Transfer(
      from: from, to: to, taught: taught, hash: hash, start: start, prompt: prompt, examples: examples)
  }

  /// Learning a soft prompt, as `stitch adapt --update dept` does.
  private func settings(steps: Int, _ stitches: TrainedStitches, _ prompt: PromptOptions) -> AdaptationSettings {
    var settings = AdaptationSettings(stitches: stitches, steps: steps, seed: seed)
    settings.update = .dept
    settings.options = .besideProjections
    settings.options.prompt = prompt
    settings.optimizer.learningRate = PromptOptions.learningRate
    settings.optimizer.promptRateFactor = PromptOptions.vectorRateFactor
    settings.sampler.warmup = min(100, steps / 10)
    return settings
  }

  /// How alike the old task and the new one are to the source's dearest anchor: it learns a prompt of the new one, and reads
  /// the new one's texts with either.
  private func similarity(
    _ transfer: Transfer, _ file: URL, _ pool: ComputePool, progress: (Int) -> Void
  ) throws -> Double {
    if FileManager.default.fileExists(atPath: file.path) {
      return try JSONDecoder().decode([Double].self, from: Data(contentsOf: file))[0]
    }
    let family = transfer.from.family
    let anchor = family.dearestAnchor
    var settings = settings(steps: promptSteps, .named([anchor.id]), transfer.prompt)
    settings.heldOutTokens = 0
    let trainer = try ESTATrainer(
      family: family, adapter: transfer.taught.withoutPrompt(in: family), settings: settings,
      examples: transfer.examples, pool: pool)
    _ = try trainer.run { made in
      progress(made.step)
      return .goOn
    }
    let networks = [transfer.taught, trainer.snapshot()].map { family.network(anchor.route, adapter: $0) }
    let texts = transfer.examples.map(\.tokens).filter { $0.count <= networks[0].contextLength }
      .prefix(Self.mostTexts).map { $0.map(Int.init) }
    let embeddings = try networks.map { try TaskEmbedding($0, texts: texts, pool: pool) }
    let similarity = embeddings[0].similarity(to: embeddings[1])
    try AtomicFile.write(JSONEncoder().encode([similarity]), to: file)
    return similarity
  }

  /// The source, which has learned the new task from the old prompt on: every stop where each teaches itself, else its
  /// dearest anchor.
  private func teacher(
    _ transfer: Transfer, isSame: Bool, _ work: URL, _ pool: ComputePool, _ progress: (Progress) -> Void
  ) throws -> Adapter {
    let steps = teacherSteps ?? steps
    if steps == 0 { return transfer.taught }
    let family = transfer.from.family
    let file = work.appendingPathComponent("teacher.safetensors")
    if FileManager.default.fileExists(atPath: file.path) { return try Adapter.read(file, for: family) }
    var settings = settings(
      steps: steps, isSame ? .stops : .named([family.dearestAnchor.id]), transfer.prompt)
    settings.heldOutTokens = 0
    let trainer = try ESTATrainer(
      family: family, adapter: transfer.taught, settings: settings, examples: transfer.examples, pool: pool)
    _ = try trainer.run(checkpoint: work.appendingPathComponent("teacher-checkpoint.safetensors")) {
      progress(.preparing($0.step, of: steps))
      return .goOn
    }
    try trainer.snapshot().write(to: file)
    return try Adapter.read(file, for: family)
  }

  /// Where what is done is kept, named by what it is for.
  private func folder(_ transfer: Transfer) throws -> URL {
    var hash = SHA256()
    let words =
      [
        method.rawValue, transfer.hash, try transfer.from.family.contentDigest(),
        try transfer.to.family.contentDigest(),
      ]
      + [try transfer.to.family.ownAdapterFile().map(AdapterFile.init)?.hash ?? ""]
      + ["\(weight) \(promptSteps) \(teacherSteps ?? steps) \(steps) \(seed)"]
    hash.update(Array(words.joined(separator: "\n").utf8))
    for example in transfer.examples { hash.update(example.tokens, example.lossMask) }
    return UserDirectories.cache.appendingPathComponent("transfer/\(hash.finish().prefix(16))")
  }
}

/// Why no soft prompt goes over. The description is one line: cause, file, remedy.
public enum PromptTransferError: Error, Equatable, Sendable, CustomStringConvertible {
  /// What was taught is not a soft prompt.
  case noPrompt(adapter: String)
  /// Logits of different lengths cannot be compared.
  case vocabulary(source: String, rows: Int, target: String, expected: Int)

  public var description: String {
    switch self {
    case .noPrompt(let adapter):
      "the adapter \(adapter) has no soft prompt; teach one with `stitch adapt --update dept`, or transfer with --method add or trans-lora"
    case .vocabulary(let source, let rows, let target, let expected):
      "\(source) has logits of \(rows) tokens and \(target) of \(expected); a teacher must say something of the same tokens: transfer with --method trans-lora"
    }
  }
}
