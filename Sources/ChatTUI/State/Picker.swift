/// A list over the chat of which one row can be chosen; typing filters it. What the rows are and which fit a text is
/// for others to say.
package struct Picker: Sendable, Equatable {
  package struct Row: Sendable, Equatable, Identifiable {
    package var id: String
    package var title: String
    /// Stands at the right, where there is room.
    package var detail: String
    /// A second line: where the text was found.
    package var match: String?

    package init(id: String, title: String, detail: String, match: String? = nil) {
      self.id = id
      self.title = title
      self.detail = detail
      self.match = match
    }

    package var height: Int { match == nil ? 1 : 2 }
  }

  package enum Kind: Sendable, Equatable { case conversations, adapters }

  package var title: String
  /// What its rows are.
  package var lists: Kind
  /// All rows there are, where the picker itself knows which fit a text.
  private var all: [Row]?
  /// What shows if there is nothing to choose.
  package var emptyText: String
  package var query = ""
  package private(set) var rows: [Row] = []
  package private(set) var selected = 0
  /// The rows do not belong to the text yet.
  package private(set) var isLoading = true

  package init(title: String, emptyText: String, query: String = "", lists: Kind = .conversations) {
    self.title = title
    self.lists = lists
    self.emptyText = emptyText
    self.query = query
  }

  package var selectedRow: Row? { rows.indices.contains(selected) ? rows[selected] : nil }

  package mutating func show(_ rows: [Row]) {
    let chosen = selectedRow?.id
    self.rows = rows
    selected = rows.firstIndex { $0.id == chosen } ?? 0
    isLoading = false
  }

  /// Shows those of all rows that the text is in.
  package mutating func showAll(_ rows: [Row]) {
    all = rows
    filter()
  }

  private mutating func filter() {
    guard let all else { return }
    let words = query.lowercased()
    show(words.isEmpty ? all : all.filter { "\($0.title) \($0.detail)".lowercased().contains(words) })
  }

  package mutating func move(by count: Int) { selected = max(0, min(rows.count - 1, selected + count)) }

  /// Rows for another text are to come.
  package mutating func edit(_ change: (inout String) -> Void) {
    change(&query)
    // Nobody looks for more, and a paste can be anything.
    query = String(query.prefix(200))
    selected = 0
    isLoading = true
    filter()
  }

  /// The rows to draw in so many lines, among them the chosen one.
  package func visible(lines: Int) -> Range<Int> {
    guard !rows.isEmpty else { return 0..<0 }
    var start = selected
    var used = rows[selected].height
    // A third of what shows stands below the chosen row, if there is so much.
    let below = lines / 3
    var end = selected + 1
    while end < rows.count, used + rows[end].height <= max(rows[selected].height, below) {
      used += rows[end].height
      end += 1
    }
    while start > 0, used + rows[start - 1].height <= lines {
      start -= 1
      used += rows[start].height
    }
    while end < rows.count, used + rows[end].height <= lines {
      used += rows[end].height
      end += 1
    }
    return start..<end
  }
}
