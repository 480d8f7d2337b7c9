import ArgumentParser
import ChatEngine
import Forms
import Foundation
import LLaMAStitch
import Support
import Tokenizer
import Workflows

// MARK: - Ask

/// `stitch ask`: one reply.
struct Ask: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "ask", abstract: "Print one reply to a prompt.",
    discussion: """
      The prompt is put into the model's chat template. With --raw it is continued as it is, after the token that \
      begins a text if the model's tokenizer puts one there, and printed together with its continuation. Standard input \
      is taken byte for byte; a file or what another program writes there comes after a prompt that is given, and an empty \
      line. Files of --file stand between the two, each with its name.
      """)

  @Argument(help: "The prompt, before what standard input holds.")
  var prompt: String?

  @OptionGroup var source: ModelArguments
  @OptionGroup var sampling: SamplingArguments

  @Flag(help: "Continue the text, without a chat template.")
  var raw = false

  @Flag(help: "Print one JSON document at the end instead of streaming.")
  var json = false

  @OptionGroup var form: FormOptions

  @Option(
    name: .customLong("file"),
    help: ArgumentHelp("A file of text that goes with the prompt; may be given again.", valueName: "path"),
    completion: .file())
  var files: [String] = []

  @Flag(help: "Send the beginning of files that are longer than the context, instead of refusing them.")
  var cutFiles = false

  func validate() throws {
    if raw && !files.isEmpty { throw ValidationError("--file does not go with --raw") }
    if cutFiles && files.isEmpty { throw ValidationError("--cut-files goes with --file") }
  }

  func run() throws {
    let attached = try files.map { path throws(AttachmentError) in try AttachedFile(reading: path) }
    let input = try input()
    let form = try form.form()
    let model = try source.open()
    let bytes =
      attached.isEmpty
      ? Array([input.words, input.given].filter { !$0.isEmpty }.joined(separator: Array("\n\n".utf8)))
      : try fit(attached, input, model)
    var options = ModelSource.ReplyOptions()
    options.isRaw = raw
    if let maxTokens = sampling.maxTokens ?? (raw ? 256 : nil) { options.maxTokens = maxTokens }
    let defaults = try GenerationDefaults.read(in: URL(fileURLWithPath: model.directory))
    options.sampling = sampling.choice.options(over: defaults?.sampling ?? SamplingOptions())
    options.cacheType = source.cacheType
    options.form = form
    var output = ReplyOutput(isQuiet: json)
    let (text, result) = try model.reply(to: bytes, options: options, pool: source.pool) { try output.write($0) }
    try output.end()
    if json { try Console.write(json: Report(self, model, text: text, result)) }
    if form != nil && result.finishReason != .stopToken {
      Console.complain(
        "the reply was cut off after \(result.tokens.count) tokens, before it was whole; raise --max-tokens")
      throw ExitCode.failure
    }
  }

  private func input() throws -> (words: [UInt8], given: [UInt8]) {
    guard prompt != nil || !files.isEmpty else { return ([], try Console.readStandardInput()) }
    let given = Console.hasPipedInput ? try Console.readStandardInput() : []
    if prompt == nil && given.allSatisfy({ $0 <= 0x20 }) {
      throw ValidationError("give a prompt: what to do with the file")
    }
    return (Array((prompt ?? "").utf8), given)
  }

  /// The prompt with the files, whose sizes somebody who watches is told.
  private func fit(
    _ files: [AttachedFile], _ input: (words: [UInt8], given: [UInt8]), _ model: ModelSource
  ) throws -> [UInt8] {
    let (bytes, sent) = try model.prompt(
      input.words, files: files, rest: input.given, maxTokens: sampling.maxTokens, cutsFiles: cutFiles)
    for file in files {
      guard let now = sent.first(where: { $0.path == file.path }) else {
        Console.complain("\(file.name) is left out: nothing of it fits")
        continue
      }
      let line = "\(file.name), \(file.bytes) bytes, \(now.tokens.count) tokens\(now.isCut ? " of its beginning" : "")"
      if now.isCut || isatty(STDERR_FILENO) == 1 { Console.log("\(Console.harmless(line))\n") }
    }
    return bytes
  }

  private struct Report: Encodable {
    let directory: String
    let stitch: String?
    let text: String
    let tokens: [Int]
    let finishReason: String
    let promptTokens: Int
    let seed: UInt64
    let prefillTokensPerSecond: Double
    let decodeTokensPerSecond: Double

    init(_ command: Ask, _ model: ModelSource, text: String, _ result: GenerationResult) {
      directory = model.directory
      stitch = model.stitch
      self.text = text
      tokens = result.tokens
      finishReason = result.finishReason.rawValue
      promptTokens = result.promptTokens
      seed = command.sampling.choice.seed ?? 0
      prefillTokensPerSecond = result.prefillSpeed
      decodeTokensPerSecond = result.decodeSpeed
    }
  }
}

/// A reply on standard output, as it comes. A terminal gets no control characters, and whole lines.
private struct ReplyOutput {
  let isQuiet: Bool
  private let isTerminal = isatty(STDOUT_FILENO) == 1
  private var endsInNewline = true

  init(isQuiet: Bool) { self.isQuiet = isQuiet }

  mutating func write(_ bytes: [UInt8]) throws {
    if isQuiet || bytes.isEmpty { return }
    guard isTerminal else { return try Console.write(bytes) }
    let text = Console.harmless(String(decoding: bytes, as: UTF8.self))
    endsInNewline = text.hasSuffix("\n")
    try Console.write(Array(text.utf8))
  }

  func end() throws {
    if isTerminal && !isQuiet && !endsInNewline { try Console.write([UInt8(ascii: "\n")]) }
  }
}

// MARK: - Score

/// `stitch score`: how well a model predicts a text.
struct Score: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "score", abstract: "Measure how well a model predicts a text.",
    discussion: """
      Prints the number of tokens, their mean negative log-likelihood (in nats) and the perplexity. If the \
      model has a token that can begin a text, that one is put before it, even if the model's tokenizer would not, and \
      is not counted: so the first token has a value, too. A text longer than the context is scored in windows that \
      overlap by half.
      """)

  @Argument(help: "The text, taken byte for byte; - is standard input.")
  var file: String

  @OptionGroup var source: ModelArguments

  @Flag(help: "Print one JSON document with the value of every token.")
  var json = false

  func run() throws {
    let text = try file == "-" ? Console.readStandardInput() : Array(MappedFile(URL(fileURLWithPath: file)).bytes.data)
    guard let report = try source.open().score(text, cacheType: source.cacheType, pool: source.pool) else {
      throw CommandError.malformed(file, expected: "there is nothing to score; name a file with some text")
    }
    if json { return try Console.write(json: report) }
    let lines = [
      "tokens      \(report.tokens)", "mean NLL    \(ProgressMeter.fixed(report.meanNll, 6))",
      "perplexity  \(ProgressMeter.fixed(report.perplexity, 4))",
    ]
    try Console.write(text: lines.joined(separator: "\n") + "\n")
  }
}

// MARK: - Tokenize

/// `stitch tokenize`: text to token ids and back.
struct Tokenize: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "tokenize", abstract: "Print the token ids of a text, or the text of token ids.",
    discussion: """
      Ids are separated by spaces; no begin-of-sequence token is added. Standard input is taken byte for byte, final \
      newline included. With --lines there are many texts: every line is a JSON string and becomes a JSON list of ids, \
      or the other way round.
      """)

  @Argument(help: "The text, or the ids with --decode; standard input if absent.")
  var text: String?

  @Option(
    help: ArgumentHelp(
      "A model (directory, GGUF file, or name from 'stitch models list'), or a tokenizer's file.", valueName: "model"))
  var model: String

  @Flag(help: "Turn ids into text.")
  var decode = false

  @Flag(help: "Take a JSON string a line and print a JSON list of ids a line, with --decode the other way round.")
  var lines = false

  func run() throws {
    let tokenizer = try ModelStore().tokenizer(of: model)
    let input = try text.map { Array($0.utf8) } ?? Console.readStandardInput()
    if lines {
      try eachLine(of: input, tokenizer)
    } else if decode {
      try Console.write(text: tokenizer.decode(Self.ids(input)))
    } else {
      let ids = try tokenizer.encode(bytes: input)
      try Console.write(Array((ids.map(String.init).joined(separator: " ") + "\n").utf8))
    }
  }

  /// Answers each line by one.
  private func eachLine(of input: [UInt8], _ tokenizer: any Tokenizer) throws {
    var output: [UInt8] = []
    // A line feed ends the last line, too.
    let lines = input.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
    for (index, line) in lines.enumerated() where !line.isEmpty || index < lines.count - 1 {
      func malformed(_ expected: String) -> CommandError { .malformed("line \(index + 1)", expected: expected) }
      let value: JSONValue
      do { value = try JSONValue(utf8: line) } catch { throw malformed("\(error)") }
      if decode {
        guard let list = value.array, case let ids = list.compactMap(\.integer), ids.count == list.count else {
          throw malformed("give a JSON list of token ids")
        }
        output += try JSONEncoder().encode(tokenizer.decode(ids))
      } else {
        guard let text = value.string else { throw malformed("give a JSON string") }
        output += "[\(try tokenizer.encode(text).map(String.init).joined(separator: ","))]".utf8
      }
      output.append(UInt8(ascii: "\n"))
      if output.count > 1 << 20 {
        try Console.write(output)
        output.removeAll(keepingCapacity: true)
      }
    }
    try Console.write(output)
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
