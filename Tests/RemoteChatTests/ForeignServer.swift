import Foundation
import RemoteChat
import Support
import Synchronization
import WebServer

/// A small server that speaks as much of OpenAI's API as a test wants, in this process.
final class ForeignServer: Sendable {
  typealias Handler = @Sendable (HTTPRequest, ForeignServer) async -> HTTPResponse

  let port: UInt16
  private let task: Task<Void, any Error>
  private let seen: SeenRequests

  /// - Parameter chat: answers `/v1/chat/completions`; by default a reply of three words.
  init(
    models: String = #"{"data": [{"id": "alpha"}, {"id": "beta"}]}"#, key: String? = nil,
    chat: @escaping @Sendable (JSONValue, HTTPRequest) async -> HTTPResponse = { _, _ in .words("one", "two", "three") }
  ) throws {
    let seen = SeenRequests()
    let server = try HTTPServer(host: "127.0.0.1", port: 0, complain: { .init(status: $0.status) }) { request in
      seen.note(request)
      if let key, request.fields["authorization"] != "Bearer \(key)" {
        return .json(#"{"error": {"message": "no such key", "code": "invalid_api_key"}}"#, status: 401)
      }
      switch request.path {
      case "/v1/models": return .json(models)
      case "/v1/chat/completions":
        let body: JSONValue
        do { body = try JSONValue(utf8: request.body) } catch { return .init(status: 400) }
        return await chat(body, request)
      default: return .json(#"{"error": "nothing here"}"#, status: 404)
      }
    }
    port = server.port
    self.seen = seen
    task = Task.detached { try await server.run() }
  }

  deinit { task.cancel() }

  var address: ServerAddress {
    get throws { try ServerAddress("127.0.0.1:\(port)") }
  }

  /// Bodies of the chats that were asked for.
  var chats: [JSONValue] { seen.chats }
}

/// What a server was asked.
private final class SeenRequests: Sendable {
  private let requests = Mutex<[HTTPRequest]>([])

  func note(_ request: HTTPRequest) { requests.withLock { $0.append(request) } }

  var chats: [JSONValue] {
    requests.withLock { $0 }.filter { $0.path.hasSuffix("/chat/completions") }.compactMap { request in
      do { return try JSONValue(utf8: request.body) } catch { return nil }
    }
  }
}

extension HTTPResponse {
  static func json(_ text: String, status: Int = 200, fields: [(String, String)] = []) -> HTTPResponse {
    HTTPResponse(
      status: status, fields: [("Content-Type", "application/json")] + fields.map { (name: $0.0, value: $0.1) },
      body: .whole(Array(text.utf8)))
  }

  static func stream(_ write: @escaping @Sendable (HTTPBodyWriter) async throws -> Void) -> HTTPResponse {
    HTTPResponse(status: 200, fields: [("Content-Type", "text/event-stream")], body: .streamed(write))
  }

  /// A reply of these pieces, with its end and what it took.
  static func words(_ words: String...) -> HTTPResponse {
    .stream { writer in
      for word in words { try await writer.event(.word(word + " ")) }
      try await writer.event(#"{"choices": [{"delta": {}, "finish_reason": "stop"}]}"#)
      try await writer.event(
        #"{"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12}}"#)
      try await writer.event("[DONE]")
    }
  }
}

extension String {
  /// The event of a piece of text.
  static func word(_ text: String) -> String {
    #"{"model": "alpha", "choices": [{"index": 0, "delta": {"content": "\#(text)"}, "finish_reason": null}]}"#
  }
}

extension HTTPBodyWriter {
  func event(_ data: String) async throws { try await write(Array("data: \(data)\n\n".utf8)) }
}
