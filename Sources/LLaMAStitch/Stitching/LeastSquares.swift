/// Fits the stitching layers of a family by least squares, as many routes at a time as their normal equations fit
/// into memory.
///
/// Groups of routes go through the anchors from front to back. Where the residual streams that the next group starts
/// from fit into memory too, they are kept, and each block runs once however many groups there are.
struct LeastSquares {
  let anchors: [AnchorTensors]
  /// Those with a join; each pair of anchors in order of entry.
  let routes: [Route]
  /// Share of the mean diagonal added to it.
  let ridge: Double
  /// Bytes for the normal equations of a group; as much again is used while they are solved, and for kept streams.
  let memory: Int
  let pool: ComputePool

  /// - Parameter progress: hears how many routes are fitted.
  /// - Throws: `FamilyError.unstitchable` where there are too few tokens.
  func fit(_ batches: [PackedBatch], progress: (Int) -> Void) throws(FamilyError) -> [Route: FittedLayer] {
    let groups = self.groups
    let streams = anchors.map { ResidualStreams($0, batches: batches.count) }
    let tokens = batches.reduce(0) { $0 + $1.rows }
    let keeps = anchors.reduce(0) { $0 + 4 * tokens * $1.configuration.hiddenSize } <= memory
    var fitted: [Route: FittedLayer] = [:]
    for (index, group) in groups.enumerated() {
      let depths = Self.depths(group)
      let later = keeps ? Self.depths(groups[(index + 1)...].flatMap { $0 }) : [:]
      let used = depths.keys.sorted()
      let fits = group.map { LayerFit(inputs: widths($0).from, outputs: widths($0).to) }
      for (number, batch) in batches.enumerated() {
        let leftOut = Set(batch.starts)
        pool.run(parts: used.count) { part in
          let anchor = used[part]
          streams[anchor].advance(number, batch, to: depths[anchor]!, keeping: later[anchor]?.min())
        }
        pool.run(parts: group.count) { part in
          let route = group[part]
          let join = route.join!
          fits[part].add(
            x: streams[route.start].stream(after: join.prefix), y: streams[join.end].stream(after: join.entry),
            leftOut: leftOut)
        }
      }
      pool.run(parts: group.count) { fits[$0].solve(ridge: ridge) }
      for (route, fit) in zip(group, fits) {
        guard let layer = fit.solution else { throw Self.tooShort }
        fitted[route] = layer
      }
      progress(fitted.count)
    }
    return fitted
  }

  /// Sequences, the first `contextLength` tokens of each, in batches of about 1,024 tokens.
  static func batches(of sequences: [[Int32]], contextLength: Int) -> [PackedBatch] {
    var batches = [PackedBatch()]
    for sequence in sequences {
      if batches[batches.count - 1].rows >= 1024 { batches.append(PackedBatch()) }
      batches[batches.count - 1].append(Array(sequence.prefix(contextLength)))
    }
    return batches.filter { $0.rows > 0 }
  }

  static let tooShort = FamilyError.unstitchable(
    cause: "the calibration text is too short to fit a stitching layer; give more text")

  private var groups: [[Route]] {
    var groups: [[Route]] = []
    var bytes = 0
    for route in routes {
      let (from, to) = widths(route)
      bytes += LayerFit.bytes(inputs: from, outputs: to)
      if groups.isEmpty || bytes > memory {
        groups.append([])
        bytes = LayerFit.bytes(inputs: from, outputs: to)
      }
      groups[groups.count - 1].append(route)
    }
    return groups
  }

  private func widths(_ route: Route) -> (from: Int, to: Int) {
    (anchors[route.start].configuration.hiddenSize, anchors[route.end].configuration.hiddenSize)
  }

  /// After how many blocks of each anchor routes need the residual stream.
  private static func depths(_ routes: [Route]) -> [Int: Set<Int>] {
    var depths: [Int: Set<Int>] = [:]
    for route in routes {
      guard let join = route.join else { continue }
      depths[route.start, default: []].insert(join.prefix)
      depths[join.end, default: []].insert(join.entry)
    }
    return depths
  }
}

/// The residual streams of one anchor on calibration text.
///
/// `@unchecked Sendable`: one part of a job advances it, later jobs read it; `ComputePool.run` orders the two.
private final class ResidualStreams: @unchecked Sendable {
  private let anchor: AnchorTensors
  private let pass = TrainingPass()
  /// Where each batch goes on, after how many blocks.
  private var kept: [(depth: Int, stream: MatrixView)?]
  /// Of the batch at hand, by number of blocks.
  private var streams: [Int: MatrixView] = [:]

  init(_ anchor: AnchorTensors, batches: Int) {
    self.anchor = anchor
    kept = Array(repeating: nil, count: batches)
  }

  /// Computes the streams of a batch after each number of blocks in `depths`.
  /// - Parameter keeping: the least number of blocks any later call asks for, to go on from there.
  func advance(_ number: Int, _ batch: PackedBatch, to depths: Set<Int>, keeping: Int?) {
    streams = [:]
    let start = kept[number]
    kept[number] = nil
    let wanted = keeping.map { depths.union([$0]) } ?? depths
    pass.residualStream(anchor, batch: batch, from: start, to: wanted.max()!) { depth, stream in
      guard wanted.contains(depth) else { return }
      let copy = FloatBuffer(count: stream.rows * stream.columns)
      copy.vector.copy(from: stream.dense)
      let own = copy.matrix(rows: stream.rows, columns: stream.columns)
      if depths.contains(depth) { streams[depth] = own }
      if depth == keeping { kept[number] = (depth, own) }
    }
  }

  /// [N × d], of the batch that was advanced last.
  func stream(after blocks: Int) -> MatrixView { streams[blocks]! }
}
