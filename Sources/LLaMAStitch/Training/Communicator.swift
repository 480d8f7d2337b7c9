/// The processes that train together: each computes some of a step's micro-batches, and all end with the same sums.
public protocol Communicator: Sendable {
  /// This process, from 0.
  var rank: Int { get }
  /// How many there are.
  var count: Int { get }
  /// Replaces values by their sums over all processes, added in order of rank.
  func sum(_ values: VectorView)
  /// The sum over all processes, added in order of rank.
  func sum(_ value: Double) -> Double
}

/// One process alone.
public struct SingleProcess: Communicator {
  public init() {}

  public var rank: Int { 0 }
  public var count: Int { 1 }
  public func sum(_ values: VectorView) {}
  public func sum(_ value: Double) -> Double { value }
}
