import ChatEngine
import Foundation
import LLaMAStitch
import Support
import Tokenizer

/// `stitch generate`: replies to many prompts, or texts from nothing, written by a model, many at a time.
///
/// What is written for a prompt depends on its place and on the seed, not on what is computed beside it. A run that was
/// stopped or killed goes on where it was.
public struct GenerationJob {
  public var source: ModelSource
  /// What to answer; `nil`: texts that begin with the model's first token.
  public var prompts: PromptFile?
  public var output: URL
  /// How many replies or texts; where there are fewer prompts, they are answered several times. `nil`: a reply to each
  /// prompt, or as many texts as is usual.
  public var count: Int?
  /// Of a reply or text.
  public var maxTokens: Int
  /// At a time, at most: fewer where memory is short.
  public var batch = 16
  /// With the seed of all: each reply has its own, made of it and its number.
  public var sampling: SamplingOptions
  /// Whether replies that did not end within `maxTokens` are written, too. They teach never to end.
  public var keepsCut = false
  public var cacheType = CacheType.f32
  public var pool: ComputePool
  /// Bytes that KV caches may take; by default half of what is free.
  public var memoryLimit: Int?
  /// The processes that do this together. The first of them writes everything.
  public var communicator: any Communicator = SingleProcess()

  /// How many batches of each process are written between two meetings of all.
  private static let batchesBetweenMeetings = 8

  /// Where nobody says how many.
  private static let usualTexts = 64

  public init(
    _ source: ModelSource, prompts: PromptFile?, output: URL, count: Int?, maxTokens: Int, sampling: SamplingOptions,
    pool: ComputePool
  ) {
    self.source = source
    self.prompts = prompts
    self.output = output
    self.count = count
    self.maxTokens = maxTokens
    self.sampling = sampling
    self.pool = pool
  }

  public struct Progress: Sendable {
    /// Replies or texts that are done, earlier runs' included.
    public var done: Int
    public var count: Int
    /// Of this run, written by the model.
    public var tokens: Int
    public var seconds: Double

    public var tokensPerSecond: Double { seconds > 0 ? Double(tokens) / seconds : 0 }
  }

  /// What came of a run.
  public struct Report: Sendable, Encodable {
    public var output: String
    public var directory: String
    public var stitch: String?
    public var seed: UInt64
    /// Asked for.
    public var count: Int
    /// Lines in the file.
    public var written: Int
    /// Replies that did not end, or were empty.
    public var leftOut: Int
    /// Of an earlier run.
    public var kept: Int
    /// At a time.
    public var batch: Int
    /// Of this run: of prompts, and written by the model.
    public var promptTokens: Int
    public var tokens: Int
    public var seconds: Double
    public var tokensPerSecond: Double
  }

  /// Checks, before any work, that there is nothing under the output's name.
  /// - Throws: `GenerationError.exists`.
  public static func check(_ output: URL) throws(GenerationError) { try GenerationFile.check(output) }

  /// - Parameter note: receives lines for people, in the first process.
  /// - Returns: `nil` in the other processes.
  /// - Throws: `GenerationError`, `FileError`, `DataError`, `TokenizerError`, `InferenceError`: what is written so far stays.
  public func run(note: (String) -> Void, progress: (Progress) -> Void) throws -> Report? {
    let note = communicator.isFirst ? note : { _ in }
    var (tasks, session, file, report) = try communicator.together { try prepare(note) }
    try compareProcesses(tasks, report.count)
    // Where an interrupted run stopped.
    var next = communicator.gather(file.map { Array("\($0.next)".utf8) } ?? [])[0].reduce(0) { 10 * $0 + Int($1) - 48 }
    let start = ContinuousClock.now
    if communicator.isFirst { progress(Progress(done: next, count: report.count, tokens: 0, seconds: 0)) }
    while next < report.count {
      let meeting = next..<min(next + stretch, report.count)
      next = meeting.upperBound
      try answer(meeting, tasks, session, into: file, &report, since: start, progress)
    }
    return try communicator.inFirst {
      guard let file else { return report }
      report.tokensPerSecond = report.seconds > 0 ? Double(report.tokens) / report.seconds : 0
      try file.finish(
        orThrow: GenerationError.nothingEnded(count: report.count, maxTokens: maxTokens, file: output.path))
      report.written = file.written
      report.leftOut = report.count - file.written
      return report
    }
  }

  /// Reads the prompts; in the first process, begins the file or goes on with it.
  private func prepare(_ note: (String) -> Void) throws -> ([Beginning], BatchSession, GenerationFile?, Report) {
    if communicator.isFirst { try GenerationFile.check(output) }
    let tasks = try self.tasks(note)
    let count = count ?? (prompts == nil ? Self.usualTexts : tasks.count)
    if sampling.temperature == 0 || sampling.topK == 1, count > tasks.count {
      throw GenerationError.repetition(count: count, prompts: prompts == nil ? nil : tasks.count)
    }
    let longest = tasks.reduce(0) { max($0, $1.tokens.count) }
    let contextLength = min(source.network.contextLength, longest + min(maxTokens, source.network.contextLength))
    let batch = fittingBatch(count, contextLength, note)
    let file =
      communicator.isFirst
      ? try GenerationFile(
        output, made: made, prompts: prompts == nil ? nil : tasks.map(\.messages), count: count, note: note) : nil
    let session = BatchSession(
      network: source.network, capacity: batch, contextLength: contextLength, cacheType: cacheType, pool: pool)
    let report = Report(
      output: output.path, directory: source.directory, stitch: source.stitch, seed: sampling.seed, count: count,
      written: 0, leftOut: 0, kept: file?.written ?? 0, batch: batch, promptTokens: 0, tokens: 0, seconds: 0,
      tokensPerSecond: 0)
    return (tasks, session, file, report)
  }

  /// How many replies are made between two meetings; alone there is nobody to meet.
  private var stretch: Int {
    communicator.count == 1 ? .max / 2 : communicator.count * batch * Self.batchesBetweenMeetings
  }

  private func compareProcesses(_ tasks: [Beginning], _ count: Int) throws {
    if communicator.count == 1 { return }
    let digests = try communicator.together {
      let encoder = JSONEncoder()
      encoder.outputFormatting = .sortedKeys
      let options = try encoder.encode(made) + Data("\(count) \(batch) \(keepsCut) \(cacheType)".utf8)
      return [
        (
          "set of options", SHA256.hexadecimal(of: Array(options)),
          "give every process the same command"
        ),
        ("model", try source.digest(), "give every machine the same \(source.directory)"),
        (
          "set of prompts", SHA256.hexadecimal(of: Array(tasks.map { "\($0.tokens)" }.joined(separator: "\n").utf8)),
          "give every machine the same prompts"
        ),
      ]
    }
    try communicator.compare(digests)
  }

  /// What is to be continued.
  private struct Beginning {
    var messages: [ChatMessage]
    var tokens: [Int]
  }

  private func tasks(_ note: (String) -> Void) throws -> [Beginning] {
    guard let prompts else {
      let tokenizer = source.tokenizer
      guard let first = tokenizer.textStart.first ?? source.bosToken ?? tokenizer.eosToken else {
        throw ModelSource.PromptError.nothingToBeginWith
      }
      return [Beginning(messages: [], tokens: [first])]
    }
    for record in prompts.skipped.prefix(5) { note("\(prompts.url.path), \(record) (skipped)") }
    var tasks: [Beginning] = []
    for messages in prompts.prompts {
      let tokens = try source.template.encode(messages.map(\.templated), tokenizer: source.tokenizer)
      if tokens.count < source.network.contextLength { tasks.append(Beginning(messages: messages, tokens: tokens)) }
    }
    let tooLong = prompts.prompts.count - tasks.count
    if tooLong > 0 {
      note("\(prompts.url.path): \(tooLong) prompts leave no room in \(source.network.contextLength) tokens, skipped")
    }
    if tasks.isEmpty {
      throw DataError.allTooLong(file: prompts.url.path, contextLength: source.network.contextLength)
    }
    return tasks
  }

  /// As many at a time as are wanted, and as memory has room for.
  private func fittingBatch(_ count: Int, _ contextLength: Int, _ note: (String) -> Void) -> Int {
    let bytes = memoryLimit ?? (SystemMemory.available ?? SystemMemory.physical) / 2
    let fitting = BatchSession.capacity(
      of: source.network, contextLength: contextLength, cacheType: cacheType, bytes: bytes)
    if fitting < min(batch, count) {
      note("memory has room for \(fitting) at a time, with \(contextLength) tokens each; fewer --max-tokens need less")
    }
    return min(batch, fitting, count)
  }

  /// What one process tells the first of what it has made.
  private struct Share: Codable {
    struct Numbered: Codable {
      var number: Int
      /// `nil` where it is left out.
      var reply: GenerationFile.Reply?
    }
    var replies: [Numbered] = []
    var promptTokens = 0
    var tokens = 0
  }

  /// Makes replies, each process its share, and writes them.
  private func answer(
    _ meeting: Range<Int>, _ tasks: [Beginning], _ session: BatchSession, into file: GenerationFile?,
    _ report: inout Report, since start: ContinuousClock.Instant, _ progress: (Progress) -> Void
  ) throws {
    let share = communicator.share(of: meeting.count)
    let own = meeting.lowerBound + share.lowerBound..<meeting.lowerBound + share.upperBound
    var made = Share()
    try communicator.together {
      try answer(
        own, tasks, session,
        finished: { reply, number, result in
          made.promptTokens += result.promptTokens
          if communicator.count == 1 {
            try file?.add(reply, at: number)
          } else {
            made.replies.append(.init(number: number, reply: reply))
          }
        },
        progress: { done, tokens in
          made.tokens += tokens
          report.seconds = (ContinuousClock.now - start) / .seconds(1)
          if communicator.isFirst {
            progress(
              Progress(
                done: meeting.lowerBound + (done - own.lowerBound) * communicator.count, count: report.count,
                tokens: report.tokens + made.tokens * communicator.count, seconds: report.seconds))
          }
        })
    }
    let all = communicator.gather(communicator.count == 1 ? [] : Array(try JSONEncoder().encode(made)))
    try communicator.inFirst {
      let parts =
        try communicator.count == 1 ? [made] : all.map { try JSONDecoder().decode(Share.self, from: Data($0)) }
      for part in parts {
        for made in part.replies { try file?.add(made.reply, at: made.number) }
        report.promptTokens += part.promptTokens
        report.tokens += part.tokens
      }
    }
  }

  /// Makes the replies of some numbers.
  /// - Parameters:
  ///   - finished: takes a reply, `nil` for one that is left out, its number and how it came about.
  ///   - progress: hears now and then how many are done, up to which number, and how many tokens were written since.
  private func answer(
    _ numbers: Range<Int>, _ tasks: [Beginning], _ session: BatchSession,
    finished: (GenerationFile.Reply?, Int, GenerationResult) throws -> Void, progress: (Int, Int) -> Void
  ) throws {
    let stops = try source.endTokens.union(prompts == nil ? [] : source.template.stopTokens(source.tokenizer))
    var next = numbers.lowerBound
    var generator = BatchGenerator(session)
    var told = ContinuousClock.now
    var tokens = 0
    while next < numbers.upperBound || generator.count > 0 {
      while generator.hasRoom, next < numbers.upperBound {
        var options = GenerationOptions(
          maxTokens: maxTokens, stopTokens: stops, sampling: sampling, vocabularySize: source.tokenizer.vocabularySize)
        var seeds = SeededGenerator(seed: sampling.seed, stream: UInt64(next))
        options.sampling.seed = seeds.next()
        try generator.add(.init(prompt: tasks[next % tasks.count].tokens, options: options))
        next += 1
      }
      for event in try generator.step() {
        switch event {
        case .token: tokens += 1
        case .finished(let result, let text): try finished(line(result), numbers.lowerBound + text, result)
        case .failed(let error, _): throw error
        }
      }
      let now = ContinuousClock.now
      if now - told > .milliseconds(100) || generator.count == 0 {
        told = now
        progress(next - generator.count, tokens)
        tokens = 0
      }
    }
  }

  /// What is written of a result; `nil` where it is left out.
  private func line(_ result: GenerationResult) throws -> GenerationFile.Reply? {
    let ended = result.finishReason == .stopToken
    if prompts != nil && !ended && !keepsCut { return nil }
    var decoder = StreamingDecoder(source.tokenizer)
    var text = ""
    for token in result.tokens { text += try decoder.next(token) }
    // Of a character that the limit has cut nothing is left.
    if ended { text += decoder.finish() }
    return text.allSatisfy(\.isWhitespace) ? nil : .init(text: text, finish: result.finishReason)
  }

  /// What every line says of its making.
  private var made: GenerationFile.Made {
    GenerationFile.Made(
      model: URL(fileURLWithPath: source.directory).standardizedFileURL.lastPathComponent, stitch: source.stitch,
      seed: sampling.seed, temperature: sampling.temperature, topK: sampling.topK, topP: sampling.topP,
      minP: sampling.minP, repetitionPenalty: sampling.repetitionPenalty, maxTokens: maxTokens)
  }
}

/// Why nothing can be generated. The description is one line: cause, file, remedy.
public enum GenerationError: Error, Equatable, Sendable, CustomStringConvertible {
  /// The file to be written is there already.
  case exists(file: String)
  /// What an interrupted run would have left is something else.
  case foreign(file: String)
  /// An interrupted run was another one.
  case otherRun(file: String, difference: String)
  /// Without chance, all replies to a prompt are the same.
  case repetition(count: Int, prompts: Int?)
  /// Every reply was cut or empty.
  case nothingEnded(count: Int, maxTokens: Int, file: String)

  public var description: String {
    switch self {
    case .exists(let file): "\(file) exists already; remove it or name another file"
    case .foreign(let file): "\(file) is there and no interrupted run has left it; remove it or name another --output"
    case .otherRun(let file, let difference):
      "\(file) is of an interrupted run with \(difference); run that one again, remove the file or name another --output"
    case .repetition(let count, let prompts):
      "\(count) \(prompts.map { "replies to \($0) prompts" } ?? "texts") at temperature 0 would repeat themselves; give a --temperature above 0 or a smaller --count"
    case .nothingEnded(let count, let maxTokens, let file):
      "none of \(count) replies ended within \(maxTokens) tokens, so that \(file) is not written; give more --max-tokens or --keep-cut"
    }
  }
}
