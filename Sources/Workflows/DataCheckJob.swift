import ChatEngine
import Foundation
import LLaMAStitch
import Support
import Tokenizer

/// `stitch data check`: what a family would make of a data file, before it is trained on it.
public struct DataCheckJob {
  /// What was found, as `--json` prints it.
  public struct Report: Encodable, Sendable {
    public struct Problem: Encodable, Sendable {
      /// Line in the file, or place in its JSON array, from 1.
      public var line: Int
      public var cause: String
    }
    /// Tokens of an example, replies and template included.
    public struct Lengths: Encodable, Sendable {
      public var shortest: Int
      public var median: Int
      public var longest: Int
      public var total: Int
    }

    public var file: String
    public var family: String
    public var contextLength: Int
    /// Records by the way they are spelled.
    public var formats: [String: Int] = [:]
    /// Conversations that fit the context: what would be trained on.
    public var usable = 0
    /// Texts without a reply, which `stitch adapt` leaves out.
    public var texts = 0
    /// Turns of tools, and calls of them, that the family's template has no place for.
    public var toolTurns = 0
    public var lengths: Lengths?
    /// Records that cannot be read.
    public var unreadable: [Problem] = []
    /// Conversations longer than the context, which are left out.
    public var tooLong: [Problem] = []
    /// Conversations that say the same as one before.
    public var duplicates: [Problem] = []
    /// Questions asked before that are answered otherwise.
    public var contradictions: [Problem] = []

    /// Whether all of the file can be used.
    public var isClean: Bool { unreadable.isEmpty && tooLong.isEmpty && usable > 0 }
  }

  public var file: URL
  public var family: URL

  public init(file: URL, family: URL) {
    self.file = file
    self.family = family
  }

  /// - Throws: `DataError`, `FamilyError`, `EngineError`, `TokenizerError`.
  public func run() throws -> Report {
    let text = try TextFamily(family)
    let data = try DataFile(file)
    var report = Report(
      file: file.path, family: text.family.description.name, contextLength: text.contextLength)
    report.unreadable = data.skipped.map { .init(line: $0.line, cause: $0.reason) }
    var lengths: [Int] = []
    var seen: [[ChatMessage]: Int] = [:]
    var asked: [[ChatMessage]: Int] = [:]
    for (record, source) in zip(data.records, data.sources) {
      report.formats[source.format.rawValue, default: 0] += 1
      guard
        let example = try TrainingText.encoded(record, tokenizer: text.tokenizer, template: text.template)
      else {
        report.texts += 1
        continue
      }
      let tokens = example.tokens.tokens.count
      report.toolTurns += example.toolTurns
      if tokens > text.contextLength {
        report.tooLong.append(
          .init(line: source.line, cause: "\(tokens) tokens, the context has \(text.contextLength)"))
        continue
      }
      lengths.append(tokens)
      guard case .conversation(let messages) = record else { continue }
      let question = Array(messages.dropLast())
      if let first = seen[messages] {
        report.duplicates.append(.init(line: source.line, cause: "the same as at \(first)"))
      } else if let first = asked[question] {
        report.contradictions.append(.init(line: source.line, cause: "answers otherwise what is asked at \(first)"))
      }
      seen[messages] = seen[messages] ?? source.line
      asked[question] = asked[question] ?? source.line
    }
    report.usable = lengths.count
    if let shortest = lengths.min(), let longest = lengths.max() {
      report.lengths = .init(
        shortest: shortest, median: median(lengths), longest: longest, total: lengths.reduce(0, +))
    }
    return report
  }
}
