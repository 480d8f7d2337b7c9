import ArgumentParser
import ChatEngine
import Foundation
import Workflows

struct DataCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "data", abstract: "Look at training data before it is used.", subcommands: [Check.self])

  struct Check: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Count and measure the records of a data file, and name those that would be left out.",
      discussion: """
        Exit code 0 if all of it can be used, 1 if records cannot be read or are longer than the family's context.

        Example: stitch data check lessons.jsonl
        """)

    @Argument(help: "JSON Lines, a JSON array, or plain text.") var file: String
    @Option(help: ArgumentHelp("The family that is to learn it (default as for chat).", valueName: "directory"))
    var family: String?
    @Option(help: "How many lines of each kind of finding to name.") var limit = 10
    @Flag(help: "Print one JSON document.") var json = false

    func validate() throws {
      if limit < 0 { throw ValidationError("--limit must be 0 or more, not \(limit)") }
    }

    func run() throws {
      let report = try DataCheckJob(
        file: URL(fileURLWithPath: file), family: try FamilyLocator().locate(family)
      ).run()
      if json { try Console.write(json: report) } else { try Console.write(text: text(report)) }
      if !report.isClean { throw ExitCode(1) }
    }

    private func text(_ report: DataCheckJob.Report) -> String {
      let formats = report.formats.sorted { $0.key < $1.key }.map { "\($0.value) \($0.key)" }
      var lines = ["\(report.file): \(formats.joined(separator: ", ")); \(report.usable) to train on"]
      if let lengths = report.lengths {
        lines.append(
          "tokens: \(lengths.shortest) to \(lengths.longest), median \(lengths.median), \(lengths.total) together; the context of \(report.family) has \(report.contextLength)"
        )
      }
      if report.texts > 0 { lines.append("\(report.texts) without a reply, left out") }
      for (title, problems) in [
        ("cannot be read", report.unreadable), ("too long, left out", report.tooLong),
        ("said twice", report.duplicates), ("answered in two ways", report.contradictions),
      ] where !problems.isEmpty {
        lines.append("\(problems.count) \(title):")
        lines += problems.prefix(limit).map { "  \($0.line): \($0.cause)" }
        if problems.count > limit { lines.append("  and \(problems.count - limit) more") }
      }
      return lines.joined(separator: "\n") + "\n"
    }
  }
}
