import ArgumentParser
import ChatEngine
import Foundation
import Tokenizer

/// `stitch train-tokenizer`: a new SentencePiece model from text.
struct TrainTokenizer: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Train a SentencePiece tokenizer (BPE) from text.",
    discussion: """
      Digits are split, characters without a piece are spelled in bytes, and a newline is a piece of its own. The same \
      data and options make the same file. Data is plain text, or JSON Lines with 'text', 'messages' or the other \
      formats that 'stitch adapt' takes.
      """)

  @Option(parsing: .upToNextOption, help: ArgumentHelp("Plain text or JSON Lines.", valueName: "file"))
  var data: [String]

  @Option(help: ArgumentHelp("Number of pieces, special ones and 256 bytes included.", valueName: "n"))
  var vocabularySize: Int

  @Option(help: ArgumentHelp("The model to write, usually tokenizer.model.", valueName: "file"))
  var output: String

  @Option(
    name: .customLong("control-symbol"),
    help: ArgumentHelp("A piece that text never encodes to, such as <|user|>; may be repeated.", valueName: "symbol"))
  var controlSymbols: [String] = []

  @Option(help: ArgumentHelp("Longest piece, in characters.", valueName: "n"))
  var maximumPieceLength = 16

  func run() throws {
    var sentences: [String] = []
    for file in data {
      let content = try DataFile(URL(filePath: file))
      if let first = content.skipped.first {
        Console.complain("\(file): left out \(content.skipped.count) records, the first being \(first)")
      }
      for record in content.records {
        switch record {
        // The library learns from lines; a whole text would be cut at its limit on their length.
        case .text(let text): sentences += text.split(separator: "\n").map(String.init)
        case .conversation(let messages): sentences += messages.map(\.content)
        }
      }
    }
    let trainer = SentencePieceTrainer(
      vocabularySize: vocabularySize, controlSymbols: controlSymbols, maximumPieceLength: maximumPieceLength)
    try trainer.train(sentences, output: output)
  }
}
