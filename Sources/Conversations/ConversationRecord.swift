import ChatEngine
import Foundation
import LLaMAStitch
import Support

/// A family as conversations name it.
public struct FamilyReference: Sendable, Equatable, Codable {
  public var name: String
  /// `FamilyDescription.identity`: SHA-256 over the hashes of its weights.
  public var identity: String
  /// Where it was.
  public var directory: String

  public init(name: String, identity: String, directory: String) {
    self.name = name
    self.identity = identity
    self.directory = directory
  }

  /// The family of a directory, by its `family.json` alone.
  /// - Throws: `FamilyError`.
  public init(reading directory: URL) throws {
    let description = try FamilyDescription.read(in: directory)
    self.init(
      name: description.name, identity: description.identity, directory: directory.standardizedFileURL.path)
  }

  /// The same; `nil` where it cannot be read, which whoever loads the family will say.
  public init?(_ directory: URL) {
    do { try self.init(reading: directory) } catch { return nil }
  }
}

/// What a branch was made from.
public struct ConversationParent: Sendable, Equatable, Codable {
  public var id: String
  /// How many of its messages the branch began with.
  public var turns: Int

  public init(id: String, turns: Int) {
    self.id = id
    self.turns = turns
  }
}

/// What holds for the replies to come.
public struct ConversationSettings: Sendable, Equatable, Codable {
  public var system = ""
  /// The sampler; its seed is the one the user chose.
  public var sampling = ReplyOptions()
  /// The seed that the next reply is made with.
  public var nextSeed: UInt64 = 0
  /// Where the slider stands; `nil` if nothing was chosen.
  public var stitch: String?
  /// What is in use; `nil` if that is not known.
  public var adapter: AdapterReference?
  /// Tokens per second that the slider holds by itself; `nil` where it stays where it stands.
  public var auto: Double?
  /// How many of the oldest messages the model is not shown any more; `nil`: none.
  public var forgotten: Int?

  public init() {}
}

/// One thing that happened in a conversation, as its file keeps it: a line for each, in order, never changed later.
public enum ConversationRecord: Sendable, Equatable {
  /// A new conversation, with a file of its own. Always the first.
  case begin(family: FamilyReference?, parent: ConversationParent?)
  case settings(ConversationSettings)
  /// - Parameter files: whose text ends the message.
  case user(String, files: [MessageFile] = [])
  /// The engine began a reply, or went on with the last one.
  case reply(ReplyStart)
  /// The replies that follow, as many as there are stitches, answer the same question side by side.
  case compare(stitches: [String])
  /// The conversation goes on with this reply of the last comparison, counted from 1.
  case keep(Int)
  /// More text of the reply that began last.
  case text(String)
  case end(ReplyEnd)
  case notice(String, isWarning: Bool)
  case title(String)
  /// Of the items so far (messages and notices) only the first `keep` stay: an edit, or another reply.
  case drop(keep: Int)

  /// What really makes a reply.
  public struct ReplyStart: Sendable, Equatable {
    public var stitch: String
    public var adapter: AdapterReference?
    /// Sampler and seed of this reply.
    public var options: ReplyOptions?
    /// The text goes on where that of the reply before ends.
    public var continues = false

    public init(stitch: String, adapter: AdapterReference?, options: ReplyOptions?, continues: Bool = false) {
      self.stitch = stitch
      self.adapter = adapter
      self.options = options
      self.continues = continues
    }
  }

  /// How a reply ended.
  public enum ReplyEnd: Sendable, Equatable {
    case finished(ReplyStamp)
    /// Stopped before the engine could say what it cost.
    case stopped
    /// Why it failed, in one line.
    case failed(String)
  }

  /// Whether the disk is to have it before anything else happens.
  var isMilestone: Bool {
    switch self {
    case .begin, .user, .end, .title, .drop, .keep: true
    case .settings, .reply, .compare, .text, .notice: false
    }
  }
}
