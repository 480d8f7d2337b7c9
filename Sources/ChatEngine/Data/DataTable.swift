import Foundation
import SwiftCSV

/// Training data in a table: CSV, or TSV, whose first line names the fields that `RecordReader` knows.
enum DataTable {
  struct Row {
    /// Its place in the table, the header being 1.
    var number: Int
    /// By name, the empty ones left out.
    var fields: [String: Any]
  }

  /// Fields of which a header has one at least, by which a table is told from text.
  private static let known: Set<String> = [
    "prompt", "completion", "response", "question", "answer", "query", "instruction", "input", "output", "text",
    "messages",
    "conversations",
  ]

  /// - Returns: `nil` for a text that is no table.
  /// - Throws: `DataError` for a table that has none of the fields, or is not well-formed.
  static func rows(_ text: String, file: URL) throws(DataError) -> [Row]? {
    let header = text.prefix { $0 != "\n" }
    let isNamedSo = ["csv", "tsv"].contains(file.pathExtension.lowercased())
    let delimiter: CSVDelimiter =
      header.contains("\t") ? .tab : header.contains(",") || !header.contains(";") ? .comma : .semicolon
    func names(_ header: some StringProtocol) -> [String] {
      header.split(separator: delimiter.rawValue, omittingEmptySubsequences: false)
        .map { $0.trimmingCharacters(in: CharacterSet(charactersIn: " \"")).lowercased() }
    }
    // A sentence with commas is no header: every name is a single word, one at least is known.
    let found = names(header)
    let isHeader =
      (found.count > 1 || isNamedSo) && found.contains(where: known.contains)
      && found.allSatisfy { !$0.isEmpty && !$0.contains(where: \.isWhitespace) }
    if !isHeader {
      if !isNamedSo { return nil }
      throw .unreadable(
        file: file.path,
        cause: "its first line names no field that is known, such as prompt and completion, or instruction and output")
    }
    let rows: [[String]]
    do { rows = try CSV<Enumerated>(string: text, delimiter: delimiter, loadColumns: false).rows } catch {
      throw .unreadable(
        file: file.path, cause: "it is not well-formed CSV: a quotation mark is missing or stands alone")
    }
    return rows.enumerated().map { index, row in
      var fields: [String: Any] = [:]
      for (name, value) in zip(found, row) where !value.isEmpty {
        // Lists of turns are written as JSON in a cell.
        fields[name] =
          name == "messages" || name == "conversations"
          ? (try? JSONSerialization.jsonObject(with: Data(value.utf8))) ?? value : value
      }
      return Row(number: index + 2, fields: fields)
    }
  }
}
