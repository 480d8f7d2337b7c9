import ChatEngine
import ChatScript
import ChatTUI
import Conversations
import Foundation
import LLaMAStitch
import Support

/// What a chat runs with: built in, then the configuration file, then a script's header, then the command line.
public struct ChatSettings: Equatable, Sendable {
  /// `nil`: where the default family is looked for.
  public var family: String?
  public var adapter: String?
  public var stitch: String?
  public var sampling = ReplyOptions()
  /// What happens where the context is full; `nil`: the screen asks, lines of text do not.
  public var overflow: ReplyOptions.Overflow?
  public var system = ""
  public var ascii = false
  public var mouse = true
  public var color = true
  public var theme = Theme.auto
  public var keepTranscript = true
  /// Conversations are kept on disk.
  public var save = true
  /// `nil`: as many as suit the family.
  public var trainingSteps: Int?
  public var autoTarget = SpeedController.comfortable
  /// How keys and values are kept.
  public var cache = CacheType.f32
  /// The program for long texts; `nil`: `$VISUAL`, `$EDITOR`.
  public var editor: String?

  public init() {}

  // MARK: The configuration file

  public static var configurationFile: URL { UserDirectories.config.appendingPathComponent("config.yaml") }
  private static let largestFile = 1 << 20

  /// The file is none of ours.
  public struct NotAConfiguration: Error, CustomStringConvertible {
    public let file: String

    public var description: String {
      "\(file): it is not a configuration file; see 'stitch chat --print-config'"
    }
  }

  /// Takes over what the user's configuration file says; there need not be one.
  public mutating func readConfiguration(_ url: URL = configurationFile) throws {
    guard FileManager.default.fileExists(atPath: url.path) else { return }
    let file = try MappedFile(url)
    guard file.count <= Self.largestFile, let text = String(validating: file.bytes.data, as: UTF8.self) else {
      throw NotAConfiguration(file: url.path)
    }
    guard let root = try YAMLDocument.read(text, file: url.path) else { return }
    let sampling = SamplingSetting.Name.allCases.map(\.rawValue)
    let known =
      [
        "family", "adapter", "stitch", "auto", "system", "ascii", "mouse", "color", "theme", "save", "keep_transcript",
        "training_steps", "cache", "editor",
      ]
    let fields = try FieldReader(root, known: known + sampling, kind: "setting")
    let folder = url.deletingLastPathComponent()
    if let path = try fields.text("family") { family = resolvePath(path, in: folder) }
    if let name = try fields.text("adapter") {
      do { _ = try AdapterChoice(name) } catch { throw fields["adapter"]!.error("\(error)") }
      adapter = name
    }
    stitch = try fields.text("stitch") ?? stitch
    for name in sampling {
      guard let node = fields[name] else { continue }
      do {
        let setting = try SamplingSetting(name: name, value: try node.text(name))
        setting.apply(to: &self.sampling)
        if setting.name == .overflow { overflow = self.sampling.overflow }
      } catch let error as SamplingSetting.Refusal {
        throw node.error(error.description)
      }
    }
    autoTarget = try fields.positive("auto") ?? autoTarget
    system = try fields.text("system") ?? system
    ascii = try fields.bool("ascii") ?? ascii
    mouse = try fields.bool("mouse") ?? mouse
    color = try fields.bool("color") ?? color
    theme = try fields.word("theme", among: Theme.allCases) ?? theme
    save = try fields.bool("save") ?? save
    keepTranscript = try fields.bool("keep_transcript") ?? keepTranscript
    trainingSteps = try fields.integer("training_steps", in: 1...1_000_000) ?? trainingSteps
    cache = try fields.word("cache", among: CacheType.allCases) ?? cache
    editor = try fields.text("editor") ?? editor
  }

  /// Takes over what a script's header says.
  public mutating func apply(_ script: Script) {
    family = script.family ?? family
    adapter = script.adapter ?? adapter
    stitch = script.stitch ?? stitch
    system = script.system ?? system
    for setting in script.settings {
      setting.apply(to: &sampling)
      if setting.name == .overflow { overflow = sampling.overflow }
    }
    sampling.seed = script.seed ?? sampling.seed
  }

  /// A configuration file that says the same.
  public var yaml: String {
    func line(_ name: String, _ value: String?, _ help: String, example: String = "") -> String {
      "# \(help)\n" + (value.map { "\(name): \($0)" } ?? "#\(name): \(example)") + "\n"
    }
    func text(_ value: String?) -> String? { value?.doubleQuoted }
    let samplingHelp: [SamplingSetting.Name: String] = [
      .temperature: "Randomness: 0 always takes the most likely token.",
      .topP: "Choose among the most likely tokens that have this probability together, or off.",
      .topK: "Choose among so many most likely tokens, or off.",
      .minP: "Leave out tokens less likely than this fraction of the most likely one, or off.",
      .repetitionPenalty: "Above 1 discourages tokens that are already there.",
      .maxTokens: "Longest reply, in tokens, or off: until the model ends it.",
      .seed: "The same seed gives the same replies.",
    ]
    var lines = [
      "# Settings of `stitch chat`; this is \(Self.configurationFile.path.doubleQuoted). The command line overrules them.\n",
      line(
        "family", text(family),
        "A family or a model; without it $STITCH_FAMILY, weights/smollm2, weights/tiny, or those installed.",
        example: "~/families/mine"),
      line("adapter", text(adapter), "own, latest, none, or the beginning of a snapshot's hash.", example: "own"),
      line(
        "stitch", text(stitch), "The size to begin with: a stop's name or number, or auto to let the speed decide.",
        example: "large"),
      line("auto", String(format: "%g", autoTarget), "Tokens a second that auto holds."),
    ]
    for name in SamplingSetting.Name.allCases where name != .overflow {
      lines.append(line(name.rawValue, SamplingSetting.text(of: name, in: sampling), samplingHelp[name] ?? ""))
    }
    lines += [
      line(
        "overflow", overflow?.rawValue, "Where the context is full: ask, or leave out the oldest messages.",
        example: "ask"),
      line("system", system.doubleQuoted, "The system prompt."),
      line("ascii", String(ascii), "Draw with ASCII characters only."),
      line("mouse", String(mouse), "Take the mouse; without it the terminal's own selection works as always."),
      line("color", String(color), "Use colours; NO_COLOR in the environment overrules it."),
      line("theme", theme.rawValue, "Colours for a dark or light background: auto, light, dark, mono."),
      line("save", String(save), "Keep conversations on disk."),
      line("keep_transcript", String(keepTranscript), "Leave the conversation in the terminal on exit."),
      line(
        "training_steps", trainingSteps.map(String.init), "Steps of /train without a number; fewer for larger models.",
        example: "500"),
      line("cache", cache.rawValue, "How keys and values are kept: f32, or f16 in half the memory."),
      line("editor", text(editor), "The editor for long texts; without it $VISUAL or $EDITOR.", example: "nano"),
    ]
    return lines.joined(separator: "\n")
  }
}

// MARK: - What a chat is opened with

extension ChatSettings {
  /// The family to use: without a name, that of the resumed conversation if it is still where it was.
  /// - Parameter named: on the command line.
  public func family(named: String?, resumed: SavedConversation?) throws -> FamilyLocator.Found {
    if let theirs = resumed?.family, named == nil, !FamilyLocator.isNamedInEnvironment,
      // Where theirs is gone, the default one is looked for below.
      let directory = try? FamilyLocator().locate(theirs.directory),
      FamilyReference(directory)?.identity == theirs.identity
    {
      return .init(directory)
    }
    return try FamilyLocator().find(family)
  }

  /// The engine behind a chat.
  /// - Throws: `EngineError.notAnAdapter`.
  public func engineOptions(family directory: URL) throws -> FamilyBackend.Options {
    var engine = FamilyBackend.Options(family: directory)
    engine.adapter = try adapter.map { try AdapterChoice($0) } ?? .own
    engine.stitch = stitch == "auto" ? nil : stitch
    engine.cacheType = cache
    return engine
  }

  /// The chat itself. What is saved of it names the family, so that the next one finds it.
  /// - Throws: `FamilyError.notAFamily` where it cannot be read: it might be read by whoever loads it a moment later, and
  ///   what is saved would not name it. What is wrong in it, they say on the screen.
  public func chatOptions(family directory: URL) throws -> ChatUIOptions {
    do { return chatOptions(try FamilyReference(reading: directory)) } catch let error as FamilyError {
      if case .notAFamily = error { throw error }
      return chatOptions(nil)
    }
  }

  /// The same with a family that is not here.
  public func chatOptions(_ family: FamilyReference?) -> ChatUIOptions {
    var options = ChatUIOptions()
    options.stitch = stitch
    options.sampling = sampling
    options.overflow = overflow
    options.system = system
    options.trainingSteps = trainingSteps
    options.autoTarget = autoTarget
    options.keepsTranscript = keepTranscript
    options.family = family
    options.ascii = ascii
    options.mouse = mouse
    options.theme = color ? theme : .mono
    options.recordedAdapter = adapter
    return options
  }
}
