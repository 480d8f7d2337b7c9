import ChatEngine
import FamilyFixture
import Foundation
import LLaMAStitch
import Serving
import Support
import WebServer

/// A server on a port of its own over a random family, which is made once.
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

  let family: ServedFamily
  let server: HTTPServer
  let metrics = Metrics()
  private let task: Task<Void, Never>

  init(
    parallel: Int = 8, queue: Int = 256, keys: [String] = [], origins: [String] = [], isLocal: Bool = true,
    cacheBytes: Int = 1 << 28, limits: HTTPLimits = HTTPLimits()
  ) throws {
    family = try ServedFamily(Self.family, adapter: .own)
    var options = Scheduler.Options(
      contextLength: family.text.contextLength, cacheBytes: cacheBytes, threads: 2)
    options.parallel = parallel
    options.queue = queue
    let scheduler = Scheduler(options, metrics: metrics) { [family] in family.network(of: $0) }
    let service = OpenAIService(
      family, scheduler: scheduler, contextLength: family.text.contextLength,
      access: AccessRules(keys: keys, origins: origins, isLocal: isLocal))
    let server = try HTTPServer(
      host: "127.0.0.1", port: 0, limits: limits, complain: { APIError($0).response },
      answer: { await service.answer($0) })
    self.server = server
    task = Task { do { try await server.run() } catch {} }
  }

  deinit { task.cancel() }

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

  /// Sends text and reads all that comes until the server closes the connection.
  func exchange(_ text: String) async throws -> Answer {
    let port = server.port
    return try await blocking {
      let client = try RawClient(port: port)
      try client.send(Array(text.utf8))
      return Answer(client.readToEnd())
    }
  }

  private func lines(_ fields: [String]) -> String { fields.map { $0 + "\r\n" }.joined() }
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
    var timeout = timeval(tv_sec: 60, tv_usec: 0)
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
        Foundation.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL.rawValue))
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
