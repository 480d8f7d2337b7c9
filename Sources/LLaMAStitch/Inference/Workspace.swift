import Support

/// The largest of each width among the stages of networks, for scratch.
struct Widths: Equatable {
  var hidden = 0
  var query = 0
  var keyValue = 0
  var intermediate = 0
  var rank = 0
  /// Of weights whose products need scratch.
  var scratchColumns = 0

  func union(_ other: Widths) -> Widths {
    Widths(
      hidden: max(hidden, other.hidden), query: max(query, other.query), keyValue: max(keyValue, other.keyValue),
      intermediate: max(intermediate, other.intermediate), rank: max(rank, other.rank),
      scratchColumns: max(scratchColumns, other.scratchColumns))
  }
}

/// Scratch for a batch of up to `tokens` tokens.
///
/// `@unchecked Sendable`: threads of one team write parts that do not overlap, between barriers.
final class Workspace: @unchecked Sendable {
  /// The hidden state; the second one takes over at a stitching layer. `[tokens × hidden]`
  let residual: (UnsafeRows, UnsafeRows)
  /// `[tokens × heads · headDimension]`; in the memory of `gate`, which comes after it.
  let query: UnsafeRows
  /// `[tokens × keyValueHeads · headDimension]`; in the memory of `up`.
  let key: UnsafeRows
  let value: UnsafeRows
  /// `[tokens × heads · headDimension]`; in the memory of `key` and `value`, which are in the cache by then.
  let context: UnsafeRows
  /// `[tokens × intermediate]`
  let gate: UnsafeRows
  let up: UnsafeRows
  /// A x of up to three projections side by side. `[tokens × 3 · rank]`
  let lowRank: UnsafeRows
  let rank: Int
  /// Each thread's own normed hidden state: computing it again is cheaper than waiting. `[tokens × hidden]`
  let normed: UnsafeArray<UnsafeRows>
  /// Each thread's own scores.
  let scores: UnsafeArray<UnsafeFloats>
  /// Each thread's own, for products with weights in BF16 or quantised.
  let products: UnsafeArray<UnsafeScratch>
  private let buffers: [FloatBuffer]

  init(_ widths: Widths, tokens: Int, contextLength: Int, threads: Int, kernels: InferenceKernels) {
    var buffers: [FloatBuffer] = []
    /// Whole cache lines.
    func rounded(_ width: Int) -> Int { (width + 15) / 16 * 16 }
    func rows(_ width: Int) -> UnsafeRows {
      // Not a power of two apart.
      let stride = rounded(width) + 16
      let buffer = FloatBuffer(count: tokens * stride)
      buffers.append(buffer)
      return UnsafeRows(buffer, stride: stride)
    }
    residual = (rows(widths.hidden), rows(widths.hidden))
    let keyWidth = rounded(widths.keyValue)
    let widest = max(widths.intermediate, widths.query, keyWidth + widths.keyValue)
    gate = rows(widest)
    up = rows(widest)
    query = gate
    key = up
    value = up.columns(from: keyWidth)
    context = up
    lowRank = rows(3 * widths.rank)
    rank = widths.rank
    normed = UnsafeArray((0..<threads).map { _ in rows(widths.hidden) })
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
    scores.deallocate()
  }
}
