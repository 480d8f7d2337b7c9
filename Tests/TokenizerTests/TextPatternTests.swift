import Foundation
import Testing

import Tokenizer

/// How long patterns may look, and that quicker ways find the same.
@Suite struct TextPatternTests {
  /// A tokenizer that cuts at each of some patterns.
  private func tokenizer(_ patterns: String...) throws -> BytePairTokenizer {
    var vocabulary = try BytePairTests.tokenizer("smollm").vocabulary
    vocabulary.preTokenizers =
      try patterns.map { .split(.pattern(try TextPattern($0, file: "sample")), .isolated, isInverted: false) }
      + [.byteLevel(addsSpace: false, usesPattern: false)]
    return try BytePairTokenizer(vocabulary, source: "sample")
  }

  /// Eighteen letters may be read in 2¹⁸ ways, all in vain: every letter of a long word takes so many steps.
  private let slow = "(?:a|a){18}b|a"

  @Test func manySlowMatchesAreGivenUpTogether() throws {
    let tokenizer = try tokenizer(slow)
    #expect(try tokenizer.decode(tokenizer.encode(String(repeating: "a", count: 20))).count == 20)
    #expect(throws: TokenizerError.patternGaveUp(slow)) { try tokenizer.encode(String(repeating: "a", count: 4_000)) }
    // It goes on with another text.
    #expect(try tokenizer.decode(tokenizer.encode("aab")) == "aab")
  }

  @Test func soAreThoseOfManyWordsAndSteps() throws {
    let words = String(repeating: String(repeating: "a", count: 20) + " ", count: 400)
    #expect(throws: TokenizerError.patternGaveUp(slow)) { try tokenizer(" ", slow).encode(words) }
    // The same in a normalizer.
    var vocabulary = try tokenizer(" ").vocabulary
    vocabulary.normalizers = [.replace(.pattern(try TextPattern(slow, file: "sample")), "x")]
    let normalizing = try BytePairTokenizer(vocabulary, source: "sample")
    #expect(throws: TokenizerError.patternGaveUp(slow)) { try normalizing.encode(words) }
  }

  @Test func usualPatternsNeverAre() throws {
    // DeepSeek's: before a letter, every space would be tried as the first of those at the end.
    let spaces = String(repeating: " ", count: 20_000)
    let tokenizer = try tokenizer("[\r\n]", #"\s?\p{L}+"#, #"\s+$"#, "[一-龥]+")
    for text in [spaces + "x", "x" + spaces + "x" + spaces, String(repeating: "word 一二 \n", count: 2_000)] {
      #expect(try tokenizer.decode(tokenizer.encode(text)) == text)
    }
  }

  /// Of the patterns that are put in another way.
  @Test func whatIsQuickerFindsTheSame() throws {
    let (quick, plain) = (try tokenizer(#"\s+$"#, "a"), try tokenizer(#"(?:\s+$)"#, "a"))
    let texts = [
      "", " ", "  ", "\n", "a ", " a", "a  \n  a", "  \n\n  a \n", "\n\n\n a", "a\n",
      "\u{3000}\u{A0}\n\u{85} a\u{2028}",
    ]
    // And every text of eight such characters.
    let all = (0..<6561).map { number in
      String((0..<8).map { Array(" \na")[number / [1, 3, 9, 27, 81, 243, 729, 2187][$0] % 3] })
    }
    for text in texts + all {
      #expect(try quick.encode(text) == plain.encode(text), "\(text.debugDescription)")
    }
  }

  /// Normalised text is cut by the scanners as it is step by step.
  @Test(arguments: TextSplitting.allCases) func normalisedTextIsCutTheSame(_ splitting: TextSplitting) throws {
    var vocabulary = try BytePairTests.tokenizer(splitting.rawValue).vocabulary
    let think = vocabulary.tokens.count
    for isNormalized in [false, true] {
      vocabulary.normalizers = [.composed]
      if isNormalized {
        vocabulary.tokens.append("é>")
        vocabulary.added.append(.init(token: think, text: "é>", isSpecial: false))
        vocabulary.added[vocabulary.added.count - 1].isNormalized = true
      }
      let scanning = try BytePairTokenizer(vocabulary, source: "scanner")
      #expect(scanning.vocabulary.splitting == splitting)
      var steps = vocabulary
      // Cuts nothing, and is no known way.
      steps.preTokenizers.insert(.split(.text("\u{10FFFF}"), .isolated, isInverted: false), at: 0)
      let stepping = try BytePairTokenizer(steps, source: "steps")
      #expect(stepping.vocabulary.splitting == nil)
      let composed = [
        "plain 12 text's", "e\u{301}te\u{301} 12", "e\u{301}>", "e\u{301}> e\u{301}", "한국어 \u{1112}\u{1161}\u{11AB}",
      ]
      for text in try BytePairTests.texts(splitting.rawValue) + composed {
        let ids = try scanning.encode(text)
        #expect(try ids == stepping.encode(text), "\(text.debugDescription)")
      }
      #expect(try scanning.encode("e\u{301}te\u{301}") == scanning.encode("été"))
      #expect(try scanning.encode("e\u{301}>").contains(think) == isNormalized)
    }
  }

  @Test func marksWithAccentsAreSpacesToo() throws {
    var vocabulary = try BytePairTests.tokenizer("llama2").vocabulary
    let token = vocabulary.tokens.count
    vocabulary.tokens.append("\u{2581}\u{301}")
    let tokenizer = try BytePairTokenizer(vocabulary, source: "sample")
    let letter = try #require(tokenizer.token(forPiece: "a"))
    #expect(try Array(tokenizer.decode([letter, token]).unicodeScalars) == ["a", " ", "\u{301}"])
  }

  /// Letters newer than the library are in no list of letters that a pattern has, and are letters all the same.
  @Test func newLettersAreInNoList() throws {
    func removes(_ pattern: String, _ text: String) throws -> Bool {
      var vocabulary = try BytePairTests.tokenizer("qwen2").vocabulary
      vocabulary.preTokenizers.insert(
        .split(.pattern(try TextPattern(pattern, file: "sample")), .removed, isInverted: false), at: 0)
      return try BytePairTokenizer(vocabulary, source: "sample").encode(text).isEmpty
    }
    let listed = "[A-Za-zµÀ-ÖØ-öø-ƺΣ-ϵᴀ-ᴫᵹ-ᶚℂⅎꜢ-ꝯꝱ-ꞇꞋ-ꞎ]"
    #expect(try removes(listed, "Aƛϒꞎ"))
    // But for those that complete a script.
    #expect(try removes("[Ⰰ-ⱻ]", "\u{2C2F}\u{2C5F}") && removes("\\p{Lu}\\p{Ll}", "\u{2C2F}\u{2C5F}"))
    for (letter, isBefore) in [("\u{A7DC}", false), ("\u{A7DB}", false), ("\u{A7F2}", false), ("\u{1C89}", true)] {
      #expect(try !removes(listed, letter) && removes("\\p{L}", letter), "\(letter.debugDescription)")
      #expect(try removes("[ࠀ-一]", letter) == isBefore, "\(letter.debugDescription)")
    }
  }
}
