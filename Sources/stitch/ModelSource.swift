import ArgumentParser
import ChatEngine
import Foundation
import LLaMAStitch
import Tokenizer

/// Which network a command works on.
struct ModelArguments: ParsableArguments {
  @Option(help: ArgumentHelp("A family of models.", valueName: "directory"))
  var family: String?

  @Option(help: ArgumentHelp("A stitch of the family (see 'stitch family show'); the largest stop if absent.", valueName: "id"))
  var stitch: String?

  @Option(help: ArgumentHelp("A single model, a Hugging Face directory.", valueName: "directory"))
  var model: String?

  @Option(help: ArgumentHelp("Threads to compute with; results do not depend on it.", valueName: "n"))
  var threads: Int?

  func validate() throws {
    if model != nil && (family != nil || stitch != nil) {
      throw ValidationError("--model does not go with --family or --stitch")
    }
    if let threads, threads < 1 { throw ValidationError("--threads must be at least 1, not \(threads)") }
  }

  /// Workers for inference.
  var pool: ComputePool { threads.map { ComputePool(threads: $0) } ?? .shared }
}

/// A network with the tokenizer and the chat template that belong to it.
struct ModelSource {
  let network: Network
  let tokenizer: SentencePieceTokenizer
  let template: ChatTemplate
  /// What begins a text, if the model was trained with anything.
  let bosToken: Int?
  /// What the configuration says ends a text, and what the tokenizer says.
  let endTokens: Set<Int>
  /// The directory, for messages and reports.
  let directory: String
  /// The stitch's id, in a family.
  let stitch: String?

  init(_ arguments: ModelArguments) throws {
    if let model = arguments.model {
      try self.init(model: model)
    } else {
      try self.init(family: arguments.family ?? DefaultFamily.directory(), stitch: arguments.stitch)
    }
  }

  /// A plain model directory.
  private init(model path: String) throws {
    let directory = URL(fileURLWithPath: path)
    let model = try LlamaModel.load(directory: directory)
    try self.init(
      network: model.network(), configuration: model.configuration,
      tokenizer: SentencePieceTokenizer(model: path), template: Self.template(of: directory), directory: path,
      stitch: nil)
  }

  /// A stitch of a family, with the family's own adapter if it has one.
  private init(family path: String, stitch id: String?) throws {
    let family = try Family(URL(fileURLWithPath: path))
    let wanted = id == "auto" ? nil : id
    // A family has its anchors at least, so there is a last stop.
    let stitch = try wanted.map { try family.stitch($0) } ?? family.stops.last ?? family.stitches[family.stitches.count - 1]
    let name = family.description.chatTemplate
    guard let kind = ChatTemplate.Kind(rawValue: name) else {
      throw ModelSourceError.unknownTemplate(name: name, directory: path)
    }
    try self.init(
      network: family.network(stitch.route, adapter: family.ownAdapter()),
      configuration: family.anchors[stitch.route.start].configuration,
      tokenizer: SentencePieceTokenizer(file: family.tokenizerFile.path), template: ChatTemplate(kind),
      directory: path, stitch: stitch.id)
  }

  private init(
    network: Network, configuration: LlamaConfiguration, tokenizer: SentencePieceTokenizer, template: ChatTemplate,
    directory: String, stitch: String?
  ) throws {
    guard tokenizer.vocabularySize <= network.embedding.rows else {
      throw ModelSourceError.foreignTokenizer(
        pieces: tokenizer.vocabularySize, rows: network.embedding.rows, tokenizer: tokenizer.source,
        directory: directory)
    }
    self.network = network
    self.tokenizer = tokenizer
    self.template = template
    bosToken = configuration.bosToken ?? tokenizer.bosToken
    endTokens = Set(configuration.eosTokens + [tokenizer.eosToken].compactMap { $0 })
    self.directory = directory
    self.stitch = stitch
  }

  /// The tokens of plain text, after the token that begins a text.
  func tokens(of text: [UInt8]) -> [Int] { (bosToken.map { [$0] } ?? []) + tokenizer.encode(bytes: text) }

  /// The template that a model directory names in `tokenizer_config.json`: one of ours by name, or Llama 2's by the
  /// marks in its text. Alpaca's where it names none that we know.
  private static func template(of directory: URL) -> ChatTemplate {
    struct Named: Decodable { var chat_template: String? }
    let file = directory.appendingPathComponent("tokenizer_config.json")
    guard FileManager.default.isReadableFile(atPath: file.path),
      let data = FileManager.default.contents(atPath: file.path),
      case .success(let named) = Result(catching: { try JSONDecoder().decode(Named.self, from: data) }),
      let text = named.chat_template
    else { return ChatTemplate(.alpaca) }
    if let kind = ChatTemplate.Kind(rawValue: text) { return ChatTemplate(kind) }
    return ChatTemplate(text.contains("[INST]") ? .llama2 : .alpaca)
  }
}

/// The family of commands that name none.
enum DefaultFamily {
  static let variable = "STITCH_FAMILY"

  /// `$STITCH_FAMILY`, then `weights/tiny` below the current directory, then beside the installed program.
  static func directory() throws -> String {
    if let named = ProcessInfo.processInfo.environment[variable], !named.isEmpty { return named }
    let program = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()
    let candidates = [
      URL(fileURLWithPath: "weights/tiny"),
      program.appendingPathComponent("weights/tiny"),
      program.deletingLastPathComponent().appendingPathComponent("share/stitch/weights/tiny"),
    ]
    for candidate in candidates
    where FileManager.default.fileExists(atPath: candidate.appendingPathComponent("family.json").path) {
      return candidate.path
    }
    throw ModelSourceError.noDefaultFamily
  }
}

/// Why a model cannot be used, beyond what the libraries report.
enum ModelSourceError: Error, CustomStringConvertible {
  case foreignTokenizer(pieces: Int, rows: Int, tokenizer: String, directory: String)
  case unknownTemplate(name: String, directory: String)
  case noDefaultFamily

  var description: String {
    switch self {
    case .foreignTokenizer(let pieces, let rows, let tokenizer, let directory):
      "\(tokenizer) has \(pieces) pieces, but the embedding of \(directory) has \(rows) rows; use the tokenizer.model that belongs to the weights"
    case .unknownTemplate(let name, let directory):
      "\(directory)/family.json names the chat template “\(name)”, which does not exist; use one of \(ChatTemplate.Kind.allCases.map(\.rawValue).joined(separator: ", "))"
    case .noDefaultFamily:
      "no model family found in $\(DefaultFamily.variable), weights/tiny or beside the program; name one with --family, or a model with --model"
    }
  }
}
