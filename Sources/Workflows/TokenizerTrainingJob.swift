import ChatEngine
import Foundation
import Tokenizer

/// `stitch train-tokenizer`: text and conversations in, a SentencePiece model out.
public struct TokenizerTrainingJob {
  public var dataFiles: [URL]
  public var trainer: SentencePieceTrainer
  /// The model to write.
  public var output: String

  public init(dataFiles: [URL], trainer: SentencePieceTrainer, output: String) {
    self.dataFiles = dataFiles
    self.trainer = trainer
    self.output = output
  }

  /// - Parameter note: told of what was left out.
  public func run(note: (String) -> Void) throws {
    var sentences: [String] = []
    for file in dataFiles {
      let content = try DataFile(file)
      if let first = content.skipped.first {
        note("\(file.relativePath): left out \(content.skipped.count) records, the first being \(first)")
      }
      for record in content.records {
        switch record {
        // The library learns from lines; a whole text would be cut at its limit on their length.
        case .text(let text): sentences += text.split(whereSeparator: \.isNewline).map(String.init)
        case .conversation(let messages): sentences += messages.map(\.content)
        case .request(let request): sentences += request.texts
        }
      }
    }
    try trainer.train(sentences, output: output)
  }
}
