/// Where something stands in a file that a person wrote; lines and columns from 1.
package struct Place: Sendable, Equatable, CustomStringConvertible {
  package var file: String
  package var line: Int
  package var column: Int

  package var description: String { "\(file):\(line):\(column)" }
}

/// What is wrong in a file that a person wrote, and where. One line.
public struct DocumentError: Error, Equatable, Sendable, CustomStringConvertible {
  /// `file`, or `file:line:column`.
  public var place: String
  public var problem: String

  public var description: String { "\(place): \(problem)" }

  package init(_ place: Place, _ problem: String) {
    self.place = place.description
    self.problem = problem
  }

  package init(file: String, _ problem: String) {
    place = file
    self.problem = problem
  }
}

/// A value of a YAML or JSON file, with its place.
package struct DocumentNode: Sendable, Equatable {
  package enum Value: Sendable, Equatable {
    case null
    /// Text, number or truth value, as written.
    case scalar(String)
    case list([DocumentNode])
    case fields([Field])
  }

  package struct Field: Sendable, Equatable {
    package var name: String
    package var place: Place
    package var value: DocumentNode
  }

  package var value: Value
  package var place: Place
  /// A scalar that is not written as a text: it may be a number or a truth value.
  package var isPlain = false

  /// How deep values may lie in one another.
  static let deepest = 32

  package func error(_ problem: String) -> DocumentError { DocumentError(place, problem) }

  /// Such as “a list”, for messages.
  package var kind: String {
    switch value {
    case .null: "nothing"
    case .scalar: "a text"
    case .list: "a list"
    case .fields: "a group of fields"
    }
  }
}

extension String {
  /// Short enough for a message, in quotation marks.
  package var quoted: String {
    let short = String(prefix(40).map { $0.isNewline ? " " : $0 })
    return "“\(short)\(short.count < count ? "…" : "")”"
  }
}
