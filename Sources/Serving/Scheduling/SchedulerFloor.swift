import ChatEngine
import LLaMAStitch

/// What the scheduler's thread works on: texts that wait, and those that are under way.
///
/// `@unchecked Sendable`: made with the scheduler and used by the jobs of its thread alone.
final class SchedulerFloor: @unchecked Sendable {
  /// A text of an order.
  private struct Waiting {
    let order: Int
    let text: Int
    let request: TextRequest
  }

  /// An order that is not done.
  private struct OpenOrder {
    let continuation: AsyncStream<TextEvent>.Continuation
    var texts: Int
  }

  private let options: Scheduler.Options
  private let metrics: Metrics
  private let load: LoadEstimate
  private let network: (Stitch) -> Network
  private let backend: ProcessorBackend
  private let pool: ComputePool
  private var queue = FairQueue<Waiting>()
  private var orders: [Int: OpenOrder] = [:]
  /// `nil` until the first text comes.
  private var texts: RunningTexts?
  private let embeddings: EmbeddingQueue
  /// Texts that have left the queue since it was last told.
  private var left = 0

  /// Tokens of prompts and texts that are computed in one step.
  private static let chunkSize = 128
  /// Places for each text that may be under way: what is computed of those that have ended stays for their next turn.
  private static let placesPerText = 4

  init(
    _ options: Scheduler.Options, metrics: Metrics, load: LoadEstimate, network: @escaping (Stitch) -> Network
  ) {
    self.options = options
    self.metrics = metrics
    self.load = load
    self.network = network
    pool = ComputePool(threads: options.threads, name: "stitch-serve")
    backend = ProcessorBackend(
      chunkSize: max(Self.chunkSize, options.parallel), cacheType: options.cacheType, pool: pool)
    embeddings = EmbeddingQueue(contextLength: options.contextLength, backend: backend, network: network)
  }

  private var running: Int { texts?.count ?? 0 }

  var isBusy: Bool { queue.count > 0 || running > 0 || !embeddings.isEmpty }

  func take(_ command: Scheduler.Command) {
    switch command {
    case .embed(let order): embeddings.append(order)
    case .order(let order):
      orders[order.number] = OpenOrder(continuation: order.continuation, texts: order.texts.count)
      for (index, request) in order.texts.enumerated() {
        queue.append(Waiting(order: order.number, text: index, request: request), of: order.client)
      }
    case .cancel(let order, let text):
      func isMeant(_ other: (order: Int, text: Int)) -> Bool {
        other.order == order && (text == nil || other.text == text)
      }
      let gone = queue.removeAll { isMeant(($0.order, $0.text)) }
      left += gone.count
      for waiting in gone { finish(nil, order: waiting.order, text: waiting.text) }
      for (place, result) in texts?.cancel(where: isMeant) ?? [] {
        finish(result, order: place.order, text: place.text)
      }
    }
  }

  /// The next token of every text.
  /// - Returns: how many texts wait no longer.
  func step() -> Int {
    admit()
    if let texts, texts.count > 0 {
      let (count, flops, start) = (texts.count, texts.flops, ContinuousClock.now)
      var events: [RunningTexts.Event] = []
      do { events = try texts.step() } catch { for place in texts.places { fail(place.order, .failed("\(error)")) } }
      let duration = ContinuousClock.now - start
      metrics.stepMade(texts: count, duration: duration)
      load.stepMade(flops: flops, duration: duration)
      for event in events {
        switch event {
        case .token(let token, let likelihoods, let place):
          metrics.tokenMade()
          orders[place.order]?.continuation.yield(.token(token, likelihoods, text: place.text))
        case .finished(let result, let place): finish(result, order: place.order, text: place.text)
        case .failed(.noTokenFits(let cause), let place):
          fail(place.order, .unfit("\(InferenceError.noTokenFits(cause: cause))"))
        case .failed(let error, let place): fail(place.order, .failed("\(error)"))
        }
      }
    }
    if embeddings.step() { left += 1 }
    if !isBusy { load.becameIdle() }
    metrics.setLoad(running: running, waiting: queue.count)
    defer { left = 0 }
    return left
  }

  /// Gives places to those whose turn it is.
  private func admit() {
    while let next = queue.takeFirst(where: { _ in texts?.hasRoom ?? true }) {
      left += 1
      // It was closed by an error of another of its texts.
      guard orders[next.order] != nil else { continue }
      let texts = self.texts ?? begin(next.request.stitch)
      self.texts = texts
      do { try texts.add(next.request, as: (next.order, next.text), network: network) } catch {
        fail(next.order, .failed("\(error)"))
      }
    }
  }

  private func begin(_ stitch: Stitch) -> RunningTexts {
    let places = max(
      1, min(Self.placesPerText * options.parallel, backend.chunkSize, options.cacheBytes / max(1, options.textBytes)))
    let session = BatchSession(
      network: network(stitch), capacity: places, contextLength: options.contextLength, backend: backend, pool: pool)
    metrics.setReserved(cacheBytes: places * options.textBytes)
    return RunningTexts(session, first: stitch, most: min(options.parallel, places))
  }

  // MARK: Ends

  private func finish(_ result: GenerationResult?, order: Int, text: Int) {
    if let result { metrics.textFinished(result) }
    guard var open = orders[order] else { return }
    open.continuation.yield(.finished(result, text: text))
    open.texts -= 1
    orders[order] = open.texts > 0 ? open : nil
    if open.texts == 0 { open.continuation.finish() }
  }

  /// Ends an order that cannot be carried out.
  private func fail(_ order: Int, _ event: TextEvent) {
    guard let open = orders.removeValue(forKey: order) else { return }
    open.continuation.yield(event)
    open.continuation.finish()
    left += queue.removeAll { $0.order == order }.count
    _ = texts?.cancel { $0.order == order }
  }
}
