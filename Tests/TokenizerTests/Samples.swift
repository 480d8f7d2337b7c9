import Foundation
import Tokenizer

/// Tokenizers to test with.
enum Samples {
  static let roleMarkers = ["<|system|>", "<|user|>", "<|assistant|>"]

  static let sentences: [String] = {
    let base = [
      "The quick brown fox jumps over the lazy dog.", "What is 12 + 30? The answer is 42.",
      "Once upon a time there was a little girl who had a red ball.", "One line\nand another line.\n",
      "Sort these words: pear, apple, fig.", "How many letters are in the word banana? Six.",
      "### Instruction: Response: Input: Is it [INST] or <</SYS>>? Be brief. And then.",
    ]
    return (0..<20).flatMap { i in base.map { "\($0) \(i)" } }
  }()

  static let trainer = SentencePieceTrainer(vocabularySize: 400, controlSymbols: roleMarkers)

  /// A tokenizer like the default family's, trained here.
  static let tiny: SentencePieceTokenizer = {
    do {
      return try SentencePieceTokenizer(modelBytes: trainer.train(sentences), source: "sample")
    } catch {
      fatalError("\(error)")
    }
  }()

  /// Real models, where they lie beside the package; their tests are skipped elsewhere.
  static let llama2 = real("llama2-tokenizer")
  static let stories = real("stories260K")

  static func temporaryDirectory() throws -> URL {
    let directory = FileManager.default.temporaryDirectory.appending(path: "tokenizer-tests-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    return directory
  }

  private static func real(_ name: String) -> SentencePieceTokenizer? {
    let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
    let file = root.deletingLastPathComponent().appending(path: "shared/data/\(name)/tokenizer.model")
    guard FileManager.default.fileExists(atPath: file.path) else { return nil }
    do {
      return try SentencePieceTokenizer(file: file.path)
    } catch {
      fatalError("\(error)")
    }
  }
}

/// Reproducible random numbers.
struct Generator: RandomNumberGenerator {
  var state: UInt64
  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}
