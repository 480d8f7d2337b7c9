/// A small network that runs beside the blocks of another and reads what they compute. Of an adapter that has one, nothing
/// else need be trained, so that no gradient flows through what lies before the place where it speaks.
public enum SideNetwork: Sendable {
  /// A network of blocks of its own, beside those of the other (LST).
  case ladder(LadderNetwork)
  /// One layer that reads the outputs of all blocks at once (UniPT, SHERL).
  case parallel(ParallelNetwork)

  /// Of the norms in it.
  static let epsilon: Float = 1e-5

  /// Numbers of a token's state that a stage hands to the next one.
  var stateWidth: Int {
    switch self {
    case .ladder(let ladder): ladder.width
    case .parallel: 0
    }
  }

  /// What it keeps of every position, by the number of stages after which it does; 0 stands for the embedding.
  var kept: [Int: KeptShape] {
    switch self {
    case .ladder(let ladder):
      ladder.rungs.enumerated().reduce(into: [:]) { kept, rung in
        kept[rung.offset + 1] = rung.element.map { KeptShape(configuration: $0.block.configuration, sums: 0) }
      }
    case .parallel(let parallel): parallel.kept
    }
  }

  /// Whether it fits a network of so many stages that ends in so many numbers.
  func fits(stages: Int, width: Int) -> Bool {
    switch self {
    case .ladder(let ladder): ladder.rungs.count == stages && ladder.exit.rows == width
    case .parallel(let parallel):
      parallel.readers.count == stages + 1 && parallel.insertion <= stages && parallel.exit.rows == width
    }
  }

  var flopsPerToken: Int {
    switch self {
    case .ladder(let ladder): ladder.flopsPerToken
    case .parallel(let parallel): 2 * parallel.matrices.reduce(0) { $0 + $1.elementCount }
    }
  }
  var parameterCount: Int {
    switch self {
    case .ladder(let ladder): ladder.parameterCount
    case .parallel(let parallel):
      parallel.vectors.reduce(parallel.matrices.reduce(0) { $0 + $1.elementCount }) { $0 + $1.count }
    }
  }
  var byteCount: Int {
    switch self {
    case .ladder(let ladder): ladder.byteCount
    case .parallel(let parallel):
      parallel.vectors.reduce(parallel.matrices.reduce(0) { $0 + $1.byteCount }) { $0 + 4 * $1.count }
    }
  }
  /// The parameters of a store that it uses.
  var parameters: [Int] {
    switch self {
    case .ladder(let ladder): ladder.parameters
    case .parallel(let parallel): parallel.matrices.compactMap(\.parameter) + parallel.vectors.compactMap(\.parameter)
    }
  }
}

/// What a side network keeps of every position at one place.
struct KeptShape {
  /// Heads and widths of keys and values.
  let configuration: LlamaConfiguration
  /// Running sums, in single precision.
  let sums: Int
}
