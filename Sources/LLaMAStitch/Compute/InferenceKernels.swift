import CKernels
import Foundation

/// The kernels of one instruction set, and the plain-memory descriptions they work on.
///
/// The forward pass runs on several threads at once. Counting references there would have the threads fight over the
/// counters, so what it touches are the structs below: addresses and numbers, kept alive by the session.
package struct InferenceKernels: @unchecked Sendable {
  // `@unchecked Sendable`: points to a constant table of functions.
  let table: UnsafePointer<ck_inference>

  /// The variable that names the instruction set to use, for comparisons.
  private static let variable = "STITCH_INSTRUCTIONS"

  /// For the widest instruction set of this processor, or the one that `STITCH_INSTRUCTIONS` names.
  package static let best = (try? chosen()) ?? InferenceKernels(table: ck_inference_best())

  /// - Throws: `InstructionsError` if the variable names what this processor does not have.
  package static func check() throws { _ = try chosen() }

  private static func chosen() throws -> InferenceKernels {
    guard let name = ProcessInfo.processInfo.environment[variable], !name.isEmpty else {
      return InferenceKernels(table: ck_inference_best())
    }
    func spelled(_ kernels: InferenceKernels) -> String { kernels.name.lowercased().replacing(" ", with: "-") }
    guard let found = available.first(where: { spelled($0) == name.lowercased() }) else {
      throw InstructionsError(variable: variable, name: name, available: available.map(spelled))
    }
    return found
  }

  /// For every instruction set this processor has.
  package static var available: [InferenceKernels] {
    (0..<Int32(CK_ISA_COUNT)).compactMap { isa in ck_inference_for(isa).map { InferenceKernels(table: $0) } }
  }

  /// What the kernels are compiled for.
  package var name: String {
    switch Int(table.pointee.isa) {
    case Int(CK_ISA_AVX512_BF16): "AVX-512 BF16"
    case Int(CK_ISA_AVX512_VNNI): "AVX-512 VNNI"
    case Int(CK_ISA_AVX512): "AVX-512"
    case Int(CK_ISA_AVX2): "AVX2"
    default: "baseline"
    }
  }

  /// Whether activations are rounded where they meet weights of `type`.
  package func rounds(_ type: ElementType) -> Bool {
    let isa = Int(table.pointee.isa)
    return type.isQuantized ? isa >= Int(CK_ISA_AVX512_VNNI) : type == .bf16 && isa >= Int(CK_ISA_AVX512_BF16)
  }

  /// `y[t, r] (+)= scale · Σ W[r, k] x[t, k] + bias[r]` for the rows in `range`.
  /// - Parameter scratch: `linearScratch` bytes, this thread's own.
  @inline(__always)
  func linear(
    _ weights: WeightPointer, _ x: Rows, tokens: Int, into y: Rows, rows range: Range<Int>, scale: Float = 1,
    bias: FloatPointer? = nil, adding: Bool = false, scratch: ScratchPointer? = nil
  ) {
    if range.isEmpty || tokens == 0 { return }
    table.pointee.linear(
      weights.type, weights.base, weights.rows, weights.columns, x.base, x.stride, tokens, y.base, y.stride,
      range.lowerBound, range.upperBound, scale, bias?.base, adding ? 1 : 0, scratch?.base)
  }

  /// Bytes of scratch that `linear` needs for BF16 and quantised weights of so many columns, and up to so many tokens.
  func linearScratch(columns: Int, tokens: Int) -> Int {
    [.bf16, .q8_0, .q4_0].map { linearScratch($0, columns: columns, tokens: tokens) }.max()!
  }

  /// The same for weights of one type.
  func linearScratch(_ type: ElementType, columns: Int, tokens: Int) -> Int {
    table.pointee.linear_scratch(type.kernelType, columns, tokens)
  }

  /// Whether there is `linearBack`.
  var multipliesBack: Bool { table.pointee.linear_back != nil }

  /// `dx[t, k] (+)= Σ W[r, k] dy[t, r]` for weights in BF16, dy being rounded; where `multipliesBack`.
  /// - Parameter scratch: `linearBackScratch` bytes.
  func linearBack(
    _ weights: WeightPointer, _ dy: Rows, tokens: Int, into dx: Rows, adding: Bool, scratch: ScratchPointer
  ) {
    precondition(weights.type == Int32(CK_BF16))
    if tokens == 0 { return }
    table.pointee.linear_back!(
      weights.base, weights.rows, weights.columns, dy.base, dy.stride, tokens, dx.base, dx.stride, adding ? 1 : 0,
      scratch.base)
  }

  /// Bytes of scratch that `linearBack` needs for so many rows and up to so many tokens.
  func linearBackScratch(rows: Int, tokens: Int) -> Int { table.pointee.linear_back_scratch!(rows, tokens) }

  @inline(__always)
  func rmsNorm(_ x: Rows, weight: FloatPointer, count: Int, epsilon: Float, tokens: Int, into y: Rows) {
    table.pointee.rms_norm(x.base, x.stride, weight.base, count, epsilon, tokens, y.base, y.stride)
  }

  /// `gate = silu(gate) · up` in the columns of `range`.
  @inline(__always)
  func siluMultiply(_ gate: Rows, _ up: Rows, columns range: Range<Int>, tokens: Int) {
    if range.isEmpty { return }
    table.pointee.silu_multiply(
      gate.base + range.lowerBound, up.base + range.lowerBound, gate.stride, range.count, tokens)
  }

  /// Rotates one head of one token by the angles of `position`.
  @inline(__always)
  func rotate(_ x: FloatPointer, _ rotary: RotaryPointer, position: Int) {
    table.pointee.rotate(
      x.base, rotary.cosines + position * rotary.half, rotary.sines + position * rotary.half, rotary.half)
  }

  /// One row of weights as floats.
  @inline(__always)
  func widen(_ weights: WeightPointer, row: Int, into y: FloatPointer) {
    if weights.type >= Int32(CK_Q8_0) {
      table.pointee.widen_panel(
        weights.type, weights.base, weights.rows, weights.columns, row, 0, weights.columns, y.base)
    } else {
      table.pointee.widen(weights.type, weights.base + row * weights.rowBytes, weights.columns, y.base)
    }
  }

  /// Causal attention of one head for the tokens in `range`, the first of the batch being at `position`.
  @inline(__always)
  func attend(
    _ cache: CachePointer, head: Int, queries: Rows, into output: Rows, tokens range: Range<Int>, position: Int,
    scratch: FloatPointer
  ) {
    let keyValueHead = head / cache.queriesPerHead
    var attention = ck_attention(
      queries: queries.base + head * cache.headDimension, query_stride: queries.stride, cache_type: cache.type,
      keys: cache.keys(of: keyValueHead), values: cache.values(of: keyValueHead), value_stride: cache.valueStride,
      output: output.base + head * cache.headDimension, output_stride: output.stride,
      head_dimension: cache.headDimension, position: position, step: 1, scale: cache.scale)
    table.pointee.attend(&attention, range.lowerBound, range.upperBound, scratch.base)
  }

  /// The same of one token for the heads in `range`: those that share keys and values read them together.
  @inline(__always)
  func attend(
    _ cache: CachePointer, heads range: Range<Int>, query: FloatPointer, into output: FloatPointer, position: Int,
    scratch: FloatPointer
  ) {
    var head = range.lowerBound
    while head < range.upperBound {
      let keyValueHead = head / cache.queriesPerHead
      let end = min(range.upperBound, (keyValueHead + 1) * cache.queriesPerHead)
      var attention = ck_attention(
        queries: query.base + head * cache.headDimension, query_stride: cache.headDimension, cache_type: cache.type,
        keys: cache.keys(of: keyValueHead), values: cache.values(of: keyValueHead), value_stride: cache.valueStride,
        output: output.base + head * cache.headDimension, output_stride: cache.headDimension,
        head_dimension: cache.headDimension, position: position, step: 0, scale: cache.scale)
      table.pointee.attend(&attention, 0, end - head, scratch.base)
      head = end
    }
  }

  /// Keeps the key of one head at one position.
  @inline(__always)
  func storeKey(_ cache: CachePointer, head: Int, position: Int, _ key: FloatPointer) {
    ck_store_key(cache.type, cache.keys(of: head), position, key.base, cache.headDimension)
  }

  /// Keeps the value of one head at one position.
  @inline(__always)
  func storeValue(_ cache: CachePointer, head: Int, position: Int, _ value: FloatPointer) {
    ck_store_value(cache.type, cache.values(of: head), cache.valueStride, position, value.base, cache.headDimension)
  }
}

/// Floats at an address; whoever made it keeps them alive.
struct FloatPointer {
  let base: UnsafeMutablePointer<Float>

  init(_ view: VectorView) { base = view.base }
  init(_ buffer: FloatBuffer, offset: Int = 0) {
    precondition(offset <= buffer.count)
    base = buffer.base + offset
  }
  fileprivate init(base: UnsafeMutablePointer<Float>) { self.base = base }

  @inline(__always) func copy(_ source: FloatPointer, count: Int) { base.update(from: source.base, count: count) }
}

/// Working memory of one thread.
struct ScratchPointer {
  fileprivate let base: UnsafeMutableRawPointer

  init(_ buffer: FloatBuffer) { base = UnsafeMutableRawPointer(buffer.base) }
  /// - Parameter view: 64-byte aligned.
  init(_ view: VectorView) { base = UnsafeMutableRawPointer(view.base) }
}

/// Rows of floats at an address, `stride` apart.
struct Rows {
  fileprivate let base: UnsafeMutablePointer<Float>
  let stride: Int

  init(_ buffer: FloatBuffer, offset: Int = 0, stride: Int) {
    base = buffer.base + offset
    self.stride = stride
  }
  init(_ matrix: MatrixView) { self.init(base: matrix.base, stride: matrix.stride) }
  private init(base: UnsafeMutablePointer<Float>, stride: Int) {
    self.base = base
    self.stride = stride
  }

  /// The same rows from `column` on.
  @inline(__always) func columns(from column: Int) -> Rows { Rows(base: base + column, stride: stride) }
  /// The rows from `row` on.
  @inline(__always) func rows(from row: Int) -> Rows { Rows(base: base + row * stride, stride: stride) }
  /// One place in one row.
  @inline(__always) func at(_ row: Int, _ column: Int = 0) -> FloatPointer {
    FloatPointer(base: base + row * stride + column)
  }
}

/// Weights at an address.
struct WeightPointer {
  fileprivate let base: UnsafeRawPointer
  let type: Int32
  let rows: Int
  let columns: Int
  fileprivate let rowBytes: Int

  init(_ matrix: WeightMatrix) {
    base = matrix.bytes.base
    type = matrix.elementType.kernelType
    rows = matrix.rows
    columns = matrix.columns
    rowBytes = matrix.elementType.byteCount(matrix.columns)
  }

  init(_ matrix: MatrixView) { self.init(WeightMatrix(matrix)) }
}

/// Cosines and sines of every position.
struct RotaryPointer {
  fileprivate let cosines: UnsafeMutablePointer<Float>
  fileprivate let sines: UnsafeMutablePointer<Float>
  let half: Int

  init(cosines: FloatBuffer, sines: FloatBuffer, half: Int) {
    self.cosines = cosines.base
    self.sines = sines.base
    self.half = half
  }
}

/// The keys and values of one block.
struct CachePointer {
  fileprivate let type: Int32
  private let keys: UnsafeMutableRawPointer
  private let values: UnsafeMutableRawPointer
  /// Bytes.
  private let keyHeadStride: Int
  private let valueHeadStride: Int
  /// Numbers.
  let valueStride: Int
  let headDimension: Int
  let queriesPerHead: Int
  /// 1 / √headDimension
  let scale: Float

  init(_ cache: KVCache, configuration: LlamaConfiguration) {
    type = cache.type.code
    keys = UnsafeMutableRawPointer(cache.keys.base)
    values = UnsafeMutableRawPointer(cache.values.base)
    keyHeadStride = cache.keyHeadStride * cache.type.size
    valueHeadStride = cache.valueHeadStride * cache.type.size
    valueStride = cache.valueStride
    headDimension = configuration.headDimension
    queriesPerHead = configuration.headCount / configuration.keyValueHeadCount
    scale = 1 / Float(configuration.headDimension).squareRoot()
  }

  fileprivate func keys(of head: Int) -> UnsafeMutableRawPointer { keys + head * keyHeadStride }
  fileprivate func values(of head: Int) -> UnsafeMutableRawPointer { values + head * valueHeadStride }
}

/// Floats of scratch one thread needs to attend to `positions` positions.
func attentionScratch(positions: Int) -> Int { ck_attention_scratch(positions) }

/// Elements of a fixed array of plain structs, read by several threads without counting references.
struct PlainArray<Element: BitwiseCopyable> {
  private let base: UnsafeMutablePointer<Element>
  let count: Int

  /// The memory is freed by `deallocate`, which its owner calls once.
  init(_ elements: [Element]) {
    let base = UnsafeMutablePointer<Element>.allocate(capacity: max(1, elements.count))
    elements.withUnsafeBufferPointer { source in
      if let start = source.baseAddress { base.initialize(from: start, count: elements.count) }
    }
    self.base = base
    count = elements.count
  }

  @inline(__always)
  subscript(index: Int) -> Element {
    get { base[index] }
    nonmutating set { base[index] = newValue }
  }

  func deallocate() { base.deallocate() }
}

/// An instruction set was asked for that this processor does not have.
package struct InstructionsError: Error, Equatable, CustomStringConvertible {
  var variable: String
  var name: String
  var available: [String]

  package var description: String {
    "\(variable): no instruction set “\(name)” here; there are \(available.joined(separator: ", "))"
  }
}
