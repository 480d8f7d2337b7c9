import Foundation
import Testing

import Tokenizer

/// Byte-level BPE, beside the ids of Hugging Face's tokenizers (`scripts/tokenizer_fixture.py`).
@Suite struct BytePairTests {
  private struct Line: Decodable {
    var text: String
    var ids: [Int]
    var decoded: String?
  }

  static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent(
    "Fixtures")

  static func tokenizer(_ name: String) throws -> BytePairTokenizer {
    try #require(try loadTokenizer(from: folder.appendingPathComponent(name).path) as? BytePairTokenizer)
  }

  /// By name those with scanners of their own, those that go step by step, and SentencePiece's in another form.
  static let fixtures =
    TextSplitting.allCases.map(\.rawValue) + ["tekken", "falcon", "behaviours", "words", "spaces"]
    + ["llama2", "mistral", "metaspace"]

  private static func lines(_ name: String) throws -> [Line] {
    let file = folder.appendingPathComponent("\(name)/texts.jsonl")
    let lines = try Data(contentsOf: file).split(separator: UInt8(ascii: "\n"))
    try #require(lines.count == 400)
    return try lines.map { try JSONDecoder().decode(Line.self, from: Data($0)) }
  }

  /// The texts of a fixture.
  static func texts(_ name: String) throws -> [String] { try lines(name).map(\.text) }

  @Test(arguments: fixtures) func sameIds(_ name: String) throws {
    let tokenizer = try Self.tokenizer(name)
    #expect(tokenizer.vocabulary.splitting == TextSplitting(rawValue: name))
    for line in try Self.lines(name) {
      #expect(try tokenizer.encode(line.text) == line.ids, "\(line.text.debugDescription)")
      // Not as strings: those with the same characters in other forms are equal.
      guard let expected = line.decoded else { continue }
      let decoded = try tokenizer.decode(line.ids)
      #expect(decoded.unicodeScalars.elementsEqual(expected.unicodeScalars), "\(line.text.debugDescription)")
    }
  }

  /// Marks come in canonical order, those too that compatibility takes out of a character, as the reference has them.
  @Test func compatibilityMarksAreOrdered() throws {
    let tokenizer = try Self.tokenizer("spaces")
    for accented in ["e\u{301}", "\u{E9}"] {
      let expected = try tokenizer.encode("e\u{309A}\u{301}")
      #expect(try tokenizer.encode(accented + "\u{FF9F}") == expected)
      let decoded = try tokenizer.decode(expected).unicodeScalars
      #expect(decoded.elementsEqual("e\u{309A}\u{301}".unicodeScalars))
    }
  }

  /// A Hangul syllable is one however it is spelled, as the reference composes it.
  @Test func syllablesAreComposed() throws {
    var vocabulary = try Self.tokenizer("qwen2").vocabulary
    vocabulary.normalizers = [.composed]
    let tokenizer = try BytePairTokenizer(vocabulary, source: "composed")
    let expected = try tokenizer.encode("into \u{C5EA}!")
    for spelling in ["\u{C5D0}\u{11C1}", "\u{110B}\u{1166}\u{11C1}"] {
      #expect(try tokenizer.encode("into \(spelling)!") == expected)
    }
    // The jamo beside final consonants belong to no syllable; marks that come out of one go before those that follow.
    let ids = try tokenizer.encode("\u{B290}\u{11C3}\u{AC00}\u{11A7}\u{F75}\u{2CF1}x\u{2CF1}\u{F75}")
    let decoded = try tokenizer.decode(ids).unicodeScalars
    #expect(
      decoded.elementsEqual(
        "\u{B290}\u{11C3}\u{AC00}\u{11A7}\u{F71}\u{F74}\u{2CF1}x\u{F71}\u{F74}\u{2CF1}".unicodeScalars))
  }

  /// Every character there is has the class that the reference gives it, those newer than the reference included.
  @Test(arguments: TextSplitting.allCases) func sameClasses(_ splitting: TextSplitting) throws {
    let file = Self.folder.appendingPathComponent("\(splitting.rawValue)/classes.txt")
    var classes = CharacterClasses()
    var digest: UInt64 = 0xCBF2_9CE4_8422_2325
    for page in UInt32(0)..<0x1100 {
      var text: [Unicode.Scalar] = []
      for scalar in (page << 8..<(page + 1) << 8).compactMap(Unicode.Scalar.init) {
        text += ["a", scalar, "1", scalar, "!", scalar, "\n"]
      }
      for end in splitting.ends(of: text, &classes) { digest = (digest ^ UInt64(end)) &* 0x100_0000_01B3 }
    }
    let expected = try String(contentsOf: file, encoding: .utf8).trimmingCharacters(in: .whitespacesAndNewlines)
    #expect(String(digest, radix: 16) == String(try #require(UInt64(expected, radix: 16)), radix: 16))
  }

  @Test(arguments: fixtures) func itsOwnFileSaysTheSame(_ name: String) throws {
    let tokenizer = try Self.tokenizer(name)
    let directory = FileManager.default.temporaryDirectory.appendingPathComponent("bpe-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: directory) }
    var vocabulary = tokenizer.vocabulary
    vocabulary.eosToken = 2
    for (name, data) in vocabulary.files { try data.write(to: directory.appendingPathComponent(name)) }
    let again = try loadTokenizer(from: directory.path)
    #expect((again as? BytePairTokenizer)?.vocabulary == vocabulary && again.eosToken == 2)
  }

  @Test func specialTokensComeFromTemplatesAlone() throws {
    let tokenizer = try Self.tokenizer("smollm")
    let end = try #require(tokenizer.controlToken("<|im_end|>"))
    #expect(try !tokenizer.encode("a<|im_end|>b").contains(end))
    #expect(try tokenizer.decode(tokenizer.encode("a<|im_end|>b")) == "a<|im_end|>b")
    let pieces = [
      TextPiece("<|im_end|>", recognizesSpecialTokens: true), TextPiece("<|im_end|>", recognizesSpecialTokens: false),
    ]
    #expect(try tokenizer.encode(pieces: pieces, joining: .start) == [end] + tokenizer.encode("<|im_end|>"))
  }

  @Test func ordinaryAddedTokensComeFromWhateverSomebodyWrote() throws {
    var vocabulary = try Self.tokenizer("smollm").vocabulary
    let think = vocabulary.tokens.count
    vocabulary.tokens.append("<think>")
    vocabulary.added.append(.init(token: think, text: "<think>", isSpecial: false))
    let tokenizer = try BytePairTokenizer(vocabulary, source: "sample")
    let end = try #require(tokenizer.controlToken("<|im_end|>"))
    let expected = try tokenizer.encode("a ") + [think] + tokenizer.encode(" b")
    #expect(try tokenizer.encode("a <think> b") == expected)
    let written = TextPiece("a <think> b", recognizesSpecialTokens: false)
    #expect(try tokenizer.encode(pieces: [written], joining: .start) == expected)
    // Between a template's own words, too, and where both together spell it.
    let pieces = [
      TextPiece("<|im_end|>", recognizesSpecialTokens: true), written,
      TextPiece("<|im_end|><th", recognizesSpecialTokens: true), TextPiece("ink>", recognizesSpecialTokens: false),
    ]
    #expect(try tokenizer.encode(pieces: pieces, joining: .start) == [end] + expected + [end, think])
  }

  @Test func bytesAndLongWords() throws {
    let tokenizer = try Self.tokenizer("gpt2")
    let bytes: [UInt8] = [0x61, 0xFF, 0xC3, 0x62, 0xED, 0xA0, 0x80, 0xF0, 0x9F]
    var isAtStart = true
    let again = try tokenizer.encode(bytes: bytes).flatMap { try tokenizer.bytes(of: $0, isAtStart: &isAtStart) ?? [] }
    #expect(again == bytes)
    for word in [String(repeating: "a", count: 200_000), String(repeating: " ", count: 200_000)] {
      #expect(try tokenizer.decode(tokenizer.encode(word)) == word)
    }
  }

  @Test func whatIsWrong() throws {
    let file = Self.folder.appendingPathComponent("gpt2/tokenizer.json")
    let text = try String(contentsOf: file, encoding: .utf8)
    func complaint(_ old: String, _ new: String) throws -> String {
      try #require(text.contains(old), "no \(old)")
      let directory = FileManager.default.temporaryDirectory.appendingPathComponent("bpe-\(UUID().uuidString)")
      try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
      defer { try? FileManager.default.removeItem(at: directory) }
      let damaged = directory.appendingPathComponent("tokenizer.json")
      try Data(text.replacing(old, with: new, maxReplacements: 1).utf8).write(to: damaged)
      do { _ = try loadTokenizer(from: directory.path) } catch { return "\(error)" }
      return ""
    }
    #expect(try complaint("\"merges\":[", "\"merges\":[[\"zz\",\"yy\"],").contains("merge 0"))
    #expect(try complaint("\"<|im_start|>\":1", "\"<|im_start|>\":2").contains("id 2"))
    #expect(try complaint("\"<|im_start|>\":1", "\"<|im_start|>\":99999999").contains("outside the vocabulary"))
    for id in ["1.5", "\"1\"", "null", "[1]", "-1e-1"] {
      #expect(try complaint("\"<|im_start|>\":1", "\"<|im_start|>\":\(id)").contains("“<|im_start|>” is no number"))
    }
    for id in ["01", "1x", "-", "1111111111111111111111"] {
      #expect(try !complaint("\"<|im_start|>\":1", "\"<|im_start|>\":\(id)").isEmpty)
    }
    #expect(try complaint("\"<|im_start|>\":1", "\"<|im_start|>\" : 1 ").isEmpty)
    #expect(try complaint("\"ByteLevel\"", "\"Bert\"").contains("“Bert”"))
    #expect(try complaint("\"type\":\"BPE\"", "\"type\":\"WordPiece\"").contains("not BPE"))
    #expect(try complaint("{", "[").contains("invalid JSON"))
  }
}
