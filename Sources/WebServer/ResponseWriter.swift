import Foundation
import Glibc

/// Writes an answer to a client.
struct ResponseWriter: Sendable {
  let client: ClientSocket
  let stallTime: Duration
  let keepsAlive: Bool
  /// Whether the client knows chunks.
  var isCurrent = true

  func write(_ response: HTTPResponse, method: String) async throws {
    var head = "HTTP/1.1 \(response.status) \(HTTPStatus.phrase(response.status))\r\n"
    head += "Date: \(Self.date)\r\nX-Content-Type-Options: nosniff\r\n"
    for (name, value) in response.fields { head += "\(name): \(Self.harmless(value))\r\n" }
    let isChunked: Bool
    switch response.body {
    case .whole(let bytes):
      isChunked = false
      if response.status != 204 { head += "Content-Length: \(bytes.count)\r\n" }
    case .streamed:
      isChunked = isCurrent
      if isChunked { head += "Transfer-Encoding: chunked\r\n" }
    }
    if !keepsAlive || (!isCurrent && !isWhole(response)) {
      head += "Connection: close\r\n"
    } else if !isCurrent {
      head += "Connection: keep-alive\r\n"
    }
    let headBytes = Array((head + "\r\n").utf8)
    switch response.body {
    case .whole(let bytes): try await send(method == "HEAD" ? headBytes : headBytes + bytes)
    case .streamed(let write):
      try await send(headBytes)
      if method == "HEAD" { return }
      let body = HTTPBodyWriter { bytes in
        guard isChunked else { return try await send(bytes) }
        try await send(Array("\(String(bytes.count, radix: 16))\r\n".utf8) + bytes + [0x0D, 0x0A])
      }
      try await write(body)
      if isChunked { try await send(Array("0\r\n\r\n".utf8)) }
      // Without chunks the end of the connection is the end of the body.
      if !isCurrent { throw CancellationError() }
    }
  }

  private func isWhole(_ response: HTTPResponse) -> Bool { if case .whole = response.body { true } else { false } }

  private func send(_ bytes: [UInt8]) async throws { try await client.write(bytes, stallTime: stallTime) }

  /// Now, as HTTP writes it.
  private static var date: String {
    var now = time(nil)
    var parts = tm()
    gmtime_r(&now, &parts)
    let days = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
    let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
    func two(_ number: Int32) -> String { number < 10 ? "0\(number)" : "\(number)" }
    return
      "\(days[Int(parts.tm_wday)]), \(two(parts.tm_mday)) \(months[Int(parts.tm_mon)]) \(parts.tm_year + 1900) \(two(parts.tm_hour)):\(two(parts.tm_min)):\(two(parts.tm_sec)) GMT"
  }

  /// A value cannot end its line.
  private static func harmless(_ value: String) -> String {
    String(String.UnicodeScalarView(value.unicodeScalars.filter { $0.value >= 0x20 && $0.value != 0x7F }))
  }
}
