import ArgumentParser
import Foundation
import TinyCorpus

/// Writes and checks the corpus of the default family.
@main
struct TinyCorpusCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "tiny-corpus", abstract: "Write and check the corpus of the default family.",
    subcommands: [Generate.self], defaultSubcommand: Generate.self)
}

struct Generate: ParsableCommand {
  static let configuration = CommandConfiguration(abstract: "Write the corpus into a directory.")

  @Option(help: "Directory to write to.") var output: String
  @Option(help: "Seed of the generator.") var seed: UInt64 = 1
  @Option(help: "Rough number of pretraining tokens.") var pretrainTokens = 11_000_000

  func run() throws {
    let corpus = Corpus(options: CorpusOptions(seed: seed, pretrainTokens: pretrainTokens))
    for file in try CorpusWriter(directory: URL(fileURLWithPath: output)).write(corpus) {
      print("\(file.name): \(file.records) records, \(file.bytes) bytes")
    }
  }
}
