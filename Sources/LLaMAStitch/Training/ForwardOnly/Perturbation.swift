import Support

/// A vector of independent standard normal numbers, one for each trained value, that is never kept: it is drawn again
/// from its seed wherever it is needed (Malladi et al. 2023, arXiv 2305.17333, algorithm 1).
///
/// A number depends on the seed, the vector's own number and the place alone, so that any part can be drawn by itself, on
/// any thread, and again after an interruption.
struct Perturbation: Sendable {
  private let seed: UInt64

  /// - Parameters:
  ///   - seed: of the run.
  ///   - number: which of the run's vectors.
  init(seed: UInt64, number: Int) {
    var random = SeededGenerator(seed: seed, stream: Self.stream &+ UInt64(number))
    self.seed = random.next()
  }

  /// Far from those of other uses.
  private static let stream: UInt64 = 1 << 40

  /// Visits the numbers of a slice of a store's values, in order.
  func forEach(in slice: Range<Int>, _ visit: (_ index: Int, _ z: Float) -> Void) {
    var random = SeededGenerator(seed: seed, stream: UInt64(slice.lowerBound))
    for index in slice { visit(index, Float(random.normal())) }
  }
}
