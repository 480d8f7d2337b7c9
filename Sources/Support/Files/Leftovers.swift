import Foundation

/// What runs left that were killed outright: temporary files and directories whose writer is gone, locks that nobody
/// holds, digests of files that are gone.
///
/// What a run that is still there uses is never touched. Beginnings of downloads stay, too: the next one goes on from them.
public struct Leftovers {
  public struct Item: Sendable, Equatable, Encodable {
    public enum Kind: String, Sendable, Encodable { case temporary, lock, digest }
    public var kind: Kind
    public var path: String
    public var bytes: Int
  }

  /// A lock file younger than so many seconds may have been made by somebody who is about to take the lock.
  private static let settled = 10

  /// Where is looked, links not followed.
  private let places: [URL]

  /// - Parameter others: directories beside the user's own, where commands were told to write.
  public init(besides others: [URL] = []) {
    places = [UserDirectories.data, UserDirectories.cache, UserDirectories.state, UserDirectories.config] + others
  }

  /// All there are.
  public func find() -> [Item] {
    var items: [Item] = []
    for place in places { Self.search(place.path, into: &items) }
    items += Self.drafts() + Self.digests()
    // One place may lie in another.
    var known: Set<String> = []
    return items.filter { known.insert($0.path).inserted }
  }

  /// Removes what was found.
  /// - Returns: those that are gone.
  /// - Throws: `FileError` for the first that could not be removed, after the others were tried.
  public func remove(_ items: [Item]) throws -> [Item] {
    var failure: FileError?
    let gone = items.filter { item in
      if item.kind == .lock { return Self.removeLock(item.path) }
      do { try FileManager.default.removeItem(atPath: item.path) } catch {
        // Somebody else may have removed it meanwhile.
        guard access(item.path, F_OK) == 0 else { return true }
        failure = failure ?? .system(operation: "remove", file: item.path, code: EACCES)
        return false
      }
      return true
    }
    if let failure { throw failure }
    return gone
  }

  // MARK: Finding

  private static func search(_ directory: String, into items: inout [Item]) {
    let names: [String]
    // What cannot be listed is not ours to clean.
    do { names = try FileManager.default.contentsOfDirectory(atPath: directory) } catch { return }
    for name in names {
      let path = directory + "/" + name
      var status = stat()
      guard lstat(path, &status) == 0 else { continue }
      let isDirectory = status.st_mode & S_IFMT == S_IFDIR
      if AtomicFile.isLeftover(name) {
        items.append(Item(kind: .temporary, path: path, bytes: size(path)))
      } else if isDirectory {
        search(path, into: &items)
      } else if name.hasSuffix(".lock"), name != ".lock", status.st_size == 0, status.st_mode & S_IFMT == S_IFREG,
        time(nil) - status.st_mtim.tv_sec > settled, isFree(path)
      {
        items.append(Item(kind: .lock, path: path, bytes: 0))
      }
    }
  }

  /// Texts that were being edited in another program: see `ExternalEditor`.
  private static func drafts() -> [Item] {
    let directory = FileManager.default.temporaryDirectory.path
    let names: [String]
    do { names = try FileManager.default.contentsOfDirectory(atPath: directory) } catch { return [] }
    return names.compactMap { name in
      let parts = name.split(separator: "-", omittingEmptySubsequences: false)
      guard parts.count == 4, parts[0] == "stitch", parts[1] == "draft", let writer = pid_t(parts[2]),
        AtomicFile.isGone(writer)
      else { return nil }
      let path = directory + "/" + name
      var status = stat()
      guard lstat(path, &status) == 0, status.st_uid == getuid(), status.st_mode & S_IFMT == S_IFDIR else { return nil }
      return Item(kind: .temporary, path: path, bytes: size(path))
    }
  }

  private static func digests() -> [Item] {
    ContentDigest.ofMissingFiles().map { Item(kind: .digest, path: $0.path, bytes: size($0.path)) }
  }

  private static func size(_ path: String) -> Int {
    var status = stat()
    guard lstat(path, &status) == 0 else { return 0 }
    guard status.st_mode & S_IFMT == S_IFDIR else { return Int(status.st_size) }
    let names: [String]
    do { names = try FileManager.default.contentsOfDirectory(atPath: path) } catch { return 0 }
    return names.reduce(0) { $0 + size(path + "/" + $1) }
  }

  // MARK: Locks

  private static func isFree(_ path: String) -> Bool { withLock(path) {} }

  /// Removes a lock file while it holds the lock, as whoever made it would have done.
  private static func removeLock(_ path: String) -> Bool { withLock(path) { unlink(path) } }

  private static func withLock(_ path: String, _ body: () -> Void) -> Bool {
    let descriptor = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW)
    guard descriptor >= 0 else { return false }
    defer { close(descriptor) }
    guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else { return false }
    body()
    return true
  }
}
