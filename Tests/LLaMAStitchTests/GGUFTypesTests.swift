import Foundation
import LLaMAStitch
import Testing

/// Every type of a GGUF file's tensors, against what the package gguf makes of the same bits (scripts/gguf_fixture.py).
@Suite struct GGUFTypesTests {
  static let types: [GGUFTensorType] = GGUFTensorType.allCases.filter { ![.q8_1, .q8_k].contains($0) }

  @Test(arguments: types) func valuesAreThoseOfGGUF(type: GGUFTensorType) throws {
    let file = try GGUFFile(Fixtures.gguf("types.gguf"))
    let tensor = try #require(file.tensors[type.name])
    #expect(tensor.type == type && tensor.shape == [6, 256])
    let expected = try #require(file.tensors["\(type.name).values"]).floats()
    let found = tensor.floats()
    #expect(expected.contains { $0 != 0 } && expected.count == 6 * 256)
    let wrong = found.indices.filter { found[$0].bitPattern != expected[$0].bitPattern }
    #expect(wrong.isEmpty, "\(type.name): \(wrong.count) differ, first \(wrong.first ?? 0)")
  }

  /// The package has no values for these two: a float or half, then signed bytes.
  @Test func eightBitsForProducts() throws {
    for (type, scale, length, size) in [
      (GGUFTensorType.q8_1, [0x00, 0x38, 0x55, 0x55] as [UInt8], 32, 36),
      (.q8_k, [0x00, 0x00, 0x00, 0x3F], 256, 292),
    ] {
      let quants = (0..<length).map { UInt8(truncatingIfNeeded: $0 * 37) }
      let block = scale + quants + [UInt8](repeating: 0x77, count: size - length - 4)
      var header = GGUFBytes(tensors: 1)
      header.tensor("t", [UInt64(length)], type: type.rawValue)
      header.content(0)
      try withScratchDirectory { directory in
        let url = directory.appending(path: "block.gguf")
        try (header.data + Data(block)).write(to: url)
        let tensor = try #require(try GGUFFile(url).tensors["t"])
        #expect(tensor.floats() == quants.map { 0.5 * Float(Int8(bitPattern: $0)) }, "\(type.name)")
      }
    }
  }

  @Test func aTypeThatIsNotReadIsNamed() throws {
    let outside: [(UInt32, String)] = [
      (16, "IQ2_XXS"), (17, "IQ2_XS"), (18, "IQ3_XXS"), (19, "IQ1_S"), (21, "IQ3_S"), (22, "IQ2_S"), (24, "I8"),
      (28, "F64"), (29, "IQ1_M"), (34, "TQ1_0"), (35, "TQ2_0"), (39, "MXFP4"), (40, "NVFP4"), (99, "type 99"),
    ]
    try withScratchDirectory { directory in
      let url = directory.appending(path: "other.gguf")
      for (number, name) in outside {
        var header = GGUFBytes(tensors: 1)
        header.tensor("blk.0.ffn_up.weight", [256], type: number)
        header.content(512)
        try header.data.write(to: url)
        expectOneLine([url.path, "“blk.0.ffn_up.weight” is \(name),", "IQ4_XS", "Q5_1", "Q2_K"]) {
          _ = try GGUFFile(url)
        }
      }
    }
  }
}
