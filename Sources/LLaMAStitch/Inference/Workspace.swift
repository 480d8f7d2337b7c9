import Support

/// The largest of each width among the stages of networks, for scratch.
struct Widths: Equatable {
  var hidden = 0
  var query = 0
  var keyValue = 0
  var intermediate = 0
  var rank = 0
  /// Whether a projection has a scale.
  var hasScales = false
  /// Of the bottlenecks beside MLPs.
  var parallel = 0
  /// Of the state of a ladder side network.
  var side = 0
  /// Of what is read of one place, of a side network that reads many.
  var merged = 0
  var readers = 0
  /// Of weights whose products need scratch.
  var scratchColumns = 0

  func union(_ other: Widths) -> Widths {
    Widths(
      hidden: max(hidden, other.hidden), query: max(query, other.query), keyValue: max(keyValue, other.keyValue),
      intermediate: max(intermediate, other.intermediate), rank: max(rank, other.rank),
      hasScales: hasScales || other.hasScales, parallel: max(parallel, other.parallel),
      side: max(side, other.side), merged: max(merged, other.merged), readers: max(readers, other.readers),
      scratchColumns: max(scratchColumns, other.scratchColumns))
  }
}

/// Scratch for a batch of up to `tokens` tokens.
///
/// `@unchecked Sendable`: threads of one team write parts that do not overlap, between barriers.
final class Workspace: @unchecked Sendable {
  /// The hidden state; the second one takes over at a stitching layer. `[tokens × hidden]`
  let residual: (UnsafeRows, UnsafeRows)
  /// What comes of a stage of some tokens before it goes where the others are, and what adds to their hidden state.
  /// `[tokens × hidden]`
  let spare: UnsafeRows
  let added: UnsafeRows
  /// What is to be scaled before it is added to the hidden state. `[tokens × hidden]`
  let unscaled: UnsafeRows
  /// The state of a ladder side network, `[tokens × width]`.
  let side: UnsafeRows
  /// What a side network has read of each place, two things that it makes of it, and how much each counts.
  /// `[tokens × readers · width]`, `[tokens × readers]`
  let features: UnsafeRows
  let merged: UnsafeRows
  let opened: UnsafeRows
  let weights: UnsafeRows
  /// What they add up to, its projection, and scratch; shared as `normed` is. `[tokens × 2 · width + 2 · readers]`
  let merging: UnsafeArray<UnsafeRows>
  /// `[tokens × heads · headDimension]`; in the memory of `gate`, which comes after it.
  let query: UnsafeRows
  /// `[tokens × keyValueHeads · headDimension]`; in the memory of `up`.
  let key: UnsafeRows
  let value: UnsafeRows
  /// `[tokens × heads · headDimension]`; in the memory of `query`: attention reads the queries that it answers before.
  let context: UnsafeRows
  /// `[tokens × intermediate]`
  let gate: UnsafeRows
  let up: UnsafeRows
  /// A x of up to three projections side by side, of `rank` columns each. `[tokens × 3 · rank]`; the first is shared as
  /// `normed` is.
  let lowRank: UnsafeArray<UnsafeRows>
  let rank: Int
  /// What a bottleneck beside an MLP passes on, `[tokens × width]`; shared as `lowRank` is.
  let parallel: UnsafeArray<UnsafeRows>
  /// The normed hidden state, `[tokens × hidden]`, and what products read, rounded as weights meet it. The first ones are
  /// shared by the threads; the others' are for fewer than `sharedTokens`.
  let normed: UnsafeArray<UnsafeRows>
  let rounded: UnsafeArray<UnsafeScratch>
  /// Likewise, what is read next, written while `rounded` is read; all threads share it.
  let roundedNext: UnsafeScratch
  /// Tokens from which on threads share out what comes before products: of fewer, computing all is cheaper than waiting.
  static let sharedTokens = 8
  /// Each thread's own scores.
  let scores: UnsafeArray<UnsafeFloats>
  /// Each thread's own, for products with weights in BF16 or quantised.
  let products: UnsafeArray<UnsafeScratch>
  private let buffers: [FloatBuffer]

  init(_ widths: Widths, tokens: Int, contextLength: Int, threads: Int, kernels: InferenceKernels) {
    var buffers: [FloatBuffer] = []
    /// Whole cache lines.
    func rounded(_ width: Int) -> Int { (width + 15) / 16 * 16 }
    func rows(_ width: Int, _ tokens: Int = tokens) -> UnsafeRows {
      // Not a power of two apart.
      let stride = rounded(width) + 16
      let buffer = FloatBuffer(count: tokens * stride)
      buffers.append(buffer)
      return UnsafeRows(buffer, stride: stride)
    }
    residual = (rows(widths.hidden), rows(widths.hidden))
    spare = rows(widths.hidden)
    added = rows(widths.hidden)
    side = rows(widths.side)
    let wholeMerged = widths.readers * widths.merged
    features = rows(wholeMerged)
    merged = rows(wholeMerged)
    opened = rows(wholeMerged)
    weights = rows(widths.readers)
    unscaled = rows(widths.hasScales ? widths.hidden : 0)
    let keyWidth = rounded(widths.keyValue)
    let widest = max(widths.intermediate, widths.query, keyWidth + widths.keyValue)
    gate = rows(widest)
    up = rows(widest)
    query = gate
    key = up
    value = up.columns(from: keyWidth)
    context = query
    rank = widths.rank
    func some(_ thread: Int) -> Int { thread == 0 ? tokens : min(tokens, Self.sharedTokens) }
    lowRank = UnsafeArray((0..<threads).map { rows(3 * widths.rank, some($0)) })
    parallel = UnsafeArray((0..<threads).map { rows(widths.parallel, some($0)) })
    normed = UnsafeArray((0..<threads).map { rows(widths.hidden, some($0)) })
    merging = UnsafeArray((0..<threads).map { rows(2 * (widths.merged + widths.readers), some($0)) })
    func scratch(tokens: Int) -> UnsafeScratch {
      let bytes = kernels.roundedSize(columns: widths.scratchColumns, tokens: tokens)
      let buffer = FloatBuffer(count: bytes / MemoryLayout<Float>.size)
      buffers.append(buffer)
      return UnsafeScratch(buffer)
    }
    self.rounded = UnsafeArray((0..<threads).map { scratch(tokens: some($0)) })
    roundedNext = scratch(tokens: threads > 1 ? tokens : 0)
    scores = UnsafeArray(
      (0..<threads).map { _ in
        let buffer = FloatBuffer(count: attentionScratch(positions: contextLength))
        buffers.append(buffer)
        return UnsafeFloats(buffer)
      })
    let productBytes = kernels.linearScratch(columns: widths.scratchColumns, tokens: tokens)
    products = UnsafeArray(
      (0..<threads).map { _ in
        let buffer = FloatBuffer(count: productBytes / MemoryLayout<Float>.size)
        buffers.append(buffer)
        return UnsafeScratch(buffer)
      })
    self.buffers = buffers
  }

  deinit {
    products.deallocate()
    normed.deallocate()
    merging.deallocate()
    lowRank.deallocate()
    parallel.deallocate()
    rounded.deallocate()
    scores.deallocate()
  }
}
