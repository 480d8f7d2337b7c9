import ChatEngine
import ChatTUI
import Foundation
import RemoteChat
import Support

/// What a server elsewhere answers: a list of models, then the stream of a reply, between them a line `====`.
extension FuzzTarget {
  static let server = FuzzTarget("server") { bytes in
    guard let address = LocalServer.address else { return expect(false, "an address of a server") }
    let mark = Data("\n====\n".utf8)
    let data = Data(bytes)
    let place = data.range(of: mark)
    let list = place.map { data[..<$0.lowerBound] } ?? data
    let stream = Array(place.map { data[$0.upperBound...] } ?? data)
    var state = AppState.ready(width: 140, height: 45)
    var models: ServerModels?
    refusing { models = ServerModels(try JSONValue(utf8: Array(list)), server: address) }
    if let models {
      _ = update(&state, .loaded(models.summary))
      expect(models.summary.stops.allSatisfy { !models.name(of: $0.id).isEmpty }, "a name for every stop")
      checkScreen(state)
    }
    let report = ServerReport(body: stream)
    expect(!report.message.contains { $0.isNewline }, "a line that says what is wrong")

    let whole = events(of: stream, size: max(1, stream.count))
    expect(whole == events(of: stream, size: 1 + list.count % 7), "the same events however the bytes come")
    _ = update(&state, .submit("q"))
    guard let id = state.activeReply else { return }
    var reply = ReplyStream()
    for event in whole.flatMap({ reply.next($0) }) {
      let told: ReplyEvent =
        switch event {
        case .begun(let model): .started(stitch: models?.stop(of: model) ?? "large", adapterStep: nil)
        case .text(let text): .text(text)
        case .failed(let message): .failed(.other(message: message))
        }
      _ = update(&state, .reply(id: id, told))
      if told.isLast { break }
    }
    let stamp = reply.stamp(
      "large", adapterStep: nil, dropped: 0, isCancelled: !reply.isWhole, start: .now, about: 3)
    expect(stamp.tokens >= 0 && stamp.contextTokens >= stamp.tokens, "counts that can be")
    _ = update(&state, .reply(id: id, .finished(stamp)))
    _ = update(&state, .replyEnded(id: id))
    checkScreen(state)
    // The numbers are gone on with.
    for line in ["/drop 1", "more"] { _ = update(&state, .submit(line)) }
    state.finishReplies()
    checkScreen(state)
  }

  /// The data of all events, or of those before a line that is too long.
  private static func events(of bytes: [UInt8], size: Int) -> [[UInt8]] {
    var stream = EventStream()
    var events: [[UInt8]] = []
    refusing {
      for start in stride(from: 0, to: bytes.count, by: size) {
        events += try stream.next(Array(bytes[start..<min(bytes.count, start + size)]))
      }
    }
    return events
  }
}

extension LocalServer {
  static let address: ServerAddress? = {
    do { return try ServerAddress("http://192.0.2.1:8080") } catch { return nil }
  }()
}
