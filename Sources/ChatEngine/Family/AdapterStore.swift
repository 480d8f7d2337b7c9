import Foundation
import Glibc
import LLaMAStitch
import Support

/// An adapter's file, opened once: its name and its content are of the same bytes, even where another file takes its
/// place meanwhile.
package struct AdapterFile {
  private let file: MappedFile
  /// SHA-256 of its content.
  package let hash: String

  /// - Throws: `FileError`.
  package init(_ url: URL) throws {
    file = try MappedFile(url)
    hash = SHA256.hexadecimal(of: file.bytes)
  }

  /// - Throws: `FamilyError`, `SafetensorsError`.
  package func describe() throws -> AdapterDescription { try Adapter.describe(SafetensorsFile(file)) }

  /// - Throws: `FamilyError`, `SafetensorsError`.
  package func read(for family: Family) throws -> Adapter { try Adapter.read(SafetensorsFile(file), for: family) }
}

/// Where snapshots of adapters are kept: one directory for each family, below the user's data directory, never inside
/// a family. A snapshot is named by the SHA-256 of its content, so it cannot change and equal ones are one file.
/// Saved conversations refer to snapshots, so the store never deletes one.
public struct AdapterStore: Sendable {
  /// A snapshot in the store.
  public struct Snapshot: Sendable, Equatable {
    /// SHA-256 of the file, 64 hexadecimal digits.
    public var hash: String
    public var file: URL
    /// When it was last saved.
    public var date: Date

    /// Enough of the hash for people.
    public var shortHash: String { String(hash.prefix(8)) }
  }

  public let directory: URL
  private static let suffix = ".safetensors"

  /// - Parameters:
  ///   - identity: `Family.identity`; adapters of other families are kept apart.
  ///   - root: the directory that holds `adapters/`.
  public init(identity: String, root: URL = UserDirectories.data) {
    directory = root.appendingPathComponent("adapters").appendingPathComponent(String(identity.prefix(16)))
  }

  /// Writes a snapshot: to a temporary file, flushed, renamed. Writers in other threads and processes wait.
  /// - Throws: `EngineError.storeUnusable`, `FileError`.
  public func save(_ adapter: Adapter) throws -> Snapshot {
    do {
      try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    } catch {
      throw EngineError.storeUnusable(directory: directory.path, cause: "it cannot be created")
    }
    return try locked {
      let incoming = directory.appendingPathComponent(".incoming\(Self.suffix)")
      try adapter.write(to: incoming)
      let hash = SHA256.hexadecimal(of: Array(try Data(contentsOf: incoming)))
      let file = directory.appendingPathComponent(hash + Self.suffix)
      guard rename(incoming.path, file.path) == 0 else {
        throw EngineError.storeUnusable(
          directory: directory.path, cause: String(cString: strerror(errno)).lowercased())
      }
      try AtomicFile.flushDirectory(directory)
      return Snapshot(hash: hash, file: file, date: Date())
    }
  }

  /// All snapshots, newest first.
  public func list() throws -> [Snapshot] {
    guard FileManager.default.fileExists(atPath: directory.path) else { return [] }
    let files = try FileManager.default.contentsOfDirectory(
      at: directory, includingPropertiesForKeys: [.contentModificationDateKey])
    let snapshots = try files.compactMap { file -> Snapshot? in
      guard file.lastPathComponent.hasSuffix(Self.suffix) else { return nil }
      let hash = String(file.lastPathComponent.dropLast(Self.suffix.count))
      guard hash.count == 64, hash.allSatisfy(\.isHexDigit) else { return nil }
      let date = try FileManager.default.attributesOfItem(atPath: file.path)[.modificationDate] as? Date
      return Snapshot(hash: hash, file: file, date: date ?? .distantPast)
    }
    return snapshots.sorted { ($1.date, $0.hash) < ($0.date, $1.hash) }
  }

  /// The snapshot that was saved last.
  /// - Throws: `EngineError.noSnapshot`.
  public func latest() throws -> Snapshot {
    guard let latest = try list().first else { throw EngineError.noSnapshot(prefix: nil, store: directory.path) }
    return latest
  }

  /// The one snapshot whose hash begins like this.
  /// - Throws: `EngineError.noSnapshot`, `EngineError.ambiguousSnapshot`.
  public func find(_ prefix: String) throws -> Snapshot {
    let matches = try list().filter { $0.hash.hasPrefix(prefix.lowercased()) }
    guard let first = matches.first else {
      throw EngineError.noSnapshot(prefix: prefix, store: directory.path)
    }
    guard matches.count == 1 else {
      throw EngineError.ambiguousSnapshot(prefix: prefix, matches: matches.map(\.hash))
    }
    return first
  }

  /// Reads a snapshot and checks its content against its name and the family.
  /// - Throws: `EngineError.damagedSnapshot`, `FamilyError`, `FileError`, `SafetensorsError`.
  public func open(_ snapshot: Snapshot, for family: Family) throws -> Adapter {
    let file = try AdapterFile(snapshot.file)
    guard file.hash == snapshot.hash else { throw EngineError.damagedSnapshot(file: snapshot.file.path) }
    return try file.read(for: family)
  }

  /// Runs `body` while no other writer is in the store.
  private func locked<Result>(_ body: () throws -> Result) throws -> Result {
    let lock: FileLock
    do throws(FileError) {
      lock = try FileLock(on: directory.appendingPathComponent(".lock"), contention: .wait)
    } catch {
      throw EngineError.storeUnusable(directory: directory.path, cause: String(cString: strerror(errno)).lowercased())
    }
    return try withExtendedLifetime(lock) { try body() }
  }
}
