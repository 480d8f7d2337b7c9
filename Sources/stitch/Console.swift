import Glibc

/// The standard streams, byte for byte.
enum Console {
  /// All of standard input.
  static func readStandardInput() throws(CommandError) -> [UInt8] {
    try readAll(STDIN_FILENO, name: "standard input")
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
