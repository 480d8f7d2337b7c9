import FlyingSocks
import Foundation
import Synchronization

/// A bounded HTTP/1.1 server on FlyingFox's sockets.
///
/// The sockets, and waiting for a thousand of them, are FlyingFox's (`FlyingSocks`). Its own server reads header lines of
/// any length, waits for them for ever and does not see that a client has gone while the answer is made: so what HTTP
/// itself asks for is done here.
public final class HTTPServer: Sendable {
  /// Answers a request, in a task that is cancelled when the client goes.
  public typealias Handler = @Sendable (HTTPRequest) async -> HTTPResponse
  /// Says what is wrong with a request that is none.
  public typealias Complaint = @Sendable (HTTPProtocolError) -> HTTPResponse

  private let socket: Socket
  private let limits: HTTPLimits
  private let complain: Complaint
  private let answer: Handler
  private let connections = Mutex(0)
  private let requests = OpenRequests()
  /// How long what is under way may take when the server is to end.
  private let endings = AsyncStream<Duration>.makeStream(bufferingPolicy: .bufferingNewest(1))
  /// Where it listens.
  public let host: String
  public let port: UInt16

  /// Listens on an address; clients wait until `run`.
  /// - Parameters:
  ///   - host: an address of this machine, such as `127.0.0.1` or `::1`.
  ///   - port: 0 for any that is free.
  /// - Throws: `HTTPServerError`.
  public init(
    host: String, port: UInt16, limits: HTTPLimits = HTTPLimits(), complain: @escaping Complaint,
    answer: @escaping Handler
  ) throws(HTTPServerError) {
    self.limits = limits
    self.complain = complain
    self.answer = answer
    self.host = host
    do { socket = try Self.listen(host: host, port: port) } catch let error as HTTPServerError { throw error } catch {
      throw .cannotListen(host: host, port: port, cause: Self.cause(error))
    }
    var bound = port
    do {
      switch try socket.sockname() {
      case .ip4(_, let port), .ip6(_, let port): bound = port
      case .unix: break
      }
    } catch { throw .cannotListen(host: host, port: port, cause: Self.cause(error)) }
    self.port = bound
  }

  /// Clients that are connected.
  public var connectionCount: Int { connections.withLock { $0 } }

  /// Requests that are being answered.
  public var requestCount: Int { requests.count }

  /// Has the server end: no client is let in and no request is read any more; those under way are answered.
  /// - Parameter time: the longest that they may take; what is left then is cut off.
  public func finish(within time: Duration) {
    requests.end()
    // Wakes who waits for clients.
    shutdown(socket.file.rawValue, Int32(SHUT_RDWR))
    endings.continuation.yield(time)
  }

  /// Serves until the task is cancelled, or `finish` has it end.
  /// - Returns: whether nothing was cut off.
  @discardableResult
  public func run() async throws -> Bool {
    let pool = SocketPool<ePoll>.ePoll(maxEvents: 128)
    try await pool.prepare()
    return try await withThrowingTaskGroup(of: Bool?.self) { group in
      group.addTask {
        try await pool.run()
        return nil
      }
      group.addTask { [self] in
        try await accept(pool)
        return nil
      }
      group.addTask { [self] in await waitForEnd() }
      defer { group.cancelAll() }
      // Clients end before the end is decided, where they go by themselves.
      while let result = try await group.next() {
        if let isWhole = result { return isWhole }
        if !requests.isEnding { break }
      }
      return requests.count == 0
    }
  }

  /// Waits until the server is to end, and what is under way then has been answered or had its time.
  private func waitForEnd() async -> Bool? {
    for await time in endings.stream {
      let deadline = ContinuousClock.now + time
      while requests.count > 0 && .now < deadline {
        do { try await Task.sleep(for: .milliseconds(10)) } catch { return nil }
      }
      return requests.count == 0
    }
    return nil
  }

  private func accept(_ pool: SocketPool<ePoll>) async throws {
    try socket.setFlags(.nonBlocking)
    defer { do { try socket.close() } catch {} }
    await withDiscardingTaskGroup { group in
      while !Task.isCancelled && !requests.isEnding {
        do {
          let client = ClientSocket(socket: Socket(file: try socket.accept().file), pool: pool)
          try client.socket.setFlags(.nonBlocking)
          group.addTask { [self] in await serve(client) }
        } catch SocketError.blocked {
          do { try await pool.suspendSocket(socket, untilReadyFor: .read) } catch { break }
        } catch {
          // There are no descriptors left, or the client has gone already: others may come in a moment.
          do { try await Task.sleep(for: .milliseconds(20)) } catch { break }
        }
      }
      // Those that are being answered are left to end by themselves.
      if !requests.isEnding { group.cancelAll() }
    }
  }

  private func serve(_ client: ClientSocket) async {
    let count = connections.withLock { count in
      count += 1
      return count
    }
    defer { connections.withLock { $0 -= 1 } }
    var connection = HTTPConnection(client, limits: limits, requests: requests, complain: complain, answer: answer)
    if count <= limits.connections { return await connection.run() }
    let writer = ResponseWriter(client: client, stallTime: .seconds(1), keepsAlive: false)
    // Who does not take it has gone.
    do {
      try await writer.write(complain(.init(503, "there are too many connections; try again")), method: "GET")
    } catch {}
    await client.close(lingering: false)
  }

  private static func listen(host: String, port: UInt16) throws -> Socket {
    func listen(_ address: some SocketAddress) throws -> Socket {
      let socket = try Socket(domain: Int32(type(of: address).family))
      do {
        try socket.setValue(true, for: .localAddressReuse)
        try socket.bind(to: address)
        try socket.listen()
      } catch {
        try socket.close()
        throw error
      }
      return socket
    }
    if host.contains(":") {
      guard let address = Self.address({ try sockaddr_in6.inet6(ip6: host, port: port) }) else {
        throw HTTPServerError.noAddress(host)
      }
      return try listen(address)
    }
    guard let address = Self.address({ try sockaddr_in.inet(ip4: host, port: port) }) else {
      throw HTTPServerError.noAddress(host)
    }
    return try listen(address)
  }

  private static func address<Address>(_ make: () throws -> Address) -> Address? {
    do { return try make() } catch { return nil }
  }

  private static func cause(_ error: any Error) -> String {
    if case SocketError.failed(_, _, let message) = error { return message }
    return error.localizedDescription
  }
}

/// Why nobody can be served. The description is one line: cause and remedy.
public enum HTTPServerError: Error, Equatable, Sendable, CustomStringConvertible {
  case noAddress(String)
  case cannotListen(host: String, port: UInt16, cause: String)

  public var description: String {
    switch self {
    case .noAddress(let host):
      "“\(host)” is no address of a network interface; give one in numbers, such as 127.0.0.1, 0.0.0.0 or ::1"
    case .cannotListen(let host, let port, let cause):
      "cannot listen on \(host), port \(port): \(cause); choose another --port, or stop what listens there"
    }
  }
}
