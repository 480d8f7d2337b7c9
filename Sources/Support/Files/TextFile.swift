import Foundation

/// Text files as people have them.
package enum TextFile {
  /// Why bytes are no text that can be read: what they are, and what to do.
  package struct NotText: Error, Equatable {
    package var cause: String
  }

  /// The text of a file in UTF-8, without a byte order mark. Lines end in line feeds, whatever ended them: Swift takes CR LF
  /// for one character, which neither is a line feed nor would be found by one.
  package static func text(_ data: Data) throws(NotText) -> String {
    var bytes = data[...]
    if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { bytes = bytes.dropFirst(3) }
    if let kind = kind(of: bytes) { throw NotText(cause: kind) }
    if bytes.contains(UInt8(ascii: "\r")) {
      var lines = Data(capacity: bytes.count)
      var previous: UInt8 = 0
      for byte in bytes {
        if byte == UInt8(ascii: "\r") {
          lines.append(UInt8(ascii: "\n"))
        } else if byte != UInt8(ascii: "\n") || previous != UInt8(ascii: "\r") {
          lines.append(byte)
        }
        previous = byte
      }
      bytes = lines[...]
    }
    guard let text = String(validating: bytes, as: UTF8.self) else { throw NotText(cause: "it is not UTF-8 text") }
    return text
  }

  /// What files of other kinds begin with, and what they are.
  private static let beginnings: [(bytes: [UInt8], kind: String)] = [
    ([0x1F, 0x8B], "it is compressed with gzip and must be unpacked first"),
    ([0x28, 0xB5, 0x2F, 0xFD], "it is compressed with zstd and must be unpacked first"),
    ([0xFD, 0x37, 0x7A, 0x58, 0x5A, 0x00], "it is compressed with xz and must be unpacked first"),
    (Array("BZh".utf8), "it is compressed with bzip2 and must be unpacked first"),
    ([0x50, 0x4B, 0x03, 0x04], "it is a ZIP archive or a spreadsheet and must be unpacked or exported as CSV first"),
    (Array("PAR1".utf8), "it is a Parquet table and must be written as JSON Lines first"),
    (Array("ARROW1".utf8), "it is an Arrow table and must be written as JSON Lines first"),
    (Array("SQLite format 3".utf8), "it is an SQLite database, of which a table must be written as JSON Lines first"),
    (Array("%PDF-".utf8), "it is a PDF document, whose text must be extracted first"),
    (Array("GGUF".utf8), "it is a GGUF model"),
    ([0xFF, 0xFE], "it is UTF-16 text and must be converted to UTF-8, with iconv for example"),
    ([0xFE, 0xFF], "it is UTF-16 text and must be converted to UTF-8, with iconv for example"),
  ]

  private static func kind(of bytes: Data) -> String? {
    if let known = beginnings.first(where: { bytes.starts(with: $0.bytes) }) { return known.kind }
    // UTF-16 without a mark: every second byte of text in Latin letters is zero.
    let start = bytes.prefix(64)
    let zeros = start.count { $0 == 0 }
    return start.count >= 4 && 3 * zeros >= start.count
      ? "it is UTF-16 text, or no text, and must be converted to UTF-8" : nil
  }
}
