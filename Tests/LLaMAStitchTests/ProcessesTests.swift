import Foundation
import LLaMAStitch
import Synchronization
import Testing

/// What several processes train together is what one trains alone, to the bit.
@Suite struct ProcessesTests {
  /// Values and results after some steps of a random model, in the first of `processes`.
  private func train(processes: Int, threads: Int) throws -> (results: [StepResult], loss: Double, values: [Float]) {
    let configuration = RandomModel.configuration()
    let batches = [3, 4, 5].map { seed in
      var batch = PackedBatch()
      for tokens in RandomModel.tokens(3, length: 12, seed: UInt64(seed)) { batch.append(tokens) }
      return batch
    }
    let settings = OptimizerSettings(learningRate: 1e-2)
    let outcomes = Meeting.hold(processes) { communicator in
      let store = ParameterStore(configuration.declarations())
      let weights = RandomModel.weights(configuration, seed: 2)
      for tensor in configuration.tensors {
        store.value(store.index(of: tensor.huggingFaceName)!).copy(from: weights(tensor))
      }
      let network = LlamaModel(configuration: configuration, store: store).network()
      let rule = try Backpropagation(
        store: store, pool: ComputePool(threads: threads), communicator: communicator)
      let results = (0..<2).map { _ in rule.step(network, batches, optimizer: settings, learningRate: 1e-2) }
      return (results, rule.loss(network, batches[0]), store.values.vector.array)
    }
    let all = try outcomes.map { try $0.get() }
    for other in all { #expect(other.0 == all[0].0 && other.1 == all[0].1 && other.2 == all[0].2) }
    return all[0]
  }

  @Test func resultsDependNeitherOnProcessesNorOnThreads() throws {
    let alone = try train(processes: 1, threads: 1)
    #expect(alone.results[0].loss > alone.results[1].loss)
    for (processes, threads) in [(1, 2), (1, 5), (2, 1), (3, 1), (3, 2), (8, 1)] {
      let together = try train(processes: processes, threads: threads)
      #expect(together.results == alone.results, "\(processes) processes, \(threads) threads")
      #expect(together.loss == alone.loss && together.values == alone.values)
    }
  }

  @Test func failuresAreJoint() throws {
    struct Missing: Error, CustomStringConvertible { var description: String { "no such file" } }
    let outcomes = Meeting.hold(3) { communicator in
      try communicator.together { if communicator.rank == 1 { throw Missing() } }
    }
    for outcome in outcomes {
      let error = #expect(throws: JointFailure.self) { try outcome.get() }
      #expect(error?.description.hasPrefix("no such file (process 1 of 3, on ") == true)
    }
    #expect(throws: Missing.self) { try SingleProcess().together { throw Missing() } }
  }

  @Test func differencesAreNamed() throws {
    let outcomes = Meeting.hold(2) { communicator in
      try communicator.compare([("plan", "same", "…"), ("family", "\(communicator.rank)", "copy it")])
    }
    for outcome in outcomes {
      let error = #expect(throws: JointFailure.self) { try outcome.get() }
      #expect(error?.description.contains("process 1 of 2") == true)
      #expect(error?.description.contains("another family (1)") == true)
      #expect(error?.description.hasSuffix("copy it") == true)
    }
  }

  @Test func theTreeFollowsFromTheNumberOfParts() {
    let tree = SumTree(count: 7)
    #expect(tree.nodes(within: 0..<7) == [0..<7])
    #expect(tree.nodes(within: 1..<6) == [1..<2, 2..<4, 4..<6])
    #expect(tree.nodes(within: 3..<3).isEmpty)
    final class Term {
      var text: String
      init(_ text: String) { self.text = text }
    }
    func expression(_ cuts: [Range<Int>]) -> String {
      let nodes = cuts.flatMap { tree.nodes(within: $0) }
      return tree.complete(nodes, nodes.map { Term(Self.expression($0)) }) { $1.text = "(\($1.text)+\($0.text))" }.text
    }
    let whole = "(((0+1)+(2+3))+((4+5)+6))"
    for cuts in [[0..<7], [0..<3, 3..<7], [0..<2, 2..<4, 4..<7], (0..<7).map { $0..<$0 + 1 }] {
      #expect(expression(cuts) == whole)
    }
  }

  private static func expression(_ node: Range<Int>) -> String {
    if node.count == 1 { return "\(node.lowerBound)" }
    let (first, second) = SumTree.halves(node)
    return "(\(expression(first))+\(expression(second)))"
  }
}

/// Where threads meet that stand for processes.
final class Meeting: Sendable {
  /// What one has for the others.
  struct Parcel: Sendable {
    var message: [UInt8] = []
    /// Of one, for all; or one for each.
    var floats: [[Float]] = []
  }

  private struct State {
    var parcels: [Int: Parcel] = [:]
    var left = 0
  }

  let count: Int
  private let state = Mutex(State())

  private init(count: Int) { self.count = count }

  /// Runs `body` on as many threads; their results, by rank.
  static func hold<Outcome: Sendable>(
    _ count: Int, _ body: @escaping @Sendable (any Communicator) throws -> Outcome
  ) -> [Result<Outcome, any Error>] {
    let meeting = Meeting(count: count)
    let (exchanges, gathers) = (Meeting(count: count), Meeting(count: count))
    let outcomes = Outcomes<Outcome>()
    let done = DispatchSemaphore(value: 0)
    for rank in 0..<count {
      Thread {
        let outcome = Result {
          try body(Seat(rank: rank, meeting: meeting, later: (Later(exchanges, rank), Later(gathers, rank))))
        }
        outcomes.all.withLock { $0[rank] = outcome }
        done.signal()
      }.start()
    }
    for _ in 0..<count { done.wait() }
    return outcomes.all.withLock { all in (0..<count).map { all[$0]! } }
  }

  private final class Outcomes<Outcome: Sendable>: Sendable {
    let all = Mutex<[Int: Result<Outcome, any Error>]>([:])
  }

  /// Everybody's parcel, by rank.
  fileprivate func swap(_ own: Parcel, rank: Int) -> [Parcel] {
    // Nobody begins anew before all have left.
    while !state.withLock({ $0.left == 0 }) { Thread.sleep(forTimeInterval: 1e-5) }
    state.withLock { $0.parcels[rank] = own }
    while !state.withLock({ $0.parcels.count == count }) { Thread.sleep(forTimeInterval: 1e-5) }
    return state.withLock { state in
      let all = (0..<count).map { state.parcels[$0]! }
      state.left += 1
      if state.left == count { state = State() }
      return all
    }
  }

  /// What is begun of one kind: it goes on by itself, in order, and apart from everything else.
  private final class Later: Sendable {
    private let queue = DispatchQueue(label: "later")
    private let seat: Seat

    init(_ meeting: Meeting, _ rank: Int) { seat = Seat(rank: rank, meeting: meeting) }

    func begin(_ body: @escaping @Sendable (Seat) -> Void) -> any PendingMessage {
      let message = Message()
      queue.async { [seat] in
        body(seat)
        message.isDone.withLock { $0 = true }
      }
      return message
    }

    private final class Message: PendingMessage, Sendable {
      let isDone = Mutex(false)
      func progress() -> Bool { isDone.withLock { $0 } }
      func wait() { while !progress() { Thread.sleep(forTimeInterval: 1e-5) } }
    }
  }

  private struct Seat: Communicator {
    let rank: Int
    let meeting: Meeting
    var later: (exchanges: Later, gathers: Later)?

    func beginGather(_ part: VectorView, into all: VectorView, counts: [Int]) -> any PendingMessage {
      later!.gathers.begin { $0.gather(part, into: all, counts: counts) }
    }
    func beginExchange(
      _ sent: VectorView, _ sentCounts: [Int], into received: VectorView, _ receivedCounts: [Int]
    ) -> any PendingMessage {
      later!.exchanges.begin { $0.exchange(sent, sentCounts, into: received, receivedCounts) }
    }
    var count: Int { meeting.count }

    func gather(_ message: [UInt8]) -> [[UInt8]] { meeting.swap(Parcel(message: message), rank: rank).map(\.message) }
    func gather(_ part: VectorView, into all: VectorView, counts: [Int]) {
      let parts = meeting.swap(Parcel(floats: [part.array]), rank: rank).map { $0.floats[0] }
      precondition(parts.map(\.count) == counts)
      all.copy(from: Array(parts.joined()))
    }
    func exchange(_ sent: VectorView, _ sentCounts: [Int], into received: VectorView, _ receivedCounts: [Int]) {
      var place = 0
      let floats = sentCounts.map { count in
        defer { place += count }
        return sent.slice(place..<place + count).array
      }
      let parts = meeting.swap(Parcel(floats: floats), rank: rank).map { $0.floats[rank] }
      precondition(parts.map(\.count) == receivedCounts)
      received.copy(from: Array(parts.joined()))
    }
    func broadcast(_ values: VectorView) {
      values.copy(from: meeting.swap(Parcel(floats: [values.array]), rank: rank)[0].floats[0])
    }
  }
}
