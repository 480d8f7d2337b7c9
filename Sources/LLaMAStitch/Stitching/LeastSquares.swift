/// Fits the stitching layers of a family by least squares, as many at a time as their normal equations fit into
/// memory.
///
/// A layer maps the hidden state after its exit to the one before its entry, both of the anchors whole, whatever else the
/// route leads through. Groups of layers go through the anchors from front to back. Where the hidden states that the next
/// group starts from fit into memory too, they are kept, and each block runs once however many groups there are.
struct LeastSquares {
  /// A layer to fit: the junction of a route.
  private struct Place {
    let route: Route
    let index: Int
    let junction: Route.Junction
  }

  let anchors: [LlamaModel]
  /// Those whose layers are fitted; each pair of anchors in order of entry.
  let routes: [Route]
  /// Share of the mean diagonal added to it.
  let ridge: Double
  /// Bytes for the normal equations of a group; as much again is used while they are solved, and for kept states.
  let memory: Int
  let pool: ComputePool

  /// - Parameter progress: hears how many layers are fitted.
  /// - Throws: `FamilyError.unstitchable` where there are too few tokens.
  func fit(_ batches: [PackedBatch], progress: (Int) -> Void) throws(FamilyError) -> [Route: [Projection]] {
    let groups = self.groups
    let states = anchors.map { HiddenStates($0, batches: batches.count) }
    let tokens = batches.reduce(0) { $0 + $1.rows }
    let keeps = anchors.reduce(0) { $0 + 4 * tokens * $1.configuration.hiddenSize } <= memory
    var fitted: [Route: [Int: Projection]] = [:]
    var count = 0
    for (index, group) in groups.enumerated() {
      let depths = Self.depths(group)
      let later = keeps ? Self.depths(groups[(index + 1)...].flatMap { $0 }) : [:]
      let used = depths.keys.sorted()
      let fits = group.map { StitchingLayerFit(inputs: widths($0.junction).from, outputs: widths($0.junction).to) }
      for (number, batch) in batches.enumerated() {
        let leftOut = Set(batch.starts)
        pool.run(parts: used.count) { part in
          let anchor = used[part]
          states[anchor].advance(number, batch, to: depths[anchor]!, keeping: later[anchor]?.min())
        }
        pool.run(parts: group.count) { part in
          let junction = group[part].junction
          fits[part].add(
            x: states[junction.from].state(after: junction.exit), y: states[junction.to].state(after: junction.entry),
            leftOut: leftOut)
        }
      }
      pool.run(parts: group.count) { fits[$0].solve(ridge: ridge) }
      for (place, fit) in zip(group, fits) {
        guard let layer = fit.solution else { throw Self.tooShort }
        fitted[place.route, default: [:]][place.index] = layer
      }
      count += group.count
      progress(count)
    }
    return fitted.mapValues { layers in layers.sorted { $0.key < $1.key }.map(\.value) }
  }

  /// How many layers some routes have.
  static func layerCount(_ routes: [Route]) -> Int { routes.reduce(0) { $0 + $1.junctions.count } }

  /// Sequences, the first `contextLength` tokens of each, in batches of about 1,024 tokens.
  static func batches(of sequences: [[Int32]], contextLength: Int) -> [PackedBatch] {
    PackedBatch.batches(of: sequences, contextLength: contextLength)
  }

  static let tooShort = FamilyError.unstitchable(
    cause: "the calibration text is too short to fit a stitching layer; give more text")

  private var groups: [[Place]] {
    var groups: [[Place]] = []
    var bytes = 0
    for route in routes {
      for (index, junction) in route.junctions.enumerated() {
        let (from, to) = widths(junction)
        let more = StitchingLayerFit.bytes(inputs: from, outputs: to)
        bytes += more
        if groups.isEmpty || bytes > memory {
          groups.append([])
          bytes = more
        }
        groups[groups.count - 1].append(Place(route: route, index: index, junction: junction))
      }
    }
    return groups
  }

  private func widths(_ junction: Route.Junction) -> (from: Int, to: Int) {
    (anchors[junction.from].configuration.hiddenSize, anchors[junction.to].configuration.hiddenSize)
  }

  /// After how many blocks of each anchor the hidden state is needed.
  private static func depths(_ places: [Place]) -> [Int: Set<Int>] {
    var depths: [Int: Set<Int>] = [:]
    for place in places {
      depths[place.junction.from, default: []].insert(place.junction.exit)
      depths[place.junction.to, default: []].insert(place.junction.entry)
    }
    return depths
  }
}

/// The hidden states of one anchor on calibration text.
///
/// `@unchecked Sendable`: one part of a job advances it, later jobs read it; `ComputePool.run` orders the two.
private final class HiddenStates: @unchecked Sendable {
  private let anchor: LlamaModel
  private let pass = TrainingPass()
  /// Where each batch goes on, after how many blocks.
  private var kept: [(depth: Int, state: MatrixView)?]
  /// Of the batch at hand, by number of blocks.
  private var states: [Int: MatrixView] = [:]

  init(_ anchor: LlamaModel, batches: Int) {
    self.anchor = anchor
    kept = Array(repeating: nil, count: batches)
  }

  /// Computes the states of a batch after each number of blocks in `depths`.
  /// - Parameter keeping: the least number of blocks any later call asks for, to go on from there.
  func advance(_ number: Int, _ batch: PackedBatch, to depths: Set<Int>, keeping: Int?) {
    states = [:]
    let start = kept[number]
    kept[number] = nil
    let wanted = keeping.map { depths.union([$0]) } ?? depths
    pass.hiddenStates(anchor, batch: batch, from: start, to: wanted.max()!) { depth, state in
      guard wanted.contains(depth) else { return }
      let copy = FloatBuffer(count: state.rows * state.columns)
      copy.vector.copy(from: state.dense)
      let own = copy.matrix(rows: state.rows, columns: state.columns)
      if depths.contains(depth) { states[depth] = own }
      if depth == keeping { kept[number] = (depth, own) }
    }
  }

  /// [N × d], of the batch that was advanced last.
  func state(after blocks: Int) -> MatrixView { states[blocks]! }
}
