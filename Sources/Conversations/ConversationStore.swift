import ChatEngine
import Foundation
import Support

/// Where conversations are saved: a folder below the user's data directory, one file of JSON lines for each.
public struct ConversationStore: Sendable, Equatable {
  public let directory: URL
  private static let suffix = ".jsonl"

  /// - Parameter root: the directory that holds `conversations/`.
  public init(root: URL = UserDirectories.data) { directory = root.appendingPathComponent("conversations") }

  /// - Parameter id: one for which `isID` holds.
  public func file(_ id: String) -> URL { directory.appendingPathComponent(id + Self.suffix) }

  // MARK: Finding

  /// Whether a name is an id such as `20261121-143205-ab12`: nothing else names a file here.
  static func isID(_ name: some StringProtocol) -> Bool {
    let parts = name.split(separator: "-", omittingEmptySubsequences: false)
    return parts.map(\.utf8.count) == [8, 6, 4] && parts[0].allSatisfy(isDigit) && parts[1].allSatisfy(isDigit)
      && parts[2].allSatisfy(isDigitOrLetter)
  }

  private static func isDigit(_ character: Character) -> Bool { ("0"..."9").contains(character) && character.isASCII }
  private static func isDigitOrLetter(_ character: Character) -> Bool {
    isDigit(character) || (("a"..."z").contains(character) && character.isASCII)
  }

  /// All ids, the one written to last first.
  /// - Throws: `ConversationError.unreadable`.
  public func ids() throws(ConversationError) -> [String] { try entries().map { $0.id } }

  func entries() throws(ConversationError) -> [(id: String, updated: Date)] {
    guard FileManager.default.fileExists(atPath: directory.path) else { return [] }
    do {
      let names = try FileManager.default.contentsOfDirectory(atPath: directory.path)
      let entries = names.compactMap { name -> (id: String, updated: Date)? in
        guard name.hasSuffix(Self.suffix) else { return nil }
        let id = String(name.dropLast(Self.suffix.count))
        // One that was deleted meanwhile has no attributes.
        guard Self.isID(id), let attributes = try? FileManager.default.attributesOfItem(atPath: file(id).path),
          attributes[.type] as? FileAttributeType == .typeRegular
        else { return nil }
        return (id, attributes[.modificationDate] as? Date ?? .distantPast)
      }
      return entries.sorted { ($1.updated, $1.id) < ($0.updated, $0.id) }
    } catch {
      throw .unreadable(
        file: directory.path, cause: "it cannot be listed", remedy: "check its permissions, or set XDG_DATA_HOME")
    }
  }

  /// The one conversation whose id begins like this.
  /// - Throws: `ConversationError.notAnID`, `.noneYet`, `.unknown`, `.ambiguous`, `.unreadable`.
  public func find(_ prefix: String) throws(ConversationError) -> String {
    guard !prefix.isEmpty, prefix.count <= 20, prefix.allSatisfy({ Self.isDigitOrLetter($0) || $0 == "-" }) else {
      throw .notAnID(prefix)
    }
    let ids = try self.ids()
    let matches = ids.filter { $0.hasPrefix(prefix) }
    guard let first = matches.first else {
      throw ids.isEmpty ? .noneYet(directory: directory.path) : .unknown(id: prefix, directory: directory.path)
    }
    if matches.count > 1 { throw .ambiguous(prefix: prefix, matches: matches.sorted()) }
    return first
  }

  /// The conversation with one of these families that was written to last.
  /// - Parameter families: at least one; the first is the one to name.
  /// - Throws: `ConversationError.noneOfFamily`, `.unreadable`.
  public func latest(of families: [FamilyReference]) throws(ConversationError) -> String {
    let identities = Set(families.map(\.identity))
    for id in try ids() {
      // A file that cannot be read is not the one that is looked for.
      do throws(ConversationError) {
        if let family = try ConversationReader.header(of: file(id)).family, identities.contains(family.identity) {
          return id
        }
      } catch { continue }
    }
    throw .noneOfFamily(name: families[0].name, directory: directory.path)
  }

  /// Reads a conversation, whoever has it open.
  /// - Parameter id: one that was listed or found.
  /// - Throws: `ConversationError.unreadable`, `.notAConversation`, `.unknownFormat`.
  public func read(_ id: String) throws(ConversationError) -> SavedConversation {
    try ConversationReader.read(file(id)).conversation
  }

  /// The first line of a conversation's file: no messages.
  /// - Throws: as `read`.
  public func header(_ id: String) throws(ConversationError) -> SavedConversation {
    try ConversationReader.header(of: file(id))
  }

  // MARK: Changing

  /// Deletes a conversation.
  /// - Parameter id: all of it.
  /// - Throws: `ConversationError.incompleteID`, `.inUse`, `.unwritable`, and what `find` throws.
  public func delete(_ id: String) throws(ConversationError) {
    let found = try find(id)
    guard found == id else { throw .incompleteID(id, whole: found) }
    let lock = try ConversationFile.lock(file(id), id)
    try withExtendedLifetime(lock) { () throws(ConversationError) in
      if unlink(file(id).path) != 0 { throw .unwritable(file(id).path, code: errno) }
    }
  }

  /// Conversations are nobody else's business.
  func makeDirectory() throws(ConversationError) {
    do {
      try FileManager.default.createDirectory(
        at: directory, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    } catch let error as CocoaError where error.code == .fileWriteOutOfSpace {
      throw .unwritable(directory.path, code: ENOSPC)
    } catch {
      throw .unwritable(
        file: directory.path, cause: "the folder cannot be made", remedy: "check its permissions, or set XDG_DATA_HOME")
    }
  }

  /// An id that sorts by time; the letters keep programs apart that begin in the same second.
  static func newID(_ date: Date) -> String {
    var seconds = time_t(date.timeIntervalSince1970)
    var parts = tm()
    gmtime_r(&seconds, &parts)
    let letters = Array("0123456789abcdefghijklmnopqrstuvwxyz")
    let time = String(
      format: "%04d%02d%02d-%02d%02d%02d-", parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday, parts.tm_hour,
      parts.tm_min, parts.tm_sec)
    return time + String((0..<4).map { _ in letters[Int.random(in: 0..<letters.count)] })
  }
}
