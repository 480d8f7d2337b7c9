import CKernels
import Foundation
import LLaMAStitch
import Support
import Testing

/// Q8_0, Q4_0 and Q4_1: the blocks, the kernels that read them, and files.
@Suite struct QuantizationTests {
  private static let types: [(ElementType, Int32)] = [
    (.q8_0, Int32(CK_Q8_0)), (.q4_0, Int32(CK_Q4_0)), (.q4_1, Int32(CK_Q4_1)),
  ]

  private func values(_ count: Int, seed: UInt64, scale: Double = 1) -> [Float] {
    var random = SeededGenerator(seed: seed)
    return (0..<count).map { _ in Float(random.normal() * scale) }
  }

  private func quantize(_ values: [Float], _ type: ElementType) -> [UInt8] {
    var blocks = [UInt8](repeating: 0xAA, count: type.byteCount(values.count))
    let code = Self.types.first { $0.0 == type }!.1
    #expect(ck_quantize(code, values, values.count, &blocks) == 0)
    return blocks
  }

  /// The same in panels, as matrices of models are kept.
  private func laid(_ values: [Float], rows: Int, _ type: ElementType) -> [UInt8] {
    let blocks = quantize(values, type)
    var panels = [UInt8](repeating: 0xAA, count: blocks.count)
    ck_pack_panels(Self.types.first { $0.0 == type }!.1, blocks, rows, values.count / rows, &panels)
    return panels
  }

  // MARK: Blocks

  @Test func blocksOfEightBitsWorkedOutByHand() {
    // The largest magnitude is 127, so that the scale is 1 = 0x3C00.
    var x = [Float](repeating: 0, count: 32)
    (x[0], x[1], x[2], x[3], x[31]) = (127, -126.4, 0.6, -0.6, -3)
    var expected: [UInt8] = [0x00, 0x3C] + [UInt8](repeating: 0, count: 32)
    (expected[2], expected[3], expected[4], expected[5], expected[33]) = (127, 0x82, 1, 0xFF, 0xFD)
    #expect(quantize(x, .q8_0) == expected)
    // 63.5 / 127 = ½ = 0x3800.
    #expect(
      quantize([Float](repeating: -63.5, count: 32), .q8_0) == [0x00, 0x38] + [UInt8](repeating: 0x81, count: 32))
    #expect(quantize([Float](repeating: 0, count: 32), .q8_0) == [UInt8](repeating: 0, count: 34))
  }

  @Test func blocksOfFourBitsWorkedOutByHand() {
    // −8 has the largest magnitude: the scale is 1. Weight i is the low half of byte i, weight i + 16 the high half.
    var x = [Float](repeating: 0, count: 32)
    (x[0], x[1], x[16], x[17]) = (-8, 7, 1.4, -2.6)
    var expected: [UInt8] = [0x00, 0x3C] + [UInt8](repeating: 0x88, count: 16)
    (expected[2], expected[3]) = (0x90, 0x5F)
    #expect(quantize(x, .q4_0) == expected)
    // 8 has it: the scale is −1 = 0xBC00, and 8 becomes number 0.
    x = x.map { -$0 }
    (expected[1], expected[3]) = (0xBC, 0x5F)
    #expect(quantize(x, .q4_0) == expected)
  }

  @Test func blocksOfFourBitsWithAMinimumWorkedOutByHand() {
    // From −2 = 0xC000 to 13 in steps of 1.
    var x = [Float](repeating: 0, count: 32)
    (x[0], x[1], x[16], x[17]) = (-2, 13, 1.4, -0.6)
    var expected: [UInt8] = [0x00, 0x3C, 0x00, 0xC0] + [UInt8](repeating: 0x22, count: 16)
    (expected[4], expected[5]) = (0x30, 0x1F)
    #expect(quantize(x, .q4_1) == expected)
    // All alike: the minimum alone.
    #expect(
      quantize([Float](repeating: 0.5, count: 32), .q4_1) == [0, 0, 0x00, 0x38] + [UInt8](repeating: 0, count: 16))
  }

  @Test func panelsWorkedOutByHand() {
    // 18 rows: a panel of sixteen and one of two. Byte i of row r is 16 r + i, its scale is (100 + r, 200), its minimum, if
    // there is one, (50 + r, 150).
    let (rows, columns) = (18, 64)
    for (type, code) in Self.types {
      func byte(_ row: Int, _ index: Int) -> UInt8 { UInt8(truncatingIfNeeded: 16 * row + index) }
      func scale(_ row: Int, _ block: Int) -> [UInt8] { [UInt8(100 + row), UInt8(200 + block)] }
      func minimum(_ row: Int, _ block: Int) -> [UInt8] {
        type == .q4_1 ? [UInt8(50 + row), UInt8(150 + block)] : []
      }
      let quants = type == .q8_0 ? 32 : 16
      var blocks: [UInt8] = []
      for row in 0..<rows {
        for block in 0..<2 { blocks += scale(row, block) + minimum(row, block) + (0..<quants).map { byte(row, $0) } }
      }
      var found = [UInt8](repeating: 0xAA, count: blocks.count)
      ck_pack_panels(code, blocks, rows, columns, &found)
      var expected: [UInt8] = []
      for (first, count) in [(0, 16), (16, 2)] {
        for block in 0..<2 {
          for four in stride(from: 0, to: quants, by: 4) {
            for row in first..<first + count {
              expected += (four..<four + 4).map { byte(row, $0) ^ (type == .q8_0 ? 0x80 : 0) }
            }
          }
          for row in first..<first + count { expected += scale(row, block) }
          for row in first..<first + count { expected += minimum(row, block) }
        }
      }
      #expect(found == expected)
    }
  }

  @Test(arguments: [1, 2, 15, 16, 17, 50]) func panelsAreTheSameWeights(rows: Int) {
    let columns = 96
    let x = values(rows * columns, seed: 7)
    for (type, code) in Self.types {
      let (blocks, panels) = (quantize(x, type), laid(x, rows: rows, type))
      for table in KernelTests.tables {
        var expected = [Float](repeating: 0, count: x.count)
        table.pointee.dequantize(code, blocks, x.count, &expected)
        for row in 0..<rows {
          for range in [0..<columns, 32..<columns, 32..<64] {
            var found = [Float](repeating: 0, count: range.count + 1)
            table.pointee.dequantize_panel(code, panels, rows, columns, row, range.lowerBound, range.count, &found)
            let start = row * columns + range.lowerBound
            #expect(found == expected[start..<start + range.count] + [0], "isa \(table.pointee.isa) \(type) row \(row)")
          }
        }
      }
    }
  }

  @Test(arguments: [1e-3, 1, 3e4]) func whatIsLostIsBounded(scale: Double) {
    let normal = values(64 * 32, seed: 3, scale: scale)
    for (type, code) in Self.types {
      // A minimum is stored as it is, where a scale is an eighth or less of the largest weight: it has a half up to 65504.
      let x = type == .q4_1 ? normal.map { max($0, -65504) } : normal
      let blocks = quantize(x, type)
      for table in KernelTests.tables {
        var back = [Float](repeating: 0, count: x.count)
        table.pointee.dequantize(code, blocks, x.count, &back)
        for block in stride(from: 0, to: x.count, by: 32) {
          let largest = Double(x[block..<block + 32].map(abs).max()!)
          if type == .q4_1 {
            // Half a step, and scale and minimum are rounded to 11 bits (or to 2⁻²⁴), the scale times 15.
            let (least, most) = (Double(x[block..<block + 32].min()!), Double(x[block..<block + 32].max()!))
            let bound = (most - least) / 30 + (most - least) * 0x1p-11 + abs(least) * 0x1p-11 + 16 * 0x1p-25
            for i in block..<block + 32 { #expect(abs(Double(back[i]) - Double(x[i])) <= bound * 1.0001) }
            continue
          }
          // Half a step, one whole at the end that has no −8; and the scale is rounded to 11 bits (or to 2⁻²⁴).
          let step = type == .q8_0 ? largest / 127 : largest / 8
          let bound = (type == .q8_0 ? 0.5 : 1) * step + largest * 0x1p-11 + (type == .q8_0 ? 127 : 8) * 0x1p-25
          for i in block..<block + 32 {
            #expect(abs(Double(back[i]) - Double(x[i])) <= bound * 1.0001, "\(type) \(x[i]) became \(back[i])")
          }
        }
      }
    }
  }

  @Test func whatHasNoScaleIsRefused() throws {
    for wrong in [Float.nan, .infinity, -.infinity, 1e30] {
      var x = values(64, seed: 4)
      x[40] = wrong
      for (type, code) in Self.types {
        var blocks = [UInt8](repeating: 0, count: type.byteCount(64))
        #expect(ck_quantize(code, x, 64, &blocks) == 1)
        try withScratchDirectory { directory in
          let file = directory.appending(path: "x.safetensors")
          var writer = SafetensorsWriter()
          writer.add("mlp", shape: [2, 32], as: type, x)
          expectOneLine([file.path, "“mlp”", "not finite", type.rawValue]) { try writer.write(to: file) }
          let left = try FileManager.default.contentsOfDirectory(atPath: directory.path)
          #expect(left.isEmpty)
        }
      }
    }
  }

  /// A minimum that rounds to the largest half is kept, one beyond it refuses the block, though its scale has a half.
  @Test func aMinimumHasAHalf() {
    var blocks = [UInt8](repeating: 0, count: ElementType.q4_1.byteCount(32))
    for (least, answer) in [(-65504, 0), (-65519, 0), (-65520, 1), (-1e5, 1), (65504, 0), (65520, 1)]
      as [(Float, Int32)]
    {
      let x = [least, least + 100] + [Float](repeating: least + 50, count: 30)
      #expect(ck_quantize(Int32(CK_Q4_1), x, 32, &blocks) == answer, "\(least)")
      if answer == 0 { #expect(blocks[2...3] == (least < 0 ? [0xFF, 0xFB] : [0xFF, 0x7B])) }
    }
  }

  // MARK: Kernels

  /// What activations become: blocks of 32, of which the largest magnitude is so many steps.
  private func rounded(_ x: [Float], steps most: Float) -> [Double] {
    if most == 0 { return x.map(Double.init) }
    return stride(from: 0, to: x.count, by: 32).flatMap { start -> [Double] in
      let block = x[start..<start + 32]
      let largest = block.map(abs).max()!
      let scale = largest / most
      let inverse = scale > 0 ? most / largest : 0
      return block.map { Double(($0 * inverse).rounded(.toNearestOrEven)) * Double(scale) }
    }
  }

  @Test(arguments: [(32, 1), (64, 3), (96, 5), (160, 13), (544, 21), (1024, 9), (64, 16), (96, 35), (32, 50)])
  func linear(columns: Int, rows: Int) {
    for (type, code) in Self.types {
      let matrix = values(rows * columns, seed: 1)
      let (blocks, panels) = (quantize(matrix, type), laid(matrix, rows: rows, type))
      let bias = values(rows, seed: 2)
      for tokens in [1, 2, 3, 5, 6, 7, 12, 14, 30] {
        let stride = columns + 3
        let x = values(tokens * stride, seed: 3)
        for table in KernelTests.tables {
          let scratch = KernelTests.Scratch(table, code, columns: columns, tokens: tokens)
          var weights = [Float](repeating: 0, count: rows * columns)
          table.pointee.dequantize(code, blocks, weights.count, &weights)
          let before = values(tokens * (rows + 1), seed: 4)
          var y = before
          let r0 = rows > 4 ? 2 : 0
          table.pointee.linear(
            code, panels, rows, columns, x, stride, tokens, &y, rows + 1, r0, rows, 0.5, bias, 1, nil, scratch.address)
          for t in 0..<tokens {
            for r in Array(0..<r0) + [rows] { #expect(y[t * (rows + 1) + r] == before[t * (rows + 1) + r]) }
            let plain = Array(x[t * stride..<t * stride + columns])
            let seen = rounded(plain, steps: table.pointee.block_steps)
            for r in r0..<rows {
              var sum = 0.0
              var size = 1.0
              for k in 0..<columns {
                let product = Double(weights[r * columns + k]) * seen[k]
                sum += product
                size += abs(product)
              }
              let expected = Double(before[t * (rows + 1) + r]) + 0.5 * sum + Double(bias[r])
              #expect(
                abs(Double(y[t * (rows + 1) + r]) - expected) < 1e-6 * size,
                "isa \(table.pointee.isa) \(type) \(rows)×\(columns), \(tokens) tokens")
            }
          }
        }
      }
    }
  }

  /// A row and a token come out the same bits whatever is computed beside them.
  @Test func aProductIsTheSameInAnyCompany() {
    let (columns, rows, tokens) = (96, 37, 29)
    let x = values(tokens * columns, seed: 3)
    for (type, code) in Self.types {
      let panels = laid(values(rows * columns, seed: 1), rows: rows, type)
      for table in KernelTests.tables {
        let scratch = KernelTests.Scratch(table, code, columns: columns, tokens: tokens)
        func product(_ range: Range<Int>, _ some: Range<Int>) -> [Float] {
          var y = [Float](repeating: 0, count: some.count * rows)
          x.withUnsafeBufferPointer {
            table.pointee.linear(
              code, panels, rows, columns, $0.baseAddress! + some.lowerBound * columns, columns, some.count, &y, rows,
              range.lowerBound, range.upperBound, 1, nil, 0, nil, scratch.address)
          }
          return y
        }
        let all = product(0..<rows, 0..<tokens)
        for (range, some) in [(0..<rows, 7..<8), (3..<20, 0..<tokens), (36..<37, 5..<18), (16..<32, 11..<13)] {
          let part = product(range, some)
          for (t, token) in some.enumerated() {
            for r in 0..<rows {
              let expected = range.contains(r) ? all[token * rows + r] : 0
              #expect(
                part[t * rows + r].bitPattern == expected.bitPattern, "isa \(table.pointee.isa) row \(r) of \(range)")
            }
          }
        }
      }
    }
  }

  @Test(arguments: [Float.nan, .infinity, -.infinity]) func whatIsNotFiniteIsNotHidden(_ wrong: Float) {
    for (type, code) in Self.types {
      let panels = laid(values(16 * 64, seed: 1), rows: 16, type)
      var x = values(64, seed: 3)
      x[40] = wrong
      for table in KernelTests.tables {
        let scratch = KernelTests.Scratch(table, code, columns: 64, tokens: 1)
        var y = [Float](repeating: 0, count: 16)
        table.pointee.linear(code, panels, 16, 64, x, 64, 1, &y, 16, 0, 16, 1, nil, 0, nil, scratch.address)
        #expect(y.allSatisfy { !$0.isFinite }, "isa \(table.pointee.isa)")
      }
    }
  }

  // MARK: Files

  @Test func aQuantisedMatrixReadsBackAsWhatItIs() throws {
    try withScratchDirectory { directory in
      let file = directory.appending(path: "x.safetensors")
      let x = values(3 * 64, seed: 5)
      for (type, _) in Self.types {
        var writer = SafetensorsWriter()
        writer.add("Upper", shape: [3, 64], as: type, x)
        writer.add("plain", shape: [2], [1, 2])
        try writer.write(to: file)
        let read = try SafetensorsFile(file)
        let tensor = try read.tensor("Upper")
        #expect(tensor.type == type && tensor.shape == [3, 64] && tensor.bytes.data == Data(laid(x, rows: 3, type)))
        #expect(try read.tensor("plain").floats() == [1, 2])
        // A panel is more than is converted at a time elsewhere.
        let wide = values(19 * 4128, seed: 8)
        var large = SafetensorsWriter()
        large.add("wide", shape: [19, 4128], as: type, wide)
        try large.write(to: directory.appending(path: "wide.safetensors"))
        let stored = try SafetensorsFile(directory.appending(path: "wide.safetensors")).tensor("wide")
        #expect(stored.bytes.data == Data(laid(wide, rows: 19, type)))
        for (found, value) in zip(tensor.floats(), x) { #expect(abs(found - value) < (type == .q8_0 ? 0.03 : 0.6)) }
        var odd = SafetensorsWriter()
        odd.add("odd", shape: [2, 48], as: type, values(96, seed: 6))
        expectOneLine(["“odd”", "[2, 48]", "blocks"]) { try odd.write(to: file) }
      }
    }
  }

  @Test func damagedQuantisedFiles() throws {
    func file(_ type: String, dtype: String = "U8", shape: String = "[2,34]", bytes: Int = 68, cut: Int = 0) -> Data {
      let header =
        "{\"__metadata__\":{\"type:w\":\"\(type)\"},\"w\":{\"dtype\":\"\(dtype)\",\"shape\":\(shape),\"data_offsets\":[0,\(bytes)]}}"
      var data = Data()
      withUnsafeBytes(of: UInt64(header.utf8.count).littleEndian) { data.append(contentsOf: $0) }
      return data + Data(header.utf8) + Data(count: bytes - cut)
    }
    try withScratchDirectory { directory in
      let url = directory.appending(path: "x.safetensors")
      let (eight, four) = ("Q8_0 in panels of 16", "Q4_0 in panels of 16")
      try file(eight).write(to: url)
      #expect(try SafetensorsFile(url).tensor("w").shape == [2, 32])
      for (data, part) in [
        (file("Q9_7"), "“Q9_7”"), (file("F32"), "“F32”"), (file("Q8_0"), "build the family anew"),
        (file(eight, shape: "[2,33]", bytes: 66), "[2, 33]"), (file(four), "[2, 34]"),
        (file(eight, shape: "[68]"), "[68]"),
        (file(eight, cut: 1), "cut short"), (file(eight, dtype: "F16", bytes: 136), "F16"),
      ] {
        try data.write(to: url)
        expectOneLine(["“w”", part, url.path]) { _ = try SafetensorsFile(url) }
      }
      // The type has no name of its own in a header.
      try file(eight, dtype: "Q8_0").write(to: url)
      expectOneLine(["unknown dtype “Q8_0”", url.path]) { _ = try SafetensorsFile(url) }
    }
  }

  @Test func aQuantisedVectorOrOtherShapeIsRefused() throws {
    try withScratchDirectory { directory in
      let configuration = RandomModel.configuration(hidden: 32, heads: 4, intermediate: 96)
      let model = directory.appending(path: "model")
      try ModelDirectory.write(
        to: model, configuration: configuration, elementType: .q8_0,
        weights: RandomModel.weights(configuration, seed: 1))
      let weights = model.appending(path: "model.safetensors")
      let good = try SafetensorsFile(weights)
      func rewrite(_ name: String, shape: [Int], as type: ElementType) throws {
        var writer = SafetensorsWriter()
        for tensor in good.tensors.values where tensor.name != name {
          writer.add(tensor.name, shape: tensor.shape, type: tensor.type, bytes: tensor.bytes)
        }
        writer.add(name, shape: shape, as: type, values(shape.reduce(1, *), seed: 2))
        try writer.write(to: weights)
      }
      try rewrite("model.norm.weight", shape: [1, 32], as: .q8_0)
      expectOneLine(["“model.norm.weight”", "[1, 32]", "[32]", weights.path]) { _ = try ModelDirectory(model) }
      try rewrite("model.layers.0.mlp.up_proj.weight", shape: [96, 64], as: .q8_0)
      expectOneLine(["“model.layers.0.mlp.up_proj.weight”", "[96, 64]", "[96, 32]", weights.path]) {
        _ = try ModelDirectory(model)
      }
    }
  }
}
