import ChatEngine
import Foundation
import LLaMAStitch
import Support

/// `stitch adapter transfer --method trans-lora`: what one family was taught, taught to another whose anchors may be any (Trans-LoRA:
/// Wang et al. 2024, arXiv 2405.17258).
///
/// As in the paper the target writes questions when it is shown five of the task; a discriminator, a low-rank update of the
/// source's anchor that was trained to tell the task's questions from those that the source writes like them, keeps those that
/// pass for real; the source with its adapter answers them; and the target learns the answers. What the adapter was taught is
/// needed for the discriminator and for the questions shown, its replies are not looked at.
///
/// Simpler than there: the discriminator is trained now and not when the adapter was, for nobody kept one; it is asked one way,
/// and sees a question and no reply; a question is accepted once, where it is likelier real than not, and what was written
/// before is not shown again. The target learns the tokens that the source says, not its distribution, since the families may
/// have different tokenizers.
public struct AdapterDistillationJob {
  /// As for chat: `own`, `latest`, or the beginning of a snapshot's hash.
  public var adapter: String
  public var source: URL
  public var target: URL
  /// Of what the adapter was taught, for its questions.
  public var data: URL
  /// Questions to answer.
  public var count = 400
  /// How likely a question must be real.
  public var accepted = 0.5
  public var discriminatorSteps = 100
  /// In which the target learns; `nil`: as many as are usual.
  public var steps: Int?
  public var maxTokens = 256
  /// Learn replies that did not end, too.
  public var keepsCut = false
  public var seed: UInt64 = 1
  public var threads: Int

  /// Questions that are shown, which there have to be.
  private static let least = 5
  /// Of the collection, at most, to train the discriminator on.
  private static let mostReal = 1000
  /// Written for each that is wanted, at most.
  private static let attempts = 20
  private static let atOnce = 64

  public init(_ adapter: String, of source: URL, to target: URL, data: URL, threads: Int) {
    self.adapter = adapter
    self.source = source
    self.target = target
    self.data = data
    self.threads = threads
  }

  /// What came of it.
  public struct Report: Sendable, Encodable {
    public var adapter: String
    public var file: String
    /// Questions that the target wrote, that passed for real, and whose answers were learned.
    public var written: Int
    public var accepted: Int
    public var answered: Int
    /// Of questions that the discriminator has not seen, real and written, the share that it tells right.
    public var discriminatorAccuracy: Double
    /// Of the target, where something was held out.
    public var heldOutLoss: Double?
  }

  /// A step that has been done, or is being done.
  public enum Progress: Sendable {
    case writing(Int, of: Int)
    case discriminating(Int, of: Int)
    case answering(Int, of: Int)
    case learning(AdaptationProgress)
  }

  /// What is found in the work folder and need not be done again.
  private struct Written: Codable {
    var written: Int
    var questions: [String]
    var accuracy = 0.0
  }

  /// - Returns: what was made; the adapter is in the target's store.
  /// - Throws: `AdapterDistillationError`, `EngineError`, `FamilyError`, `DataError`, `GenerationError`, `TrainingError`, `FileError`;
  ///   what is done so far is kept, and the same command goes on.
  public func run(note: (String) -> Void, progress: (Progress) -> Void) throws -> Report {
    let (from, to) = (try TextFamily(source), try TextFamily(target))
    let hash = try from.adapter(named: adapter, store: from.adapterStore()).hash
    let real = try questions()
    let work = try folder(from, to, adapter: hash, real)
    try NewDirectory.makePath(work)
    let lock = try FileLock(of: work.appendingPathComponent("run"))
    let pool = ComputePool(threads: threads)

    let chosen = try chosen(work, from, to, real, pool, progress)
    if chosen.questions.isEmpty {
      throw AdapterDistillationError.noneAccepted(written: chosen.written, accepted: accepted)
    }
    if chosen.questions.count < count {
      note("\(chosen.questions.count) of \(chosen.written) questions pass for real, fewer than \(count)")
    }
    let replies = work.appendingPathComponent("replies.jsonl")
    if !FileManager.default.fileExists(atPath: replies.path) {
      let prompts = work.appendingPathComponent("prompts.jsonl")
      try Self.write(chosen.questions, to: prompts)
      var job = GenerationJob(
        try ModelSource(family: source, stitch: nil, adapter: AdapterChoice(adapter)), prompts: try PromptFile(prompts),
        output: replies,
        count: nil, maxTokens: maxTokens, sampling: SamplingOptions(temperature: 0, seed: seed), pool: pool)
      job.keepsCut = keepsCut
      _ = try job.run(note: note) { progress(.answering($0.done, of: $0.count)) }
    }
    let answered = try DataFile(replies).records.count
    let report = try learn(replies, to, hash: hash, work, note) { progress(.learning($0)) }
    do { try FileManager.default.removeItem(at: work) } catch { note("\(work.path) can be deleted") }
    lock.remove()
    return Report(
      adapter: URL(fileURLWithPath: report.output).deletingPathExtension().lastPathComponent, file: report.output,
      written: chosen.written, accepted: chosen.questions.count, answered: answered,
      discriminatorAccuracy: chosen.accuracy, heldOutLoss: report.heldOutLoss)
  }

  /// What the adapter was asked, each once, without those that cannot be shown.
  private func questions() throws -> [String] {
    var seen: Set<String> = []
    let all = try DataFile(data).conversations.compactMap { messages in
      messages.first { $0.role == .user }.flatMap { PromptSynthesis.phrase($0.content) }
    }
    let questions = all.filter { seen.insert($0).inserted }
    guard questions.count >= Self.least else {
      throw AdapterDistillationError.tooFew(file: data.path, found: questions.count, needed: Self.least)
    }
    var random = SeededGenerator(seed: seed, stream: 21)
    return random.permutation(of: questions.count).prefix(Self.mostReal).map { questions[$0] }
  }

  /// Where what is done is kept, named by what it is for.
  private func folder(_ from: TextFamily, _ to: TextFamily, adapter: String, _ real: [String]) throws -> URL {
    let parts =
      [from.family.identity, to.family.identity, adapter]
      + ["\(count) \(accepted) \(discriminatorSteps) \(maxTokens) \(keepsCut) \(seed)"] + real
    let name = SHA256.hexadecimal(of: Array(parts.joined(separator: "\n").utf8)).prefix(16)
    return UserDirectories.cache.appendingPathComponent("transfer/\(name)")
  }

  /// Questions that the target has written and the discriminator takes for real.
  private func chosen(
    _ work: URL, _ from: TextFamily, _ to: TextFamily, _ real: [String], _ pool: ComputePool,
    _ progress: (Progress) -> Void
  ) throws -> Written {
    let file = work.appendingPathComponent("questions.json")
    if FileManager.default.fileExists(atPath: file.path) {
      return try JSONDecoder().decode(Written.self, from: Data(contentsOf: file))
    }
    let likes = try likesOfSource(from, real, pool, progress)
    // A part is kept apart, to see what the discriminator is worth.
    let (unseenReal, unseenLikes) = (real.count / 5, likes.count / 5)
    let made = try PromptDiscriminator.train(
      from, real: Array(real.dropFirst(unseenReal)), written: Array(likes.dropFirst(unseenLikes)),
      steps: discriminatorSteps, seed: seed, threads: threads
    ) { progress(.discriminating($0, of: $1)) }
    let discriminator = try PromptDiscriminator(from, adapter: made, pool: pool)
    var result = Written(written: 0, questions: [])
    let right =
      try real.prefix(unseenReal).count { try discriminator.likelihood($0) > 0.5 }
      + likes.prefix(unseenLikes).count { try discriminator.likelihood($0) <= 0.5 }
    result.accuracy = Double(right) / Double(max(1, unseenReal + unseenLikes))

    let shown = Array(real.prefix(Self.least))
    let synthesis = PromptSynthesis(to, seed: seed &+ 1, pool: pool)
    var seen = Set(shown)
    while result.questions.count < count, result.written < Self.attempts * count {
      let numbers = result.written..<result.written + Self.atOnce
      progress(.writing(result.questions.count, of: count))
      for question in try synthesis.written(numbers, like: shown) {
        guard result.questions.count < count, let question, seen.insert(question).inserted else { continue }
        if try discriminator.likelihood(question) >= accepted { result.questions.append(question) }
      }
      result.written = numbers.upperBound
    }
    if !result.questions.isEmpty { try AtomicFile.write(JSONEncoder().encode(result), to: file) }
    return result
  }

  /// What the source writes like the real ones, about as many.
  private func likesOfSource(
    _ from: TextFamily, _ real: [String], _ pool: ComputePool, _ progress: (Progress) -> Void
  ) throws -> [String] {
    let synthesis = PromptSynthesis(from, seed: seed, pool: pool)
    var likes: [String] = []
    var seen = Set(real)
    var next = 0
    while likes.count < real.count, next < 4 * real.count + Self.atOnce {
      let numbers = next..<next + Self.atOnce
      progress(.writing(likes.count, of: real.count))
      for like in try synthesis.written(numbers, like: real) {
        guard let like, seen.insert(like).inserted, likes.count < real.count else { continue }
        likes.append(like)
      }
      next = numbers.upperBound
    }
    guard !likes.isEmpty else { throw AdapterDistillationError.nothingWritten(family: source.path) }
    return likes
  }

  private static func write(_ questions: [String], to file: URL) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    var data = Data()
    for question in questions {
      data += try encoder.encode(["messages": [ChatMessage(role: .user, content: question)]]) + Data("\n".utf8)
    }
    try AtomicFile.write(data, to: file)
  }

  /// Teaches the target, which goes on from its own adapter where it has one.
  private func learn(
    _ replies: URL, _ to: TextFamily, hash: String, _ work: URL, _ note: (String) -> Void,
    progress: (AdaptationProgress) -> Void
  ) throws -> AdaptationJob.Report {
    let continues = try to.family.ownAdapter() != nil
    var settings: AdaptationSettings
    if continues {
      let dearest = Double(to.family.stitches.map(\.flopsPerToken).max() ?? 0)
      settings = LessonSettings.adaptation(steps: steps ?? LessonSettings.steps(flopsPerToken: dearest))
    } else {
      settings = AdaptationSettings(steps: steps ?? 1000)
      settings.sampler.warmup = min(100, settings.steps / 10)
    }
    settings.seed = seed
    var job = AdaptationJob(
      family: target, dataFiles: [replies], settings: settings, output: nil, continues: continues,
      checkpoint: work.appendingPathComponent("checkpoint.safetensors"), threads: threads)
    job.origin = AdapterOrigin(.distilled, [.init(hash)])
    guard let report = try job.run(note: note, progress: progress) else {
      preconditionFailure("one process alone has no others")
    }
    return report
  }
}

/// Why nothing can be distilled. The description is one line: cause, file, remedy.
public enum AdapterDistillationError: Error, Equatable, Sendable, CustomStringConvertible {
  /// Not enough questions to show.
  case tooFew(file: String, found: Int, needed: Int)
  /// The source writes nothing like them.
  case nothingWritten(family: String)
  /// No question passed for real.
  case noneAccepted(written: Int, accepted: Double)

  public var description: String {
    switch self {
    case .tooFew(let file, let found, let needed):
      "\(file) has \(found) different questions of at most \(PromptSynthesis.longest) characters, and \(needed) are needed to show what is asked; give more of what the adapter was taught"
    case .nothingWritten(let family):
      "\(family) writes no questions, to whatever it is shown; its anchors are not fit for this"
    case .noneAccepted(let written, let accepted):
      "none of \(written) questions that the target wrote passes for real (--accept \(accepted)); teach the target itself, or accept less"
    }
  }
}
