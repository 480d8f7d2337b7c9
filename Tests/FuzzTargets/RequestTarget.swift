import ChatEngine
import Foundation
import LLaMAStitch
import Serving
import Synchronization
import WebServer

/// What a client sends to the server, over a connection of this machine.
extension FuzzTarget {
  static let http = FuzzTarget("http") { bytes in
    guard let port = LocalServer.port else { return expect(false, "a server") }
    let client = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(client) }
    LocalServer.bindAnew(client)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    let isConnected = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(client, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    expect(isConnected == 0, "a server that takes connections")
    // It need not take everything.
    _ = bytes.withUnsafeBytes { send(client, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
    // Who hangs up gets no reply made. What may be a whole request has a moment for one to begin.
    if bytes.last == UInt8(ascii: "}") || bytes.last == UInt8(ascii: "\n") {
      var waiting = pollfd(fd: client, events: Int16(POLLIN), revents: 0)
      poll(&waiting, 1, 50)
    }
    shutdown(client, Int32(SHUT_WR))
    var reply: [UInt8] = []
    var piece = [UInt8](repeating: 0, count: 4096)
    while case let count = recv(client, &piece, piece.count, 0), count > 0 { reply += piece[..<count] }
    if showsRefusals { print(text(reply)) }
    expect(
      reply.isEmpty || reply.starts(with: Array("HTTP/1.1 ".utf8)), "an answer in HTTP, not \(text(reply.prefix(40)))")
  }
}

/// The server of this process: OpenAI's API over a sound family.
enum LocalServer {
  private static let connections = Mutex<UInt32>(0)

  /// Another address of this machine for every connection: of one the ports would soon be used up.
  static func bindAnew(_ client: Int32) {
    let number = connections.withLock { count in
      count = (count + 1) % 0xFF_FFFE
      return count + 1
    }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = (0x7F00_0000 + number).bigEndian
    _ = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(client, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
  }

  static let port: UInt16? = {
    guard let family = SoundFamily.opened else { return nil }
    var limits = HTTPLimits()
    limits.headBytes = 4096
    limits.bodyBytes = 1 << 14
    do {
      let served = try ServedFamily(family.directory, adapter: .own, name: "family")
      let scheduler = Scheduler(
        Scheduler.Options(
          contextLength: 128, cacheType: .f32, cacheBytes: 64 << 20,
          networks: served.text.family.stitches.map { served.network(of: $0) }, threads: 1), metrics: Metrics()
      ) { served.network(of: $0) }
      let service = OpenAIService(
        served, scheduler: scheduler, contextLength: 128, access: AccessRules(keys: [], origins: [], isLocal: true))
      let server = try HTTPServer(
        host: "127.0.0.1", port: 0, limits: limits, complain: { APIError($0).response },
        answer: { await service.answer($0) })
      Task.detached { do { try await server.run() } catch { expect(false, "a server that runs, not \(error)") } }
      return server.port
    } catch {
      expect(false, "a server that starts, not \(error)")
      return nil
    }
  }()
}
