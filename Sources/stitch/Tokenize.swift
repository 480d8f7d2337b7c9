import ArgumentParser
import Tokenizer

/// `stitch tokenize`: text to token ids and back.
struct Tokenize: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Print the token ids of a text, or the text of token ids.",
    discussion: """
      Ids are separated by spaces; no begin-of-sequence token is added. Standard input is taken byte for byte, final \
      newline included.
      """)

  @Argument(help: "The text, or the ids with --decode; standard input if absent.")
  var text: String?

  @Option(help: ArgumentHelp("A model's directory, or its tokenizer.model.", valueName: "directory"))
  var model: String

  @Flag(help: "Turn ids into text.")
  var decode = false

  func run() throws {
    let tokenizer = try SentencePieceTokenizer(model: model)
    let input = try text.map { Array($0.utf8) } ?? Console.readStandardInput()
    if decode {
      try Console.write(text: tokenizer.decode(Self.ids(input)))
    } else {
      let ids = tokenizer.encode(bytes: input)
      try Console.write(Array((ids.map(String.init).joined(separator: " ") + "\n").utf8))
    }
  }

  /// Ids separated by white space.
  private static func ids(_ input: [UInt8]) throws(CommandError) -> [Int] {
    var ids: [Int] = []
    for word in String(decoding: input, as: UTF8.self).split(whereSeparator: \.isWhitespace) {
      guard let id = Int(word) else {
        throw .malformed("'\(word.prefix(40))' is not a token id", expected: "give numbers separated by spaces")
      }
      ids.append(id)
    }
    return ids
  }
}
