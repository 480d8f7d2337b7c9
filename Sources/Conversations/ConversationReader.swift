import ChatEngine
import Foundation
import Support

/// Reads the file of a conversation, whatever happened to it.
enum ConversationReader {
  struct Contents {
    var conversation: SavedConversation
    /// Bytes of whole lines.
    var wholeBytes: Int
    /// Bytes of a last line without an end, which a killed program left; they mean nothing.
    var tornBytes: Int
  }

  /// Damaged lines are left out and told of in `problems`; more than so many are only counted.
  private static let mostProblems = 5

  /// - Throws: `ConversationError.unreadable`, `.notAConversation`, `.unknownFormat`.
  static func read(_ file: URL) throws(ConversationError) -> Contents {
    let bytes = try contents(of: file)
    let whole = bytes.lastIndex(of: newline).map { $0 + 1 } ?? 0
    guard let end = bytes.firstIndex(of: newline) else { throw .notAConversation(file: file.path) }
    var conversation = try header(bytes[..<end], of: file)
    var start = end + 1
    var number = 1
    var damaged = 0
    while start < whole {
      let end = bytes[start...].firstIndex(of: newline) ?? whole
      number += 1
      do throws(ConversationLine.Damage) {
        conversation.apply(try ConversationLine.decode(bytes[start..<end]))
      } catch {
        damaged += 1
        if damaged <= mostProblems {
          conversation.problems.append("\(file.path), line \(number): \(error.cause); this line is left out")
        }
      }
      start = end + 1
    }
    if damaged > mostProblems {
      conversation.problems.append("\(file.path): and \(damaged - mostProblems) more, left out too")
    }
    return Contents(conversation: conversation, wholeBytes: whole, tornBytes: bytes.count - whole)
  }

  /// The first line alone.
  /// - Throws: `ConversationError.unreadable`, `.notAConversation`, `.unknownFormat`.
  static func header(of file: URL) throws(ConversationError) -> SavedConversation {
    let bytes = try contents(of: file, atMost: 1 << 16)
    guard let end = bytes.firstIndex(of: newline) else { throw .notAConversation(file: file.path) }
    return try header(bytes[..<end], of: file)
  }

  private static let newline = UInt8(ascii: "\n")

  private static func header(_ bytes: ArraySlice<UInt8>, of file: URL) throws(ConversationError) -> SavedConversation {
    let line: ConversationLine
    do throws(ConversationLine.Damage) { line = try ConversationLine.read(bytes) } catch {
      throw .notAConversation(file: file.path)
    }
    guard line.type == "conversation", let format = line.format else { throw .notAConversation(file: file.path) }
    guard format == ConversationLine.currentFormat else { throw .unknownFormat(file: file.path, format: format) }
    // The name of the file is what counts: it was found by it.
    return SavedConversation(
      id: file.deletingPathExtension().lastPathComponent, created: line.created ?? .distantPast,
      program: line.program ?? "", family: line.family, parent: line.parent)
  }

  private static func contents(of file: URL, atMost limit: Int = .max) throws(ConversationError) -> [UInt8] {
    // Not a pipe, which would make us wait.
    let descriptor = open(file.path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { throw .unreadable(file.path, code: errno) }
    defer { close(descriptor) }
    var information = stat()
    guard fstat(descriptor, &information) == 0 else { throw .unreadable(file.path, code: errno) }
    guard information.st_mode & S_IFMT == S_IFREG else { throw .notAConversation(file: file.path) }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(min(limit, Int(information.st_size)))
    var chunk = [UInt8](repeating: 0, count: min(limit, 1 << 17))
    while bytes.count < limit {
      let count = Foundation.read(descriptor, &chunk, chunk.count)
      if count == 0 { break }
      if count > 0 { bytes += chunk[..<count] } else if errno != EINTR { throw .unreadable(file.path, code: errno) }
    }
    return bytes
  }
}

extension SavedConversation {
  /// Reads a conversation's file, wherever it lies.
  /// - Throws: `ConversationError.unreadable`, `.notAConversation`, `.unknownFormat`.
  package init(contentsOf file: URL) throws(ConversationError) { self = try ConversationReader.read(file).conversation }
}
