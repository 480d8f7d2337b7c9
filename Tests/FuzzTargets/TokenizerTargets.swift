import Foundation
import Tokenizer

/// Tokenizers: `tokenizer.json` and SentencePiece models.
extension FuzzTarget {
  static let tokenizerFiles = [
    FuzzTarget("tokenizer-json") { bytes in readTokenizer(bytes) },
    FuzzTarget("tokenizer-json-built") { bytes in
      var choices = Choices(bytes)
      readTokenizer(Array(TokenizerMaker.document(&choices).utf8))
    },
    FuzzTarget("sentencepiece") { bytes in
      refusing { exercise(try SentencePieceTokenizer(modelBytes: bytes, source: "tokenizer.model")) }
    },
  ]

  private static func readTokenizer(_ bytes: [UInt8]) {
    Scratch.directory([BytePairTokenizer.fileName: Data(bytes)]) { directory in
      refusing { exercise(try loadTokenizer(from: directory.path)) }
    }
  }
}

/// Encodes and decodes with it: whatever a tokenizer's file says, its ids are within the vocabulary and mean something.
func exercise(_ tokenizer: any Tokenizer) {
  let samples = ["", "a", "Hello, world 42!", "ab  abc\n\té\u{2581}語😀\u{0}", "<s>a</s> <unk>'s 're", " \u{301}x\r\n"]
  for sample in samples {
    for joining in [TextJoining.start, .space, .continuation] {
      refusing {
        let tokens = try tokenizer.encode(sample, joining: joining)
        expect(tokens.allSatisfy { (0..<tokenizer.vocabularySize).contains($0) }, "tokens of the vocabulary")
        _ = try tokenizer.decode(tokens)
      }
    }
    refusing {
      _ = try tokenizer.encode(pieces: [TextPiece(sample, recognizesSpecialTokens: true)], joining: .start)
    }
  }
  for token in [-1, 0, 1, 2, tokenizer.vocabularySize - 1, tokenizer.vocabularySize, Int.max] {
    refusing { _ = try tokenizer.piece(token) }
    refusing { _ = try tokenizer.decode([token]) }
  }
  var decoder = StreamingDecoder(tokenizer)
  for token in 0..<min(40, tokenizer.vocabularySize) { refusing { _ = try decoder.next(token) } }
  _ = decoder.finish()
}

/// Makes documents `tokenizer.json` that are sound but for what its bytes break.
enum TokenizerMaker {
  static func document(_ choices: inout Choices) -> String {
    let isByteLevel = choices.byte() & 1 == 1
    var words = ["<unk>", "<s>", "</s>", "a", "b", "c", "ab", "abc", isByteLevel ? "Ġ" : "\u{2581}", "<0x41>", "é"]
    for _ in 0..<choices.number(below: 6) { words.append(word(&choices)) }
    let entries = words.enumerated().map { index, word in
      "\(quoted(word)): \(choices.seldom() ? any(&choices) : String(index))"
    }
    var merges = ["\"a b\"", "\"ab c\""]
    for _ in 0..<choices.number(below: 4) {
      merges.append(
        choices.byte() & 1 == 0
          ? quoted("\(word(&choices)) \(word(&choices))") : "[\(quoted(word(&choices))), \(quoted(word(&choices)))]")
    }
    let added = (0..<choices.number(below: 4)).map { index in
      """
      {"id": \(choices.seldom() ? any(&choices) : String(words.count + index)), "content": \(quoted(word(&choices))),
       "special": \(flag(&choices)), "lstrip": \(flag(&choices)), "rstrip": \(flag(&choices)),
       "single_word": \(flag(&choices)), "normalized": \(flag(&choices))}
      """
    }
    var model = [
      "\"type\": \"BPE\"", "\"vocab\": {\(entries.joined(separator: ", "))}",
      "\"merges\": [\(merges.joined(separator: ", "))]", "\"byte_fallback\": \(flag(&choices))",
      "\"fuse_unk\": \(flag(&choices))", "\"ignore_merges\": \(flag(&choices))",
    ]
    if choices.byte() & 1 == 0 { model.append("\"unk_token\": \"<unk>\"") }
    if choices.seldom() { model.append("\(quoted(word(&choices))): \(any(&choices))") }
    let fields = [
      "\"added_tokens\": [\(added.joined(separator: ", "))]", "\"model\": {\(model.joined(separator: ", "))}",
      "\"normalizer\": \(part(&choices, normalizers, "normalizers"))",
      "\"pre_tokenizer\": \(part(&choices, isByteLevel ? byteLevel : others, "pretokenizers"))",
      "\"decoder\": \(part(&choices, decoders, "decoders"))",
      "\"post_processor\": \(part(&choices, processors, "processors"))",
    ]
    return "{\(fields.joined(separator: ",\n"))}"
  }

  private static let normalizers = [
    "null", #"{"type": "NFC"}"#, #"{"type": "NFKC"}"#, #"{"type": "Lowercase"}"#,
    #"{"type": "Prepend", "prepend": "▁"}"#,
    #"{"type": "Replace", "pattern": {"String": " "}, "content": "▁"}"#,
    #"{"type": "Replace", "pattern": {"Regex": "a+|(b"}, "content": "c"}"#,
    #"{"type": "Replace", "pattern": {"Regex": "\\s+"}, "content": ""}"#,
  ]
  private static let byteLevel = [
    #"{"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true}"#,
    #"{"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": false}"#,
    #"{"type": "Split", "pattern": {"Regex": "\\p{N}{1,3}|\\s+(?!\\S)"}, "behavior": "Isolated", "invert": false}"#,
    #"{"type": "Digits", "individual_digits": true}"#,
  ]
  private static let others = [
    "null", #"{"type": "Metaspace", "replacement": "▁", "prepend_scheme": "first", "split": false}"#,
    #"{"type": "Metaspace", "replacement": "▁", "add_prefix_space": true}"#, #"{"type": "Whitespace"}"#,
    #"{"type": "Split", "pattern": {"String": " "}, "behavior": "MergedWithPrevious", "invert": true}"#,
    #"{"type": "Punctuation", "behavior": "Contiguous"}"#,
  ]
  private static let decoders = [
    "null", #"{"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true}"#,
    #"{"type": "ByteFallback"}"#, #"{"type": "Fuse"}"#, #"{"type": "Strip", "content": " ", "start": 1, "stop": 0}"#,
    #"{"type": "Replace", "pattern": {"String": "▁"}, "content": " "}"#,
  ]
  private static let processors = [
    "null", #"{"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": false, "use_regex": true}"#,
    ##"{"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}], "pair": [], "special_tokens": {"<s>": {"id": "<s>", "ids": [1], "tokens": ["<s>"]}}}"##,
  ]

  private static func part(_ choices: inout Choices, _ kinds: [String], _ list: String) -> String {
    if choices.seldom() { return any(&choices) }
    if choices.byte() & 3 != 3 { return choices.pick(kinds) }
    let parts = (0..<choices.number(below: 4)).map { _ in choices.pick(kinds) }
    return "{\"type\": \"Sequence\", \"\(list)\": [\(parts.joined(separator: ", "))]}"
  }

  private static func flag(_ choices: inout Choices) -> String { choices.byte() & 1 == 0 ? "false" : "true" }

  private static func any(_ choices: inout Choices) -> String {
    choices.pick([
      "null", "-1", "1e308", "9223372036854775807", "\"x\"", "[]", "{}", "[[]]", "0.5", "{\"type\": 3}", "true",
    ])
  }

  private static func word(_ choices: inout Choices) -> String {
    let bytes = choices.bytes(choices.number(below: 6))
    return text(bytes)
  }

  private static func quoted(_ text: String) -> String {
    var quoted = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"", "\\": quoted += "\\\(scalar)"
      case _ where scalar.value < 0x20:
        quoted += "\\u00" + (scalar.value < 16 ? "0" : "") + String(scalar.value, radix: 16)
      default: quoted.unicodeScalars.append(scalar)
      }
    }
    return quoted + "\""
  }
}
