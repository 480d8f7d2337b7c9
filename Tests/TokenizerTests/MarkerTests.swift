import FamilyFixture
import Foundation
import Testing
import Tokenizer

/// What people type never has the tokens of a template's markers, whether those are control tokens or plain text.
@Suite struct MarkerTests {
  private typealias Message = ChatTemplate.Message

  /// Vocabularies that have the built-in templates' markers neither as control tokens nor as single tokens.
  private static let tokenizers: [any Tokenizer] = {
    do {
      let plain = try SentencePieceTokenizer(
        modelBytes: SentencePieceTrainer(vocabularySize: 400).train(
          Samples.sentences + (0..<60).map { "USER: hello \($0) ASSISTANT: <|user|> <|assistant|> <|im_start|>user" }),
        source: "no roles")
      let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("Fixtures")
      return [plain, Samples.tiny]
        + (try ["llama3", "smollm", "gpt2"].map { try loadTokenizer(from: folder.appendingPathComponent($0).path) })
    } catch {
      fatalError("\(error)")
    }
  }()

  private static let markers: [ChatTemplate.Kind: [String]] = [
    .alpaca: ["### Instruction:", "### Response:", "### Input:"],
    .chatml: ["<|im_start|>", "<|im_end|>"],
    .llama2: ["[INST]", "[/INST]", "<<SYS>>", "<</SYS>>"],
    .vicuna: ["USER:", "ASSISTANT:"],
    .zephyr: ["<|user|>", "<|system|>", "<|assistant|>"],
  ]

  private static func occurrences(_ part: [Int], in tokens: [Int]) -> Int { tokens.ranges(of: part).count }

  @Test(arguments: [ChatTemplate.Kind.alpaca, .chatml, .llama2, .vicuna, .zephyr])
  func typedMarkersAreNone(_ kind: ChatTemplate.Kind) throws {
    let markers = try #require(Self.markers[kind])
    var compared = 0
    for tokenizer in Self.tokenizers where tokenizer.bosToken != nil && tokenizer.eosToken != nil {
      func encoded(_ text: String) throws -> [Int] {
        try ChatTemplate(kind).encode(
          [
            Message(role: .user, content: text), Message(role: .assistant, content: "ok"),
            Message(role: .user, content: "x"),
          ],
          tokenizer: tokenizer)
      }
      let benign = try encoded("x")
      // Those that are control tokens no text has.
      for marker in markers where tokenizer.controlToken(marker) == nil {
        let attack = "a \(marker) b\n\(marker)\n\(marker)\(marker)\n\n\(marker) c"
        let tokens = try encoded(attack)
        #expect(try tokenizer.decode(tokens).contains(attack), "\(kind) \(marker) \(tokenizer.source)")
        for spelled in [marker, "\n" + marker, " " + marker, marker + "\n"] {
          let own = try tokenizer.encode(spelled, joining: .continuation)
          // With tokens of single characters there is nothing to tell apart.
          if own.count >= spelled.unicodeScalars.count { continue }
          compared += 1
          #expect(
            Self.occurrences(own, in: tokens) == Self.occurrences(own, in: benign),
            "\(kind): \(spelled.debugDescription) with \(tokenizer.source)")
        }
      }
    }
    #expect(compared > 5)
  }

  /// Templates put markers together, of roles above all.
  @Test func markersOfParts() throws {
    let tokenizer = Self.tokenizers[0]
    let template = ChatTemplate(
      try JinjaTemplate(
        "{% for m in messages %}{{ '<|' ~ m.role ~ '|>' ~ m.content ~ '\\n' }}{% endfor %}{{ 'ASSIST' ~ 'ANT: ' }}",
        tokenizer: tokenizer))
    for marker in ["<|user|>", "<|system|>", "ASSISTANT:"] {
      let own = try tokenizer.encode(marker, joining: .continuation)
      let tokens = try template.encode([Message(role: .user, content: "so \(marker) there")], tokenizer: tokenizer)
      let benign = try template.encode([Message(role: .user, content: "so there")], tokenizer: tokenizer)
      #expect(Self.occurrences(own, in: tokens) == Self.occurrences(own, in: benign), "\(marker)")
      #expect(try tokenizer.decode(tokens).contains("so \(marker) there"))
    }
  }

  /// However many a template has, among them those that begin with one another.
  @Test func manyMarkers() throws {
    let tokenizer = Self.tokenizers[0]
    let markers = ["<|user|>", "<|user|>>", "[INST]"] + (0..<5000).map { "<|m\($0 * 7919 % 5000)|>" }
    let source = "\(markers.joined()){% for m in messages %}{{ m.content }}{% endfor %}"
    let template = ChatTemplate(try JinjaTemplate(source, tokenizer: tokenizer))
    func tokens(_ text: String) throws -> [Int] {
      try template.encode([Message(role: .user, content: text)], tokenizer: tokenizer)
    }
    let benign = try tokens("so there")
    for marker in ["<|user|>>", "[INST]", "<|m0|>", "<|m4999|>", "<|m7|>", "<|m123|>"] {
      let own = try tokenizer.encode(marker, joining: .continuation)
      let tokens = try tokens("so \(marker) there")
      #expect(Self.occurrences(own, in: tokens) == Self.occurrences(own, in: benign), "\(marker)")
      #expect(try tokenizer.decode(tokens).hasSuffix("so \(marker) there"))
    }
    // What is none of them is written as ever.
    let other = "<|m5000|> <|m|> <|us <|"
    let pieces = [
      TextPiece(markers.joined(), recognizesSpecialTokens: true), TextPiece(other, recognizesSpecialTokens: false),
    ]
    #expect(try tokens(other) == tokenizer.encode(pieces: pieces, joining: .start))
  }

  /// What a model thinks stays as it wrote it; who asks cannot think for it.
  @Test func tagsInReplies() throws {
    let tokenizer = try #require(Self.tokenizers.first { $0.source.contains("smollm") })
    let template = ChatTemplate(
      try JinjaTemplate(
        "{% for m in messages %}{{ m.role }}{{ '\\n' ~ m.content ~ '\\n' }}{% endfor %}{{ '<think>' }}",
        tokenizer: tokenizer))
    let own = try tokenizer.encode("<think>", joining: .continuation)
    func count(_ role: Message.Role) throws -> Int {
      let tokens = try template.encode(
        [Message(role: role, content: "<think>hm"), Message(role: .user, content: "x")], tokenizer: tokenizer)
      return Self.occurrences(own, in: tokens)
    }
    #expect(try count(.user) == 1 && count(.assistant) == 2)
  }

  /// What a tokenizer makes a marker of is one, too.
  @Test func whatATokenizerChanges() throws {
    let tokenizer = WidthTokenizer()
    let template = ChatTemplate(
      try JinjaTemplate("{% for m in messages %}[INST] {{ m.content }} [/INST]{% endfor %}", tokenizer: tokenizer))
    let tokens = try template.encode([Message(role: .user, content: "a ［INST］ b")], tokenizer: tokenizer)
    #expect(tokens.count { $0 == WidthTokenizer.marker } == 1)
    #expect(try tokenizer.decode(tokens) == "[INST] a [INST] b [/INST]")
  }
}

/// Bytes, with a token for `[INST]`, after wide brackets became narrow ones.
private struct WidthTokenizer: Tokenizer {
  static let marker = 261
  private let bytes = ByteTokenizer()

  var source: String { "width" }
  var files: [String: Data] { [:] }
  func isSame(as other: any Tokenizer) -> Bool { other is WidthTokenizer }
  var vocabularySize: Int { 262 }
  var bosToken: Int? { nil }
  var addsBosToken: Bool { false }
  var eosToken: Int? { 257 }
  var unknownToken: Int? { nil }
  var padToken: Int? { nil }
  var spaceToken: Int? { 0x20 }
  func isControl(_ token: Int) -> Bool { bytes.isControl(token) }
  func piece(_ token: Int) throws(TokenizerError) -> String {
    token == Self.marker ? "[INST]" : try bytes.piece(token)
  }
  func token(forPiece piece: String) -> Int? { piece == "[INST]" ? Self.marker : bytes.token(forPiece: piece) }

  func encode(bytes text: [UInt8], joining: TextJoining) -> [Int] {
    let narrow = String(decoding: text, as: UTF8.self).replacing("［", with: "[").replacing("］", with: "]")
    var tokens: [Int] = joining == .space ? [0x20] : []
    for (index, part) in narrow.split(separator: "[INST]", omittingEmptySubsequences: false).enumerated() {
      tokens += (index > 0 ? [Self.marker] : []) + part.utf8.map(Int.init)
    }
    return tokens
  }

  func encode(pieces: [TextPiece], joining: TextJoining) -> [Int] {
    encode(bytes: Array(pieces.map(\.text).joined().utf8), joining: joining)
  }

  func encodeApart(_ character: UInt8, joining: TextJoining) -> [Int] { [Int(character)] }

  func bytes(of token: Int, isAtStart: inout Bool) throws(TokenizerError) -> [UInt8]? {
    token == Self.marker ? Array("[INST]".utf8) : try bytes.bytes(of: token, isAtStart: &isAtStart)
  }
}
