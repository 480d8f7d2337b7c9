import Foundation
import LLaMAStitch
import Synchronization

/// What the server has done, for Prometheus.
package final class Metrics: Sendable {
  private struct State {
    var requests: [String: Int] = [:]
    var tokens = 0
    var promptTokens = 0
    var cachedTokens = 0
    var finished: [FinishReason: Int] = [:]
    var rejected = 0
    var running = 0
    var waiting = 0
    var cacheBytes = 0
    var steps = Histogram([0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1])
    var batch = Histogram([1, 2, 4, 8, 16, 32, 64])
    var firstToken = Histogram([0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30])
    var duration = Histogram([0.1, 0.5, 1, 2, 5, 10, 30, 60, 300])
    /// Of a text, lately.
    var textSeconds = 1.0
  }

  /// Counts by upper bound.
  private struct Histogram {
    let bounds: [Double]
    var counts: [Int]
    var sum = 0.0
    var count = 0

    init(_ bounds: [Double]) {
      self.bounds = bounds
      counts = bounds.map { _ in 0 }
    }

    mutating func add(_ value: Double) {
      sum += value
      count += 1
      if let index = bounds.firstIndex(where: { value <= $0 }) { counts[index] += 1 }
    }

    func lines(_ name: String) -> [String] {
      var total = 0
      var lines = zip(bounds, counts).map { bound, count in
        total += count
        return "\(name)_bucket{le=\"\(bound)\"} \(total)"
      }
      lines += ["\(name)_bucket{le=\"+Inf\"} \(count)", "\(name)_sum \(sum)", "\(name)_count \(count)"]
      return lines
    }
  }

  private let state = Mutex(State())
  private let start = ContinuousClock.now

  package init() {}

  // MARK: What happens

  func tokenMade() { state.withLock { $0.tokens += 1 } }

  func stepMade(texts: Int, duration: Duration) {
    state.withLock {
      $0.steps.add(duration / .seconds(1))
      $0.batch.add(Double(texts))
    }
  }

  func setLoad(running: Int, waiting: Int) {
    state.withLock { ($0.running, $0.waiting) = (running, waiting) }
  }

  func setReserved(cacheBytes: Int) { state.withLock { $0.cacheBytes = cacheBytes } }

  func textFinished(_ result: GenerationResult) {
    state.withLock { state in
      state.promptTokens += result.promptTokens
      state.cachedTokens += result.reusedTokens
      state.finished[result.finishReason, default: 0] += 1
      let seconds = (result.prefillDuration + result.decodeDuration) / .seconds(1)
      if seconds > 0 { state.textSeconds += 0.1 * (seconds - state.textSeconds) }
    }
  }

  func requestAnswered(_ route: String, status: Int) {
    state.withLock { state in
      state.requests["route=\"\(route)\",status=\"\(status)\"", default: 0] += 1
      if status == 429 { state.rejected += 1 }
    }
  }

  func firstToken(after duration: Duration) { state.withLock { $0.firstToken.add(duration / .seconds(1)) } }

  func replyMade(in duration: Duration) { state.withLock { $0.duration.add(duration / .seconds(1)) } }

  // MARK: What is told

  /// When so many texts may have had their turn: between a second and a minute.
  func expectedWait(texts: Int, atOnce: Int) -> Duration {
    let seconds = state.withLock(\.textSeconds) * Double(texts) / Double(max(1, atOnce))
    return .seconds(max(1, min(60, seconds.rounded(.up))))
  }

  package var running: Int { state.withLock(\.running) }
  package var waiting: Int { state.withLock(\.waiting) }

  /// In Prometheus' text format.
  func text(connections: Int) -> String {
    let state = self.state.withLock { $0 }
    var lines: [String] = []
    func add(_ name: String, _ type: String, _ help: String, _ values: [String]) {
      lines += ["# HELP stitch_\(name) \(help)", "# TYPE stitch_\(name) \(type)"] + values.map { "stitch_\($0)" }
    }
    func counter(_ name: String, _ help: String, _ value: Int) { add(name, "counter", help, ["\(name) \(value)"]) }
    func gauge(_ name: String, _ help: String, _ value: Int) { add(name, "gauge", help, ["\(name) \(value)"]) }
    add(
      "requests_total", "counter", "Requests answered.",
      state.requests.sorted { $0.key < $1.key }.map { "requests_total{\($0.key)} \($0.value)" })
    add(
      "texts_total", "counter", "Texts ended, by reason.",
      state.finished.sorted { $0.key.rawValue < $1.key.rawValue }.map {
        "texts_total{reason=\"\($0.key.rawValue)\"} \($0.value)"
      })
    counter("generated_tokens_total", "Tokens generated.", state.tokens)
    counter("prompt_tokens_total", "Tokens of prompts.", state.promptTokens)
    counter("cached_prompt_tokens_total", "Tokens of prompts that were cached.", state.cachedTokens)
    counter("rejected_total", "Requests sent away because too many texts waited.", state.rejected)
    gauge("texts_running", "Texts under way.", state.running)
    gauge("texts_waiting", "Texts that wait for a place.", state.waiting)
    gauge("connections", "Clients connected.", connections)
    gauge("cache_reserved_bytes", "Bytes that the KV caches take if they are filled.", state.cacheBytes)
    let steps = state.steps.lines("step_seconds")
    add("step_seconds", "histogram", "Time of a step: a token of each text.", steps)
    add("step_texts", "histogram", "Texts computed together in a step.", state.batch.lines("step_texts"))
    add(
      "first_token_seconds", "histogram", "From a request to its first token.",
      state.firstToken.lines("first_token_seconds"))
    add("reply_seconds", "histogram", "From a request to the end of its reply.", state.duration.lines("reply_seconds"))
    gauge("uptime_seconds", "Since the start.", Int((ContinuousClock.now - start) / .seconds(1)))
    return lines.joined(separator: "\n") + "\n"
  }
}
