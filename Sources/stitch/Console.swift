import Foundation
import Support

/// The standard streams, byte for byte.
enum Console {
  /// All of standard input.
  static func readStandardInput() throws(CommandError) -> [UInt8] {
    try readAll(STDIN_FILENO, name: "standard input")
  }

  /// Whether standard input is a file or a pipe: nobody's keyboard, and not nothing.
  static var hasPipedInput: Bool {
    var status = stat()
    guard fstat(STDIN_FILENO, &status) == 0 else { return false }
    return [S_IFIFO, S_IFREG].contains(status.st_mode & S_IFMT)
  }

  /// Writes to standard output as it is. A terminal gets neither control sequences nor an unfinished last line.
  static func write(text: String) throws(CommandError) {
    guard isatty(STDOUT_FILENO) == 1 else { return try write(Array(text.utf8)) }
    try write(Array((harmless(text) + (text.hasSuffix("\n") ? "" : "\n")).utf8))
  }

  /// Writes to standard output, after what `print` holds back. A reader that has gone away ends the process.
  static func write(_ bytes: [UInt8]) throws(CommandError) {
    guard fflush(nil) == 0, writeAll(bytes, to: STDOUT_FILENO) else {
      throw .unwritable("standard output", code: errno)
    }
  }

  /// Writes to standard output where nobody could take an error: one ends the process, with exit code 2.
  static func writeOrEnd(_ text: String) {
    do { try write(Array(text.utf8)) } catch {
      complain("\(error)")
      exit(2)
    }
  }

  /// Writes to standard error as it is. Where that fails there is nobody to tell.
  static func log(_ text: String) { _ = writeAll(Array(text.utf8), to: STDERR_FILENO) }

  /// One line on standard error, whatever the message holds.
  static func complain(_ message: String) {
    let line = message.split(whereSeparator: \.isNewline).joined(separator: " ")
    log("stitch: \(harmless(line))\n")
  }

  /// Text without what a terminal would obey: control characters other than line feeds and tabs, and what reorders the
  /// text around it.
  static func harmless(_ text: String) -> String {
    var scalars = String.UnicodeScalarView()
    for scalar in text.unicodeScalars {
      let isControl = scalar.properties.generalCategory == .control && scalar != "\n" && scalar != "\t"
      let reorders = (0x202A...0x202E).contains(scalar.value) || (0x2066...0x2069).contains(scalar.value)
      scalars.append(isControl || reorders ? "\u{FFFD}" : scalar)
    }
    return String(scalars)
  }

  /// False if it failed; `errno` says why.
  private static func writeAll(_ bytes: [UInt8], to descriptor: Int32) -> Bool {
    var rest = bytes[...]
    while !rest.isEmpty {
      let count = rest.withContiguousStorageIfAvailable { Glibc.write(descriptor, $0.baseAddress, $0.count) } ?? 0
      if count < 0 {
        if errno == EINTR { continue }
        return false
      }
      rest = rest.dropFirst(count)
    }
    return true
  }

  private static func readAll(_ descriptor: Int32, name: String) throws(CommandError) -> [UInt8] {
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      let count = Glibc.read(descriptor, &chunk, chunk.count)
      if count == 0 { return bytes }
      if count > 0 {
        bytes += chunk[..<count]
      } else if errno != EINTR {
        throw .unreadable(name, code: errno)
      }
    }
  }
}

// MARK: - Documents and tables

/// Machine-readable output.
extension Console {
  /// One JSON document on standard output, its names in snake case.
  static func write(json document: some Encodable) throws {
    let encoder = JSONEncoder()
    encoder.keyEncodingStrategy = .convertToSnakeCase
    encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
    // JSON has no infinity; a perplexity can be one.
    encoder.nonConformingFloatEncodingStrategy = .convertToString(
      positiveInfinity: "Infinity", negativeInfinity: "-Infinity", nan: "NaN")
    try write(jsonText: encoder.encode(document) + Data("\n".utf8))
  }

  /// A JSON document as text. JSON lets through some control characters that a terminal would obey: they are written
  /// as escapes, which mean the same.
  static func write(jsonText document: Data) throws(CommandError) {
    var text = ""
    for scalar in String(decoding: document, as: UTF8.self).unicodeScalars {
      if (0x7F...0x9F).contains(scalar.value) {
        text += "\\u00" + String(scalar.value, radix: 16)
      } else {
        text.unicodeScalars.append(scalar)
      }
    }
    try write(Array(text.utf8))
  }
}

/// A table of text with columns as wide as they need to be.
struct TextTable {
  private var rows: [[String]]

  init(_ header: [String]) { rows = [header] }

  mutating func add(_ row: [String]) { rows.append(row) }

  var text: String {
    let widths = rows[0].indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
    return rows.map { row in
      var line = zip(row, widths).map { $0 + String(repeating: " ", count: $1 - $0.count) }.joined(separator: "  ")
      while line.last == " " { line.removeLast() }
      return line
    }.joined(separator: "\n") + "\n"
  }
}

/// Numbers for people.
enum Quantity {
  /// 1234567 → 1.2M
  static func short(_ value: Int) -> String {
    for (size, unit) in [(1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")] where Double(value) >= size {
      return String(format: "%.1f%@", Double(value) / size, unit)
    }
    return String(value)
  }
}

// MARK: - Errors

/// Why a command could not run, beyond what the libraries report. Every description is one line.
enum CommandError: Error, CustomStringConvertible {
  /// `code` is the system's `errno`.
  case unreadable(String, code: Int32)
  case unwritable(String, code: Int32)
  /// Input that is not what the command expects; `place` is a file, or a file and a line.
  case malformed(_ place: String, expected: String)

  var description: String {
    switch self {
    case .unreadable(let file, let code): Self.text("read", file, SystemErrorText(code: code))
    case .unwritable(let file, let code): Self.text("write", file, SystemErrorText(code: code))
    case .malformed(let place, let expected): "\(place): \(expected)"
    }
  }

  /// What to say of any error. Those of Foundation describe themselves for developers.
  static func line(for error: any Error) -> String {
    guard let error = error as? CocoaError else { return "\(error)" }
    let file = error.filePath.map { "\($0): " } ?? ""
    return "\(file)\(error.localizedDescription) Check the path, its permissions and the disk."
  }

  private static func text(_ operation: String, _ file: String, _ reason: SystemErrorText) -> String {
    "cannot \(operation) \(file): \(reason); \(reason.remedy)"
  }
}
