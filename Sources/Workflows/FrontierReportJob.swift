import ChatEngine
import Figures
import Foundation
import LLaMAStitch
import Support

/// `stitch frontier`: measures a family on a file of questions, chooses the slider's stops if asked to, and keeps what came of
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
  /// Questions with known answers.
  public var data: URL
  public var threads: Int
  /// At most so many questions, a sample that is always the same.
  public var questions: Int?
  public var stopsOnly = false
  /// Whether only the loss counts, and no reply is made.
  public var lossOnly = false
  public var choice: Choice?
  /// Whether `frontier.json` is written into the family.
  public var writes = false
  /// Where every answer goes, as JSON Lines.
  public var answers: URL?
  /// Where quality against cost is drawn, as SVG.
  public var chart: URL?

  public init(family: URL, data: URL, threads: Int) {
    self.family = family
    self.data = data
    self.threads = threads
  }

  /// - Parameters:
  ///   - note: told what of the data was skipped.
  ///   - progress: told of each stitch when it is measured.
  /// - Throws: `EngineError.noCheckableAnswers`, `FileError`, what `FrontierJob` throws.
  public func run(note: (String) -> Void, progress: (Frontier.Measurement) -> Void) throws -> Frontier {
    let text = try TextFamily(family)
    let file = try QuestionFile(data)
    // Before the work, not after it.
    for output in [chart, answers].compactMap({ $0 }) { try checkWritable(output) }
    for record in file.skipped.prefix(5) { note("\(data.relativePath), \(record) (skipped)") }
    if !file.skipped.isEmpty { note("\(data.relativePath): \(file.skipped.count) lines skipped") }
    let questions = sample(of: file.questions)
    if choice != nil, !questions.contains(where: \.isCheckable) {
      throw EngineError.noCheckableAnswers(file: file.url.path)
    }
    let job = FrontierJob(
      family: text, questions: questions, data: data.lastPathComponent, threads: threads, stopsOnly: stopsOnly)
    var answerLines = Data()
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    var frontier = try job.run(
      progress: progress,
      answered: { answer in if answers != nil { answerLines += try encoder.encode(answer) + Data("\n".utf8) } })
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
  /// Quality against cost: every stitch, the stops by name, and the line of what is not dominated. Where no answer can
  /// be checked, the loss takes the place of exact match.
  func chart(title: String) -> Chart {
    let hasExactMatch = stitches.contains { $0.exactMatch != nil }
    func quality(_ row: Measurement) -> Double { hasExactMatch ? 100 * (row.exactMatch ?? 0) : row.loss }
    func point(_ row: Measurement, label: String? = nil, interval: ClosedRange<Double>? = nil) -> Series.Point {
      Series.Point(Double(row.flopsPerToken), quality(row), interval: interval, label: label)
    }
    func interval(_ row: Measurement) -> ClosedRange<Double>? {
      guard let right = row.isRight else { return nil }
      let share = BinomialInterval.wilson(right: right.count { $0 }, all: right.count)
      return 100 * share.lowerBound...100 * share.upperBound
    }
    let best = Hypervolume.frontier(
      stitches.map { .init(cost: Double($0.flopsPerToken), quality: hasExactMatch ? quality($0) : -$0.loss) })
    return Chart(
      title: title, x: Axis("FLOPs per token", scale: .log10),
      y: Axis(
        hasExactMatch ? "exact match, % of \(questions) questions in \(data)" : "loss, nats per token of \(data)"),
      series: [
        Series("not dominated", best.map { point(stitches[$0]) }, marker: .none, line: .staircase, colour: 2),
        Series(
          hasExactMatch ? "stops, with 95 % intervals" : "stops",
          stitches.filter(\.isStop).map { point($0, label: $0.id, interval: interval($0)) }, colour: 0),
        Series("other stitches", stitches.filter { !$0.isStop }.map { point($0) }, marker: .ring, colour: 1),
      ])
  }
}
