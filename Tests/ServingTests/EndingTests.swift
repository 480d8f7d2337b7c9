import FamilyFixture
import Foundation
import Testing

/// A server that is told to end lets replies finish, for a while.
@Suite struct EndingTests {
  /// A server whose end can be watched.
  private final class Ending: Sendable {
    let port: UInt16
    private let process: Process
    private let errors: FileHandle

    init(_ options: String...) throws {
      let bundle = Bundle.main.executableURL ?? URL(filePath: CommandLine.arguments[0])
      let pipe = Pipe()
      process = Process()
      process.executableURL = bundle.deletingLastPathComponent().appending(path: "stitch-serve")
      process.arguments = ["--family", ServerFixture.family.path, "--port", "0", "--threads", "1"] + options
      process.standardError = pipe
      errors = pipe.fileHandleForReading
      try process.run()
      let line = Self.line(errors)
      guard let match = line.firstMatch(of: /:([0-9]+)\/v1/), let port = UInt16(match.output.1) else {
        throw ServerFixture.NotStarted(complaint: line)
      }
      self.port = port
    }

    deinit { if process.isRunning { process.terminate() } }

    private static func line(_ handle: FileHandle) -> String {
      var text = ""
      while !text.contains("\n"), case let data = handle.readData(ofLength: 1), !data.isEmpty {
        text += String(decoding: data, as: UTF8.self)
      }
      return text
    }

    /// The next line that it says.
    func line() -> String { Self.line(errors) }

    func tell(_ signal: Int32) { kill(process.processIdentifier, signal) }

    /// Its exit code; with a minus sign the signal that ended it.
    func end() -> Int32 {
      process.waitUntilExit()
      return process.terminationReason == .exit ? process.terminationStatus : -process.terminationStatus
    }

    /// A client whose streamed reply has begun.
    func client(_ members: String) throws -> (RawClient, begun: [UInt8]) {
      let client = try RawClient(port: port)
      let body = #"{"messages": [{"role": "user", "content": "hello there"}], "stream": true, \#(members)}"#
      try client.send(
        Array(
          "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"
            .utf8))
      return (client, client.read())
    }
  }

  /// More than a connection holds: it is under way as long as its client does not read it.
  private static let endless =
    #""model": "large", "max_tokens": 200, "temperature": 1, "seed": 5, "n": 16, "logprobs": true, "top_logprobs": 20"#

  @Test(arguments: [SIGTERM, SIGINT]) func repliesFinish(signal: Int32) async throws {
    try await blocking {
      let server = try Ending()
      let (idle, port) = (try RawClient(port: server.port), server.port)
      let (client, begun) = try server.client(Self.endless)
      server.tell(signal)
      #expect(server.line().contains("replies under way: 1; they have 30"))
      // Nobody is let in, and who asks nothing does not hold it up.
      while (try? RawClient(port: port)) != nil {}
      let rest = client.readToEnd()
      let answer = Answer(begun + rest)
      #expect(try answer.status == 200 && answer.events.isDone)
      #expect(server.end() == 0)
      #expect(idle.readToEnd().isEmpty)
    }
  }

  @Test func withoutRepliesItEndsAtOnce() async throws {
    try await blocking {
      let server = try Ending("--finish-time", "600")
      server.tell(SIGTERM)
      #expect(server.end() == 0)
    }
  }

  @Test func whatTakesTooLongIsCutOff() async throws {
    try await blocking {
      let server = try Ending("--finish-time", "0")
      let (client, begun) = try server.client(Self.endless)
      server.tell(SIGTERM)
      #expect(server.end() == 1)
      #expect(server.line().contains("replies under way: 1"))
      #expect(server.line().contains("--finish-time"))
      #expect(try !Answer(begun + client.readToEnd()).events.isDone)
    }
  }

  @Test func toldOnceMoreItEndsAtOnce() async throws {
    try await blocking {
      let server = try Ending("--finish-time", "600")
      let (client, begun) = try server.client(Self.endless)
      server.tell(SIGTERM)
      #expect(server.line().contains("replies under way: 1"))
      server.tell(SIGTERM)
      #expect(server.end() == -SIGTERM)
      #expect(try !Answer(begun + client.readToEnd()).events.isDone)
    }
  }
}
