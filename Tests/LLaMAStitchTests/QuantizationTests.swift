import CKernels
import Foundation
import LLaMAStitch
import Testing

/// Q8_0 and Q4_0: the blocks, the kernels that read them, and families whose base is stored so.
@Suite struct QuantizationTests {
  private static let types: [(ElementType, Int32)] = [(.q8_0, Int32(CK_Q8_0)), (.q4_0, Int32(CK_Q4_0))]

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
    ck_lay_panels(Self.types.first { $0.0 == type }!.1, blocks, rows, values.count / rows, &panels)
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
    #expect(quantize([Float](repeating: -63.5, count: 32), .q8_0) == [0x00, 0x38] + [UInt8](repeating: 0x81, count: 32))
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

  @Test func panelsWorkedOutByHand() {
    // 18 rows: a panel of sixteen and one of two. Byte i of row r is 16 r + i, its scale is (100 + r, 200).
    let (rows, columns) = (18, 64)
    for (type, code) in Self.types {
      func byte(_ row: Int, _ index: Int) -> UInt8 { UInt8(truncatingIfNeeded: 16 * row + index) }
      func scale(_ row: Int, _ block: Int) -> [UInt8] { [UInt8(100 + row), UInt8(200 + block)] }
      let quants = type.size - 2
      var blocks: [UInt8] = []
      for row in 0..<rows {
        for block in 0..<2 { blocks += scale(row, block) + (0..<quants).map { byte(row, $0) } }
      }
      var found = [UInt8](repeating: 0xAA, count: blocks.count)
      ck_lay_panels(code, blocks, rows, columns, &found)
      var expected: [UInt8] = []
      for (first, count) in [(0, 16), (16, 2)] {
        for block in 0..<2 {
          for four in stride(from: 0, to: quants, by: 4) {
            for row in first..<first + count {
              expected += (four..<four + 4).map { byte(row, $0) ^ (type == .q8_0 ? 0x80 : 0) }
            }
          }
          for row in first..<first + count { expected += scale(row, block) }
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
        table.pointee.widen(code, blocks, x.count, &expected)
        for row in 0..<rows {
          for range in [0..<columns, 32..<columns, 32..<64] {
            var found = [Float](repeating: 0, count: range.count + 1)
            table.pointee.widen_panel(code, panels, rows, columns, row, range.lowerBound, range.count, &found)
            let start = row * columns + range.lowerBound
            #expect(found == expected[start..<start + range.count] + [0], "isa \(table.pointee.isa) \(type) row \(row)")
          }
        }
      }
    }
  }

  @Test(arguments: [1e-3, 1, 3e4]) func whatIsLostIsBounded(scale: Double) {
    let x = values(64 * 32, seed: 3, scale: scale)
    for (type, code) in Self.types {
      let blocks = quantize(x, type)
      for table in KernelTests.tables {
        var back = [Float](repeating: 0, count: x.count)
        table.pointee.widen(code, blocks, x.count, &back)
        for block in stride(from: 0, to: x.count, by: 32) {
          let largest = Double(x[block..<block + 32].map(abs).max()!)
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

  // MARK: Kernels

  /// What activations become where they are rounded: blocks of 32, the largest magnitude is 127 steps, a step is a half.
  private func rounded(_ x: [Float]) -> [Double] {
    stride(from: 0, to: x.count, by: 32).flatMap { start -> [Double] in
      let block = x[start..<start + 32]
      let most = block.map(abs).max()!
      let scale = float(float16Bits: float16Bits(most / 127))
      let inverse = scale > 0 ? 127 / most : 0
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
          let isRounding = table.pointee.isa >= Int32(CK_ISA_AVX512_VNNI)
          let scratch = KernelTests.Scratch(table, code, columns: columns, tokens: tokens)
          var weights = [Float](repeating: 0, count: rows * columns)
          table.pointee.widen(code, blocks, weights.count, &weights)
          let before = values(tokens * (rows + 1), seed: 4)
          var y = before
          let r0 = rows > 4 ? 2 : 0
          table.pointee.linear(
            code, panels, rows, columns, x, stride, tokens, &y, rows + 1, r0, rows, 0.5, bias, 1, scratch.address)
          for t in 0..<tokens {
            for r in Array(0..<r0) + [rows] { #expect(y[t * (rows + 1) + r] == before[t * (rows + 1) + r]) }
            let plain = Array(x[t * stride..<t * stride + columns])
            let seen = isRounding ? rounded(plain) : plain.map(Double.init)
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
              range.lowerBound, range.upperBound, 1, nil, 0, scratch.address)
          }
          return y
        }
        let all = product(0..<rows, 0..<tokens)
        for (range, some) in [(0..<rows, 7..<8), (3..<20, 0..<tokens), (36..<37, 5..<18), (16..<32, 11..<13)] {
          let part = product(range, some)
          for (t, token) in some.enumerated() {
            for r in 0..<rows {
              let expected = range.contains(r) ? all[token * rows + r] : 0
              #expect(part[t * rows + r].bitPattern == expected.bitPattern, "isa \(table.pointee.isa) row \(r) of \(range)")
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
        table.pointee.linear(code, panels, 16, 64, x, 64, 1, &y, 16, 0, 16, 1, nil, 0, scratch.address)
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
        (file(eight, shape: "[2,33]", bytes: 66), "[2, 33]"), (file(four), "[2, 34]"), (file(eight, shape: "[68]"), "[68]"),
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
        to: model, configuration: configuration, weights: RandomModel.weights(configuration, seed: 1), elementType: .q8_0)
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

  // MARK: Families

  /// A family of two random anchors; its vocabulary is large enough that training meets the head in more than one tile.
  private func family(_ type: ElementType?, in folder: URL) throws -> Family {
    let anchors = try [("small", 2, 32), ("large", 3, 64)].map { name, blocks, hidden in
      let configuration = RandomModel.configuration(
        hidden: hidden, blocks: blocks, heads: 4, keyValueHeads: 2, intermediate: 2 * hidden, vocabulary: 33_000)
      let place = folder.appending(path: name)
      if !FileManager.default.fileExists(atPath: place.path) {
        try ModelDirectory.write(
          to: place, configuration: configuration, weights: RandomModel.weights(configuration, seed: UInt64(blocks)))
      }
      return FamilyBuilder.Anchor(name: name, directory: try ModelDirectory(place))
    }
    var options = FamilyBuilder.Options(name: "random", chatTemplate: "tiny")
    options.elementType = type
    return try FamilyBuilder(anchors, options: options, pool: ComputePool(threads: 2)).build(
      calibration: RandomModel.tokens(20, length: 20, vocabulary: 33_000), tokenizer: Data("x".utf8),
      output: folder.appending(path: "family-\(type?.rawValue ?? "plain")"))!
  }

  /// The same family with every quantised weight replaced by the float it stands for.
  private func widened(_ family: Family, in folder: URL) throws -> Family {
    let copy = folder.appending(path: "widened-\(family.description.quantization)")
    try FileManager.default.copyItem(at: family.directory, to: copy)
    for anchor in family.description.anchors {
      let place = copy.appending(path: anchor.directory)
      try FileManager.default.removeItem(at: place)
      try ModelDirectory(family.directory.appending(path: anchor.directory)).writeCopy(to: place, elementType: .f32)
    }
    return try Family(copy)
  }

  /// √(Σ (a − b)² / Σ b²)
  private func relativeDifference(_ a: [Float], _ b: [Float]) -> Double {
    let difference = zip(a, b).reduce(0.0) { $0 + Double(($1.0 - $1.1) * ($1.0 - $1.1)) }
    return (difference / b.reduce(0.0) { $0 + Double($1 * $1) }).squareRoot()
  }

  @Test(arguments: [ElementType.q8_0, .q4_0])
  func aQuantisedFamilyIsNearlyTheFamily(type: ElementType) throws {
    try withScratchDirectory { folder in
      let plain = try family(nil, in: folder)
      let quantised = try family(type, in: folder)
      #expect(quantised.description.quantization == type.rawValue.lowercased() && plain.description.quantization == "f32")
      #expect(quantised.identity != plain.identity)
      #expect(quantised.stitches.map(\.id) == plain.stitches.map(\.id))
      let same = try widened(quantised, in: folder)
      // Kernels that do not round activations as well.
      let exact = InferenceKernels.available.last { !$0.rounds(.q8_0) }!
      let tokens = RandomModel.tokens(1, length: 17, vocabulary: 33_000, seed: 5)[0].map(Int.init)
      for stitch in quantised.stitches {
        func logits(_ family: Family) throws -> [Float] {
          try InferenceSession(
            network: family.network(stitch.route, adapter: nil), contextLength: nil, chunkSize: 64, pool: .shared,
            kernels: exact
          ).evaluate(tokens, logits: .all).dense.array
        }
        let found = try logits(quantised)
        // Sums in another order.
        #expect(
          relativeDifference(found, try logits(same)) < 1e-5, "\(stitch.id): a quantised weight is not the float it stands for")
        // Stitching layers of so few tokens follow every change of what they are fitted to: anchors only. Each matrix
        // on the way adds the error of its weights, independent of the others'.
        if stitch.route.join == nil {
          func weights(_ family: Family) -> [Float] { family.anchors[stitch.route.start].blocks[0].query.weight.floats() }
          let each = relativeDifference(weights(quantised), weights(plain))
          let matrices = Double(7 * plain.anchors[stitch.route.start].blocks.count + 2)
          #expect(each > 0 && each < (type == .q8_0 ? 0.007 : 0.12), "\(stitch.id)")
          #expect(relativeDifference(found, try logits(plain)) < 1.5 * each * matrices.squareRoot(), "\(stitch.id)")
        }
        let share = Double(stitch.weightBytes) / Double(plain.stitches.first { $0.id == stitch.id }!.weightBytes)
        #expect(share < 0.3, "\(stitch.id)")
      }
    }
  }

  /// Something to train, with random values: B of zero would hide A's gradient.
  private func trainer(_ family: Family, _ batch: PackedBatch) throws -> FamilyTrainer {
    let trainer = try FamilyTrainer(
      family: family, adapter: nil, settings: AdaptationSettings(steps: 1),
      examples: [TrainingExample(tokens: batch.tokens, predicted: batch.tokens.map { _ in true })],
      pool: ComputePool(threads: 1))
    for index in trainer.store.parameters.indices {
      let value = trainer.store.value(index)
      value.copy(from: values(value.count, seed: UInt64(index), scale: 0.05))
    }
    return trainer
  }

  /// Inference reads low-rank updates of quantised weights in BF16, those of stitching layers in F32.
  @Test(arguments: [ElementType.q8_0, .q4_0])
  func anAdapterIsRoundedWhereItsWeightsAre(type: ElementType) throws {
    try withScratchDirectory { folder in
      let quantised = try family(type, in: folder)
      let same = try widened(quantised, in: folder)
      let exact = InferenceKernels.available.last { !$0.rounds(.q8_0) && !$0.rounds(.bf16) }!
      var batch = PackedBatch()
      batch.append(RandomModel.tokens(1, length: 17, vocabulary: 33_000, seed: 5)[0])
      for stitch in quantised.stitches {
        let networks = try [quantised, same].map { family in
          family.network(stitch.route, adapter: try trainer(family, batch).snapshot())
        }
        func factors(_ projection: Projection) -> Int {
          (projection.lowRank?.rank ?? 0) * (projection.inputSize + projection.outputSize)
        }
        func factorBytes(_ projection: Projection) -> Int {
          projection.byteCount - projection.weight.byteCount
            - 4 * ((projection.bias?.count ?? 0) + (projection.extraBias?.count ?? 0))
        }
        for (network, size) in zip(networks, [2, 4]) {
          for stage in network.stages {
            switch stage {
            case .block(let block):
              #expect(block.query.lowRank != nil && block.output.lowRank != nil)
              #expect(block.projections.map(factorBytes) == block.projections.map { size * factors($0) })
            case .stitch(let layer):
              #expect(layer.lowRank != nil && factorBytes(layer) == 4 * factors(layer))
            }
          }
        }
        let logits = try networks.map {
          try InferenceSession(network: $0, contextLength: nil, chunkSize: 64, pool: .shared, kernels: exact)
            .evaluate(batch.tokens.map(Int.init), logits: .all).dense.array
        }
        let without = try InferenceSession(
          network: quantised.network(stitch.route, adapter: nil), contextLength: nil, chunkSize: 64, pool: .shared,
          kernels: exact
        ).evaluate(batch.tokens.map(Int.init), logits: .all).dense.array
        let lost = relativeDifference(logits[0], logits[1])
        #expect(lost > 1e-5 && lost < 0x1p-8, "\(stitch.id): \(lost)")
        #expect(lost < relativeDifference(logits[1], without) / 20, "\(stitch.id): \(lost)")
      }
    }
  }

  @Test func gradientsOverAQuantisedBaseAreThoseOverItsFloats() throws {
    try withScratchDirectory { folder in
      let quantised = try family(.q8_0, in: folder)
      let families = [quantised, try widened(quantised, in: folder)]
      var batch = PackedBatch()
      for tokens in RandomModel.tokens(3, length: 15, vocabulary: 33_000, seed: 8) { batch.append(tokens) }
      for stitch in quantised.stitches {
        let found = try families.map { family in
          let trainer = try trainer(family, batch)
          return try Trainer(store: trainer.store, pool: ComputePool(threads: 2))
            .gradients(trainer.trainingNetwork(stitch.route), batch)
        }
        #expect(abs(found[0].loss - found[1].loss) < 1e-5)
        #expect(Set(found[0].gradients.keys) == Set(found[1].gradients.keys) && found[0].gradients.count > 8)
        for (name, gradient) in found[0].gradients {
          let expected = try #require(found[1].gradients[name])
          #expect(expected.contains { $0 != 0 }, "\(name) has no gradient to compare")
          #expect(relativeDifference(gradient, expected) < 1e-4, "\(stitch.id) \(name)")
        }
      }
    }
  }

  /// Normal equations in many small groups give the layers that one large group gives.
  @Test func leastSquaresInGroupsIsTheSame() throws {
    try withScratchDirectory { folder in
      let anchors = try [("small", 4, 96), ("large", 6, 128)].map { name, blocks, hidden in
        let configuration = RandomModel.configuration(hidden: hidden, blocks: blocks, heads: 4, intermediate: 2 * hidden)
        let place = folder.appending(path: name)
        return FamilyBuilder.Anchor(
          name: name,
          directory: try RandomModel.write(configuration, weights: RandomModel.weights(configuration, seed: UInt64(blocks)), to: place))
      }
      // Room for all; for six of nine routes and the streams between groups (1.08 MB); for one route and no streams.
      let layers = try [2 << 30, 1_100_000, 1000].map { memory in
        var options = FamilyBuilder.Options(name: "groups", chatTemplate: "tiny")
        options.memory = memory
        options.window = 2
        let family = try FamilyBuilder(anchors, options: options, pool: ComputePool(threads: 2)).build(
          calibration: RandomModel.tokens(40, length: 30), tokenizer: Data("x".utf8),
          output: folder.appending(path: "family-\(memory)"))!
        return try Data(contentsOf: family.directory.appending(path: "stitches.safetensors"))
      }
      #expect(layers[1] == layers[0] && layers[2] == layers[0])
    }
  }
}
