/// How much each block of an anchor changes what passes through it: block influence (ShortGPT, arXiv 2403.03853), 1 − the
/// mean cosine of a block's input and output over the positions of a text.
///
/// Leaving out the blocks of least influence, with nothing in their place, is what routes with fitted layers are compared
/// with.
public struct BlockInfluence: Sendable, Equatable {
  /// Of each block, in order.
  public let values: [Double]

  /// - Parameters:
  ///   - anchor: prepared for training.
  ///   - batches: of the text.
  public init(_ anchor: LlamaModel, _ batches: [PackedBatch], pool: ComputePool) {
    let (depth, width) = (anchor.blocks.count, anchor.configuration.hiddenSize)
    let passes = PassPool()
    let sums = Slots(count: batches.count * depth)
    pool.run(parts: batches.count) { part in
      passes.lend { worker in
        let input = worker.scratch.matrix(batches[part].rows, width)
        worker.pass.hiddenStates(anchor, batch: batches[part], from: nil, to: depth) { blocks, state in
          if blocks > 0 { sums[part * depth + blocks - 1] = Self.cosines(input, state) }
          input.dense.copy(from: state.dense)
        }
      }
    }
    let rows = Double(max(1, batches.reduce(0) { $0 + $1.rows }))
    values = (0..<depth).map { block in
      1 - batches.indices.reduce(0) { $0 + sums[$1 * depth + block] } / rows
    }
  }

  package init(values: [Double]) { self.values = values }

  /// The sum of the cosines of two matrices' rows.
  static func cosines(_ x: MatrixView, _ y: MatrixView) -> Double {
    (0..<x.rows).reduce(0) { sum, row in
      let (a, b) = (x.row(row), y.row(row))
      let scale = (TrainingKernels.dot(a, a) * TrainingKernels.dot(b, b)).squareRoot()
      return sum + (scale > 0 ? TrainingKernels.dot(a, b) / scale : 0)
    }
  }

  /// The route through an anchor without so many blocks, the least influential; a route always has the first block and the
  /// last.
  /// - Parameter anchor: by index.
  package func route(dropping count: Int, anchor: Int) -> Route {
    let depth = values.count
    precondition((1...max(1, depth - 2)).contains(count))
    let dropped = (1..<depth - 1).sorted { (values[$0], $0) < (values[$1], $1) }.prefix(count).sorted()
    var spans: [Range<Int>] = []
    for block in dropped {
      if spans.last?.upperBound == block {
        spans[spans.count - 1] = spans[spans.count - 1].lowerBound..<block + 1
      } else {
        spans.append(block..<block + 1)
      }
    }
    return Route(anchor: anchor, depth: depth, without: spans)
  }

  /// Numbers of blocks to drop where nobody says which: about ten, up to half.
  public static func usualCounts(depth: Int) -> [Int] {
    guard RouteSearch.canLeaveOut(depth: depth) else { return [] }
    return Set((1...10).map { max(1, min(depth - 2, (depth * $0 + 10) / 20)) }).sorted()
  }
}

extension Projection {
  /// A layer that leaves everything as it is.
  static func identity(width: Int) -> Projection {
    let weight = FloatBuffer(count: width * width).matrix(rows: width, columns: width)
    for index in 0..<width { weight[index, index] = 1 }
    return Projection(weight: WeightMatrix(weight))
  }
}
