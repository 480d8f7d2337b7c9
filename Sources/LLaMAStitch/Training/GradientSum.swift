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
    var additions: [(from: GradientBuffer, to: GradientBuffer)] = []
    for (index, gradient) in gradients.enumerated() {
      nodes.append((first + index..<first + index + 1, gradient))
      while nodes.count > 1 {
        let (left, right) = (nodes[nodes.count - 2], nodes[nodes.count - 1])
        let both = left.parts.lowerBound..<right.parts.upperBound
        guard left.parts.upperBound == right.parts.lowerBound, tree.isNode(both) else { break }
        additions.append((right.sum, left.sum))
        nodes.removeLast(2)
        nodes.append((both, left.sum))
        free.append(right.sum)
      }
    }
    each(slices) { [additions] _, slice in
      for (from, to) in additions { TrainingKernels.add(from.vector(slice), to: to.vector(slice)) }
    }
  }

  /// The sum over all processes' parts, valid until the next step.
  func finish(_ slices: [Range<Int>]) -> GradientBuffer {
    if communicator.count == 1, let node = nodes.first { return node.sum }
    if nodes.isEmpty { nodes.append((0..<0, buffers(1, slices: []).first!)) }
    let held = nodes.filter { !$0.parts.isEmpty }
    GradientExchange(tree: tree, communicator: communicator)
      .run(held.map { $0.sum.floats }, slices: slices, into: nodes[0].sum.floats)
    return nodes[0].sum
  }

  /// Has the threads do something with every slice.
  func each(_ slices: [Range<Int>], _ body: @escaping @Sendable (Int, Range<Int>) -> Void) {
    let parts = pool.threads
    pool.run(parts: parts) { part in
      for index in stride(from: part, to: slices.count, by: parts) { body(index, slices[index]) }
    }
  }
}

/// Adds up what the processes hold of a sum: each becomes the owner of some of the floats, gets them from all, completes
/// the tree, and gives the result to all.
///
/// A float travels twice, as in the usual reduction by scattering and gathering, where every process holds one node; one
/// whose parts make up several nodes sends each of them.
struct GradientExchange {
  let tree: SumTree
  let communicator: any Communicator
  /// Floats of a sum handled at a time.
  private static let length = 1 << 20

  /// - Parameters:
  ///   - sums: of the nodes that this process's parts make up, in order.
  ///   - slices: what there is to add up of each.
  ///   - result: may be one of the sums.
  func run(_ sums: [FloatBuffer], slices: [Range<Int>], into result: FloatBuffer) {
    var start = 0
    while start < slices.count {
      var end = start
      var length = 0
      while end < slices.count, end == start || length + slices[end].count <= Self.length {
        length += slices[end].count
        end += 1
      }
      run(sums, Array(slices[start..<end]), length, into: result)
      start = end
    }
  }

  private func run(_ sums: [FloatBuffer], _ slices: [Range<Int>], _ length: Int, into result: FloatBuffer) {
    let ranks = 0..<communicator.count
    let nodes = ranks.map { tree.nodes(within: communicator.share(of: tree.count, rank: $0)) }
    let owned = owners(of: slices, length)
    let lengths = owned.map { $0.reduce(0) { $0 + $1.count } }
    let own = communicator.rank

    let sent = FloatBuffer(count: length * sums.count)
    var place = 0
    for slices in owned {
      for sum in sums { place = Self.copy(slices, of: sum, to: sent, at: place) }
    }
    let receivedCounts = ranks.map { nodes[$0].count * lengths[own] }
    let received = FloatBuffer(count: receivedCounts.reduce(0, +))
    communicator.exchange(
      sent.vector, ranks.map { sums.count * lengths[$0] }, into: received.vector, receivedCounts)

    let pieces = (0..<nodes.reduce(0) { $0 + $1.count }).map {
      received.vector(offset: $0 * lengths[own], count: lengths[own])
    }
    let sum = tree.complete(Array(nodes.joined()), pieces) { TrainingKernels.add($0, to: $1) }
    let all = FloatBuffer(count: length)
    communicator.gather(sum, into: all.vector, counts: lengths)
    place = 0
    for slice in owned.joined() {
      result.vector(offset: slice.lowerBound, count: slice.count)
        .copy(from: all.vector(offset: place, count: slice.count))
      place += slice.count
    }
  }

  /// Which slices each process owns: about as many floats as any other.
  private func owners(of slices: [Range<Int>], _ length: Int) -> [[Range<Int>]] {
    var owned = [[Range<Int>]](repeating: [], count: communicator.count)
    var place = 0
    for slice in slices {
      owned[min(communicator.count - 1, (place + slice.count / 2) * communicator.count / max(1, length))].append(slice)
      place += slice.count
    }
    return owned
  }

  /// - Returns: the place behind what was copied.
  private static func copy(_ slices: [Range<Int>], of sum: FloatBuffer, to target: FloatBuffer, at place: Int) -> Int {
    var place = place
    for slice in slices {
      target.vector(offset: place, count: slice.count)
        .copy(from: sum.vector(offset: slice.lowerBound, count: slice.count))
      place += slice.count
    }
    return place
  }
}
