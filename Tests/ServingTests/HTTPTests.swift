import Foundation
import Testing
import WebServer

/// What comes over a socket before anybody reads it as JSON, good and bad.
@Suite struct HTTPTests {
  private static func server(_ limits: HTTPLimits = HTTPLimits()) throws -> Served { try Served(limits) }

  /// Answers with what it was asked.
  private final class Served: Sendable {
    let server: HTTPServer
    private let task: Task<Void, Never>

    init(_ limits: HTTPLimits) throws {
      let server = try HTTPServer(
        host: "127.0.0.1", port: 0, limits: limits,
        complain: { .init(status: $0.status, body: .whole(Array($0.reason.utf8))) },
        answer: { request in
          .init(status: 200, body: .whole(Array("\(request.method) \(request.path) ".utf8) + request.body))
        })
      self.server = server
      task = Task { do { try await server.run() } catch {} }
    }

    deinit { task.cancel() }

    /// - Parameter pieces: sent one after another, with a moment in between.
    func send(_ pieces: String...) async throws -> [UInt8] {
      let port = server.port
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
  }

  @Test func requestsAreReadHoweverTheyAreCut() async throws {
    let served = try Self.server()
    let whole = Answer(
      try await served.send("POST /a%20b?c=d HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nConnection: close\r\n\r\nbody")
    )
    #expect(whole.status == 200 && whole.text == "POST /a b body")
    let cut = Answer(
      try await served.send(
        "\r\nPOST /p HT", "TP/1.1\r\nHo", "st: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r", "\n3\r\nab",
        "c\r\n2;x=y\r\nde\r\n0\r\nT: t\r\n", "\r\n"))
    #expect(cut.status == 200 && cut.text == "POST /p abcde")
    let old = try await served.send("GET / HTTP/1.0\n\n")
    #expect(Answer(old).status == 200 && Answer(old).fields["connection"] == "close")
    let head = try await served.send("HEAD / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    #expect(Answer(head).status == 200 && Answer(head).body.isEmpty && Answer(head).fields["content-length"] == "7")
    let waits = String(
      decoding: try await served.send(
        "POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\nConnection: close\r\n\r\n", "ok"),
      as: UTF8.self)
    #expect(waits.hasPrefix("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n") && waits.hasSuffix("POST / ok"))
  }

  @Test func requestsFollowOneAnotherOnAConnection() async throws {
    let served = try Self.server()
    let text = String(
      decoding: try await served.send(
        "GET /1 HTTP/1.1\r\nHost: x\r\n\r\nGET /2 HTTP/1.1\r\nHost: x\r\n\r\nGET /3 HT",
        "TP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"), as: UTF8.self)
    #expect(text.ranges(of: "HTTP/1.1 200 OK").count == 3)
    #expect(text.contains("GET /1 ") && text.contains("GET /2 ") && text.hasSuffix("GET /3 "))
  }

  @Test(arguments: [
    ("GET\r\n\r\n", 400), ("GET / HTTP/2.0\r\nHost: x\r\n\r\n", 505), ("GET / HTTP/1.1\r\n\r\n", 400),
    ("GET x HTTP/1.1\r\nHost: x\r\n\r\n", 400), ("GET /%zz HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    ("GET /%00 HTTP/1.1\r\nHost: x\r\n\r\n", 400), ("GET / HTTP/1.1\r\nHost : x\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: x\r\n folded\r\n\r\n", 400), ("GET / HTTP/1.1\r\nHost: x\r\nA: \u{1}\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", 400),
    ("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", 400),
    ("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", 400),
    ("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
    ("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n", 501),
    ("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", 400),
    ("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n", 400),
    ("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\n", 413),
    ("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999999\r\n\r\n", 413),
    ("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nfffffff\r\n", 413),
    ("POST / HTTP/1.1\r\nHost: x\r\nExpect: magic\r\n\r\n", 417),
    ("GET / HTTP/1.1\r\nHost: x\r\nA: " + String(repeating: "a", count: 1 << 17), 431),
  ])
  func whatIsNoRequestIsRefused(_ text: String, _ status: Int) async throws {
    let served = try Self.server()
    #expect(Answer(try await served.send(text)).status == status)
    // Others are served.
    #expect(Answer(try await served.send("GET / HTTP/1.0\r\n\r\n")).status == 200)
  }

  @Test func whoIsTooSlowIsSentAway() async throws {
    var limits = HTTPLimits()
    (limits.headTime, limits.bodyTime, limits.idleTime) = (.milliseconds(80), .milliseconds(80), .milliseconds(80))
    let served = try Self.server(limits)
    #expect(Answer(try await served.send("GET / HT")).status == 408)
    #expect(Answer(try await served.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nab")).status == 408)
    #expect(try await served.send("").isEmpty)
  }

  @Test func thereAreOnlySoManyConnections() async throws {
    var limits = HTTPLimits()
    limits.connections = 2
    let served = try Self.server(limits)
    let port = served.server.port
    let first = try await blocking { try [RawClient(port: port), RawClient(port: port)].map { UnsafeHolder($0) } }
    while served.server.connectionCount < 2 { try await Task.sleep(for: .milliseconds(5)) }
    #expect(Answer(try await served.send("GET / HTTP/1.0\r\n\r\n")).status == 503)
    for client in first { client.client.hangUp() }
    while served.server.connectionCount > 0 { try await Task.sleep(for: .milliseconds(5)) }
    #expect(Answer(try await served.send("GET / HTTP/1.0\r\n\r\n")).status == 200)
  }
}

/// Hands a client from one thread to another, which alone uses it then.
struct UnsafeHolder: @unchecked Sendable {
  let client: RawClient

  init(_ client: RawClient) { self.client = client }
}
