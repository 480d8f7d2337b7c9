import ChatEngine
import LLaMAStitch
import Support
import Synchronization

/// Continues many texts at once on a thread of its own.
///
/// A token of each is computed in a step, whatever their stops, and what the stops have in common together; texts join and
/// leave between steps. A text is the same, bit for bit, as if it were alone: see `BatchGenerator`.
package final class Scheduler: Sendable {
  package struct Options: Sendable {
    /// Texts at once.
    package var parallel = 16
    /// Texts that may wait for a place.
    package var queue = 256
    /// Positions that a text may have.
    package var contextLength: Int
    /// Bytes that the KV caches of all texts may take, and those of one.
    package var cacheBytes: Int
    package var textBytes: Int
    package let cacheType: CacheType
    package var threads: Int

    /// - Parameter networks: those of all stops.
    package init(contextLength: Int, cacheType: CacheType, cacheBytes: Int, networks: [Network], threads: Int) {
      self.contextLength = contextLength
      self.cacheType = cacheType
      textBytes = networks.map { $0.cacheBytes(positions: contextLength, type: cacheType) }.max() ?? 0
      self.cacheBytes = cacheBytes
      self.threads = threads
    }
  }

  enum Command {
    case order(Order)
    case embed(EmbeddingOrder)
    /// A text of an order, or all that are left of it.
    case cancel(order: Int, text: Int?)
  }

  /// Texts with where their events go.
  struct Order: Sendable {
    let number: Int
    let client: String
    let texts: [TextRequest]
    let continuation: AsyncStream<TextEvent>.Continuation
  }

  private struct Inbox {
    var commands: [Command] = []
    /// Whether the thread is at work and will look in here again.
    var isWorking = false
    var waiting = 0
    var orders = 0
  }

  private let options: Options
  private let inbox = Mutex(Inbox())
  private let worker = WorkerThread(name: "stitch-serve")
  private let floor: SchedulerFloor
  package let metrics: Metrics
  package let load = LoadEstimate()

  /// - Parameter network: that of a stitch.
  package init(_ options: Options, metrics: Metrics, network: @escaping @Sendable (Stitch) -> Network) {
    self.options = options
    self.metrics = metrics
    floor = SchedulerFloor(options, metrics: metrics, load: load, network: network)
  }

  /// Has texts continued.
  /// - Parameter client: whose they are: clients take turns.
  /// - Throws: `Overloaded`.
  package func order(_ texts: [TextRequest], client: String) throws(Overloaded) -> TextOrder {
    let (events, continuation) = AsyncStream<TextEvent>.makeStream()
    let number = try takePlaces(texts.count)
    continuation.onTermination = { [weak self] end in
      if case .cancelled = end { self?.send(.cancel(order: number, text: nil)) }
    }
    send(.order(Order(number: number, client: client, texts: texts, continuation: continuation)))
    return TextOrder(number: number, events: events)
  }

  /// A text as a vector: see `TextEmbedding`.
  /// - Throws: `Overloaded`, `InferenceError`.
  package func embed(_ tokens: [Int], stitch: Stitch) async throws -> [Float] {
    _ = try takePlaces(1)
    return try await withCheckedThrowingContinuation { continuation in
      send(.embed(EmbeddingOrder(stitch, tokens, continuation)))
    }
  }

  /// Takes places in the queue.
  /// - Returns: the number of what they are for.
  /// - Throws: `Overloaded` where there are not so many.
  private func takePlaces(_ count: Int) throws(Overloaded) -> Int {
    let number: Int? = inbox.withLock { inbox in
      guard inbox.waiting + count <= options.queue + options.parallel else { return nil }
      inbox.waiting += count
      inbox.orders += 1
      return inbox.orders
    }
    if let number { return number }
    let waiting = inbox.withLock(\.waiting)
    throw Overloaded(waiting: waiting, retryAfter: metrics.expectedWait(texts: waiting, atOnce: options.parallel))
  }

  /// Ends a text of an order, or all that are left; they finish as cancelled.
  package func cancel(_ order: TextOrder, text: Int? = nil) { send(.cancel(order: order.number, text: text)) }

  private func send(_ command: Command) {
    let wakes = inbox.withLock { inbox in
      inbox.commands.append(command)
      defer { inbox.isWorking = true }
      return !inbox.isWorking
    }
    if wakes { worker.perform { [self] in work() } }
  }

  /// On the thread: steps until there is nothing left to do.
  private func work() {
    while true {
      let isBusy = floor.isBusy
      let commands: [Command]? = inbox.withLock { inbox in
        if inbox.commands.isEmpty && !isBusy {
          inbox.isWorking = false
          return nil
        }
        defer { inbox.commands.removeAll(keepingCapacity: true) }
        return inbox.commands
      }
      guard let commands else { return }
      for command in commands { floor.take(command) }
      let left = floor.step()
      if left > 0 { inbox.withLock { $0.waiting -= left } }
    }
  }
}
