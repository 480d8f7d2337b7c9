import FlyingSocks
import Foundation
import Glibc

/// The other end of a connection, with deadlines for what is awaited of it.
struct ClientSocket: Sendable {
  let socket: Socket
  let pool: SocketPool<ePoll>

  /// Bytes at once from the system.
  private static let pieceSize = 16 << 10

  /// The deadline came before the client did anything.
  struct TimedOut: Error {}

  /// What the client has sent; `nil` where it has ended, or gone.
  /// - Throws: `TimedOut`, `CancellationError`.
  func read(until deadline: ContinuousClock.Instant) async throws -> [UInt8]? {
    while true {
      try Task.checkCancellation()
      do { return try socket.read(atMost: Self.pieceSize) } catch SocketError.blocked {
        do { try await wait(for: .read, until: deadline) } catch SocketError.disconnected { return nil }
      } catch is SocketError {
        return nil
      }
    }
  }

  /// Sends all bytes. A client that takes none of them for `stallTime` is given up.
  /// - Throws: `SocketError`, `TimedOut`, `CancellationError`.
  func write(_ bytes: [UInt8], stallTime: Duration) async throws {
    let data = Data(bytes)
    var sent = data.startIndex
    while sent < data.endIndex {
      do { sent = try socket.write(data, from: sent) } catch SocketError.blocked {
        try await wait(for: .write, until: .now + stallTime)
      }
    }
  }

  private func wait(for events: Socket.Events, until deadline: ContinuousClock.Instant) async throws {
    try await withThrowingTaskGroup(of: Void.self) { group in
      defer { group.cancelAll() }
      group.addTask { try await pool.suspendSocket(socket, untilReadyFor: events) }
      group.addTask {
        try await Task.sleep(until: deadline, clock: .continuous)
        throw TimedOut()
      }
      try await group.next()
    }
  }

  /// No small piece waits for another one.
  func sendAtOnce() {
    var yes: Int32 = 1
    setsockopt(socket.file.rawValue, Int32(IPPROTO_TCP), TCP_NODELAY, &yes, socklen_t(MemoryLayout<Int32>.size))
  }

  /// Closes the connection. What the client still sends is read for a moment: otherwise the system would take back from
  /// it what it has not read yet.
  func close(lingering: Bool) async {
    if lingering, shutdown(socket.file.rawValue, Int32(SHUT_WR)) == 0 {
      let deadline = ContinuousClock.now + .seconds(2)
      var left = 8 << 20
      do {
        while left > 0, let piece = try await read(until: deadline) { left -= piece.count }
      } catch {
        // It has had its time.
      }
    }
    // The pool wakes who waits for a descriptor before it forgets the descriptor. If that were closed in between, it would
    // take the next client with the same number for this one, and never wake it: so it closes it itself. Nobody could do
    // anything about one that does not close.
    do { try await pool.close(socket) } catch {}
  }

  /// The client's address, for people and for counting.
  var address: String {
    do {
      return switch try socket.remotePeer() {
      case .ip4(let address, _), .ip6(let address, _): address
      case .unix: "local"
      }
    } catch { return "unknown" }
  }
}

extension SocketPool {
  /// Closes a socket for which nobody waits, after what the pool is doing.
  fileprivate func close(_ socket: Socket) throws { try socket.close() }
}
