import FamilyFixture
import Foundation
import Support
import Synchronization

/// `stitch-serve` over a random family, which is made once. The server is a process of its own, as it is for users: what
/// other tests do on this one's threads does not hold it up.
final class ServerFixture: Sendable {
  static let family: URL = {
    let root = FileManager.default.temporaryDirectory.appending(path: "stitch-serving-\(UUID().uuidString)")
    let family = root.appending(path: "random")
    do {
      try FileManager.default.createDirectory(at: root, withIntermediateDirectories: true)
      try RandomFamily.make(at: family, contextLength: 256)
    } catch { fatalError("\(error)") }
    return family
  }()

  /// One with all defaults, for tests that leave no trace in it.
  static let shared = Task { try await ServerFixture() }

  let port: UInt16
  private let identifier: Int32

  init(_ options: String...) async throws {
    let started = try await blocking { try Self.start(options) }
    (identifier, port) = started
  }

  deinit { kill(identifier, SIGTERM) }

  struct NotStarted: Error { var complaint: String }

  private static func start(_ options: [String]) throws -> (Int32, UInt16) {
    let bundle = Bundle.main.executableURL ?? URL(filePath: CommandLine.arguments[0])
    let process = Process()
    process.executableURL = bundle.deletingLastPathComponent().appending(path: "stitch-serve")
    process.arguments = ["--family", family.path, "--port", "0", "--threads", "2"] + options
    let pipe = Pipe()
    process.standardError = pipe
    try process.run()
    Servers.note(process.processIdentifier)
    var text = ""
    while !text.contains("\n"), case let data = pipe.fileHandleForReading.availableData, !data.isEmpty {
      text += String(decoding: data, as: UTF8.self)
    }
    guard let match = text.firstMatch(of: /:([0-9]+)\/v1/), let port = UInt16(match.output.1) else {
      throw NotStarted(complaint: text)
    }
    return (process.processIdentifier, port)
  }

  func get(_ path: String, _ fields: [String] = []) async throws -> Answer {
    try await exchange("GET \(path) HTTP/1.1\r\nHost: localhost\r\n\(lines(fields))Connection: close\r\n\r\n")
  }

  func post(_ path: String, _ body: String, _ fields: [String] = []) async throws -> Answer {
    try await exchange(
      "POST \(path) HTTP/1.1\r\nHost: localhost\r\nContent-Length: \(body.utf8.count)\r\n\(lines(fields))Connection: close\r\n\r\n\(body)"
    )
  }

  func chat(_ members: String, _ content: String = "hello there") async throws -> Answer {
    try await post(
      "/v1/chat/completions", #"{"messages": [{"role": "user", "content": "\#(content)"}], \#(members)}"#)
  }

  /// Sends pieces of text, with a moment in between, and reads all that comes until the server closes the connection.
  func exchange(_ pieces: String...) async throws -> Answer { Answer(try await bytes(of: pieces)) }

  func bytes(of pieces: [String]) async throws -> [UInt8] {
    let port = port
    return try await blocking {
      let client = try RawClient(port: port)
      for (index, piece) in pieces.enumerated() {
        if index > 0 { Thread.sleep(forTimeInterval: 0.02) }
        // A server that has had enough may have closed.
        do { try client.send(Array(piece.utf8)) } catch {}
      }
      return client.readToEnd()
    }
  }

  private func lines(_ fields: [String]) -> String { fields.map { $0 + "\r\n" }.joined() }
}

/// Servers that are to end with the tests.
private enum Servers {
  private static let identifiers = Mutex<[Int32]>([])

  static func note(_ identifier: Int32) {
    let isFirst = identifiers.withLock { identifiers in
      identifiers.append(identifier)
      return identifiers.count == 1
    }
    if isFirst { atexit { Servers.end() } }
  }

  private static func end() {
    for identifier in identifiers.withLock({ $0 }) { kill(identifier, SIGTERM) }
    try? FileManager.default.removeItem(at: ServerFixture.family.deletingLastPathComponent())
  }
}

/// Runs what blocks beside the tasks' own threads, which the server needs.
func blocking<Result: Sendable>(_ body: @escaping @Sendable () throws -> Result) async throws -> Result {
  try await withCheckedThrowingContinuation { continuation in
    Thread { continuation.resume(with: Swift.Result { try body() }) }.start()
  }
}

/// A plain connection.
final class RawClient {
  struct Failure: Error { var code = errno }

  private let descriptor: Int32

  init(port: UInt16) throws {
    descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var timeout = timeval(tv_sec: 600, tv_usec: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = inet_addr("127.0.0.1")
    let result = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    if result != 0 { throw Failure() }
  }

  deinit { hangUp() }

  private var isOpen = true

  func hangUp() {
    if isOpen { close(descriptor) }
    isOpen = false
  }

  func send(_ bytes: [UInt8]) throws {
    var rest = bytes[...]
    while !rest.isEmpty {
      let count = Array(rest).withUnsafeBytes {
        Foundation.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
      }
      if count <= 0 { throw Failure() }
      rest = rest.dropFirst(count)
    }
  }

  /// Some bytes; none at the end.
  func read() -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: 1 << 16)
    let count = recv(descriptor, &bytes, bytes.count, 0)
    return Array(bytes.prefix(max(0, count)))
  }

  func readToEnd() -> [UInt8] {
    var all: [UInt8] = []
    while case let piece = read(), !piece.isEmpty { all += piece }
    return all
  }
}

/// An answer, taken apart.
struct Answer: Sendable {
  var status = 0
  var fields: [String: String] = [:]
  var body: [UInt8] = []

  init(_ bytes: [UInt8]) {
    let text = String(decoding: bytes, as: UTF8.self)
    guard let end = text.range(of: "\r\n\r\n") else { return }
    let lines = text[..<end.lowerBound].split(separator: "\r\n", omittingEmptySubsequences: false)
    let words = (lines.first ?? "").split(separator: " ")
    status = words.count > 1 ? Int(words[1]) ?? 0 : 0
    for line in lines.dropFirst() {
      let parts = line.split(separator: ":", maxSplits: 1)
      if parts.count == 2 { fields[parts[0].lowercased()] = parts[1].trimmingCharacters(in: .whitespaces) }
    }
    body = Array(text[end.upperBound...].utf8)
    if fields["transfer-encoding"] == "chunked" { body = Self.joined(body) }
  }

  private static func joined(_ bytes: [UInt8]) -> [UInt8] {
    var rest = bytes[...]
    var body: [UInt8] = []
    while let end = rest.firstIndex(of: 0x0A) {
      let digits = String(decoding: rest[..<end], as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
      guard let size = Int(digits, radix: 16), size > 0, rest.endIndex - end > size else { break }
      body += rest[(end + 1)...].prefix(size)
      rest = rest[(end + 1 + size)...].dropFirst(2)
    }
    return body
  }

  var text: String { String(decoding: body, as: UTF8.self) }

  var json: JSONValue { get throws { try JSONValue(utf8: body) } }

  /// The documents of a stream; whether it was closed with `[DONE]`.
  var events: (documents: [JSONValue], isDone: Bool) {
    get throws {
      let lines = text.split(separator: "\n").filter { $0.hasPrefix("data: ") }.map { $0.dropFirst(6) }
      let documents = try lines.filter { $0 != "[DONE]" }.map { try JSONValue(utf8: Array($0.utf8)) }
      return (documents, lines.last == "[DONE]")
    }
  }
}

extension JSONValue {
  subscript(_ name: String) -> JSONValue { object?[name] ?? .null }
  subscript(_ index: Int) -> JSONValue {
    guard let array, array.indices.contains(index) else { return .null }
    return array[index]
  }
}
