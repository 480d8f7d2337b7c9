import ArgumentParser
import ChatEngine
import ChatTUI
import Conversations
import Foundation

/// `stitch conversations`: what `stitch chat` saved.
struct ConversationsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "conversations", abstract: "List, search, show, export or delete saved conversations.",
    discussion: "`stitch chat --resume ID` goes on with one. The beginning of an id is enough, except to delete.",
    subcommands: [List.self, Search.self, Show.self, Export.self, Delete.self], defaultSubcommand: List.self)

  struct List: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "list", abstract: "All saved conversations, the latest first.")
    @Flag(help: "One JSON document on standard output.") var json = false

    func run() throws { try ConversationsCommand.write(ConversationLibrary(store: .init()).find(""), json: json) }
  }

  struct Search: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "search",
      abstract: "The conversations whose title or messages hold a text, with the lines it stands in.")
    @Argument(help: "What to look for; upper and lower case are the same.") var text: String
    @Flag(help: "One JSON document on standard output.") var json = false

    func validate() throws { if text.isEmpty { throw ValidationError("name a text to look for") } }

    func run() throws { try ConversationsCommand.write(ConversationLibrary(store: .init()).find(text), json: json) }
  }

  struct Show: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "show", abstract: "Print a conversation, as Markdown.")
    @Argument(help: "Its id, or the beginning of it.") var id: String

    func run() throws {
      let store = ConversationStore()
      let conversation = try store.read(store.find(id))
      ConversationsCommand.complain(of: conversation)
      try Console.write(Array(sanitise(ConversationExport.markdown(conversation)).utf8))
    }
  }

  struct Export: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "export", abstract: "Write a conversation to a new file.")
    @Argument(help: "Its id, or the beginning of it.") var id: String
    @Argument(help: "The file, which must not exist: .md for Markdown, .json for JSON.") var file: String

    func run() throws {
      let store = ConversationStore()
      let conversation = try store.read(store.find(id))
      ConversationsCommand.complain(of: conversation)
      try ConversationExport.write(conversation, to: URL(fileURLWithPath: file))
    }
  }

  struct Delete: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "delete", abstract: "Delete a conversation for good.")
    @Argument(help: "Its id, all of it.") var id: String

    func run() throws { try ConversationStore().delete(id) }
  }

  /// What was left out of a damaged file.
  private static func complain(of conversation: SavedConversation) {
    for problem in conversation.problems { Console.complain(problem) }
  }

  // MARK: Lists

  private struct Document: Encodable {
    var conversations: [Row]

    struct Row: Encodable {
      var id: String
      var title: String?
      var firstQuestion: String
      var created: String
      var updated: String
      var turns: Int
      var stitches: [String]
      var family: FamilyReference?
      var parent: ConversationParent?
      var matches: [Match]?
    }

    struct Match: Encodable {
      var turn: Int
      var role: String
      var line: String
    }
  }

  private static func write(_ listing: ConversationLibrary.Listing, json: Bool) throws {
    for line in listing.unreadable { Console.complain(line) }
    if json { return try Console.write(json: Document(conversations: listing.conversations.map(row))) }
    if listing.conversations.isEmpty {
      Console.log("no conversations\n")
      return
    }
    var table = TextTable(["id", "updated", "messages", "stitches", "title"])
    for conversation in listing.conversations {
      let title = cut(conversation.title ?? conversation.firstQuestion, 60)
      table.add([
        conversation.id, conversation.updatedText, String(conversation.turns),
        cut(conversation.stitches.joined(separator: ","), 40), title,
      ])
    }
    // A table has one line a row: the lines that were found follow their row.
    var lines = table.text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    for (index, conversation) in listing.conversations.enumerated().reversed() {
      let matches = conversation.matches.map { "  \($0.turn) \($0.role.rawValue): \(cut($0.line, 200))" }
      lines.insert(contentsOf: matches, at: index + 2)
    }
    try Console.write(Array(lines.joined(separator: "\n").utf8))
  }

  private static func cut(_ text: String, _ limit: Int) -> String {
    let line = sanitiseLine(text)
    return line.count <= limit ? line : line.prefix(limit - 1) + "…"
  }

  private static func row(_ summary: ConversationSummary) -> Document.Row {
    Document.Row(
      id: summary.id, title: summary.title, firstQuestion: summary.firstQuestion,
      created: summary.created.formatted(.iso8601), updated: summary.updated.formatted(.iso8601),
      turns: summary.turns, stitches: summary.stitches, family: summary.family, parent: summary.parent,
      matches: summary.matches.isEmpty
        ? nil : summary.matches.map { .init(turn: $0.turn, role: $0.role.rawValue, line: $0.line) })
  }
}
