import ArgumentParser
import ChatEngine
import Foundation
import LLaMAStitch
import Workflows

struct FrontierCommand: DividedCommand {
  static let configuration = CommandConfiguration(
    commandName: "frontier", abstract: "Measure cost and quality of every stitch of a family.",
    discussion: """
      Data: JSON Lines, each with a `kind` if wanted. `messages` with an `answer` are a question; a reply counts as \
      right if its text equals the answer. `messages` that end in a reply, other instruction data and `text` are in \
      free words. Of the tokens of every answer, last reply and text (all but the first) the loss is measured, and how \
      far a stitch is from the dearest anchor: agreement, the share where it finds the same token most likely, and KL \
      divergence.

      --choose-stops leaves out stops that a cheaper one dominates: by right answers, those that are worse by more than \
      noise (exact McNemar test on the same questions, one-sided, 5 %); where no answer can be checked, those that \
      agree no more often with the dearest anchor, or by no more than noise (sign-flip test on the texts and replies). \
      Choose on other data than you report on.

      --speeds measures again only how fast replies are written, on another machine for example; quality stays as it was \
      measured. Let nothing else run meanwhile.
      """)

  enum Candidates: String, CaseIterable, ExpressibleByArgument { case picked, all }

  @Option(help: "The family directory.") var family: String
  @Option(help: "Questions with known answers, conversations or texts.") var data: String?
  @Option(help: "At most so many questions and texts, a sample that is always the same.") var questions: Int?
  @Flag(help: "Measure only the slider's stops.") var onlyStops = false
  @Option(help: "Measure only these stitches: ids with commas.") var stitches: String?
  @Option(
    help: "A model, by directory, GGUF file or name, to measure agreement by (default: the family's dearest anchor).")
  var reference: String?
  @Option(
    help:
      "Which adapter: own (the family's, the default), latest (of the snapshots that training made), none, or the beginning of a snapshot's hash."
  )
  var adapter: String?
  @Flag(help: "Count no right answers: for answers in free words.") var lossOnly = false
  @Flag(help: "Do not measure how fast replies are written.") var noSpeeds = false
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
  @Flag(
    help:
      "One JSON document on standard output; `right` has a 1 for each question that was right, `agreeing` for each text at how many tokens the stitch agrees."
  ) var json = false
  @Flag(help: "Print exact match, agreement and loss by kind too.") var byKind = false
  @Option(help: "Draw quality against cost into this file.") var svg: String?
  @Option(
    help:
      "Write every answer to this file (JSON Lines): question, kind, stitch, reply, right, loss, agreeing, divergence."
  )
  var answers: String?
  @Option(help: "Threads.") var threads = 2

  func validate() throws {
    try Check.threads(threads)
    if speeds {
      if data != nil || onlyStops || stitches != nil || reference != nil || lossOnly || noSpeeds || chooseStops
        || svg != nil || answers != nil
        || questions != nil || adapter != nil
      {
        throw ValidationError(
          "--speeds measures nothing else; give it only --family, --write, --threads, --json and --by-kind")
      }
    } else if data == nil {
      throw ValidationError(
        "--data is missing: questions or texts (or --speeds, to measure only speeds again)")
    }
    if let questions { try Check.range("--questions", questions, 1...Int.max) }
    if let minimumStops { try Check.range("--minimum-stops", minimumStops, 1...Int.max) }
    if let level, !(0...0.5).contains(level) { throw ValidationError("--level must be 0 to 0.5, not \(level)") }
    if !chooseStops && (stops == .all || minimumStops != nil || level != nil) {
      throw ValidationError("--stops, --minimum-stops and --level say how to choose; give --choose-stops too")
    }
    if stitches != nil && (chooseStops || write) {
      throw ValidationError("--stitches measures a part of the family, which --write and --choose-stops do not keep")
    }
    if adapter != nil && (chooseStops || write) {
      throw ValidationError("what --adapter measures is not kept in the family; leave out --write and --choose-stops")
    }
    if onlyStops && stops == .all {
      throw ValidationError("--stops all needs all stitches measured; leave out --only-stops")
    }
  }

  func run() throws {
    let meter = ProgressMeter()
    guard let data else {
      try Processes.refuseSeveral("frontier --speeds")
      let family = try FamilyOptions.directory(of: family)
      return try report(
        FrontierReportJob.refreshSpeeds(of: family, threads: threads, writes: write) {
          meter.note("\($0.id): \(Self.milliseconds($0)) ms per token")
        })
    }
    let processes = try Processes.join()
    let job = try processes.together { try self.job(data, processes) }
    let frontier = try job.run(
      note: { meter.note($0) }, compared: { meter.share("reading the texts", $0, of: $1) },
      progress: { meter.note("\($0.id): \(Self.quality($0))loss \(ProgressMeter.fixed($0.loss, 4))") })
    if processes.isFirst { try report(frontier) }
  }

  private func job(_ data: String, _ processes: any Communicator) throws -> FrontierReportJob {
    let family = try FamilyOptions.directory(of: family)
    var job = FrontierReportJob(family: family, data: URL(fileURLWithPath: data), threads: threads)
    job.questions = questions
    job.stopsOnly = onlyStops
    job.only = stitches.map { $0.split(separator: ",").map(String.init) }
    job.reference = try ModelOption.directory(of: reference, asFamily: true)
    if let adapter { job.adapter = try AdapterChoice(adapter) }
    job.lossOnly = lossOnly
    job.measuresSpeed = !noSpeeds
    if chooseStops {
      job.choice = .init(
        amongAll: stops == .all, minimum: minimumStops ?? (stops == .all ? 12 : 1), level: level ?? 0.05)
    }
    job.writes = write || chooseStops
    job.answers = answers.map { URL(fileURLWithPath: $0) }
    job.chart = svg.map { URL(fileURLWithPath: $0) }
    job.communicator = processes
    return job
  }

  private func report(_ frontier: Frontier) throws {
    if json { return try Console.write(jsonText: frontier.json) }
    try Console.write(text: Self.table(frontier) + (byKind ? "\n" + Self.kindTable(frontier) : ""))
  }

  private static func quality(_ row: Frontier.Measurement) -> String {
    let exactMatch = row.exactMatch.map { "exact match \(percent($0)), " } ?? ""
    return exactMatch + (row.agreement.map { "agreement \(percent($0)), " } ?? "")
  }

  private static func percent(_ share: Double) -> String { ProgressMeter.fixed(100 * share, 1) + " %" }

  static func milliseconds(_ row: Frontier.Measurement) -> String {
    row.millisecondsPerToken.map { ProgressMeter.fixed($0, $0 < 1 ? 3 : $0 < 10 ? 2 : 1) } ?? ""
  }

  private static func table(_ frontier: Frontier) -> String {
    let hasAnswers = frontier.stitches.contains { $0.exactMatch != nil }
    // Where there is one anchor, names say the routes.
    let showsRoutes = Set(frontier.stitches.map { $0.id.prefix { $0 != "@" } }).count > 1
    var table = TextTable(
      ["stitch"] + (showsRoutes ? ["route"] : []) + [
        "parameters", "FLOPs/token", "bytes/token", "memory", "ms/token", "tok/s", "agreement", "KL",
        "loss", "perplexity",
      ] + (hasAnswers ? ["exact match"] : []) + ["stop", "against the cheaper stop"])
    for row in frontier.stitches {
      var cells = [row.id] + (showsRoutes ? [row.route] : [])
      cells += [Quantity.short(row.parameters), Quantity.short(row.flopsPerToken)]
      cells += [Quantity.short(row.weightBytesPerToken ?? 0), Quantity.short(row.memoryBytes ?? 0)]
      cells += [milliseconds(row), row.tokensPerSecond > 0 ? String(Int(row.tokensPerSecond)) : ""]
      cells += [row.agreement.map(percent) ?? "", row.divergence.map { ProgressMeter.fixed($0, 4) } ?? ""]
      cells += [ProgressMeter.fixed(row.loss, 4), row.perplexity.map { ProgressMeter.fixed($0, 3) } ?? ""]
      if hasAnswers { cells.append(row.exactMatch.map(percent) ?? "") }
      cells += [row.isStop ? "●" : "", row.againstCheaperStop.map(comparison) ?? ""]
      table.add(cells)
    }
    guard let all = frontier.hypervolume, let stops = frontier.stopsHypervolume else { return table.text }
    return table.text
      + "hypervolume \(ProgressMeter.fixed(all, 4)), of the stops alone \(ProgressMeter.fixed(stops, 4))\n"
  }

  private static func comparison(_ comparison: Frontier.Comparison) -> String {
    let p = comparison.pValue < 1e-4 ? "p < 0.0001" : "p = " + ProgressMeter.fixed(comparison.pValue, 4)
    return "+\(comparison.gained) −\(comparison.lost), \(p)"
  }

  /// Each measure of every stitch by kind, as far as there is one.
  private static func kindTable(_ frontier: Frontier) -> String {
    let kinds = (frontier.kinds ?? [:]).sorted { $0.key < $1.key }
    func table(_ title: String, _ value: (Frontier.Measurement, String) -> String?) -> String? {
      var table = TextTable([title, "questions"] + frontier.stitches.map(\.id))
      var isEmpty = true
      for (kind, count) in kinds {
        let values = frontier.stitches.map { value($0, kind) }
        if values.allSatisfy({ $0 == nil }) { continue }
        isEmpty = false
        table.add([kind, String(count)] + values.map { $0 ?? "" })
      }
      return isEmpty ? nil : table.text
    }
    return [
      table("exact match") { row, kind in row.byKind[kind].map { ProgressMeter.fixed(100 * $0, 0) + " %" } },
      table("agreement") { row, kind in row.textsByKind?[kind].map { percent($0.agreement) } },
      table("loss") { row, kind in row.textsByKind?[kind].map { ProgressMeter.fixed($0.loss, 3) } },
    ].compactMap { $0 }.joined(separator: "\n")
  }
}
