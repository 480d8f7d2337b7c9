import ChatEngine
import Figures
import Foundation
import LLaMAStitch
import Support

/// `stitch frontier`: measures a family on a file of questions and texts, chooses the slider's stops if asked to, and keeps what came of
/// it.
public struct FrontierReportJob {
  /// How stops are chosen: those that a cheaper one does not dominate by more than noise.
  public struct Choice: Sendable {
    /// From all stitches, not from the family's stops alone.
    public var amongAll: Bool
    /// How many to have if that many are no worse than the cheaper one beside them.
    public var minimum: Int
    /// The p value below which a stop is worse than a cheaper one.
    public var level: Double

    public init(amongAll: Bool, minimum: Int, level: Double) {
      self.amongAll = amongAll
      self.minimum = minimum
      self.level = level
    }
  }

  public var family: URL
  /// Questions with known answers, conversations, texts.
  public var data: URL
  public var threads: Int
  /// At most so many questions, a sample that is always the same.
  public var questions: Int?
  public var stopsOnly = false
  /// Only these stitches, by id.
  public var only: [String]?
  /// What was taught.
  public var adapter = AdapterChoice.own
  /// The directory of a model or family whose dearest anchor agreement and divergence are measured by; `nil`: the family's.
  public var reference: URL?
  /// Whether no reply is made, and only what the answers' tokens are predicted by counts.
  public var lossOnly = false
  /// Whether speeds are measured.
  public var measuresSpeed = true
  public var choice: Choice?
  /// Whether `frontier.json` is written into the family.
  public var writes = false
  /// Where every answer goes, as JSON Lines.
  public var answers: URL?
  /// Where quality against cost is drawn, as SVG.
  public var chart: URL?
  /// The processes that do this together. The first of them writes everything.
  public var communicator: any Communicator = SingleProcess()

  public init(family: URL, data: URL, threads: Int) {
    self.family = family
    self.data = data
    self.threads = threads
  }

  /// - Parameters:
  ///   - note: told what of the data was skipped.
  ///   - compared: told how many of how many texts all stitches have read.
  ///   - progress: told of each stitch when it is measured.
  /// - Returns: the same in all processes, but for the choice of stops, which is the first's.
  /// - Throws: `EngineError.tooFewTexts`, `FileError`, what `FrontierJob` throws.
  public func run(
    note: (String) -> Void, compared: (_ done: Int, _ all: Int) -> Void,
    progress: (Frontier.Measurement) -> Void
  ) throws -> Frontier {
    let isFirst = communicator.isFirst
    let job = try communicator.together { try prepare(isFirst ? note : { _ in }) }
    var answerLines = Data()
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    let measured = try job.run(
      compared: { if isFirst { compared($0, $1) } }, progress: { if isFirst { progress($0) } },
      answered: { answer in if answers != nil { answerLines += try encoder.encode(answer) + Data("\n".utf8) } })
    return try communicator.inFirst { try write(measured, of: job.family, answerLines) } ?? measured
  }

  /// Reads the family and the data.
  private func prepare(_ note: (String) -> Void) throws -> FrontierJob {
    let text = try TextFamily(family)
    let only = try only.map { Set(try $0.map { try text.family.stitch($0).id }) }
    let file = try QuestionFile(data)
    // Before the work, not after it.
    for output in [chart, answers].compactMap({ $0 }) where communicator.isFirst { try checkWritable(output) }
    for record in file.skipped.prefix(5) { note("\(data.relativePath), \(record) (skipped)") }
    if !file.skipped.isEmpty { note("\(data.relativePath): \(file.skipped.count) lines skipped") }
    let questions = sample(of: file.questions)
    let fewest = StopChoice.fewestTexts
    if choice != nil, !questions.contains(where: \.isCheckable), questions.count < fewest {
      throw EngineError.tooFewTexts(file: file.url.path, texts: questions.count, needed: fewest)
    }
    var job = FrontierJob(
      family: text, questions: questions, data: data.lastPathComponent, threads: threads, stopsOnly: stopsOnly)
    job.communicator = communicator
    if communicator.count > 1, measuresSpeed {
      note("speeds are not measured by several processes; stitch frontier --speeds does it in one")
    }
    if !measuresSpeed { job.speedSeconds = nil }
    job.only = only
    job.adapter = adapter
    job.reference = try reference.map { try TextFamily($0) }
    return job
  }

  /// Chooses stops where that is asked for, and keeps what was measured.
  private func write(_ measured: Frontier, of text: TextFamily, _ answerLines: Data) throws -> Frontier {
    var frontier = measured
    if let choice,
      let stops = frontier.worthwhileStops(amongAll: choice.amongAll, minimum: choice.minimum, level: choice.level)
    {
      frontier = frontier.marked(stops: stops)
      try text.family.writeStops(stops)
    }
    if writes { try frontier.write(to: text.family) }
    if let answers { try AtomicFile.write(answerLines, to: answers) }
    if let chart {
      let drawing = frontier.chart(title: "\(text.family.description.name): quality by cost")
      try AtomicFile.write(Data(drawing.svg.utf8), to: chart)
    }
    return frontier
  }

  /// Measures only the speeds again, see `FrontierJob.refreshingSpeeds`.
  /// - Parameter writes: whether the family's `frontier.json` is replaced.
  public static func refreshSpeeds(
    of family: URL, threads: Int, writes: Bool, progress: (Frontier.Measurement) -> Void
  ) throws -> Frontier {
    let text = try TextFamily(family)
    let frontier = try FrontierJob.refreshingSpeeds(of: text, threads: threads, progress: progress)
    if writes { try frontier.write(to: text.family) }
    return frontier
  }

  /// At random: files often go through their kinds in turn, and even steps would meet some kinds only.
  private func sample(of all: [QuestionFile.Question]) -> [QuestionFile.Question] {
    var chosen = all
    if let questions, questions < all.count {
      var random = SeededGenerator(seed: 1)
      chosen = random.permutation(of: all.count).prefix(questions).sorted().map { all[$0] }
    }
    if lossOnly { for index in chosen.indices { chosen[index].isCheckable = false } }
    return chosen
  }

  private func checkWritable(_ file: URL) throws(FileError) {
    var isDirectory = ObjCBool(false)
    if FileManager.default.fileExists(atPath: file.path, isDirectory: &isDirectory), isDirectory.boolValue {
      throw .system(operation: "write", file: file.relativePath, code: EISDIR)
    }
    if access(file.deletingLastPathComponent().path, W_OK) != 0 {
      throw .system(operation: "write", file: file.relativePath, code: errno)
    }
  }
}

extension Frontier {
  /// What is drawn of each stitch, up and along.
  private enum Quality {
    case exactMatch, agreement, loss
  }

  /// Quality against cost: every stitch, the stops by name, and the line of what is not dominated. Quality is exact match,
  /// where no answer can be checked agreement with the dearest anchor, else the loss; cost is the measured time of a token
  /// for agreement, where it was measured, else FLOPs.
  func chart(title: String) -> Chart {
    let quality: Quality =
      stitches.contains { $0.exactMatch != nil }
      ? .exactMatch : stitches.allSatisfy { $0.agreement != nil } ? .agreement : .loss
    let showsTime = quality == .agreement && stitches.allSatisfy { $0.millisecondsPerToken != nil }
    func cost(_ row: Measurement) -> Double {
      showsTime ? row.millisecondsPerToken ?? 0 : Double(row.flopsPerToken)
    }
    func value(_ row: Measurement) -> Double {
      switch quality {
      case .exactMatch: 100 * (row.exactMatch ?? 0)
      case .agreement: 100 * (row.agreement ?? 0)
      case .loss: row.loss
      }
    }
    func point(_ row: Measurement, label: String? = nil, interval: ClosedRange<Double>? = nil) -> Series.Point {
      Series.Point(cost(row), value(row), interval: interval, label: label)
    }
    func interval(_ row: Measurement) -> ClosedRange<Double>? {
      guard let right = row.isRight else { return nil }
      let share = BinomialInterval.wilson(right: right.count { $0 }, all: right.count)
      return 100 * share.lowerBound...100 * share.upperBound
    }
    // A route within one anchor has a name that is too long to stand beside a point.
    let names = Set(stitches.map { $0.id.prefix { $0 != "@" } })
    func label(_ row: Measurement) -> String? { names.count > 1 ? row.id : nil }
    let best = Hypervolume.frontier(
      stitches.map { .init(cost: cost($0), quality: quality == .loss ? -$0.loss : value($0)) })
    let what =
      switch quality {
      case .exactMatch: "exact match, % of \(questions) questions in \(data)"
      case .agreement: "same token most likely as the largest, % of \(data)"
      case .loss: "loss, nats per token of \(data)"
      }
    return Chart(
      title: title, x: showsTime ? Axis("ms per token") : Axis("FLOPs per token", scale: .log10), y: Axis(what),
      series: [
        Series("not dominated", best.map { point(stitches[$0]) }, marker: .none, line: .staircase, colour: 2),
        Series(
          quality == .exactMatch ? "stops, with 95 % intervals" : "stops",
          stitches.filter(\.isStop).map { point($0, label: label($0), interval: interval($0)) }, colour: 0),
        Series("other stitches", stitches.filter { !$0.isStop }.map { point($0) }, marker: .ring, colour: 1),
      ])
  }
}
