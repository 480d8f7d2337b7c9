import CKernels
import Foundation
import Support

/// The kernels of one instruction set. What they work on are addresses and numbers (UnsafeViews.swift).
package struct InferenceKernels: @unchecked Sendable {
  // `@unchecked Sendable`: points to a constant table of functions.
  package let table: UnsafePointer<ck_inference>

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
  package var name: String { String(cString: table.pointee.name) }

  /// Whether activations are rounded where they meet weights of `type`.
  package func rounds(_ type: ElementType) -> Bool {
    type.isQuantized ? table.pointee.block_steps > 0 : type == .bf16 && table.pointee.rounds_to_bfloat16 != 0
  }

  /// Columns that are rounded together: a part of them begins with a multiple of so many, and ends so or with the last.
  package static let roundedColumns = Int(CK_BLOCK)

  /// Rounds some columns of some tokens of x as `weights` meet them, where they do: then `linear` need not.
  /// - Parameter rounded: `roundedSize` bytes, of all tokens.
  @inline(__always)
  package func round(
    _ x: UnsafeRows, for weights: UnsafeWeights, tokens: Int, range: Range<Int>, columns: Range<Int>? = nil,
    into rounded: UnsafeScratch
  ) {
    let columns = columns ?? 0..<weights.columns
    table.pointee.round(
      weights.type, x.base, x.stride, weights.columns, tokens, range.lowerBound, range.upperBound,
      columns.lowerBound, columns.upperBound, rounded.base)
  }

  /// Bytes of up to so many tokens' activations, rounded for any weights of so many columns.
  package func roundedSize(columns: Int, tokens: Int) -> Int {
    [.bf16, .q8_0, .q4_0, .q4_1].map { (type: ElementType) in
      table.pointee.rounded_size(type.kernelType, columns, tokens)
    }.max()!
  }

  /// `y[t, r] (+)= scale · Σ W[r, k] x[t, k] + bias[r]` for the rows in `range`.
  /// - Parameters:
  ///   - rounded: what `round` made of x for weights of that type; without, it is done here where it is to be.
  ///   - scratch: `linearScratch` bytes, this thread's own.
  @inline(__always)
  package func linear(
    _ weights: UnsafeWeights, _ x: UnsafeRows, tokens: Int, into y: UnsafeRows, rows range: Range<Int>,
    scale: Float = 1, bias: UnsafeFloats? = nil, adding: Bool = false, rounded: UnsafeScratch? = nil,
    scratch: UnsafeScratch? = nil
  ) {
    if range.isEmpty || tokens == 0 { return }
    table.pointee.linear(
      weights.type, weights.base, weights.rows, weights.columns, x.base, x.stride, tokens, y.base, y.stride,
      range.lowerBound, range.upperBound, scale, bias?.base, adding ? 1 : 0, rounded?.base, scratch?.base)
  }

  /// Bytes of scratch that `linear` needs for BF16 and quantised weights of so many columns, and up to so many tokens.
  package func linearScratch(columns: Int, tokens: Int) -> Int {
    [.bf16, .q8_0, .q4_0, .q4_1].map { linearScratch($0, columns: columns, tokens: tokens) }.max()!
  }

  /// The same for weights of one type.
  package func linearScratch(_ type: ElementType, columns: Int, tokens: Int) -> Int {
    table.pointee.linear_scratch(type.kernelType, columns, tokens)
  }

  /// Whether there is `linearBackward`.
  package var multipliesBackward: Bool { table.pointee.linear_back != nil }

  /// `dx[t, k] (+)= Σ W[r, k] dy[t, r]` for weights in BF16, dy being rounded; where `multipliesBackward`.
  /// - Parameter scratch: `linearBackwardScratch` bytes.
  package func linearBackward(
    _ weights: UnsafeWeights, _ dy: UnsafeRows, tokens: Int, into dx: UnsafeRows, adding: Bool, scratch: UnsafeScratch
  ) {
    precondition(weights.type == Int32(CK_BF16))
    if tokens == 0 { return }
    table.pointee.linear_back!(
      weights.base, weights.rows, weights.columns, dy.base, dy.stride, tokens, dx.base, dx.stride, adding ? 1 : 0,
      scratch.base)
  }

  /// Bytes of scratch that `linearBackward` needs for so many rows and up to so many tokens.
  package func linearBackwardScratch(rows: Int, tokens: Int) -> Int { table.pointee.linear_back_scratch!(rows, tokens) }

  /// out = x Wᵀ for weights in BF16, x being rounded; x [N × columns], out [N × rows].
  func multiply(_ weights: WeightMatrix, _ x: MatrixView, into out: MatrixView, scratch: Arena) {
    scratch.lend(bytes: linearScratch(.bf16, columns: weights.columns, tokens: x.rows)) { lent in
      linear(
        UnsafeWeights(weights), UnsafeRows(x), tokens: x.rows, into: UnsafeRows(out), rows: 0..<weights.rows,
        scratch: UnsafeScratch(lent))
    }
  }

  /// dx (+)= dy W for weights in BF16, dy being rounded; where `multipliesBackward`.
  func multiplyBackward(
    _ weights: WeightMatrix, _ dy: MatrixView, into dx: MatrixView, adding: Bool, scratch: Arena
  ) {
    scratch.lend(bytes: linearBackwardScratch(rows: weights.rows, tokens: dy.rows)) { lent in
      linearBackward(
        UnsafeWeights(weights), UnsafeRows(dy), tokens: dy.rows, into: UnsafeRows(dx), adding: adding,
        scratch: UnsafeScratch(lent))
    }
  }

  @inline(__always)
  package func rmsNorm(
    _ x: UnsafeRows, weight: UnsafeFloats, count: Int, epsilon: Float, tokens: Int, into y: UnsafeRows
  ) {
    table.pointee.rms_norm(x.base, x.stride, weight.base, count, epsilon, tokens, y.base, y.stride)
  }

  /// `gate = silu(gate) · up` in the columns of `range`.
  @inline(__always)
  package func siluMultiply(_ gate: UnsafeRows, _ up: UnsafeRows, columns range: Range<Int>, tokens: Int) {
    if range.isEmpty { return }
    table.pointee.silu_multiply(
      gate.base + range.lowerBound, up.base + range.lowerBound, gate.stride, range.count, tokens)
  }

  /// Rotates one head of one token by the angles of `position`.
  @inline(__always)
  package func rotate(_ x: UnsafeFloats, _ rotary: UnsafeRotary, position: Int) {
    table.pointee.rotate(
      x.base, rotary.cosines + position * rotary.half, rotary.sines + position * rotary.half, rotary.half)
  }

  /// One row of weights as floats.
  @inline(__always)
  package func dequantize(_ weights: UnsafeWeights, row: Int, into y: UnsafeFloats) {
    if weights.type >= Int32(CK_Q8_0) {
      table.pointee.dequantize_panel(
        weights.type, weights.base, weights.rows, weights.columns, row, 0, weights.columns, y.base)
    } else {
      table.pointee.dequantize(weights.type, weights.base + row * weights.rowBytes, weights.columns, y.base)
    }
  }

  /// Causal attention of one head for the tokens in `range`, the first of the batch being at `position`.
  @inline(__always)
  package func attend(
    _ cache: UnsafeCache, head: Int, queries: UnsafeRows, into output: UnsafeRows, tokens range: Range<Int>,
    position: Int,
    scratch: UnsafeFloats
  ) {
    let keyValueHead = head / cache.queriesPerHead
    var attention = ck_attention(
      queries: queries.base + head * cache.headDimension, query_stride: queries.stride, cache_type: cache.type,
      keys: cache.keys(of: keyValueHead), values: cache.values(of: keyValueHead), value_stride: cache.valueStride,
      output: output.base + head * cache.headDimension, output_stride: output.stride,
      head_dimension: cache.headDimension, position: position, step: 1, scale: cache.scale, rectified: 0,
      next_keys: nil, next_bytes: 0)
    table.pointee.attend(&attention, range.lowerBound, range.upperBound, scratch.base)
  }

  /// The same of one token for the heads in `range`: those that share keys and values read them together.
  /// - Parameter next: keys that are read after these, of which memory is asked for meanwhile.
  @inline(__always)
  package func attend(
    _ cache: UnsafeCache, heads range: Range<Int>, query: UnsafeFloats, into output: UnsafeFloats, position: Int,
    scratch: UnsafeFloats, next: UnsafeRawBufferPointer
  ) {
    var head = range.lowerBound
    while head < range.upperBound {
      let keyValueHead = head / cache.queriesPerHead
      let end = min(range.upperBound, (keyValueHead + 1) * cache.queriesPerHead)
      let following = end < range.upperBound ? cache.firstKeys(of: keyValueHead + 1, position: position) : next
      var attention = ck_attention(
        queries: query.base + head * cache.headDimension, query_stride: cache.headDimension, cache_type: cache.type,
        keys: cache.keys(of: keyValueHead), values: cache.values(of: keyValueHead), value_stride: cache.valueStride,
        output: output.base + head * cache.headDimension, output_stride: cache.headDimension,
        head_dimension: cache.headDimension, position: position, step: 0, scale: cache.scale, rectified: 0,
        next_keys: following.baseAddress, next_bytes: following.count)
      table.pointee.attend(&attention, 0, end - head, scratch.base)
      head = end
    }
  }

  /// Σ max(0, q · k) v over the sum of these weights, of a cache's one head, for the tokens in `range`, the first of the
  /// part being at `position`.
  @inline(__always)
  package func attendRectified(
    _ cache: UnsafeCache, queries: UnsafeRows, into output: UnsafeRows, tokens range: Range<Int>, position: Int,
    scratch: UnsafeFloats
  ) {
    var attention = ck_attention(
      queries: queries.base, query_stride: queries.stride, cache_type: cache.type, keys: cache.keys(of: 0),
      values: cache.values(of: 0), value_stride: cache.valueStride, output: output.base, output_stride: output.stride,
      head_dimension: cache.headDimension, position: position, step: 1, scale: 1, rectified: 1,
      next_keys: nil, next_bytes: 0)
    table.pointee.attend(&attention, range.lowerBound, range.upperBound, scratch.base)
  }

  /// Keeps the key of one head at one position.
  @inline(__always)
  package func storeKey(_ cache: UnsafeCache, head: Int, position: Int, _ key: UnsafeFloats) {
    table.pointee.store_key(cache.type, cache.keys(of: head), position, key.base, cache.headDimension)
  }

  /// Keeps the value of one head at one position.
  @inline(__always)
  package func storeValue(_ cache: UnsafeCache, head: Int, position: Int, _ value: UnsafeFloats) {
    table.pointee.store_value(
      cache.type, cache.values(of: head), cache.valueStride, position, value.base, cache.headDimension)
  }

  /// The value of one head at one position, as it was kept.
  @inline(__always)
  package func loadValue(_ cache: UnsafeCache, head: Int, position: Int, into value: UnsafeFloats) {
    let numberSize = cache.type == Int32(CK_F16) ? 2 : 4
    table.pointee.dequantize(
      cache.type, cache.values(of: head) + position * cache.valueStride * numberSize, cache.headDimension, value.base)
  }
}

/// An instruction set was asked for that this processor does not have.
package struct InstructionsError: Error, Equatable, CustomStringConvertible {
  package var variable: String
  package var name: String
  package var available: [String]

  package var description: String {
    "\(variable): no instruction set “\(name)” here; there are \(available.joined(separator: ", "))"
  }
}
