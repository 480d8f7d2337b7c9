import Foundation
import Synchronization

/// Adds up what the processes hold of a sum: each becomes the owner of some of the floats, gets them from all, completes
/// the tree, and gives the result to all. What is final of a gradient may travel while the rest is computed.
///
/// A float travels twice, as in the usual reduction by scattering and gathering, where every process holds one node; one
/// whose parts make up several nodes sends each of them. Pieces are those of the backward pass, in its order, so that all
/// processes begin the same ones in the same order; how far each is when does not change what is added to what.
final class GradientExchange {
  /// Floats of a sum that go together, at most, and that are on their way at a time, about.
  private static let length = 1 << 20
  private static let mostTravelling = 1 << 23

  /// Slices that travel together.
  private struct Piece {
    /// Behind which point of the backward pass they are final.
    let point: Int
    let slices: [Range<Int>]
    var length: Int { slices.reduce(0) { $0 + $1.count } }
  }

  /// A piece on its way: its nodes to their owners, then their sum to all.
  private struct Travelling {
    let owned: [[Range<Int>]]
    let received: FloatBuffer
    var all: FloatBuffer?
    var message: any PendingMessage
  }

  private let sums: [FloatBuffer]
  private let result: FloatBuffer
  private let tree: SumTree
  private let communicator: any Communicator
  private let prepare: (Range<Int>) -> Void
  private let pieces: [Piece]
  /// The nodes that each process's parts make up.
  private let nodes: [[Range<Int>]]
  private var travelling: [Int: Travelling] = [:]
  private var floatsTravelling = 0
  /// Pieces before these are begun, are with their owners, have arrived.
  private var begun = 0
  private var owned = 0
  private var arrived = 0

  /// - Parameters:
  ///   - sums: of the nodes that this process's parts make up, in order.
  ///   - points: what there is to add up of each, by the point of the backward pass behind which it is final.
  ///   - result: may be one of the sums.
  ///   - prepare: makes a slice of the sums final, when its point is reached.
  init(
    of sums: [FloatBuffer], points: [[Range<Int>]], into result: FloatBuffer, tree: SumTree,
    communicator: any Communicator, prepare: @escaping (Range<Int>) -> Void
  ) {
    self.sums = sums
    self.result = result
    self.tree = tree
    self.communicator = communicator
    self.prepare = prepare
    nodes = (0..<communicator.count).map { [tree] in
      tree.nodes(within: communicator.share(of: tree.count, rank: $0))
    }
    pieces = points.enumerated().flatMap { point, slices in
      var pieces: [Piece] = []
      var start = 0
      while start < slices.count {
        var end = start
        var length = 0
        while end < slices.count, end == start || length + slices[end].count <= Self.length {
          length += slices[end].count
          end += 1
        }
        pieces.append(Piece(point: point, slices: Array(slices[start..<end])))
        start = end
      }
      return pieces
    }
  }

  /// Sends what is final, and lets what was sent go on; waits for nothing.
  /// - Parameter point: that the backward pass of every part has reached.
  func advance(to point: Int) {
    repeat { letGoOn() } while beginNext(to: point)
  }

  /// Returns when all has arrived, everything being final.
  func finish() {
    while arrived < pieces.count {
      if beginNext(to: .max) { continue }
      let next = owned < begun ? owned : arrived
      travelling[next]!.message.wait()
      letGoOn()
    }
  }

  private func beginNext(to point: Int) -> Bool {
    guard begun < pieces.count, pieces[begun].point <= point,
      floatsTravelling < Self.mostTravelling || travelling.isEmpty
    else { return false }
    begin(begun)
    begun += 1
    return true
  }

  private func letGoOn() {
    while owned < begun, travelling[owned]!.message.progress() {
      passOn(owned)
      owned += 1
    }
    while arrived < owned, travelling[arrived]!.message.progress() {
      arrive(arrived)
      arrived += 1
    }
  }

  // MARK: A piece on its way

  /// Sends a piece of the nodes to its owners.
  private func begin(_ index: Int) {
    let piece = pieces[index]
    piece.slices.forEach(prepare)
    let owned = owners(of: piece.slices, piece.length)
    let lengths = owned.map { $0.reduce(0) { $0 + $1.count } }
    let sent = FloatBuffer(count: piece.length * sums.count)
    var place = 0
    for slices in owned {
      for sum in sums { place = Self.copy(slices, of: sum, to: sent, at: place) }
    }
    let counts = nodes.map { $0.count * lengths[communicator.rank] }
    let received = FloatBuffer(count: counts.reduce(0, +))
    let message = communicator.beginExchange(
      sent.vector, lengths.map { sums.count * $0 }, into: received.vector, counts)
    travelling[index] = Travelling(owned: owned, received: received, message: message)
    floatsTravelling += piece.length
  }

  /// Sends the sum of what this process owns of a piece to all.
  private func passOn(_ index: Int) {
    guard var piece = travelling[index] else { preconditionFailure("a piece that was not begun") }
    let lengths = piece.owned.map { $0.reduce(0) { $0 + $1.count } }
    let own = lengths[communicator.rank]
    let parts = (0..<nodes.reduce(0) { $0 + $1.count }).map {
      piece.received.vector(offset: $0 * own, count: own)
    }
    let sum = tree.complete(Array(nodes.joined()), parts) { TrainingKernels.add($0, to: $1) }
    let all = FloatBuffer(count: lengths.reduce(0, +))
    piece.all = all
    piece.message = communicator.beginGather(sum, into: all.vector, counts: lengths)
    travelling[index] = piece
  }

  /// Puts the whole sum of a piece in its place.
  private func arrive(_ index: Int) {
    guard let piece = travelling.removeValue(forKey: index), let all = piece.all else {
      preconditionFailure("a piece that was not passed on")
    }
    var place = 0
    for slice in piece.owned.joined() {
      result.vector(offset: slice.lowerBound, count: slice.count)
        .copy(from: all.vector(offset: place, count: slice.count))
      place += slice.count
    }
    floatsTravelling -= place
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

/// How far the backward passes of some parts are, and with them what of their gradients may travel.
///
/// `@unchecked Sendable`: how far they are is behind a lock; the exchange is used by the thread that made this alone, which
/// is the one that messages have to come from.
final class GradientTravel: @unchecked Sendable {
  private let reached: Mutex<[Int]>
  private let exchange: GradientExchange
  private let owner = pthread_self()

  init(parts: Int, exchange: GradientExchange) {
    reached = Mutex(Array(repeating: -1, count: parts))
    self.exchange = exchange
  }

  /// The backward pass of a part has reached a point: nothing more is added to the gradients before it.
  func reach(_ point: Int, part: Int) {
    let least = reached.withLock { points in
      points[part] = point
      return points.min() ?? -1
    }
    if pthread_equal(pthread_self(), owner) != 0 { exchange.advance(to: least) }
  }
}
