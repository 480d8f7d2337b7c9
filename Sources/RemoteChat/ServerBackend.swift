import ChatEngine
import Foundation
import Support
import Synchronization

/// A server elsewhere as the engine behind a chat: its models are the stops of the slider, its streams the replies.
///
/// Each request has a thread of its own, which libcurl holds until the answer is over; nothing blocks the caller or Swift's
/// cooperative pool.
public final class ServerBackend: RepliesOnlyBackend {
  private let server: ServerAddress
  private let models = Mutex<ServerModels?>(nil)
  /// Of the replies that are made or wait.
  private let cancellations = Mutex<[TransferCancellation]>([])
  /// How long a server that is busy is waited for at most, all together, and how long once.
  private let patience: Duration
  /// Seconds without a byte of a list of models.
  private let listPatience: Int

  /// - Parameters:
  ///   - patience: how long a busy server is waited for before a reply fails.
  ///   - listPatience: seconds that a list of models is waited for.
  public init(_ server: ServerAddress, patience: Duration = .seconds(120), listPatience: Int = 20) {
    self.server = server
    self.patience = patience
    self.listPatience = listPatience
  }

  // MARK: Models

  public func load() async throws -> FamilySummary {
    try await onThread { [self] in try readModels() }.summary
  }

  /// Of an answer; one thread's.
  private final class Body { var bytes: [UInt8] = [] }

  private static let largestList = 16 << 20

  /// Asks the server, and remembers what it says.
  private func readModels() throws(ServerError) -> ServerModels {
    var request = server.request("/models")
    request.patience = listPatience
    let (status, body) = try Self.whole(request, server, atMost: Self.largestList)
    guard status == 200 else { throw ServerError(server, status: status, report: ServerReport(body: body)) }
    let document: JSONValue
    do { document = try JSONValue(utf8: body) } catch { throw .notAServer(server.base) }
    guard let models = ServerModels(document, server: server) else { throw .notAServer(server.base) }
    self.models.withLock { $0 = models }
    return models
  }

  /// An answer that is no stream.
  private static func whole(
    _ request: WebRequest, _ server: ServerAddress, atMost limit: Int
  ) throws(ServerError) -> (status: Int, body: [UInt8]) {
    do throws(WebError) {
      let body = Body()
      let head = try WebTransfer(request).perform { _, bytes in
        body.bytes += bytes
        return body.bytes.count <= limit
      }
      return (head.status, body.bytes)
    } catch { throw ServerError(server, error) }
  }

  /// A conversation that was made with what the server has goes on.
  public func useAdapter(_ adapter: AdapterReference) async throws {
    let known = models.withLock { $0?.summary }
    let summary = if let known { known } else { try await load() }
    if adapter.step != summary.adapterStep { throw EngineError.needsLocalModel }
  }

  // MARK: Replies

  public func reply(to messages: [ChatMessage], stitch: String, options: ReplyOptions) -> AsyncStream<ReplyEvent> {
    let (stream, continuation) = AsyncStream<ReplyEvent>.makeStream()
    let cancellation = TransferCancellation()
    continuation.onTermination = { if case .cancelled = $0 { cancellation.cancel() } }
    cancellations.withLock { $0.append(cancellation) }
    Self.start { [self] in
      do throws(ReplyFailure) {
        let models: ServerModels
        if let known = self.models.withLock({ $0 }) {
          models = known
        } else {
          do throws(ServerError) { models = try readModels() } catch {
            throw .cannotLoad(message: error.description)
          }
        }
        var maker = ServerReply(
          server: server, models: models, stitch: stitch, cancellation: cancellation, patience: patience
        ) { continuation.yield($0) }
        continuation.yield(.finished(try maker.make(messages, options)))
      } catch { continuation.yield(.failed(error)) }
      cancellations.withLock { $0.removeAll { $0 === cancellation } }
      continuation.finish()
    }
    return stream
  }

  public func cancelReply() async {
    cancellations.withLock { $0.forEach { $0.cancel() } }
  }

  /// What the server has cached is its own matter; replies tell.
  public func cacheStatus() -> AsyncStream<CacheStatus> { AsyncStream { $0.finish() } }

  // MARK: Threads

  private static func start(_ body: @escaping @Sendable () -> Void) {
    NativeThread.startOrEnd(name: "stitch-server", stackSize: 1 << 20, body)
  }

  private func onThread<Result: Sendable>(
    _ body: @escaping @Sendable () throws -> Result
  ) async throws -> Result {
    try await withCheckedThrowingContinuation { continuation in
      Self.start { continuation.resume(with: Swift.Result { try body() }) }
    }
  }
}

/// Ends what a reply waits for, whatever that is.
final class TransferCancellation: Sendable {
  private struct State {
    var isCancelled = false
    var transfer: WebTransfer?
  }

  private let state = Mutex(State())
  private let woken = DispatchSemaphore(value: 0)

  var isCancelled: Bool { state.withLock { $0.isCancelled } }

  func cancel() {
    // Under the lock, so that the transfer is not over before it is woken.
    state.withLock { state in
      state.isCancelled = true
      state.transfer?.cancel()
    }
    woken.signal()
  }

  /// Does a transfer, which a cancellation ends from now on.
  func perform(
    _ transfer: WebTransfer, _ body: @escaping (WebResponseHead, [UInt8]) -> Bool
  ) throws(WebError) -> WebResponseHead {
    let isCancelled = state.withLock { state in
      state.transfer = transfer
      return state.isCancelled
    }
    defer { state.withLock { $0.transfer = nil } }
    if isCancelled { throw .cancelled }
    return try transfer.perform(body)
  }

  /// - Returns: whether all of that time has passed.
  func wait(_ duration: Duration) -> Bool {
    let milliseconds = Int(duration / .milliseconds(1))
    return woken.wait(timeout: .now() + .milliseconds(milliseconds)) == .timedOut
  }
}
