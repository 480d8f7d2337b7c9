import Support

/// The processes that train together: each computes some of a step's parts, and all end with the same sums.
///
/// All call the same functions in the same order. A connection that is lost ends the process: nothing could be made of
/// what is half sent, and a checkpoint is there.
public protocol Communicator: Sendable {
  /// This process, from 0.
  var rank: Int { get }
  /// How many there are.
  var count: Int { get }
  /// What each process has to say, by rank.
  func gather(_ message: [UInt8]) -> [[UInt8]]
  /// The floats of each process, `counts[rank]` of them, one after another by rank.
  func gather(_ part: VectorView, into all: VectorView, counts: [Int])
  /// Sends `sentCounts[r]` floats to process r and receives `receivedCounts[r]` from it, both one after another by rank.
  func exchange(_ sent: VectorView, _ sentCounts: [Int], into received: VectorView, _ receivedCounts: [Int])
  /// Begins to gather, and does not wait for the end. Memory must stay as it is until then.
  ///
  /// All processes begin what they gather so in the same order, and what they exchange so, too; neither has an order with the
  /// other, nor with what is waited for.
  func beginGather(_ part: VectorView, into all: VectorView, counts: [Int]) -> any PendingMessage
  /// Begins to exchange; see `beginGather`.
  func beginExchange(
    _ sent: VectorView, _ sentCounts: [Int], into received: VectorView, _ receivedCounts: [Int]
  ) -> any PendingMessage
  /// Replaces values by those of process 0.
  func broadcast(_ values: VectorView)
}

/// What was begun between processes and may not have ended.
public protocol PendingMessage {
  /// Lets it go on, and tells whether it has ended.
  func progress() -> Bool
  /// Returns when it has ended.
  func wait()
}

/// One that had ended when it was begun.
struct CompletedMessage: PendingMessage {
  func progress() -> Bool { true }
  func wait() {}
}

/// One process alone.
public struct SingleProcess: Communicator {
  public init() {}

  public var rank: Int { 0 }
  public var count: Int { 1 }
  public func gather(_ message: [UInt8]) -> [[UInt8]] { [message] }
  public func gather(_ part: VectorView, into all: VectorView, counts: [Int]) { all.copy(from: part) }
  public func exchange(_ sent: VectorView, _ sentCounts: [Int], into received: VectorView, _ receivedCounts: [Int]) {
    received.copy(from: sent)
  }
  public func beginGather(_ part: VectorView, into all: VectorView, counts: [Int]) -> any PendingMessage {
    gather(part, into: all, counts: counts)
    return CompletedMessage()
  }
  public func beginExchange(
    _ sent: VectorView, _ sentCounts: [Int], into received: VectorView, _ receivedCounts: [Int]
  ) -> any PendingMessage {
    exchange(sent, sentCounts, into: received, receivedCounts)
    return CompletedMessage()
  }
  public func broadcast(_ values: VectorView) {}
}

extension Communicator {
  /// Whether this process is the one that writes files and talks to people.
  public var isFirst: Bool { rank == 0 }

  /// This process's share of `0..<total`, as even as can be; together the shares are all of it, in order of rank.
  public func share(of total: Int) -> Range<Int> { share(of: total, rank: rank) }

  func share(of total: Int, rank: Int) -> Range<Int> { total * rank / count..<total * (rank + 1) / count }

  /// The numbers of all processes, those of the first one first.
  func gather(_ own: [Double]) -> [Double] {
    if count == 1 { return own }
    let bytes = own.flatMap { number in (0..<8).map { UInt8(truncatingIfNeeded: number.bitPattern >> (8 * $0)) } }
    return gather(bytes).flatMap { bytes in
      stride(from: 0, to: bytes.count, by: 8).map { start in
        Double(bitPattern: (0..<8).reduce(UInt64(0)) { $0 | UInt64(bytes[start + $1]) << (8 * UInt64($1)) })
      }
    }
  }
}

// MARK: - What all must have in common

/// What has stopped all processes, because it stopped one of them.
public struct JointFailure: Error, CustomStringConvertible {
  public let description: String
}

extension Communicator {
  /// Does what may fail in any process: where it does in one, it does in all, and nobody waits for somebody who is gone.
  /// - Throws: `JointFailure` with what the first of those that failed had to say; alone, the error itself.
  public func together<Result>(_ body: () throws -> Result) throws -> Result {
    if count == 1 { return try body() }
    let result = Swift.Result(catching: body)
    var own: [UInt8] = []
    if case .failure(let error) = result {
      own = Array((isFirst ? "\(error)" : "\(error) (process \(rank) of \(count), on \(HostName.current))").utf8)
    }
    if let failed = gather(own).first(where: { !$0.isEmpty }) {
      throw JointFailure(description: String(decoding: failed, as: UTF8.self))
    }
    return try result.get()
  }

  /// Does in the first process what it alone may do; the others wait and learn whether it could.
  /// - Returns: `nil` in the others.
  /// - Throws: as `together`.
  @discardableResult
  public func inFirst<Result>(_ body: () throws -> Result) throws -> Result? {
    try together { isFirst ? try body() : nil }
  }

  /// The beginning of a digest; all of what is not one.
  private static func short(_ value: String) -> String {
    value.count == 64 && value.allSatisfy(\.isHexDigit) ? value.prefix(12) + "…" : value
  }

  /// Compares what must be the same everywhere for the result to be the same.
  /// - Parameter digests: what it is, for people, and its value.
  /// - Throws: `JointFailure` that names what differs, where, and the remedy.
  public func compare(_ digests: [(what: String, digest: String, remedy: String)]) throws {
    if count == 1 { return }
    let own = ([HostName.current] + digests.map(\.digest)).joined(separator: "\n")
    let all = gather(Array(own.utf8)).map {
      String(decoding: $0, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    }
    for (index, item) in digests.enumerated() {
      for (rank, other) in all.enumerated() where other[index + 1] != all[0][index + 1] {
        throw JointFailure(
          description:
            "process \(rank) of \(count), on \(other[0]), has another \(item.what) (\(Self.short(other[index + 1]))) than process 0, on \(all[0][0]) (\(Self.short(all[0][index + 1]))); \(item.remedy)"
        )
      }
    }
  }
}
