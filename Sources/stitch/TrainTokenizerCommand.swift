import ArgumentParser
import Foundation
import Tokenizer
import Workflows

/// `stitch train-tokenizer`: a new SentencePiece model from text.
struct TrainTokenizer: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "train-tokenizer", abstract: "Train a SentencePiece tokenizer (BPE) from text.",
    discussion: """
      Digits are split, characters without a piece are spelled in bytes, and a newline is a piece of its own. The same \
      data and options make the same file. Data is plain text, or JSON Lines with 'text', 'messages' or the other \
      formats that 'stitch adapt' takes.
      """)

  @Option(parsing: .upToNextOption, help: ArgumentHelp("Plain text or JSON Lines.", valueName: "file"))
  var data: [String]

  @Option(help: ArgumentHelp("Number of pieces, special ones and 256 bytes included.", valueName: "n"))
  var vocabularySize: Int

  @Option(help: ArgumentHelp("The model to write, usually \(SentencePieceTokenizer.fileName).", valueName: "file"))
  var output: String

  @Option(
    name: .customLong("control-symbol"),
    help: ArgumentHelp("A piece that text never encodes to, such as <|user|>; may be repeated.", valueName: "symbol"))
  var controlSymbols: [String] = []

  @Option(help: ArgumentHelp("Longest piece, in characters.", valueName: "n"))
  var maximumPieceLength = 16

  func run() throws {
    try TokenizerTrainingJob(
      dataFiles: data.map { URL(filePath: $0) },
      trainer: SentencePieceTrainer(
        vocabularySize: vocabularySize, controlSymbols: controlSymbols, maximumPieceLength: maximumPieceLength),
      output: output
    ).run(note: { Console.complain($0) })
  }
}
