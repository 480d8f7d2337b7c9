import Foundation

/// One client: requests one after another, each answered before the next is read.
///
/// While a request is answered the connection is watched: when the client goes, the task that answers is cancelled.
struct HTTPConnection {
  let client: ClientSocket
  let limits: HTTPLimits
  let requests: OpenRequests
  let answer: HTTPServer.Handler
  /// What an error of the protocol is answered with.
  let complain: HTTPServer.Complaint
  /// Read, but not used yet.
  private var buffer: [UInt8] = []

  /// A request, and whether another one may follow.
  private struct Received: Sendable {
    var request: HTTPRequest
    var isCurrent: Bool
    var keepsAlive: Bool
  }

  init(
    _ client: ClientSocket, limits: HTTPLimits, requests: OpenRequests, complain: @escaping HTTPServer.Complaint,
    answer: @escaping HTTPServer.Handler
  ) {
    self.client = client
    self.limits = limits
    self.requests = requests
    self.complain = complain
    self.answer = answer
  }

  /// Serves the client until it goes, or must.
  mutating func run() async {
    client.sendAtOnce()
    let address = client.address
    var lingers = false
    do {
      while let received = try await next(from: address) {
        guard requests.begin() else { throw HTTPProtocolError(503, "the server is ending; try again in a moment") }
        let (isWhole, more) = await reply(to: received)
        requests.finish()
        guard isWhole, received.keepsAlive, !requests.isEnding else {
          lingers = isWhole
          break
        }
        buffer += more
      }
    } catch let error as HTTPProtocolError {
      lingers = true
      let writer = ResponseWriter(client: client, stallTime: limits.stallTime, keepsAlive: false)
      // A client that does not even take the complaint has none.
      do { try await writer.write(complain(error), method: "GET") } catch { lingers = false }
    } catch {
      // The client has gone, or has had its time.
    }
    await client.close(lingering: lingers)
  }

  /// - Returns: whether the answer was sent whole, and what the client has sent meanwhile.
  private func reply(to received: Received) async -> (isWhole: Bool, more: [UInt8]) {
    let client = self.client
    let writer = ResponseWriter(
      client: client, stallTime: limits.stallTime, keepsAlive: received.keepsAlive, isCurrent: received.isCurrent)
    let most = limits.headBytes
    return await withTaskGroup(of: Event.self) { group in
      group.addTask { [answer] in
        do {
          try await writer.write(await answer(received.request), method: received.request.method)
          return .answered(true)
        } catch { return .answered(false) }
      }
      group.addTask { await Self.watch(client, most: most) }
      var isWhole = false
      var more: [UInt8] = []
      for await event in group {
        switch event {
        case .answered(let whole): isWhole = whole
        case .sent(let bytes): more = bytes
        case .gone: break
        }
        // Whichever ends first ends the other, unless the client is only ahead of the answer.
        if case .sent = event { continue }
        group.cancelAll()
      }
      return (isWhole, more)
    }
  }

  private enum Event: Sendable {
    case answered(Bool)
    case sent([UInt8])
    case gone
  }

  /// Waits until the client goes; a client that sends the next request meanwhile is not watched beyond `most` bytes.
  private static func watch(_ client: ClientSocket, most: Int) async -> Event {
    var bytes: [UInt8] = []
    do {
      while bytes.count < most {
        guard let piece = try await client.read(until: .now + .seconds(3600)) else { return .gone }
        bytes += piece
      }
    } catch {
      // The answer was ready first.
    }
    return .sent(bytes)
  }

  // MARK: Reading

  /// The next request; `nil` where the client has ended.
  private mutating func next(from address: String) async throws -> Received? {
    guard let head = try await head() else { return nil }
    if let expectation = head.fields["expect"] {
      guard expectation.lowercased() == "100-continue" else {
        throw HTTPProtocolError(417, "the only expectation known is 100-continue")
      }
      if case .bytes(let count) = head.bodyLength, count > limits.bodyBytes { throw tooLarge }
      try await client.write(Array("HTTP/1.1 100 Continue\r\n\r\n".utf8), stallTime: limits.stallTime)
    }
    let body = try await body(head.bodyLength)
    let request = HTTPRequest(
      method: head.method, path: head.path, fields: head.fields, body: body, client: address)
    return Received(request: request, isCurrent: head.isCurrent, keepsAlive: head.keepsAlive)
  }

  private mutating func head() async throws -> RequestHead? {
    // Empty lines before a request are passed over.
    while let first = buffer.first, first == 0x0D || first == 0x0A { buffer.removeFirst() }
    var deadline = ContinuousClock.now + (buffer.isEmpty ? limits.idleTime : limits.headTime)
    var searched = 0
    while true {
      if let end = Self.headEnd(buffer, from: max(0, searched - 3)) {
        let head = try RequestHead(buffer[..<end.head])
        buffer.removeFirst(end.body)
        return head
      }
      searched = buffer.count
      if buffer.count > limits.headBytes {
        throw HTTPProtocolError(431, "the header fields take more than \(limits.headBytes) bytes")
      }
      let wasEmpty = buffer.isEmpty
      let piece: [UInt8]?
      do { piece = try await client.read(until: deadline) } catch is ClientSocket.TimedOut where !buffer.isEmpty {
        throw HTTPProtocolError(408, "the header fields did not come within \(limits.headTime)")
      }
      guard let piece else { return nil }
      buffer += piece
      while let first = buffer.first, first == 0x0D || first == 0x0A { buffer.removeFirst() }
      if wasEmpty { deadline = .now + limits.headTime }
    }
  }

  /// Where the head ends and the body begins, once the empty line is there.
  private static func headEnd(_ bytes: [UInt8], from start: Int) -> (head: Int, body: Int)? {
    var index = start
    while let newline = bytes[index...].firstIndex(of: 0x0A) {
      if newline + 1 < bytes.count, bytes[newline + 1] == 0x0A { return (newline, newline + 2) }
      if newline + 2 < bytes.count, bytes[newline + 1] == 0x0D, bytes[newline + 2] == 0x0A {
        return (newline, newline + 3)
      }
      index = newline + 1
    }
    return nil
  }

  private var tooLarge: HTTPProtocolError {
    HTTPProtocolError(413, "the body is larger than \(limits.bodyBytes) bytes")
  }

  private mutating func body(_ length: RequestHead.BodyLength) async throws -> [UInt8] {
    let deadline = ContinuousClock.now + limits.bodyTime
    do {
      switch length {
      case .bytes(let count):
        if count > limits.bodyBytes { throw tooLarge }
        return try await take(count, until: deadline)
      case .chunked:
        var body: [UInt8] = []
        while case let size = try await chunkSize(until: deadline), size > 0 {
          if size > limits.bodyBytes - body.count { throw tooLarge }
          body += try await take(size, until: deadline)
          guard try await line(until: deadline).isEmpty else {
            throw HTTPProtocolError(400, "a chunk is longer than it says")
          }
        }
        // Fields behind the body mean nothing here.
        var trailer = 0
        while case let field = try await line(until: deadline), !field.isEmpty {
          trailer += field.count
          if trailer > limits.headBytes { throw HTTPProtocolError(431, "the trailer is too long") }
        }
        return body
      }
    } catch is ClientSocket.TimedOut {
      throw HTTPProtocolError(408, "the body did not come within \(limits.bodyTime)")
    }
  }

  private mutating func take(_ count: Int, until deadline: ContinuousClock.Instant) async throws -> [UInt8] {
    while buffer.count < count {
      guard let piece = try await client.read(until: deadline) else { throw CancellationError() }
      buffer += piece
    }
    defer { buffer.removeFirst(count) }
    return Array(buffer[..<count])
  }

  private mutating func line(until deadline: ContinuousClock.Instant) async throws -> [UInt8] {
    while true {
      if let end = buffer.firstIndex(of: 0x0A) {
        defer { buffer.removeFirst(end + 1) }
        return Array(buffer[..<(end > 0 && buffer[end - 1] == 0x0D ? end - 1 : end)])
      }
      if buffer.count > 1024 { throw HTTPProtocolError(400, "a chunk does not begin with its size") }
      guard let piece = try await client.read(until: deadline) else { throw CancellationError() }
      buffer += piece
    }
  }

  private mutating func chunkSize(until deadline: ContinuousClock.Instant) async throws -> Int {
    let line = try await line(until: deadline)
    let digits = String(decoding: line.prefix { $0 != UInt8(ascii: ";") }, as: UTF8.self)
    guard (1...15).contains(digits.utf8.count), digits.allSatisfy(\.isHexDigit), let size = Int(digits, radix: 16)
    else { throw HTTPProtocolError(400, "a chunk does not begin with its size") }
    return size
  }
}
