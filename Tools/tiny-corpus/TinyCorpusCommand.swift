import ArgumentParser
import Foundation
import TinyCorpus

/// Writes and checks the corpus of the default family.
@main
struct TinyCorpusCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "tiny-corpus", abstract: "Write and check the corpus of the default family.",
    subcommands: [Generate.self, Check.self, Lessons.self], defaultSubcommand: Generate.self)
}

struct Generate: ParsableCommand {
  static let configuration = CommandConfiguration(abstract: "Write the corpus into a directory.")

  @Option(help: "Directory to write to.") var output: String
  @Option(help: "Seed of the generator.") var seed: UInt64 = 1
  @Option(help: "Rough number of pretraining tokens.") var pretrainTokens = CorpusOptions().pretrainTokens

  func run() throws {
    let corpus = Corpus(options: CorpusOptions(seed: seed, pretrainTokens: pretrainTokens))
    for file in try CorpusWriter(directory: URL(fileURLWithPath: output)).write(corpus) {
      print("\(file.name): \(file.records) records, \(file.bytes) bytes")
    }
  }
}

struct Check: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Verify that no training file gives away a validation or test question.")

  @Argument(help: "Directory of a corpus.") var directory: String

  func run() throws {
    let report: CorpusCheck.Report
    do {
      report = try CorpusCheck(directory: URL(fileURLWithPath: directory)).run()
    } catch {
      FileHandle.standardError.write(Data("tiny-corpus: \(error)\n".utf8))
      throw ExitCode(2)
    }
    for violation in report.violations.prefix(50) { print(violation) }
    print(
      "\(report.questions) questions against \(report.trainingRecords) training records: "
        + (report.isClean ? "clean" : "\(report.violations.count) violations"))
    if !report.isClean { throw ExitCode(1) }
  }
}

struct Lessons: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Write the lessons: small data sets to teach the default family live.")

  @Option(help: "Directory to write to.") var output: String

  func run() throws {
    for file in try Lesson.write(to: URL(fileURLWithPath: output)) { print(file) }
  }
}
