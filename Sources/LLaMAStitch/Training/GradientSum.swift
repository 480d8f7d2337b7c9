/// The gradients of a step's parts, added up in the order of a `SumTree`, first those that this process computes and then
/// those of all.
///
/// A process keeps the sums of whole nodes and adds two of them as soon as they make up a third, so it holds a gradient for
/// each thread and one for each level of the tree, at most.
final class GradientSum {
  private typealias Node = (parts: Range<Int>, sum: GradientBuffer)

  private let store: ParameterStore
  private let pool: ComputePool
  private let communicator: any Communicator
  /// Not in use.
  private var free: [GradientBuffer] = []
  private var nodes: [Node] = []
  private var tree = SumTree(count: 0)
  /// Of this step, once something of it may travel.
  private var exchange: GradientExchange?

  init(of store: ParameterStore, pool: ComputePool, communicator: any Communicator) {
    self.store = store
    self.pool = pool
    self.communicator = communicator
  }

  /// Forgets what was added up.
  /// - Parameter parts: of which the step consists.
  func begin(parts: Int) {
    free += nodes.map(\.sum)
    nodes = []
    tree = SumTree(count: parts)
    exchange = nil
  }

  /// Buffers for the gradients of some parts, zero in the slices.
  func buffers(_ count: Int, slices: [Range<Int>]) -> [GradientBuffer] {
    while free.count < count { free.append(GradientBuffer(of: store)) }
    let buffers = Array(free.suffix(count))
    free.removeLast(count)
    pool.run(parts: count) { part in
      for slice in slices { buffers[part].vector(slice).fill(0) }
    }
    return buffers
  }

  /// Takes the gradients of parts that follow those that it has.
  func add(_ gradients: [GradientBuffer], ofPartsFrom first: Int, slices: [Range<Int>]) {
    let additions = take(gradients, ofPartsFrom: first)
    each(slices) { _, slice in additions.add(slice) }
  }

  /// Takes the gradients of this process's last parts, which are still to be computed, and sends what is final of them while
  /// the rest is.
  /// - Parameter points: slices by the point of the backward pass behind which they are final.
  func travel(
    _ gradients: [GradientBuffer], ofPartsFrom first: Int, points: [[Range<Int>]]
  ) -> GradientTravel {
    let additions = take(gradients, ofPartsFrom: first)
    let exchange = exchange(points, prepare: additions.add)
    self.exchange = exchange
    return GradientTravel(parts: gradients.count, exchange: exchange)
  }

  /// What has to be added up when the gradients of parts are there.
  private func take(_ gradients: [GradientBuffer], ofPartsFrom first: Int) -> Additions {
    var additions = Additions()
    for (index, gradient) in gradients.enumerated() {
      nodes.append((first + index..<first + index + 1, gradient))
      while nodes.count > 1 {
        let (left, right) = (nodes[nodes.count - 2], nodes[nodes.count - 1])
        let both = left.parts.lowerBound..<right.parts.upperBound
        guard left.parts.upperBound == right.parts.lowerBound, tree.isNode(both) else { break }
        additions.pairs.append((right.sum, left.sum))
        nodes.removeLast(2)
        nodes.append((both, left.sum))
        free.append(right.sum)
      }
    }
    return additions
  }

  /// Sums that are to be added to others, in order.
  private struct Additions: Sendable {
    var pairs: [(from: GradientBuffer, to: GradientBuffer)] = []

    func add(_ slice: Range<Int>) {
      for (from, to) in pairs { TrainingKernels.add(from.vector(slice), to: to.vector(slice)) }
    }
  }

  /// The sum over all processes' parts, valid until the next step.
  /// - Parameter points: as `travel` was told.
  func finish(_ points: [[Range<Int>]]) -> GradientBuffer {
    if communicator.count == 1, let node = nodes.first { return node.sum }
    let exchange = self.exchange ?? exchange(points) { _ in }
    exchange.finish()
    self.exchange = nil
    return nodes[0].sum
  }

  private func exchange(
    _ points: [[Range<Int>]], prepare: @escaping (Range<Int>) -> Void
  ) -> GradientExchange {
    if nodes.isEmpty { nodes.append((0..<0, buffers(1, slices: []).first!)) }
    return GradientExchange(
      of: nodes.filter { !$0.parts.isEmpty }.map { $0.sum.floats }, points: points, into: nodes[0].sum.floats,
      tree: tree,
      communicator: communicator, prepare: prepare)
  }

  /// Has the threads do something with every slice.
  func each(_ slices: [Range<Int>], _ body: @escaping @Sendable (Int, Range<Int>) -> Void) {
    let parts = pool.threads
    pool.run(parts: parts) { part in
      for index in stride(from: part, to: slices.count, by: parts) { body(index, slices[index]) }
    }
  }
}
