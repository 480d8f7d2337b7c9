import ChatEngine
import LLaMAStitch

/// What the scheduler's thread works on: texts that wait, and a lane for each stop that has texts.
///
/// `@unchecked Sendable`: made with the scheduler and used by the jobs of its thread alone.
final class SchedulerFloor: @unchecked Sendable {
  /// A text of an order.
  private struct Waiting {
    let order: Int
    let text: Int
    let request: TextRequest
  }

  private let options: Scheduler.Options
  private let metrics: Metrics
  private let load: LoadEstimate
  private let network: (Stitch) -> Network
  private let backend: ProcessorBackend
  private let pool: ComputePool
  private var queue = FairQueue<Waiting>()
  private var orders: [Int: OpenOrder] = [:]
  /// The stop whose turn was longest ago is first.
  private var lanes: [Lane] = []
  /// Texts that have left the queue since it was last told.
  private var left = 0

  /// An order that is not done.
  private struct OpenOrder {
    let continuation: AsyncStream<TextEvent>.Continuation
    var texts: Int
  }

  /// Tokens of prompts and texts that are computed in one step.
  private static let chunkSize = 128
  /// Places at once that a stop is worth giving another one's up for.
  private static let fewPlaces = 4

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
  }

  var isBusy: Bool { queue.count > 0 || lanes.contains { $0.count > 0 } }

  func take(_ command: Scheduler.Command) {
    switch command {
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
      for lane in lanes {
        for (place, result) in lane.cancel(where: isMeant) { finish(result, order: place.order, text: place.text) }
      }
    }
  }

  /// A step of every stop that has texts.
  /// - Returns: how many texts wait no longer.
  func step() -> Int {
    admit()
    let flops = lanes.reduce(0) { $0 + Double($1.count * $1.stitch.flopsPerToken) }
    let roundStart = ContinuousClock.now
    for lane in lanes where lane.count > 0 {
      let start = ContinuousClock.now
      let count = lane.count
      do {
        for event in try lane.step() {
          switch event {
          case .token(let token, let likelihoods, let place):
            metrics.tokenMade()
            orders[place.order]?.continuation.yield(.token(token, likelihoods, text: place.text))
          case .finished(let result, let place):
            if result.finishReason == .unfit {
              fail(place.order, "\(InferenceError.noTokenFits(cause: nil))")
            } else {
              finish(result, order: place.order, text: place.text)
            }
          }
        }
      } catch {
        // What one text was refused for, the network's output, is that of all.
        for place in lane.places { fail(place.order, "\(error)") }
        lanes.removeAll { $0 === lane }
      }
      metrics.stepMade(texts: count, duration: .now - start)
    }
    if isBusy { load.roundMade(flops: flops, duration: .now - roundStart) } else { load.becameIdle() }
    metrics.setLoad(
      running: lanes.reduce(0) { $0 + $1.count }, waiting: queue.count, cacheBytes: lanes.reduce(0) { $0 + $1.bytes })
    defer { left = 0 }
    return left
  }

  // MARK: Places

  /// Gives places to those whose turn it is.
  private func admit() {
    // Nobody needs to make room any more.
    if !queue.contains(where: { !hasLane($0.request.stitch) }) { for lane in lanes { lane.isClosing = false } }
    while let next = queue.takeFirst(where: { hasPlace(for: $0.request.stitch) }) {
      left += 1
      // It was closed by an error of another of its texts.
      guard orders[next.order] != nil else { continue }
      guard let lane = lanes.first(where: { $0.stitch.id == next.request.stitch.id }) else {
        preconditionFailure("a place was found for a stop without a lane")
      }
      do { try lane.add(next.request, as: (next.order, next.text)) } catch { fail(next.order, "\(error)") }
    }
  }

  private func hasLane(_ stitch: Stitch) -> Bool { lanes.contains { $0.stitch.id == stitch.id } }

  /// Whether a text of this stop can begin. A stop that has no lane yet gets one, if there is memory.
  private func hasPlace(for stitch: Stitch) -> Bool {
    if let lane = lanes.first(where: { $0.stitch.id == stitch.id }) { return lane.hasRoom && !lane.isClosing }
    let network = network(stitch)
    let bytes = network.cacheBytes(positions: options.contextLength, type: options.cacheType)
    func fitting() -> Int {
      min(options.parallel, (options.cacheBytes - lanes.reduce(0) { $0 + $1.bytes }) / max(1, bytes))
    }
    while fitting() < min(options.parallel, Self.fewPlaces), let idle = lanes.firstIndex(where: { $0.count == 0 }) {
      lanes.remove(at: idle)
    }
    // Whatever the memory, there is always room for one.
    let places = lanes.isEmpty ? max(1, fitting()) : fitting()
    guard places > 0 else {
      // The stop that has worked longest takes no more texts until there is room for this one.
      if !lanes.contains(where: \.isClosing) { lanes.first?.isClosing = true }
      return false
    }
    let session = BatchSession(
      network: network, capacity: places, contextLength: options.contextLength, backend: backend, pool: pool)
    lanes.append(Lane(stitch: stitch, session: session, bytes: places * bytes))
    for lane in lanes { lane.isClosing = false }
    return true
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
  private func fail(_ order: Int, _ message: String) {
    guard let open = orders.removeValue(forKey: order) else { return }
    open.continuation.yield(.failed(message))
    open.continuation.finish()
    left += queue.removeAll { $0.order == order }.count
    for lane in lanes { _ = lane.cancel { $0.order == order } }
  }
}
