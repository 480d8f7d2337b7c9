import ArgumentParser
import ChatEngine
import Foundation
import LLaMAStitch

struct FrontierCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "frontier", abstract: "Measure cost and quality of every stitch of a family.",
    discussion: """
      Data: JSON Lines with `messages` and `answer`, and `kind` if wanted. A reply counts as right if its text \
      equals the answer.
      """)

  @Option(help: "The family directory.") var family: String
  @Option(help: "Questions with known answers.") var data: String
  @Option(help: "At most so many questions, taken evenly from the file.") var questions: Int?
  @Flag(help: "Only the slider's stops.") var stops = false
  @Flag(help: "Write frontier.json into the family.") var write = false
  @Flag(help: "Drop stops that a cheaper one beats by more than noise from the slider; implies --write.") var chooseStops = false
  @Flag(help: "One JSON document on standard output.") var json = false
  @Option(help: "Write the wrong replies to this file (JSON Lines).") var wrong: String?
  @Option(help: "Threads.") var threads = 2

  func validate() throws {
    try Check.threads(threads)
    if let questions { try Check.range("--questions", questions, 1...Int.max) }
  }

  func run() throws {
    let text = try TextFamily(URL(fileURLWithPath: family))
    let file = try QuestionFile(URL(fileURLWithPath: data))
    let meter = ProgressMeter()
    for record in file.skipped.prefix(5) { meter.note("\(data), \(record) (skipped)") }
    if !file.skipped.isEmpty { meter.note("\(data): \(file.skipped.count) lines skipped") }
    var chosen = file.questions
    if let questions, questions < chosen.count {
      chosen = (0..<questions).map { file.questions[$0 * file.questions.count / questions] }
    }
    let job = FrontierJob(
      family: text, questions: chosen, data: file.url.lastPathComponent, threads: threads, stopsOnly: stops)
    struct Wrong: Encodable {
      var stitch: String
      var kind: String
      var question: String
      var answer: String
      var reply: String
    }
    var wrongLines = Data()
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    let frontier = try job.run(
      progress: { meter.note("\($0.id): exact match \(ProgressMeter.fixed(100 * $0.exactMatch, 1)) %, loss \(ProgressMeter.fixed($0.loss, 4))") },
      wrong: { stitch, question, reply in
        guard wrong != nil else { return }
        let line = Wrong(
          stitch: stitch, kind: question.kind, question: question.messages.last!.content, answer: question.answer,
          reply: reply)
        if let data = try? encoder.encode(line) { wrongLines += data + Data("\n".utf8) }
      })
    if let wrong {
      try AtomicFile.write(wrongLines, to: URL(fileURLWithPath: wrong))
    }
    if chooseStops { try text.family.writeStops(frontier.worthwhileStops()) }
    if write || chooseStops { try frontier.marked(stops: chooseStops ? frontier.worthwhileStops() : nil).write(to: text.family) }
    if json { return try Console.write(jsonText: frontier.json) }
    var table = TextTable(["stitch", "route", "parameters", "FLOPs/token", "tok/s", "loss", "exact match", "stop"])
    for row in frontier.stitches {
      table.add([
        row.id, row.route, Quantity.short(row.parameters), Quantity.short(row.flopsPerToken),
        String(Int(row.tokensPerSecond)), ProgressMeter.fixed(row.loss, 4),
        ProgressMeter.fixed(100 * row.exactMatch, 1) + " %", row.isStop ? "●" : "",
      ])
    }
    try Console.write(text: table.text)
  }
}
