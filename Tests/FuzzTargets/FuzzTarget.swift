import Foundation

/// A reader, or another part that takes what strangers write, as a fuzzer calls it: with any bytes.
///
/// Whatever the bytes are, `run` returns: what cannot be read is an error. A crash, an endless loop, memory
/// without bounds, and a broken promise of the part (`expect`) are what a fuzzer looks for.
package struct FuzzTarget: Sendable {
  /// As `make fuzz TARGET=…` and the folders of the corpus call it.
  package let name: String
  package let run: @Sendable (_ bytes: [UInt8]) -> Void

  package init(_ name: String, _ run: @escaping @Sendable (_ bytes: [UInt8]) -> Void) {
    self.name = name
    self.run = run
  }

  /// All there are, one for each kind of input.
  package static let all =
    modelFiles + tokenizerFiles + familyFiles + textFiles + [jinja, jsonSchema, gbnf, http, server] + screens

  package static func named(_ name: String) -> FuzzTarget? { all.first { $0.name == name } }
}

/// What each part promises besides not to crash.
func expect(_ holds: Bool, _ promise: @autoclosure () -> String) {
  if !holds { fatalError("a promise is broken: \(promise())") }
}

/// Calls what may refuse its input, and says why: whoever writes seeds reads it with `STITCH_FUZZ_SHOW=1`.
func refusing(_ body: () throws -> Void) {
  do { try body() } catch {
    expect(!"\(error)".isEmpty, "an error without a text")
    if showsRefusals { print("refused: \(error)") }
  }
}

let showsRefusals = getenv("STITCH_FUZZ_SHOW") != nil

/// Text out of any bytes, for what takes only text.
func text(_ bytes: some Sequence<UInt8>) -> String { String(decoding: Array(bytes), as: UTF8.self) }

/// Files of this process for readers that want one. In memory where the system has a place for that.
enum Scratch {
  package static let directory: URL = {
    let memory = URL(fileURLWithPath: "/dev/shm")
    let place = access(memory.path, W_OK) == 0 ? memory : FileManager.default.temporaryDirectory
    let directory = place.appendingPathComponent("stitch-fuzz-\(getpid())-\(UUID().uuidString.prefix(8))")
    mkdir(directory.path, 0o700)
    // The process may have no other end than `exit`.
    atexit { FuzzScratch.remove() }
    return directory
  }()

  /// Calls `body` with a file of these bytes, which is gone afterwards.
  static func file(_ name: String, _ bytes: some Collection<UInt8>, _ body: (URL) -> Void) {
    let file = directory.appendingPathComponent("\(UUID().uuidString)-\(name)")
    expect(FileManager.default.createFile(atPath: file.path, contents: Data(bytes)), "room for a scratch file")
    defer { unlink(file.path) }
    body(file)
  }

  /// The same with a directory of some files.
  static func directory(_ files: [String: Data], _ body: (URL) -> Void) {
    let place = directory.appendingPathComponent(UUID().uuidString)
    mkdir(place.path, 0o700)
    defer {
      for name in files.keys { unlink(place.appendingPathComponent(name).path) }
      rmdir(place.path)
    }
    for (name, data) in files {
      expect(
        FileManager.default.createFile(atPath: place.appendingPathComponent(name).path, contents: data),
        "room for a scratch file")
    }
    body(place)
  }
}

/// Removes the scratch files of this process.
package enum FuzzScratch {
  package static func remove() {
    // A directory of memory that stays is the next start's concern.
    do { try FileManager.default.removeItem(at: Scratch.directory) } catch {}
  }
}

/// Bytes taken one after the other as choices: what makes a structured input of a fuzzer's bytes. After the last byte all
/// choices are the first.
struct Choices {
  private var rest: ArraySlice<UInt8>

  init(_ bytes: [UInt8]) { rest = bytes[...] }

  var isOver: Bool { rest.isEmpty }

  mutating func byte() -> UInt8 { rest.popFirst() ?? 0 }

  /// From 0 to below `count`.
  mutating func number(below count: Int) -> Int {
    var value = Int(byte())
    if count > 256 { value = value << 8 | Int(byte()) }
    return value % count
  }

  mutating func pick<Element>(_ elements: [Element]) -> Element { elements[number(below: elements.count)] }

  /// Seldom: an eighth of the bytes mean so.
  mutating func seldom() -> Bool { byte() >= 224 }

  mutating func wide() -> UInt64 { (0..<8).reduce(0) { value, _ in value << 8 | UInt64(byte()) } }

  /// Some bytes as they are.
  mutating func bytes(_ count: Int) -> [UInt8] {
    defer { rest = rest.dropFirst(count) }
    return Array(rest.prefix(count))
  }
}
