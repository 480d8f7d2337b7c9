import ChatEngine

/// A scripted conversation: what it runs on, and its steps. The same file is played in the chat and replayed without a
/// screen.
public struct Script: Sendable, Equatable {
  /// The file it was read from.
  public var file: String
  /// The family's directory; `nil`: the one the program is started with.
  public var family: String?
  /// A name for `AdapterChoice`.
  public var adapter: String?
  public var seed: UInt64?
  /// The stop to begin with: a name, or a number from 1.
  public var stitch: String?
  public var system: String?
  /// Of the screen that `expect` looks at; `nil`: the usual one.
  public var screen: ScreenSize?
  /// Sampling from the first reply on.
  public var settings: [SamplingSetting]
  public var steps: [Step]
  /// How it is written.
  public var format = Format.yaml

  public enum Format: Sendable { case yaml, jsonLines, savedConversation }

  public struct Step: Sendable, Equatable {
    public var action: Action
    /// What the reply must be, only where the action makes one, and what the screen must show.
    public var expectation: Expectation?
    /// Of the step in its file, from 1.
    public var line: Int
    public var column: Int
  }

  public enum Action: Sendable, Equatable {
    /// A user's turn.
    case user(String)
    /// The last question again.
    case regenerate
    /// A name, a number from 1, or `auto`.
    case stitch(String)
    case set([SamplingSetting])
    /// Empty: none.
    case system(String)
    /// - Parameter distills: whether the dearest anchor teaches.
    case train(data: String, steps: Int?, distills: Bool = false)
    /// Until training has ended.
    case waitForTraining
    /// The last question at several sizes.
    case compare([String])
    /// Anything else that can be typed after a slash, with the slash.
    case command(String)
    /// The screen has another size from here on.
    case screen(ScreenSize)
    /// For watchers.
    case pause(seconds: Double)
  }
}

/// A terminal's size in cells.
public struct ScreenSize: Sendable, Equatable {
  public var width: Int
  public var height: Int

  public init(width: Int, height: Int) {
    self.width = width
    self.height = height
  }

  /// That of most terminals when they open.
  public static let usual = ScreenSize(width: 80, height: 24)
}

/// What a reply must be. Everything given has to hold.
public struct Expectation: Sendable, Equatable {
  public var equals: String?
  public var contains: [String] = []
  /// Regular expressions that match somewhere.
  public var regex: [String] = []
  /// Texts that must not occur.
  public var not: [String] = []
  public var maxTokens: Int?
  public var finish: ReplyStamp.Finish?
  /// The stitch that really made it.
  public var stitch: String?
  public var maxSeconds: Double?
  /// What it is held to while it is made, and must be.
  public var form: FormExpectation?
  /// What the screen must show after the step.
  public var screen: ScreenExpectation?

  public init() {}

  /// Whether nothing is expected of the reply, so that nothing can fail with it.
  public var ignoresReply: Bool {
    var rest = self
    rest.screen = nil
    return rest == Expectation()
  }
}

/// A form that a reply is held to token by token.
public struct FormExpectation: Sendable, Equatable {
  public enum Kind: String, Sendable { case schema, grammar }

  public var kind: Kind
  /// What it is.
  public var source: ReplyFormSource
  /// How the script says it: what follows `schema:`, on one line.
  public var spelling: String

  public init(kind: Kind, source: ReplyFormSource, spelling: String) {
    self.kind = kind
    self.source = source
    self.spelling = spelling
  }
}

/// What the lines of a screen must show. Everything given has to hold.
public struct ScreenExpectation: Sendable, Equatable {
  /// Texts that some line holds.
  public var contains: [String] = []
  /// Regular expressions that match somewhere in some line.
  public var regex: [String] = []
  /// Texts that no line holds.
  public var not: [String] = []

  public init() {}
}
