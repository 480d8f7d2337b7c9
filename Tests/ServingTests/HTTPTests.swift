import Foundation
import Support
import Testing

/// What comes over a socket before anybody reads it as JSON, good and bad.
@Suite struct HTTPTests {
  private static let asked = #"{"model": "large", "prompt": "the cat", "max_tokens": 5}"#

  @Test func requestsAreReadHoweverTheyAreCut() async throws {
    let fixture = try await ServerFixture.shared.value
    let whole = try await fixture.post("/v1/completions?a=b", Self.asked)
    let text = try #require(try whole.json["choices"][0]["text"].string)
    let (first, second) = (Self.asked.prefix(20), Self.asked.dropFirst(20))
    let cut = try await fixture.exchange(
      "\r\nPOST /v1/com", "pletions HTTP/1.1\r\nHo",
      "st: localhost\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r",
      "\n14\r\n\(first.prefix(3))",
      "\(first.dropFirst(3))\r\n\(String(second.utf8.count, radix: 16));x=y\r\n\(second)\r\n0\r\nT: t\r\n", "\r\n")
    #expect(try cut.status == 200 && cut.json["choices"][0]["text"].string == text)
    let old = try await fixture.exchange("GET /health HTTP/1.0\n\n")
    #expect(old.status == 200 && old.fields["connection"] == "close" && old.fields["date"]?.hasSuffix(" GMT") == true)
    let head = try await fixture.exchange("HEAD /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    #expect(head.status == 200 && head.body.isEmpty && head.fields["content-length"] != "0")
    let waits = String(
      decoding: try await fixture.bytes(of: [
        "POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: \(Self.asked.utf8.count)\r\nConnection: close\r\n\r\n",
        Self.asked,
      ]), as: UTF8.self)
    #expect(waits.hasPrefix("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n"))
  }

  @Test func requestsFollowOneAnotherOnAConnection() async throws {
    let fixture = try await ServerFixture.shared.value
    let text = String(
      decoding: try await fixture.bytes(of: [
        "GET /v1/models HTTP/1.1\r\nHost: localhost\r\n\r\nGET /health HTTP/1.1\r\nHost: localhost\r\n\r\nGET /no",
        "ne HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
      ]), as: UTF8.self)
    let statuses = text.matches(of: /HTTP\/1.1 ([0-9]+)/).map { String($0.output.1) }
    #expect(statuses == ["200", "200", "404"])
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
    let fixture = try await ServerFixture.shared.value
    #expect(try await fixture.exchange(text).status == status)
    // Others are served.
    #expect(try await fixture.get("/health").status == 200)
  }

  @Test func whoIsTooSlowIsSentAway() async throws {
    let fixture = try await ServerFixture("--timeout", "0.2")
    #expect(try await fixture.exchange("GET / HT").status == 408)
    #expect(try await fixture.exchange("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nab").status == 408)
    #expect(try await fixture.bytes(of: [""]).isEmpty)
  }

  @Test func thereAreOnlySoManyConnections() async throws {
    let fixture = try await ServerFixture("--connections", "2")
    let port = fixture.port
    let statuses = try await blocking {
      func status() throws -> Int {
        let client = try RawClient(port: port)
        try client.send(Array("GET /health HTTP/1.0\r\n\r\n".utf8))
        return Answer(client.readToEnd()).status
      }
      /// The server takes note of who comes and goes a moment later.
      func wait(for wanted: Int) throws -> Int {
        var last = try status()
        for _ in 0..<2000 where last != wanted {
          Thread.sleep(forTimeInterval: 0.005)
          last = try status()
        }
        return last
      }
      let others = [try RawClient(port: port), try RawClient(port: port)]
      let refused = try wait(for: 503)
      for other in others { other.hangUp() }
      return [refused, try wait(for: 200)]
    }
    #expect(statuses == [503, 200])
  }
}
