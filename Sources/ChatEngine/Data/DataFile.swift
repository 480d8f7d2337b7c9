import Foundation
import Support
import Tokenizer

/// Training data as people have it, read into conversations and texts.
///
/// JSON Lines, a JSON array, a table (CSV, TSV) whose header names the fields, or plain text. Records are recognised one by
/// one (`RecordReader`): `messages` (OpenAI), `conversations` (ShareGPT), `prompt`/`completion`,
/// `instruction`/`input`/`output` (Alpaca), `instruction`/`instances` (self-instruct), `text`. A record that cannot be used
/// is named by its line and skipped.
public struct DataFile: Sendable {
  public enum Record: Sendable, Equatable {
    case text(String)
    case conversation([ChatMessage])
    /// With tools, calls of them, or replies that are read and not learned.
    case request(TemplateRequest)
  }

  /// What a file is read for.
  public enum Purpose: Sendable {
    /// To learn its replies: every conversation has one.
    case training
    /// To have its questions answered: replies may be missing, and every line of plain text is a record.
    case prompts
  }

  /// How records are spelled.
  public enum Format: String, Sendable, CaseIterable {
    case messages, shareGPT = "ShareGPT", alpaca = "Alpaca", selfInstruct = "self-instruct", prompt, text, plainText =
      "plain text"
  }

  /// Where a record comes from.
  public struct Source: Sendable, Equatable {
    /// Line in the file, or place in its JSON array, from 1.
    public var line: Int
    public var format: Format
  }

  /// A record that was left out, and why.
  public struct Skipped: Sendable, Equatable, CustomStringConvertible {
    /// Line in the file, or place in its JSON array or table, from 1.
    public var line: Int
    /// What is counted.
    public var unit = "line"
    public var reason: String
    public var description: String { "\(unit) \(line): \(reason)" }
  }

  public let url: URL
  public let records: [Record]
  /// Of each record.
  public let sources: [Source]
  public let skipped: [Skipped]

  /// The conversations of nothing but text.
  public var conversations: [[ChatMessage]] {
    records.compactMap { if case .conversation(let messages) = $0 { messages } else { nil } }
  }

  /// - Throws: `DataError`, also if not one record can be used.
  public init(_ url: URL, for purpose: Purpose = .training) throws(DataError) {
    self.url = url
    let data: Data
    do { data = try Data(contentsOf: url) } catch {
      throw .unreadable(
        file: url.path,
        cause: FileManager.default.fileExists(atPath: url.path)
          ? "it cannot be read" : "there is no such file")
    }
    let text: String
    do { text = try TextFile.text(data) } catch { throw .unreadable(file: url.path, cause: error.cause) }
    let reader = RecordReader(purpose: purpose)
    var records: [Record] = []
    var sources: [Source] = []
    var skipped: [Skipped] = []
    func take(_ value: Any, _ data: Data?, _ line: Int, unit: String = "line") {
      do {
        let (format, found) = try reader.records(in: value, source: data)
        records += found
        sources += found.map { _ in Source(line: line, format: format) }
      } catch { skipped.append(Skipped(line: line, unit: unit, reason: error.text)) }
    }
    let start = text.first { !$0.isWhitespace }
    if start == "[" {
      guard let array = try? JSONSerialization.jsonObject(with: Data(text.utf8)) as? [Any] else {
        throw .unreadable(file: url.path, cause: "it begins like a JSON array and is not one")
      }
      for (index, value) in array.enumerated() { take(value, nil, index + 1, unit: "element") }
    } else if start == "{" {
      for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
        if line.allSatisfy(\.isWhitespace) { continue }
        guard let value = try? JSONSerialization.jsonObject(with: Data(line.utf8)) else {
          skipped.append(Skipped(line: index + 1, reason: "not valid JSON"))
          continue
        }
        take(value, Data(line.utf8), index + 1)
      }
    } else if let rows = try DataTable.rows(text, file: url) {
      for row in rows { take(row.fields, nil, row.number, unit: "row") }
    } else if purpose == .prompts {
      for (index, line) in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).enumerated()
      where !line.allSatisfy(\.isWhitespace) {
        records.append(.text(line.trimmingCharacters(in: .whitespaces)))
        sources.append(Source(line: index + 1, format: .plainText))
      }
    } else {
      // Plain text: paragraphs divided by empty lines.
      var line = 1
      for paragraph in text.split(separator: "\n\n", omittingEmptySubsequences: false) {
        if !paragraph.allSatisfy(\.isWhitespace) {
          records.append(.text(String(paragraph)))
          sources.append(Source(line: line + paragraph.prefix { $0.isNewline }.count, format: .plainText))
        }
        line += paragraph.count { $0.isNewline } + 2
      }
    }
    guard !records.isEmpty else {
      throw .nothingUsable(file: url.path, first: skipped.first?.description)
    }
    self.records = records
    self.sources = sources
    self.skipped = skipped
  }
}

/// Why a data file cannot be used. The description is one line: cause, file, remedy.
public enum DataError: Error, Sendable, Equatable, CustomStringConvertible {
  case unreadable(file: String, cause: String)
  case nothingUsable(file: String, first: String?)
  /// It holds nothing but text, as plain text or as records of it.
  case noReplies(file: String, isPlain: Bool)
  case allTooLong(file: String, contextLength: Int)
  case notALog(file: String)

  public var description: String {
    switch self {
    case .unreadable(let file, let cause): "\(file): \(cause); name a JSON, JSON Lines, CSV or text file in UTF-8"
    case .nothingUsable(let file, let first):
      "\(file) has no usable example\(first.map { " (\($0))" } ?? ""); see `stitch adapt --help` for the formats"
    case .noReplies(let file, let isPlain):
      "\(file) holds text without replies to learn from\(isPlain ? " (it is no JSON and was read as plain text)" : ""); give "
        + "conversations, such as {\"messages\": [{\"role\": \"user\", …}, {\"role\": \"assistant\", …}]} in each line"
    case .allTooLong(let file, let contextLength):
      "\(file) has no example that fits the context of \(contextLength) tokens; shorten the examples"
    case .notALog(let file): "\(file) is there and is not a log of losses; name another file with --log"
    }
  }
}
