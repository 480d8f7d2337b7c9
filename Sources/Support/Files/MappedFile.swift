import CMemory
import Foundation

/// A file mapped into memory, read-only. The bytes come from disk when they are first touched.
///
/// The mapping lasts as long as the object; every view made from it keeps it alive. A file that is replaced by
/// renaming stays as it was; one that is cut short in place while mapped ends the process, with a line that names it and
/// exit code 2.
///
/// `@unchecked Sendable`: an address and a length that never change, over memory nobody can write.
public final class MappedFile: @unchecked Sendable {
  public let url: URL
  /// Size in bytes.
  public let count: Int
  package let base: UnsafeRawPointer

  /// - Throws: `FileError.system` where the file is missing, unreadable or not a regular file.
  public init(_ url: URL) throws(FileError) {
    self.url = url
    let descriptor = open(url.path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw .system(operation: "open", file: url.path, code: errno) }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else {
      throw .system(operation: "examine", file: url.path, code: errno)
    }
    guard status.st_mode & S_IFMT == S_IFREG else {
      throw .system(
        operation: "map", file: url.path, code: status.st_mode & S_IFMT == S_IFDIR ? EISDIR : EINVAL)
    }
    count = Int(status.st_size)
    // A mapping cannot be empty: an empty file gets one anonymous page that nobody reads.
    let mapping =
      count == 0
      ? mmap(nil, 1, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
      : mmap(nil, count, PROT_READ, MAP_PRIVATE, descriptor, 0)
    guard let mapping, mapping != MAP_FAILED else {
      throw .system(operation: "map", file: url.path, code: errno)
    }
    // What is not in memory yet is then read from disk in such pages, too.
    cm_prefer_huge_pages(mapping, count)
    base = UnsafeRawPointer(mapping)
    if count > 0 { cm_watch_mapping(mapping, count, oneLine(url.path)) }
  }

  deinit {
    if count > 0 { cm_forget_mapping(base) }
    munmap(UnsafeMutableRawPointer(mutating: base), max(1, count))
  }

  /// Has the process end with a line where a mapped file is cut short or cannot be read, instead of by a signal; before
  /// anybody installs handlers that restore a terminal.
  package static func reportLosses() { cm_watch_mappings() }

  /// All bytes.
  public var bytes: ByteView { ByteView(base: base, count: count, owner: self) }
}

/// A view of `count` consecutive bytes that nobody writes. It keeps its owner alive.
///
/// `@unchecked Sendable`: an address and a length over memory that is only read.
public struct ByteView: @unchecked Sendable {
  package let base: UnsafeRawPointer
  public let count: Int
  package let owner: AnyObject?

  package init(base: UnsafeRawPointer, count: Int, owner: AnyObject?) {
    self.base = base
    self.count = count
    self.owner = owner
  }

  /// Whether both are the same memory.
  package func isSame(as other: ByteView) -> Bool { base == other.base && count == other.count }

  /// Asks for small pages where they are part of a mapped file, of which then only what is touched is resident: for
  /// bytes that are read here and there.
  package func preferSmallPages() { cm_prefer_small_pages(base, count) }

  /// The part `range` of this view.
  public func slice(_ range: Range<Int>) -> ByteView {
    precondition(range.lowerBound >= 0 && range.upperBound <= count, "a byte view outside its memory")
    return ByteView(base: base + range.lowerBound, count: range.count, owner: owner)
  }

  /// The little-endian integer whose first byte is at `offset`.
  package func integer<Value: FixedWidthInteger>(_ type: Value.Type, at offset: Int) -> Value {
    precondition(offset >= 0 && offset + MemoryLayout<Value>.size <= count, "an integer outside its memory")
    return Value(littleEndian: (base + offset).loadUnaligned(as: Value.self))
  }

  /// The bytes, copied.
  public var data: Data { Data(bytes: base, count: count) }

  /// Calls `body` with the bytes, valid only inside it.
  package func withBytes<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result {
    try body(UnsafeRawBufferPointer(start: base, count: count))
  }
}
