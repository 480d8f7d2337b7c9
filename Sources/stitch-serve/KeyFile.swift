import Foundation

/// The file of the keys that clients may use: one a line; empty lines and lines that begin with `#` say nothing.
enum KeyFile {
  /// - Throws: `KeyFileError`.
  static func keys(_ path: String) throws(KeyFileError) -> [String] {
    let content: String
    do { content = try String(contentsOf: URL(fileURLWithPath: path), encoding: .utf8) } catch {
      throw KeyFileError(file: path, cause: "cannot be read as text", remedy: "check the path and its permissions")
    }
    let keys = content.split(whereSeparator: \.isNewline).map { $0.trimmingCharacters(in: .whitespaces) }.filter {
      !$0.isEmpty && !$0.hasPrefix("#")
    }
    if keys.isEmpty { throw KeyFileError(file: path, cause: "holds no key", remedy: "write one on a line of its own") }
    guard keys.allSatisfy({ $0.utf8.count >= 8 && $0.utf8.allSatisfy { (0x21...0x7E).contains($0) } }) else {
      throw KeyFileError(
        file: path, cause: "has a key that is too short or holds other than letters, digits and signs",
        remedy: "make each at least 8 characters, with `openssl rand -hex 24`, say")
    }
    return keys
  }
}

/// What is wrong with a file of keys. The description is one line: cause, file, remedy.
struct KeyFileError: Error, CustomStringConvertible {
  var file: String
  var cause: String
  var remedy: String

  var description: String { "\(file) \(cause); \(remedy)" }
}
