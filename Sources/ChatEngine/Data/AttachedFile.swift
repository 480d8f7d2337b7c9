import Foundation
import Support

/// A file of text that goes with a message.
public struct AttachedFile: Sendable, Equatable {
  /// As it was given.
  public var path: String
  /// Bytes of the file.
  public var bytes: Int
  /// Its text, or the beginning of it: lines end in line feeds, and there is no byte order mark.
  public var text: String
  /// The text is a beginning only.
  public var isCut = false
  /// Of `block`, which is what a prompt gets.
  public var tokens = TokenCount(0)

  /// Bytes of a file, at most.
  public static let largest = 4 << 20

  /// The same as it was sent once, which it is again.
  private var sent: String?

  public init(path: String, bytes: Int, text: String) {
    self.path = path
    self.bytes = bytes
    self.text = text
  }

  /// A file of a message that is sent anew: what was read of it then.
  public init(_ file: MessageFile, sentAs block: String) {
    self.init(path: file.path, bytes: file.bytes, text: block)
    isCut = file.isCut ?? false
    tokens = TokenCount(file.tokens, isEstimate: file.isEstimate ?? false)
    sent = block
  }

  /// Reads a file, at once or not at all: a pipe or a device is refused, not waited for.
  /// - Parameter path: `~/` is the home directory.
  /// - Throws: `AttachmentError`.
  public init(reading path: String) throws(AttachmentError) {
    let place = path.hasPrefix("~/") ? NSHomeDirectory() + path.dropFirst(1) : path
    do throws(TextFile.ReadingError) {
      let (text, bytes) = try TextFile.read(place, atMost: Self.largest)
      self.init(path: path, bytes: bytes, text: text)
    } catch { throw AttachmentError(description: "\(error)", isMissing: error.isMissing) }
    if text.allSatisfy(\.isWhitespace) {
      throw AttachmentError(description: oneLine("\(path) is empty; name another file"), isMissing: false)
    }
  }

  /// The name as it may be shown, on one line.
  public var name: String { oneLine(path, limit: 200) }

  /// The file as a message has it: its name, then its text between fences, which are longer than any row of backticks in
  /// it, so that nothing in the text ends it.
  public var block: String {
    if let sent { return sent }
    let fence = String(repeating: "`", count: max(3, Self.longestRow(of: UInt8(ascii: "`"), in: text) + 1))
    let end = text.hasSuffix("\n") ? "" : "\n"
    return "File \(name)\(isCut ? ", the beginning of it" : ""):\n\(fence)\n\(text)\(end)\(fence)"
  }

  private static func longestRow(of byte: UInt8, in text: String) -> Int {
    var longest = 0
    var row = 0
    for each in text.utf8 {
      row = each == byte ? row + 1 : 0
      longest = max(longest, row)
    }
    return longest
  }

  /// A message with files behind it.
  public static func message(_ text: String, with files: [AttachedFile]) -> String {
    ([text].filter { !$0.isEmpty } + files.map(\.block)).joined(separator: separator)
  }

  static let separator = "\n\n"
}

/// Why a file does not go with a message; one line: cause, file, remedy.
public struct AttachmentError: Error, Equatable, Sendable, CustomStringConvertible {
  public var description: String
  /// There is no such file.
  public var isMissing: Bool
}

/// How many tokens a text has.
public struct TokenCount: Sendable, Equatable {
  public var count: Int
  /// Nobody counted: it is about so many.
  public var isEstimate: Bool

  public init(_ count: Int, isEstimate: Bool = false) {
    self.count = count
    self.isEstimate = isEstimate
  }

  /// Bytes of a token of most texts.
  private static let bytesPerToken = 4

  /// About how many a text has, where its tokenizer is not at hand.
  public init(estimating text: String) {
    self.init((text.utf8.count + Self.bytesPerToken - 1) / Self.bytesPerToken, isEstimate: true)
  }

  /// About so many tokens' worth of a text's beginning.
  public static func beginning(of text: String, tokens: Int) -> String {
    wholeLines(Array(text.utf8.prefix(max(0, tokens) * bytesPerToken)))
  }

  /// Text without a half character at its end, and without a half line, where lines are short enough.
  static func wholeLines(_ bytes: [UInt8]) -> String {
    var bytes = bytes[...]
    for _ in 0..<3 where String(validating: bytes, as: UTF8.self) == nil && !bytes.isEmpty { bytes.removeLast() }
    if let end = bytes.lastIndex(of: UInt8(ascii: "\n")), end >= bytes.count / 2 { bytes = bytes[...end] }
    return String(decoding: bytes, as: UTF8.self)
  }
}

/// A file that went with a message, as conversations remember it. Its text is part of the message.
public struct MessageFile: Sendable, Equatable, Codable {
  public var path: String
  /// Of the file.
  public var bytes: Int
  public var tokens: Int
  /// Nobody counted the tokens.
  public var isEstimate: Bool?
  /// The message has its beginning only.
  public var isCut: Bool?
  /// Bytes of the message that it takes.
  public var length: Int

  public init(_ file: AttachedFile) {
    path = file.path
    bytes = file.bytes
    tokens = file.tokens.count
    isEstimate = file.tokens.isEstimate ? true : nil
    isCut = file.isCut ? true : nil
    length = file.block.utf8.count
  }

  /// The message that was written, and the files as they were sent with it, one by one.
  public static func split(_ message: String, _ files: [MessageFile]) -> (text: String, blocks: [String]) {
    let bytes = message.utf8
    var end = bytes.count
    var blocks: [String] = []
    for file in files.reversed() {
      guard file.length > 0, file.length <= end, case let start = end - file.length,
        let block = String(bytes.dropFirst(start).prefix(file.length))
      else { return (message, []) }
      blocks.insert(block, at: 0)
      end = max(0, start - AttachedFile.separator.utf8.count)
    }
    return (String(bytes.prefix(end)) ?? message, blocks)
  }
}
