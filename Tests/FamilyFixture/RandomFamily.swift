import Foundation
import LLaMAStitch
import Support
import Tokenizer

/// A family of two small anchors with random weights, made anew for a test: it says nonsense, quickly.
public enum RandomFamily {
  public static let vocabularySize = 320
  /// `small`, three stitches into `large`, `large`.
  public static let stitchIDs = ["small", "small-large@3", "small-large@2", "small-large@1", "large"]

  /// Writes the family to `directory`, which must not exist.
  /// - Parameters:
  ///   - width: of the smaller anchor; the larger is half as wide again. Wide ones are slow.
  ///   - pieces: take the place of as many pieces of the tokenizer, so that replies are full of them.
  @discardableResult
  public static func make(
    at directory: URL, contextLength: Int = 128, width: Int = 32, name: String = "random",
    pieces: [String] = []
  ) throws -> Family {
    let scratch = directory.deletingLastPathComponent().appendingPathComponent("anchors-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: scratch, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: scratch) }
    let tokenizer = try SentencePieceTrainer(
      vocabularySize: vocabularySize, controlSymbols: ["<|system|>", "<|user|>", "<|assistant|>"]
    ).train(sentences)
    let vocabulary = try vocabulary(tokenizer, with: pieces)
    let anchors = try [("small", 2, width, 1 as UInt64), ("large", 4, width * 3 / 2, 2)].map {
      name, blocks, hidden, seed in
      let url = scratch.appendingPathComponent(name)
      try writeAnchor(at: url, width: hidden, blocks: blocks, contextLength: contextLength, seed: seed)
      return FamilyBuilder.Anchor(name: name, directory: try ModelDirectory(url))
    }
    let builder = try FamilyBuilder(
      anchors, options: .init(name: name, chatTemplate: "tiny"), pool: ComputePool(threads: 1))
    var random = SeededGenerator(seed: 9)
    let calibration = (0..<24).map { _ in [1] + (0..<40).map { _ in Int32(random.index(below: vocabularySize)) } }
    return try builder.build(
      calibration: calibration, tokenizer: [SentencePieceTokenizer.fileName: Data(vocabulary)], output: directory)!
  }

  private static func vocabulary(_ tokenizer: [UInt8], with texts: [String]) throws -> [UInt8] {
    if texts.isEmpty { return tokenizer }
    var vocabulary = try SentencePieceVocabulary(SentencePieceTokenizer(modelBytes: tokenizer, source: "random"))
    let places = vocabulary.pieces.indices.filter { vocabulary.pieces[$0].kind == .normal }
    precondition(texts.count <= places.count, "there are \(places.count) pieces to replace")
    for (place, text) in zip(places, texts) { vocabulary.pieces[place].text = Array(text.utf8) }
    return vocabulary.modelBytes
  }

  /// Writes one anchor, without a tokenizer.
  public static func writeAnchor(
    at url: URL, width: Int = 48, blocks: Int = 4, contextLength: Int = 128, vocabularySize: Int = vocabularySize,
    seed: UInt64 = 2
  ) throws {
    try write(
      LlamaConfiguration(
        vocabularySize: vocabularySize, hiddenSize: width, intermediateSize: 2 * width, blockCount: blocks,
        headCount: 4, keyValueHeadCount: 2, contextLength: contextLength, tiedEmbeddings: true),
      seed: seed, to: url)
  }

  private static func write(_ configuration: LlamaConfiguration, seed: UInt64, to url: URL) throws {
    var random = SeededGenerator(seed: seed)
    var weights: [LlamaTensor: VectorView] = [:]
    for tensor in configuration.tensorShapes {
      let isNorm = tensor.shape.count == 1
      let scale = 1 / Double(tensor.shape.last!).squareRoot()
      // The embedding is the head too: a wide spread makes texts that do not repeat one token.
      let isEmbedding = tensor.tensor == .embedding
      let spread = isEmbedding ? 1 : scale
      let count = tensor.shape.reduce(1, *)
      var values = (0..<count).map { _ in isNorm ? 1 : Float(random.normal() * spread) }
      // Markers are unlikely, so that replies are long.
      if isEmbedding { for index in 0..<markerCount * tensor.shape[1] { values[index] *= 0.02 } }
      weights[tensor.tensor] = FloatBuffer(values).vector
    }
    try ModelDirectory.write(to: url, configuration: configuration) { weights[$0]! }
  }

  /// `<unk>`, `<s>`, `</s>` and the three roles are the first pieces.
  private static let markerCount = 6

  private static let sentences = [
    "hello there, how are you?", "the cat sat on the mat", "what is two and two?", "it is four", "say hello",
    "one two three four five", "the sun is bright and the sea is blue", "who are you?", "a chatbot of many sizes",
  ]

  /// Instruction data in the OpenAI style, one example a line.
  public static func lesson(count: Int = 40) -> String {
    (0..<count).map { index in
      #"{"messages":[{"role":"user","content":"say \#(index)"},{"role":"assistant","content":"hello \#(index)"}]}"#
    }.joined(separator: "\n") + "\n"
  }
}
