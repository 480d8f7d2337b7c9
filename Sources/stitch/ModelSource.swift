import ArgumentParser
import ChatEngine
import Foundation
import LLaMAStitch
import Tokenizer

/// Which network a command works on.
struct ModelArguments: ParsableArguments {
  @OptionGroup var family: FamilyOptions
  @OptionGroup var cache: CacheOptions

  @Option(help: ArgumentHelp("A single model, a Hugging Face directory.", valueName: "directory"))
  var model: String?

  @Option(help: ArgumentHelp("Threads to compute with; results do not depend on it.", valueName: "n"))
  var threads: Int?

  func validate() throws {
    if model != nil && family.isNamed {
      throw ValidationError("--model does not go with --family, --stitch or --adapter")
    }
    if let threads { try Check.threads(threads) }
  }

  var cacheType: CacheType { cache.cache ?? .f32 }

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
      try self.init(arguments.family)
    }
  }

  /// A plain model directory.
  private init(model path: String) throws {
    let directory = URL(fileURLWithPath: path)
    let model = try LlamaModel.load(directory: directory)
    let tokenizer = try SentencePieceTokenizer(model: path)
    try tokenizer.checkFits(model.configuration, model: path)
    self.init(
      network: model.network(), configuration: model.configuration, tokenizer: tokenizer,
      template: Self.template(of: directory), directory: path, stitch: nil)
  }

  /// A stitch of a family.
  private init(_ options: FamilyOptions) throws {
    let text = try TextFamily(options.directory())
    let stitch = try text.stitch(options.stitchID)
    let adapter = try text.adapter(options.adapterChoice(), store: text.adapterStore())
    self.init(
      network: text.family.network(stitch.route, adapter: adapter),
      configuration: text.family.anchors[stitch.route.start].configuration, tokenizer: text.tokenizer,
      template: text.template, directory: text.family.directory.path, stitch: stitch.id)
  }

  private init(
    network: Network, configuration: LlamaConfiguration, tokenizer: SentencePieceTokenizer, template: ChatTemplate,
    directory: String, stitch: String?
  ) {
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
