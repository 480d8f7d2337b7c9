import Foundation
import LLaMAStitch
import Testing

/// What the metadata and tensors of a GGUF file may be besides plain (scripts/gguf_fixture.py).
@Suite struct GGUFModelTests {
  @Test func numbersOfEveryWidth() throws {
    let (plain, odd) = (try GGUFModel(Fixtures.gguf("tiny.gguf")), try GGUFModel(Fixtures.gguf("odd.gguf")))
    let kinds = Set(odd.file.metadata.filter { $0.key.hasPrefix("llama.") }.map { "\($0.value)".prefix { $0 != "(" } })
    #expect(kinds.isSuperset(of: ["signed", "unsigned", "number"]))
    var expected = plain.configuration
    expected.vocabularySize = 48
    expected.ropeScaling = .table(factors: [1, 1, 2, 4], magnitude: 1)
    expected.eosTokens = [2, 5]
    #expect(odd.configuration == expected)
    #expect(try GGUFVocabulary(of: odd.file).addsSpacePrefix == false)
    #expect(try GGUFVocabulary(of: plain.file).addsSpacePrefix)
    #expect(try odd.generationDefaults()?.sampling == SamplingOptions(temperature: 0.5, topK: 7))
    #expect(try plain.generationDefaults() == nil)
  }

  @Test func frequenciesAreDividedByTheirTable() throws {
    let (plain, odd) = (try GGUFModel(Fixtures.gguf("tiny.gguf")), try GGUFModel(Fixtures.gguf("odd.gguf")))
    let (a, b) = (
      RotaryEmbedding.inverseFrequencies(plain.configuration), RotaryEmbedding.inverseFrequencies(odd.configuration)
    )
    #expect(zip(a, b).map { $0 / $1 } == [1, 1, 2, 4])
  }

  /// One byte of a file changed, and what is said of it.
  private func expectRefusal(
    of name: String, _ parts: [String], change: (inout Data) throws -> Void
  ) throws {
    try withScratchDirectory { directory in
      let (file, output) = (directory.appending(path: "bad.gguf"), directory.appending(path: "output"))
      var data = try Data(contentsOf: Fixtures.gguf(name))
      try change(&data)
      try data.write(to: file)
      expectOneLine([file.path] + parts) { try GGUFModel(file).write(to: output, elementType: nil, files: [:]) }
      #expect(try FileManager.default.contentsOfDirectory(atPath: directory.path) == ["bad.gguf"])
    }
  }

  /// The head's last block ends the file.
  @Test(arguments: [[0xFF, 0x7F], [0x00, 0x7C], [0x00, 0xFC]] as [[UInt8]])
  func aScaleThatIsNoNumber(half: [UInt8]) throws {
    try expectRefusal(of: "odd.gguf", ["“output.weight”", "infinite or no numbers"]) { data in
      data.replaceSubrange(data.count - 34..<data.count - 32, with: half)
    }
  }

  @Test func aTableThatIsNone() throws {
    let table = [1, 1, 2, 4].flatMap { value in withUnsafeBytes(of: Float(value).bitPattern) { Array($0) } }
    for (index, wrong) in [Float.nan, 0, -1, .infinity].enumerated() {
      try expectRefusal(of: "odd.gguf", ["“rope_freqs.weight”", "positive numbers"]) { data in
        let place = try #require(data.range(of: Data(table))).lowerBound + 4 * index
        data.replaceSubrange(place..<place + 4, with: withUnsafeBytes(of: wrong.bitPattern) { Array($0) })
      }
    }
  }

  @Test func metadataThatCannotBe() throws {
    func change(_ key: String, to bytes: [UInt8]) -> (inout Data) throws -> Void {
      { data in
        // Its value stands after the key and the number of its type.
        let place = try #require(data.range(of: Data(key.utf8))).upperBound + 4
        data.replaceSubrange(place..<place + bytes.count, with: bytes)
      }
    }
    let huge: [UInt8] = [0, 0, 0, 0, 0, 0, 0, 0x10]
    for (key, bytes, words) in [
      ("llama.context_length", huge, "llama.context_length is not a whole number from 1"),
      ("llama.feed_forward_length", huge, "llama.feed_forward_length is not a whole number from 1"),
      ("llama.block_count", [0], "llama.block_count is not"), ("llama.block_count", [3], "no tensor “blk.2."),
      ("llama.attention.head_count", [0xFF], "head_count is not"), ("llama.attention.head_count", [3], "heads"),
      ("llama.rope.dimension_count", [4, 0], "rope.dimension_count differs"),
    ] as [(String, [UInt8], String)] {
      try expectRefusal(of: "odd.gguf", [words], change: change(key, to: bytes))
    }
    // A tensor's type, of other blocks: its rows are too short for them.
    try expectRefusal(of: "tiny.gguf", ["“token_embd.weight”", "no whole blocks"]) { data in
      let place = try #require(data.range(of: Data("token_embd.weight".utf8))).upperBound + 4 + 16
      data[place] = 12
    }
  }
}
