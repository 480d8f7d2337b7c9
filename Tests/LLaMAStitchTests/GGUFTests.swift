import EngineBenchmarks
import Foundation
import LLaMAStitch
import Testing

@Suite struct GGUFTests {
  private func make(
    version: UInt32 = 3, tensors: UInt64 = 0, values: UInt64 = 0, _ body: (inout GGUFBytes) -> Void
  ) -> Data {
    var bytes = GGUFBytes(version: version, tensors: tensors, values: values)
    body(&bytes)
    return bytes.data
  }

  @Test func damagedFilesAreOneLineErrors() throws {
    let cases: [(Data, String)] = [
      (Data(), "does not begin"),
      (Data("GGUF".utf8), "does not begin"),
      (Data("GGML".utf8) + Data(count: 40), "does not begin"),
      (make(version: 1) { _ in }, "version 1"),
      (make(version: 3 << 24) { _ in }, "big endian"),
      (make(tensors: .max) { _ in }, "tensors, more than"),
      (make(values: 1 << 60) { _ in }, "values, more than"),
      (
        make(values: 1) {
          $0.put(UInt64.max); $0.content(64)
        }, "bytes of text, more than"
      ),
      (
        make(values: 1) {
          $0.put("a"); $0.put(UInt32(77)); $0.content(64)
        }, "unknown type 77"
      ),
      (
        make(values: 1) {
          $0.put("a"); $0.put(UInt32(9)); $0.put(UInt32(9)); $0.content(64)
        }, "elements of type 9"
      ),
      (
        make(values: 1) {
          $0.put("a"); $0.put(UInt32(9)); $0.put(UInt32(8)); $0.put(UInt64.max / 2); $0.content(64)
        },
        "elements of a list, more than"
      ),
      (
        make(values: 2) {
          for _ in 0..<2 { $0.put("a"); $0.put(UInt32(0)); $0.put(UInt8(1)) }; $0.content(64)
        },
        "names “a” twice"
      ),
      (
        make(tensors: 1) {
          $0.tensor("t", []); $0.content(64)
        }, "0 dimensions"
      ),
      (
        make(tensors: 1) {
          $0.tensor("t", [1, 1, 1, 1, 1]); $0.content(64)
        }, "5 dimensions"
      ),
      (
        make(tensors: 1) {
          $0.tensor("t", [0]); $0.content(64)
        }, "impossible shape"
      ),
      (
        make(tensors: 1) {
          $0.tensor("t", [.max]); $0.content(64)
        }, "impossible shape"
      ),
      (
        make(tensors: 1) {
          $0.tensor("t", [1 << 31, 1 << 31, 1 << 31]); $0.content(64)
        }, "larger than the file"
      ),
      (
        make(tensors: 1) {
          $0.tensor("t", [8], type: 16); $0.content(64)
        }, "“t” is IQ2_XXS"
      ),
      (
        make(tensors: 1) {
          $0.tensor("t", [8], type: 1000); $0.content(64)
        }, "“t” is type 1000"
      ),
      (
        make(tensors: 1) {
          $0.tensor("t", [40], type: 12); $0.content(64)
        }, "no whole blocks"
      ),
      (
        make(tensors: 1) {
          $0.tensor("t", [8], start: 1 << 40); $0.content(64)
        }, "outside the file"
      ),
      (
        make(tensors: 1) {
          $0.tensor("t", [8], start: .max); $0.content(64)
        }, "outside the file"
      ),
      (
        make(tensors: 1) {
          $0.tensor("t", [8], start: 4); $0.content(64)
        }, "outside the file"
      ),
      (
        make(tensors: 1) {
          $0.tensor("t", [32]); $0.content(64)
        }, "outside the file"
      ),
      (
        make(tensors: 2) {
          for _ in 0..<2 { $0.tensor("t", [8]) }; $0.content(64)
        }, "two tensors “t”"
      ),
      (
        make(values: 1) {
          $0.put("general.alignment"); $0.put(UInt32(4)); $0.put(UInt32(0)); $0.content(64)
        },
        "alignment is not a power of two"
      ),
    ]
    try withScratchDirectory { directory in
      let url = directory.appending(path: "model.gguf")
      for (data, part) in cases {
        try data.write(to: url)
        expectOneLine([url.path, part]) { _ = try GGUFFile(url) }
      }
    }
  }

  /// A small model written as GGUF.
  private func model(in directory: URL) throws -> (Family, URL) {
    let family = try RandomModel.family(in: TemporaryFolder())
    let url = directory.appending(path: "model.gguf")
    try MergedAnchor(family, stitch: "small", adapter: nil)
      .writeGGUF(to: url, name: "small", elementType: .f32, vocabulary: [])
    return (family, url)
  }

  @Test func everyBeginningOfAFileIsRefused() throws {
    try withScratchDirectory { directory in
      let (_, url) = try model(in: directory)
      let whole = try Data(contentsOf: url)
      let part = directory.appending(path: "part.gguf")
      for count in stride(from: 0, to: whole.count - 32, by: 7) {
        try whole.prefix(count).write(to: part)
        expectOneLine([part.path]) { _ = try GGUFModel(part) }
      }
    }
  }

  @Test func aModelComesBackAsItWas() throws {
    try withScratchDirectory { directory in
      let (family, url) = try model(in: directory)
      let model = try GGUFModel(url)
      let original = family.anchors[0]
      var expected = original.configuration
      expected.eosTokens = model.configuration.eosTokens
      expected.bosToken = model.configuration.bosToken
      #expect(model.configuration == expected)
      let copy = directory.appending(path: "copy")
      try model.write(to: copy, elementType: nil, files: [:])
      let opened = try LlamaModel.load(directory: copy)
      #expect(opened.embedding.floats() == original.embedding.floats())
      for (mine, theirs) in zip(opened.blocks, original.blocks) {
        for (a, b) in zip(mine.projections, theirs.projections) { #expect(a.weight.floats() == b.weight.floats()) }
        #expect(mine.attentionNorm.values.array == theirs.attentionNorm.values.array)
      }
    }
  }

  /// Rows that lie one after the other become panels; those of queries and keys change their order on the way.
  @Test(arguments: [ElementType.q8_0, .q4_0, .q4_1]) func quantisedRowsBecomePanels(type: ElementType) throws {
    try withScratchDirectory { directory in
      let (heads, width) = (5, 8)
      let configuration = RandomModel.configuration(
        hidden: 64, heads: heads, keyValueHeads: heads, headDimension: width, intermediate: 96, vocabulary: 50)
      let (url, copy) = (directory.appending(path: "model.gguf"), directory.appending(path: "copy"))
      try configuration.writeRandomGGUF(type, to: url)
      try GGUFModel(url).write(to: copy, elementType: nil, files: [:])
      let source = try GGUFFile(url)
      let written = try SafetensorsFile(copy.appending(path: "model.safetensors"))
      // Where a row is in the file: of a head's first half the even ones, of its second half the odd ones.
      func turned(_ row: Int) -> Int { row / width * width + row % width % (width / 2) * 2 + row % width / (width / 2) }
      for (name, theirs, order) in [
        ("model.embed_tokens.weight", "token_embd.weight", { $0 }),
        ("model.layers.1.self_attn.q_proj.weight", "blk.1.attn_q.weight", turned),
        ("model.layers.0.self_attn.k_proj.weight", "blk.0.attn_k.weight", turned),
        ("model.layers.0.self_attn.v_proj.weight", "blk.0.attn_v.weight", { $0 }),
        ("model.layers.2.mlp.gate_proj.weight", "blk.2.ffn_gate.weight", { $0 }),
      ] as [(String, String, (Int) -> Int)] {
        let (found, tensor) = (try written.tensor(name), try #require(source.tensors[theirs]))
        #expect(found.type.isQuantized && found.shape == tensor.shape)
        let (values, expected, columns) = (found.floats(), tensor.floats(), found.shape[1])
        for row in 0..<found.shape[0] {
          let place = order(row) * columns
          #expect(
            values[row * columns..<(row + 1) * columns] == expected[place..<place + columns], "\(name) row \(row)")
        }
      }
    }
  }

  /// Biases are vectors, whose elements are rows: those of queries and keys change their order, in whatever type.
  @Test(arguments: [nil, ElementType.bf16]) func biasesComeBackInTheirOrder(type: ElementType?) throws {
    try withScratchDirectory { directory in
      var configuration = RandomModel.configuration(headDimension: 8)
      configuration.attentionBias = .all
      let weights = RandomModel.weights(configuration, seed: 4)
      let (url, copy) = (directory.appending(path: "model.gguf"), directory.appending(path: "copy"))
      try configuration.writeGGUF(to: url, name: "biases", elementType: .f32, vocabulary: []) { tensor, start, piece in
        piece.copy(from: weights(tensor.tensor).slice(start..<start + piece.count))
      }
      try GGUFModel(url).write(to: copy, elementType: type, files: [:])
      let written = try ModelDirectory(copy)
      for tensor in configuration.tensors {
        let expected = weights(tensor).array
        let found = try written.tensor(tensor).floats()
        #expect(found == (type == nil ? expected : expected.map { float(bfloat16Bits: bfloat16Bits($0)) }), "\(tensor)")
      }
    }
  }

  @Test func everyTensorHasNamesOfItsOwn() {
    var configuration = RandomModel.configuration()
    configuration.attentionBias = .all
    configuration.mlpBias = true
    let tensors = configuration.tensors
    #expect(tensors.count == 3 + 16 * configuration.blockCount)
    #expect(Set(tensors.map(\.huggingFaceName)).count == tensors.count)
    #expect(Set(tensors.map(\.ggufName)).count == tensors.count)
    for tensor in tensors {
      #expect(tensor.ggufName.hasSuffix(tensor.huggingFaceName.hasSuffix(".bias") ? ".bias" : ".weight"))
    }
  }

  /// One block of 256 elements of a type, with bytes that a formula makes.
  private func block(_ type: UInt32, bytes: [UInt8]) throws -> [Float] {
    try withScratchDirectory { directory in
      let data = make(tensors: 1) { bytes_ in
        bytes_.tensor("t", [256, 1], type: type)
        bytes_.content(0)
        bytes_.data.append(contentsOf: bytes)
      }
      let url = directory.appending(path: "block.gguf")
      try data.write(to: url)
      return try GGUFFile(url).tensors["t"]!.floats()
    }
  }

  /// Bits of a half: 0.5.
  private let half: [UInt8] = [0x00, 0x38]

  @Test(arguments: [12, 13] as [UInt32]) func q4KAndQ5KFollowTheirDefinition(_ type: UInt32) throws {
    // Scales and minima of the eight groups, packed to 6 bits each.
    let scales = (1...8).map { UInt8($0 * 7) }
    let minima = (9...16).map { UInt8($0 * 3) }
    var packed = [UInt8](repeating: 0, count: 12)
    for group in 0..<4 {
      packed[group] = scales[group] | (scales[group + 4] >> 4) << 6
      packed[group + 4] = minima[group] | (minima[group + 4] >> 4) << 6
      packed[group + 8] = scales[group + 4] & 15 | (minima[group + 4] & 15) << 4
    }
    func quant(_ element: Int) -> UInt8 { UInt8((element * 5 + element / 32) % (type == 12 ? 16 : 32)) }
    func low(_ element: Int) -> UInt8 { quant(element) & 15 }
    var quants: [UInt8] = []
    for pair in 0..<4 {
      for index in 0..<32 { quants.append(low(pair * 64 + index) | low(pair * 64 + 32 + index) << 4) }
    }
    // Bit g of byte i is the fifth bit of element i of group g.
    let fifths = (0..<32).map { index in (0..<8).reduce(UInt8(0)) { $0 | (quant($1 * 32 + index) >> 4) << UInt8($1) } }
    let floats = try block(type, bytes: half + half + packed + (type == 13 ? fifths : []) + quants)
    for element in 0..<256 {
      let group = element / 32
      #expect(floats[element] == 0.5 * Float(scales[group]) * Float(quant(element)) - 0.5 * Float(minima[group]))
    }
  }

  @Test func q6KFollowsItsDefinition() throws {
    func quant(_ element: Int) -> UInt8 { UInt8((element * 11 + element / 16) % 64) }
    var low = [UInt8](repeating: 0, count: 128)
    var high = [UInt8](repeating: 0, count: 64)
    for element in 0..<256 {
      let (half, rest) = element.quotientAndRemainder(dividingBy: 128)
      let (quarter, index) = rest.quotientAndRemainder(dividingBy: 32)
      low[half * 64 + quarter % 2 * 32 + index] |= (quant(element) & 15) << UInt8(quarter / 2 * 4)
      high[half * 32 + index] |= (quant(element) >> 4) << UInt8(2 * quarter)
    }
    let scales = (0..<16).map { Int8($0 * 9 - 70) }
    let floats = try block(14, bytes: low + high + scales.map { UInt8(bitPattern: $0) } + half)
    for element in 0..<256 {
      #expect(floats[element] == 0.5 * Float(scales[element / 16]) * (Float(quant(element)) - 32))
    }
  }
}
