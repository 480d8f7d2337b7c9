import Foundation

/// Working memory and tables of rotary angles that sessions have in common which take turns: those of a family, say, of
/// which one computes at a time.
///
/// `@unchecked Sendable`: everything changes only while `lock` is held, which a session holds while it computes.
public final class InferenceScratch: @unchecked Sendable {
  /// Tokens computed at once when reading a long text.
  public let chunkSize: Int
  /// How the sessions keep keys and values.
  public let cacheType: CacheType
  let pool: ComputePool
  let kernels: InferenceKernels
  let lock = NSLock()
  private(set) var workspace: Workspace
  private var widths = NetworkPlan.Widths()
  private var contextLength = 0
  private var tables: [(configuration: LlamaConfiguration, positions: Int, angles: RotaryAngles)] = []

  public convenience init(chunkSize: Int = 256, cacheType: CacheType = .f32, pool: ComputePool = .shared) {
    self.init(chunkSize: chunkSize, cacheType: cacheType, pool: pool, kernels: .best)
  }

  init(chunkSize: Int, cacheType: CacheType = .f32, pool: ComputePool, kernels: InferenceKernels) {
    precondition(chunkSize > 0)
    self.cacheType = cacheType
    self.chunkSize = chunkSize
    self.pool = pool
    self.kernels = kernels
    workspace = Workspace(widths, tokens: 0, contextLength: 0, threads: pool.threads, kernels: kernels)
  }

  /// Makes the working memory large enough for a network.
  func reserve(_ more: NetworkPlan.Widths, contextLength: Int) {
    lock.withLock {
      let all = widths.union(more)
      if all == widths && contextLength <= self.contextLength { return }
      widths = all
      self.contextLength = max(contextLength, self.contextLength)
      workspace = Workspace(
        widths, tokens: chunkSize, contextLength: self.contextLength, threads: pool.threads, kernels: kernels)
    }
  }

  /// Cosines and sines of so many positions, made once for blocks that rotate alike.
  func angles(_ configuration: LlamaConfiguration, positions: Int) -> RotaryAngles {
    lock.withLock {
      if let known = tables.first(where: { $0.configuration.hasAngles(of: configuration) && $0.positions == positions })
      {
        return known.angles
      }
      let (cosines, sines) = RotaryEmbedding.tables(configuration, positions: positions)
      let angles = RotaryAngles(cosines: cosines, sines: sines)
      tables.append((configuration, positions, angles))
      return angles
    }
  }
}

/// `[positions × headDimension / 2]` each.
struct RotaryAngles {
  let cosines: FloatBuffer
  let sines: FloatBuffer
}

/// Scratch for a batch of up to `tokens` tokens.
///
/// `@unchecked Sendable`: threads of one team write parts that do not overlap, between barriers.
final class Workspace: @unchecked Sendable {
  /// The residual stream; the second one takes over at a stitching layer. `[tokens × hidden]`
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
  /// Each thread's own normed residual stream: computing it again is cheaper than waiting. `[tokens × hidden]`
  let normed: UnsafeArray<UnsafeRows>
  /// Each thread's own scores.
  let scores: UnsafeArray<UnsafeFloats>
  /// Each thread's own, for products with weights in BF16 or quantised.
  let products: UnsafeArray<UnsafeScratch>
  private let buffers: [FloatBuffer]

  init(_ widths: NetworkPlan.Widths, tokens: Int, contextLength: Int, threads: Int, kernels: InferenceKernels) {
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
