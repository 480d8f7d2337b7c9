import ArgumentParser
import ChatEngine
import Foundation
import LLaMAStitch
import Workflows

// Options that several commands share.

// MARK: - Which network

/// Which family, and which of its networks: shared by the commands that run one.
struct FamilyOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "The family (default: $STITCH_FAMILY, then weights/smollm2 if its model was pulled, then weights/tiny, then those installed with the program).",
      valueName: "directory"))
  var family: String?

  @Option(
    help: ArgumentHelp(
      "The stitch to use, such as small or small-large@3; see 'stitch family show' (default: the best stop).",
      valueName: "id"))
  var stitch: String?

  @Option(
    help: ArgumentHelp(
      "Which adapter: own (the family's, the default), latest (of the snapshots that training made), none, or the beginning of a snapshot's hash.",
      valueName: "adapter"))
  var adapter: String?

  /// The family's directory, ready to be opened.
  func directory() throws -> URL { try Self.directory(of: family) }

  /// The directory of a family, or without a name of the default one, ready to be opened.
  static func directory(of family: String?) throws -> URL { try ready(FamilyLocator().locate(family)) }

  /// A family that can be opened: the models of one that is kept without weights are packed if need be.
  static func ready(_ directory: URL) throws -> URL {
    let meter = ProgressMeter()
    defer { meter.end() }
    try ModelStore().makeReady(directory) { meter.show($0) }
    return directory
  }

  func adapterChoice() throws -> AdapterChoice { try adapter.map { try AdapterChoice($0) } ?? .own }

  /// The stitch that was named; `nil` for the best stop.
  var stitchID: String? { stitch == "auto" ? nil : stitch }

  /// Whether anything about a family was given.
  var isNamed: Bool { family != nil || stitch != nil || adapter != nil }
}

/// A single model: shared by the commands that take one.
struct ModelOption: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "A single model: a Hugging Face directory, a GGUF file, or a name from 'stitch models list'.",
      valueName: "model"))
  var model: String?

  func check(with family: FamilyOptions) throws {
    if model != nil && family.isNamed {
      throw ValidationError("--model does not go with --family, --stitch or --adapter")
    }
  }

  /// The model's directory, packed if need be; `nil` where none is named.
  /// - Parameter asFamily: whether it is opened as a family of one.
  func directory(asFamily: Bool = false) throws -> URL? { try Self.directory(of: model, asFamily: asFamily) }

  static func directory(of model: String?, asFamily: Bool) throws -> URL? {
    guard let model else { return nil }
    let meter = ProgressMeter()
    defer { meter.end() }
    return try ModelStore().directory(of: model, asFamily: asFamily) { meter.show($0) }
  }
}

extension ProgressMeter {
  /// How far a model is on its way.
  fileprivate func show(_ progress: ModelStore.Progress) {
    switch progress {
    case .hashing(let file, let done, let all):
      // Small files are done before anybody reads a line.
      if all > 1 << 30 { share("reading \(file), once", done, of: all) }
    case .packing(let file, let done, let all): share("packing \(file), once", done, of: all)
    }
  }
}

/// Which network a command works on.
struct ModelArguments: ParsableArguments {
  @OptionGroup var family: FamilyOptions
  @OptionGroup var cache: CacheOptions

  @OptionGroup var single: ModelOption

  @Option(help: ArgumentHelp("Threads to compute with; results do not depend on it.", valueName: "n"))
  var threads: Int?

  func validate() throws {
    try single.check(with: family)
    if let threads { try Check.threads(threads) }
  }

  var cacheType: CacheType { cache.cache ?? .f32 }

  /// Opens the model or the family that was named, or the default family.
  func open() throws -> ModelSource {
    if let model = try single.directory() { return try ModelSource(model: model.path) }
    return try ModelSource(
      family: try family.directory(), stitch: family.stitchID, adapter: try family.adapterChoice())
  }

  /// Workers for inference.
  var pool: ComputePool { threads.map { ComputePool(threads: $0) } ?? .shared }
}

/// How keys and values are kept: shared by the commands that make replies.
struct CacheOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "How keys and values are kept: f32, or f16 in half the memory, where a reply may differ in a token now and then (default: f32).",
      valueName: "type"))
  var cache: CacheType?
}

extension CacheType: ExpressibleByArgument {}

// MARK: - How tokens are chosen

/// How tokens are chosen in one reply. What is not given is as the model's `generation_config.json` has it.
struct SamplingArguments: ParsableArguments {
  @Option(
    help: ArgumentHelp("Longest reply, in tokens (default: until the model ends it, with --raw 256).", valueName: "n"))
  var maxTokens: Int?

  @OptionGroup var choice: ChoiceArguments

  func validate() throws {
    if let maxTokens, maxTokens < 0 { throw ValidationError("--max-tokens must be 0 or more, not \(maxTokens)") }
  }
}

/// How a token is chosen. What is not given comes from elsewhere.
struct ChoiceArguments: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Randomness; 0 always takes the most likely token (default: the model's, or 0).", valueName: "t"))
  var temperature: Double?

  @Option(
    help: ArgumentHelp("Choose among the k most likely tokens; 0 is all (default: the model's, or 0).", valueName: "k"))
  var topK: Int?

  @Option(
    help: ArgumentHelp(
      "Choose among the most likely tokens that have this probability together (default: the model's, or 1).",
      valueName: "p"))
  var topP: Double?

  @Option(
    help: ArgumentHelp(
      "Leave out tokens less likely than this fraction of the most likely one (default: the model's, or 0).",
      valueName: "p"))
  var minP: Double?

  @Option(
    help: ArgumentHelp(
      "Above 1 discourages tokens that are already there (default: the model's, or 1).", valueName: "r"))
  var repetitionPenalty: Double?

  @Option(help: ArgumentHelp("The same seed gives the same replies (default: 0).", valueName: "n"))
  var seed: UInt64?

  /// What is given in place of `defaults`.
  func options(over defaults: SamplingOptions = SamplingOptions()) -> SamplingOptions {
    SamplingOptions(
      temperature: temperature ?? defaults.temperature, topK: topK ?? defaults.topK, topP: topP ?? defaults.topP,
      minP: minP ?? defaults.minP, repetitionPenalty: repetitionPenalty ?? defaults.repetitionPenalty,
      seed: seed ?? defaults.seed)
  }

  func validate() throws {
    do { try options().validate() } catch { throw ValidationError("--\(error)") }
  }
}

/// How tokens are chosen in a chat. What is not given comes from the configuration file, or else from the model.
struct ChatSamplingArguments: ParsableArguments {
  @Option(help: ArgumentHelp("Longest reply, in tokens (default: until the model ends it).", valueName: "n"))
  var maxTokens: Int?

  @OptionGroup var choice: ChoiceArguments

  func validate() throws {
    if let maxTokens, maxTokens < 1 { throw ValidationError("--max-tokens must be 1 or more, not \(maxTokens)") }
  }

  func apply(to options: inout ReplyOptions) {
    let limits = (options.maxTokens, options.overflow)
    options = ReplyOptions(choice.options(over: options.sampling))
    (options.maxTokens, options.overflow) = (maxTokens ?? limits.0, limits.1)
  }
}

// MARK: - Values

extension ElementType {
  /// The value of `--quantize`.
  init(option: String) throws {
    guard let type = ElementType(rawValue: option.uppercased()), type.isUsable || type.isQuantized else {
      throw ValidationError("--quantize must be f32, f16, bf16, q8_0, q4_1 or q4_0, not \(option)")
    }
    self = type
  }
}

/// Checks of what options say, in words that tell what is allowed.
enum Check {
  /// - Parameter option: as the user writes it, such as `--threads`.
  static func range(_ option: String, _ value: Int, _ allowed: ClosedRange<Int>) throws {
    if !allowed.contains(value) {
      throw ValidationError("\(option) must be \(allowed.lowerBound) … \(allowed.upperBound), not \(value)")
    }
  }

  static func threads(_ value: Int) throws { try range("--threads", value, 1...1024) }

  static func positive(_ option: String, _ value: Double) throws {
    if !(value > 0 && value.isFinite) { throw ValidationError("\(option) must be a positive number, not \(value)") }
  }
}
