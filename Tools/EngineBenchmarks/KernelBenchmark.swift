import CKernels
import LLaMAStitch
import Support

/// How fast the products of inference are on one thread, beside what its arithmetic units can do at most.
public enum KernelBenchmark {
  public struct Row: Sendable, Encodable {
    public var instructions: String
    public var type: String
    public var tokens: Int
    /// 10⁹ products and sums a second, two operations each.
    public var gflops: Double
    /// Of multiplications and additions in registers alone, of floats, pairs of BF16 or bytes, as the product's.
    public var share_of_peak: Double
    /// 10⁹ bytes of weights a second.
    public var gigabytes: Double
  }

  /// A matrix times one token, 8 and 128, in every type, on every instruction set of this processor.
  /// - Parameters:
  ///   - columns: a multiple of 32. The matrix is larger than a second-level cache and may fit the third: products with one
  ///     token are faster than from memory.
  ///   - seconds: for each row; the fastest of several runs counts.
  public static func run(rows: Int = 4096, columns: Int = 2048, seconds: Double = 0.2) -> [Row] {
    var random = SeededGenerator(seed: 1)
    let values = FloatBuffer(count: rows * columns)
    values.vector.fillUniformly(within: 1, &random)
    let x = FloatBuffer(count: 128 * columns)
    x.vector.fillUniformly(within: 1, &random)
    let y = FloatBuffer(count: 128 * rows)
    var found: [Row] = []
    for kernels in InferenceKernels.available {
      let table = kernels.table.pointee
      for type in [ElementType.f32, .f16, .bf16, .q8_0, .q4_0, .q4_1] {
        let matrix = weights(values.matrix(rows: rows, columns: columns), as: type)
        let weights = UnsafeWeights(matrix)
        var answer: Float = 0
        let peak = rate(seconds) { table.peak(weights.type, 100_000, &answer) }
        for tokens in [1, 8, 128] {
          let scratch = FloatBuffer(count: max(1, kernels.linearScratch(columns: columns, tokens: tokens) / 4))
          let operations = rate(seconds) {
            kernels.linear(
              weights, UnsafeRows(x, stride: columns), tokens: tokens, into: UnsafeRows(y, stride: rows),
              rows: 0..<rows,
              scratch: UnsafeScratch(scratch))
            return rows * columns * tokens
          }
          found.append(
            Row(
              instructions: kernels.name, type: type.rawValue, tokens: tokens, gflops: operations / 1e9,
              share_of_peak: operations / peak,
              gigabytes: operations / Double(2 * rows * columns * tokens) * Double(matrix.byteCount) / 1e9))
        }
      }
    }
    return found
  }

  private static func weights(_ matrix: MatrixView, as type: ElementType) -> WeightMatrix {
    let bytes = type.byteCount(matrix.rows * matrix.columns)
    let stored = FloatBuffer(count: bytes / MemoryLayout<Float>.size)
    let values = UnsafeBufferPointer(start: matrix.base, count: matrix.rows * matrix.columns)
    let address = UnsafeMutableRawPointer(stored.base)
    switch type {
    case .q8_0, .q4_0, .q4_1:
      let rows = FloatBuffer(count: stored.count)
      let isStored = VectorView.quantize(values, to: type, at: rows.base)
      precondition(isStored)
      WeightMatrix.packPanels(rows.base, count: matrix.rows, columns: matrix.columns, type: type, into: address)
    case .f32: address.copyMemory(from: values.baseAddress!, byteCount: bytes)
    default:
      let halves = address.assumingMemoryBound(to: UInt16.self)
      for index in values.indices {
        halves[index] = type == .bf16 ? bfloat16Bits(values[index]) : float16Bits(values[index])
      }
    }
    return WeightMatrix(
      rows: matrix.rows, columns: matrix.columns, elementType: type,
      bytes: ByteView(matrix: stored.matrix(rows: 1, columns: stored.count)))
  }

  /// Operations a second, two for each product that `body` makes and counts; the fastest of several runs.
  private static func rate(_ seconds: Double, _ body: () -> Int) -> Double {
    let clock = ContinuousClock()
    var best = Double.infinity
    let start = clock.now
    var products = body()
    repeat {
      best = min(best, clock.measure { products = body() } / .seconds(1))
    } while clock.now - start < .seconds(seconds)
    return Double(2 * products) / best
  }
}
