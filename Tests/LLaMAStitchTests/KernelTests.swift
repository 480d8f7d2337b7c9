import CKernels
import Foundation
import LLaMAStitch
import Support
import Testing

/// Every kernel of every instruction set against Double, on awkward shapes.
@Suite struct KernelTests {
  static var tables: [UnsafePointer<ck_inference>] { (0..<Int32(CK_ISA_COUNT)).compactMap { ck_inference_for($0) } }

  private func values(_ count: Int, seed: UInt64, scale: Double = 1) -> [Float] {
    var generator = SeededGenerator(seed: seed)
    return (0..<count).map { _ in Float((generator.unit() * 2 - 1) * scale) }
  }

  /// Scratch for a product.
  final class Scratch {
    let address: UnsafeMutableRawPointer

    init(_ table: UnsafePointer<ck_inference>, _ type: Int32, columns: Int, tokens: Int) {
      address = .allocate(byteCount: 64 + table.pointee.linear_scratch(type, columns, tokens), alignment: 64)
    }
    deinit { address.deallocate() }
  }

  @Test func theBaselineIsAlwaysThere() {
    #expect(ck_inference_for(Int32(CK_ISA_BASELINE)) != nil)
    #expect(ck_inference_for(99) == nil)
    #expect(ck_inference_best().pointee.isa == Self.tables.last!.pointee.isa)
  }

  @Test(arguments: [(1, 1), (7, 3), (16, 8), (17, 5), (33, 13), (64, 9), (100, 21), (192, 40), (515, 11), (2100, 9)])
  func linear(columns: Int, rows: Int) {
    for type in [ElementType.f32, .bf16, .f16] {
      let exact = values(rows * columns, seed: 1)
      let bits = exact.map { type == .bf16 ? bfloat16Bits($0) : float16Bits($0) }
      let weights: [Float] =
        switch type {
        case .bf16: bits.map { float(bfloat16Bits: $0) }
        case .f16: bits.map { float(float16Bits: $0) }
        default: exact
        }
      let code: Int32 = type == .f32 ? Int32(CK_F32) : type == .f16 ? Int32(CK_F16) : Int32(CK_BF16)
      let bias = values(rows, seed: 2)
      for tokens in [1, 2, 3, 4, 5, 6, 7, 11, 14] {
        let stride = columns + 3
        let x = values(tokens * stride, seed: 3)
        for table in Self.tables {
          let isRounding = type == .bf16 && table.pointee.rounds_to_bfloat16 != 0
          let scratch = Scratch(table, code, columns: columns, tokens: tokens)
          let seen = isRounding ? x.map { float(bfloat16Bits: bfloat16Bits($0)) } : x
          let outStride = rows + 1
          let before = values(tokens * outStride, seed: 4)
          var y = before
          let r0 = rows > 4 ? 2 : 0
          func call(_ address: UnsafeRawPointer) {
            table.pointee.linear(
              code, address, rows, columns, x, stride, tokens, &y, outStride, r0, rows, 0.5, bias, 1, nil,
              scratch.address)
          }
          func onWeights(_ call: (UnsafeRawPointer) -> Void) {
            if type == .f32 {
              exact.withUnsafeBytes { call($0.baseAddress!) }
            } else {
              bits.withUnsafeBytes { call($0.baseAddress!) }
            }
          }
          onWeights(call)
          // A token alone is the same bits.
          var alone = before
          onWeights { address in
            for t in 0..<tokens {
              alone.withUnsafeMutableBufferPointer { alone in
                x.withUnsafeBufferPointer { x in
                  table.pointee.linear(
                    code, address, rows, columns, x.baseAddress! + t * stride, stride, 1,
                    alone.baseAddress! + t * outStride, outStride,
                    r0, rows, 0.5, bias, 1, nil, scratch.address)
                }
              }
            }
          }
          #expect(alone == y)
          for t in 0..<tokens {
            for r in 0..<outStride {
              let index = t * outStride + r
              if r < r0 || r >= rows {
                #expect(y[index] == before[index], "a row outside the range was written")
                continue
              }
              var sum = 0.0
              var size = 1.0
              for k in 0..<columns {
                let product = Double(weights[r * columns + k]) * Double(seen[t * stride + k])
                sum += product
                size += abs(product)
              }
              let expected = Double(before[index]) + 0.5 * sum + Double(bias[r])
              #expect(
                abs(Double(y[index]) - expected) < 1e-6 * size,
                "isa \(table.pointee.isa) \(type) \(rows)×\(columns), \(tokens) tokens")
            }
          }
        }
      }
    }
  }

  @Test(arguments: [(1, 1), (3, 2), (17, 5), (33, 256), (64, 31), (65, 257), (99, 300), (130, 515)])
  func linearBack(columns: Int, rows: Int) {
    let bits = values(rows * columns, seed: 1).map { bfloat16Bits($0) }
    let weights = bits.map { float(bfloat16Bits: $0) }
    for table in Self.tables {
      guard let multiply = table.pointee.linear_back, let scratchBytes = table.pointee.linear_back_scratch else {
        #expect(table.pointee.rounds_to_bfloat16 == 0)
        continue
      }
      for tokens in [1, 2, 3, 4, 5, 6, 7, 17] {
        let (stride, outStride) = (rows + 3, columns + 1)
        let dy = values(tokens * stride, seed: 3)
        let seen = dy.map { float(bfloat16Bits: bfloat16Bits($0)) }
        let before = values(tokens * outStride, seed: 4)
        let scratch = UnsafeMutableRawPointer.allocate(byteCount: scratchBytes(rows, tokens), alignment: 64)
        defer { scratch.deallocate() }
        for adds in [false, true] {
          var dx = before
          multiply(bits, rows, columns, dy, stride, tokens, &dx, outStride, adds ? 1 : 0, scratch)
          for t in 0..<tokens {
            #expect(dx[t * outStride + columns] == before[t * outStride + columns], "a column outside was written")
            for k in 0..<columns {
              var sum = adds ? Double(before[t * outStride + k]) : 0
              var size = 1.0
              for r in 0..<rows {
                let product = Double(weights[r * columns + k]) * Double(seen[t * stride + r])
                sum += product
                size += abs(product)
              }
              #expect(abs(Double(dx[t * outStride + k]) - sum) < 1e-6 * size, "\(rows)×\(columns), \(tokens) tokens")
            }
          }
        }
      }
    }
  }

  @Test(arguments: [2, 6, 8, 18, 24, 48, 64, 80, 128], [Int32(CK_F32), Int32(CK_F16)])
  func attention(dimension: Int, cache: Int32) {
    // Token after token of one head, and head after head of one token.
    for step in [1, 0] { attention(dimension: dimension, cache: cache, step: step) }
  }

  private func attention(dimension: Int, cache: Int32, step: Int) {
    let padded = (dimension + 15) / 16 * 16
    let capacity = 96
    // Halves beside each other in the same memory.
    func kept(_ value: Float) -> Float { cache == Int32(CK_F16) ? float(float16Bits: float16Bits(value)) : value }
    for table in Self.tables {
      for position in [0, 1, 14, 15, 16, 31, 47, 63, 70] {
        let tokens = 9
        let total = position + 1 + step * (tokens - 1)
        let keys = values(total * dimension, seed: 5).map(kept)
        let vectors = values(total * dimension, seed: 6).map(kept)
        let queries = values(tokens * dimension, seed: 7, scale: 3)
        // What lies beyond the last position must not matter.
        var keyBlocks = [Float](repeating: .nan, count: capacity * dimension)
        var valueRows = [Float](repeating: .nan, count: capacity * padded)
        for j in 0..<total {
          keys[(j * dimension)...].withUnsafeBufferPointer {
            table.pointee.store_key(cache, &keyBlocks, j, $0.baseAddress!, dimension)
          }
          vectors[(j * dimension)...].withUnsafeBufferPointer {
            table.pointee.store_value(cache, &valueRows, padded, j, $0.baseAddress!, dimension)
          }
        }
        var output = [Float](repeating: -7, count: tokens * (dimension + 1))
        var scratch = [Float](repeating: .nan, count: ck_attention_scratch(total))
        let scale = 1 / Float(dimension).squareRoot()
        output.withUnsafeMutableBufferPointer { out in
          keyBlocks.withUnsafeBufferPointer { k in
            valueRows.withUnsafeBufferPointer { v in
              queries.withUnsafeBufferPointer { q in
                var attention = ck_attention(
                  queries: q.baseAddress!, query_stride: dimension, cache_type: cache, keys: k.baseAddress!,
                  values: v.baseAddress!, value_stride: padded, output: out.baseAddress!,
                  output_stride: dimension + 1, head_dimension: dimension, position: position, step: step, scale: scale,
                  rectified: 0, next_keys: nil, next_bytes: 0)
                table.pointee.attend(&attention, 0, tokens, &scratch)
                // One alone is the same bits.
                let among = Array(out)
                for t in 0..<tokens { table.pointee.attend(&attention, t, t + 1, &scratch) }
                #expect(Array(out) == among)
              }
            }
          }
        }
        for t in 0..<tokens {
          let scores = (0...(position + t * step)).map { j in
            (0..<dimension).reduce(0.0) {
              $0 + Double(queries[t * dimension + $1]) * Double(keys[j * dimension + $1])
            } * Double(scale)
          }
          let largest = scores.max()!
          let weights = scores.map { exp($0 - largest) }
          let sum = weights.reduce(0, +)
          for d in 0..<dimension {
            let expected = weights.indices.reduce(0.0) {
              $0 + weights[$1] / sum * Double(vectors[$1 * dimension + d])
            }
            #expect(abs(Double(output[t * (dimension + 1) + d]) - expected) < 2e-6)
          }
          #expect(output[t * (dimension + 1) + dimension] == -7, "written past the head")
        }
      }
    }
  }

  @Test(arguments: [1, 15, 16, 17, 96, 515])
  func normActivationAndRotation(count: Int) {
    for table in Self.tables {
      let x = values(2 * count, seed: 8, scale: 20)
      let weight = values(count, seed: 9)
      var y = [Float](repeating: 0, count: 2 * count)
      table.pointee.rms_norm(x, count, weight, count, 1e-5, 2, &y, count)
      for t in 0..<2 {
        let row = x[t * count..<(t + 1) * count].map(Double.init)
        let scale = 1 / (row.reduce(0) { $0 + $1 * $1 } / Double(count) + 1e-5).squareRoot()
        for i in 0..<count {
          let expected = row[i] * scale * Double(weight[i])
          #expect(abs(Double(y[t * count + i]) - expected) <= 1e-6 * abs(expected))
        }
      }

      let up = values(2 * count, seed: 10)
      var gate = x + [42]
      gate[0] = -200  // the exponential would overflow
      table.pointee.silu_multiply(&gate, up, count, count, 2)
      for i in 0..<2 * count {
        let g = i == 0 ? -200 : Double(x[i])
        let expected = g / (1 + exp(-g)) * Double(up[i])
        #expect(abs(Double(gate[i]) - expected) <= 1e-6 * abs(expected) + 1e-30)
      }
      #expect(gate[2 * count] == 42)

      let angles = values(count, seed: 11, scale: 3).map(Double.init)
      var turned = x
      table.pointee.rotate(&turned, angles.map { Float(cos($0)) }, angles.map { Float(sin($0)) }, count)
      for i in 0..<count {
        let a = Double(x[i])
        let b = Double(x[i + count])
        #expect(abs(Double(turned[i]) - (a * cos(angles[i]) - b * sin(angles[i]))) < 1e-5)
        #expect(abs(Double(turned[i + count]) - (b * cos(angles[i]) + a * sin(angles[i]))) < 1e-5)
      }
    }
  }

  @Test func everyHalfPrecisionNumberIsDequantizedExactly() {
    let bits = (0...UInt16.max).map { $0 }
    for table in Self.tables {
      for (code, convert) in [
        (Int32(CK_F16), float(float16Bits:) as (UInt16) -> Float), (Int32(CK_BF16), float(bfloat16Bits:)),
      ] {
        var y = [Float](repeating: 0, count: bits.count)
        bits.withUnsafeBytes { table.pointee.dequantize(code, $0.baseAddress!, bits.count - 3, &y) }
        for (index, value) in y.dropLast(3).enumerated() {
          let expected = convert(bits[index])
          #expect(expected.isNaN ? value.isNaN : value.bitPattern == expected.bitPattern)
        }
        #expect(Array(y.suffix(3)) == [0, 0, 0])
      }
    }
  }

  @Test func roundingToHalfPrecisionIsToTheNearest() {
    for bits in 0...UInt16.max {
      let half = float(float16Bits: bits)
      if half.isNaN { continue }
      #expect(float16Bits(half) == bits)
      let brain = float(bfloat16Bits: bits)
      if !brain.isNaN { #expect(bfloat16Bits(brain) == bits) }
    }
    // Halfway goes to even, everything else to the nearer neighbour.
    #expect(float16Bits(1 + 0x1p-11) == 0x3C00 && float16Bits(1 + 3 * 0x1p-11) == 0x3C02)
    #expect(float16Bits(0x1p-25) == 0 && float16Bits(0x1.8p-25) == 1 && float16Bits(65519.99) == 0x7BFF)
    #expect(float16Bits(65520) == 0x7C00 && float16Bits(-.infinity) == 0xFC00 && float16Bits(.nan) & 0x3FF != 0)
    #expect(bfloat16Bits(1 + 0x1p-8) == 0x3F80 && bfloat16Bits(1 + 3 * 0x1p-8) == 0x3F82)
    #expect(float(bfloat16Bits: bfloat16Bits(.nan)).isNaN)
  }
}
