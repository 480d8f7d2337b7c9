import ArgumentParser
import ChatEngine
import Foundation
import LLaMAStitch
import Workflows

struct FrontierCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "frontier", abstract: "Measure cost and quality of every stitch of a family.",
    discussion: """
      Data: JSON Lines with `messages` and `answer`, and `kind` if wanted; of `messages` without `answer` the last \
      reply is the answer. A reply counts as right if its text equals the answer. Of other instruction data, and with \
      --loss-only, only the loss is measured.

      --choose-stops leaves out stops that a cheaper one dominates by more than noise (exact McNemar test on the same \
      questions, one-sided, 5 %). Choose on other questions than you report on.

      --speeds measures again only how fast replies are written, on another machine for example; quality stays as it was \
      measured. Let nothing else run meanwhile.
      """)

  enum Candidates: String, CaseIterable, ExpressibleByArgument { case picked, all }

  @Option(help: "The family directory.") var family: String
  @Option(help: "Questions with known answers.") var data: String?
  @Option(help: "At most so many questions, a sample that is always the same.") var questions: Int?
  @Flag(help: "Measure only the slider's stops.") var onlyStops = false
  @Flag(help: "Count no right answers, only the loss: for replies in free words.") var lossOnly = false
  @Flag(help: "Measure again only the speeds in the family's frontier.json; takes no --data.") var speeds = false
  @Flag(help: "Write frontier.json into the family.") var write = false
  @Flag(help: "Choose the slider's stops by what was measured; implies --write.") var chooseStops = false
  @Option(
    help: "What --choose-stops chooses from: picked (the family's stops, as adaptation picked them) or all stitches.")
  var stops: Candidates = .picked
  @Option(
    help:
      "How many stops to have if that many are no worse than the cheaper one beside them (default: 12 with --stops all)."
  )
  var minimumStops: Int?
  @Option(help: "The p value below which a stop is worse than a cheaper one (default: 0.05).") var level: Double?
  @Flag(help: "One JSON document on standard output; `right` has a 1 for each question that was right.") var json =
    false
  @Flag(help: "Print exact match by kind of question too.") var byKind = false
  @Option(help: "Draw quality against cost into this file.") var svg: String?
  @Option(help: "Write every answer to this file (JSON Lines): question, kind, stitch, reply, right, loss.")
  var answers: String?
  @Option(help: "Threads.") var threads = 2

  func validate() throws {
    try Check.threads(threads)
    if speeds {
      if data != nil || onlyStops || lossOnly || chooseStops || svg != nil || answers != nil || questions != nil {
        throw ValidationError(
          "--speeds measures nothing else; give it only --family, --write, --threads, --json and --by-kind")
      }
    } else if data == nil {
      throw ValidationError(
        "--data is missing: questions with known answers (or --speeds, to measure only speeds again)")
    }
    if let questions { try Check.range("--questions", questions, 1...Int.max) }
    if let minimumStops { try Check.range("--minimum-stops", minimumStops, 1...Int.max) }
    if let level, !(0...0.5).contains(level) { throw ValidationError("--level must be 0 to 0.5, not \(level)") }
    if !chooseStops && (stops == .all || minimumStops != nil || level != nil) {
      throw ValidationError("--stops, --minimum-stops and --level say how to choose; give --choose-stops too")
    }
    if onlyStops && stops == .all {
      throw ValidationError("--stops all needs all stitches measured; leave out --only-stops")
    }
    if lossOnly && chooseStops {
      throw ValidationError("--choose-stops needs right and wrong answers; leave out --loss-only")
    }
  }

  func run() throws {
    let meter = ProgressMeter()
    let family = try FamilyOptions.directory(of: family)
    guard let data else {
      return try report(
        FrontierReportJob.refreshSpeeds(of: family, threads: threads, writes: write) {
          meter.note("\($0.id): \(Int($0.tokensPerSecond)) tok/s")
        })
    }
    var job = FrontierReportJob(family: family, data: URL(fileURLWithPath: data), threads: threads)
    job.questions = questions
    job.stopsOnly = onlyStops
    job.lossOnly = lossOnly
    if chooseStops {
      job.choice = .init(
        amongAll: stops == .all, minimum: minimumStops ?? (stops == .all ? 12 : 1), level: level ?? 0.05)
    }
    job.writes = write || chooseStops
    job.answers = answers.map { URL(fileURLWithPath: $0) }
    job.chart = svg.map { URL(fileURLWithPath: $0) }
    try report(
      job.run(
        note: { meter.note($0) },
        progress: { meter.note("\($0.id): \(Self.quality($0))loss \(ProgressMeter.fixed($0.loss, 4))") }))
  }

  private func report(_ frontier: Frontier) throws {
    if json { return try Console.write(jsonText: frontier.json) }
    try Console.write(text: Self.table(frontier) + (byKind ? "\n" + Self.kindTable(frontier) : ""))
  }

  private static func quality(_ row: Frontier.Measurement) -> String {
    row.exactMatch.map { "exact match \(ProgressMeter.fixed(100 * $0, 1)) %, " } ?? ""
  }

  private static func table(_ frontier: Frontier) -> String {
    var table = TextTable([
      "stitch", "route", "parameters", "FLOPs/token", "bytes/token", "memory", "tok/s", "loss", "perplexity",
      "exact match",
      "stop", "against the cheaper stop",
    ])
    for row in frontier.stitches {
      table.add([
        row.id, row.route, Quantity.short(row.parameters), Quantity.short(row.flopsPerToken),
        Quantity.short(row.weightBytesPerToken ?? 0), Quantity.short(row.memoryBytes ?? 0),
        String(Int(row.tokensPerSecond)), ProgressMeter.fixed(row.loss, 4),
        row.perplexity.map { ProgressMeter.fixed($0, 3) } ?? "",
        row.exactMatch.map { ProgressMeter.fixed(100 * $0, 1) + " %" } ?? "", row.isStop ? "●" : "",
        row.againstCheaperStop.map(comparison) ?? "",
      ])
    }
    guard let all = frontier.hypervolume, let stops = frontier.stopsHypervolume else { return table.text }
    return table.text
      + "hypervolume \(ProgressMeter.fixed(all, 4)), of the stops alone \(ProgressMeter.fixed(stops, 4))\n"
  }

  private static func comparison(_ comparison: Frontier.Comparison) -> String {
    let p = comparison.pValue < 1e-4 ? "p < 0.0001" : "p = " + ProgressMeter.fixed(comparison.pValue, 4)
    return "+\(comparison.gained) −\(comparison.lost), \(p)"
  }

  private static func kindTable(_ frontier: Frontier) -> String {
    var table = TextTable(["kind", "questions"] + frontier.stitches.map(\.id))
    for (kind, count) in (frontier.kinds ?? [:]).sorted(by: { $0.key < $1.key }) {
      table.add(
        [kind, String(count)]
          + frontier.stitches.map { $0.byKind[kind].map { ProgressMeter.fixed(100 * $0, 0) + " %" } ?? "" })
    }
    return table.text
  }
}
