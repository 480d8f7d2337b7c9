import Foundation
import Testing

import Tokenizer

/// Whether a text begins with the token for it, as files say.
@Suite struct TextStartTests {
  private func tokenizer(_ files: [String: Data]) throws -> any Tokenizer {
    let directory = try Samples.temporaryDirectory()
    defer { try? FileManager.default.removeItem(at: directory) }
    for (name, data) in files { try data.write(to: directory.appending(path: name)) }
    return try loadTokenizer(from: directory.path)
  }

  private static let begin = #"{"SpecialToken": {"id": "<s>", "type_id": 0}}"#
  private static let text = #"{"Sequence": {"id": "A", "type_id": 0}}"#

  private static func template(_ parts: String...) -> String {
    #"{"type": "TemplateProcessing", "single": [\#(parts.joined(separator: ", "))], "pair": [], "special_tokens": {}}"#
  }

  /// The post-processor of `tokenizer.json`, `tokenizer_config.json` beside it, and what the tokens of a text follow.
  static let cases: [(processor: String, configuration: String?, start: [Int])] = [
    ("null", nil, []),
    ("null", #"{"bos_token": "<s>"}"#, []),
    ("null", #"{"bos_token": "<s>", "add_bos_token": true}"#, [1]),
    ("null", #"{"add_bos_token": true}"#, []),
    (template(begin, text), nil, [1]),
    (template(begin, text), #"{"bos_token": "<s>", "add_bos_token": null}"#, [1]),
    (template(begin, text), #"{"bos_token": "<s>", "add_bos_token": false}"#, []),
    (template(text), #"{"bos_token": "<s>"}"#, []),
    (template(text, begin), #"{"bos_token": "<s>"}"#, []),
    (#"{"type": "Sequence", "processors": [{"type": "ByteLevel"}, \#(template(begin, text))]}"#, nil, [1]),
  ]

  @Test(arguments: cases.indices) func asTokenizerJSONSays(_ number: Int) throws {
    let (processor, configuration, start) = Self.cases[number]
    let file = BytePairTests.folder.appending(path: "llama2/tokenizer.json")
    let text = try String(contentsOf: file, encoding: .utf8)
    try #require(text.contains(#""post_processor":null"#))
    var files = [
      "tokenizer.json": Data(text.replacing(#""post_processor":null"#, with: "\"post_processor\":\(processor)").utf8)
    ]
    files["tokenizer_config.json"] = configuration.map { Data($0.utf8) }
    let tokenizer = try tokenizer(files)
    #expect(tokenizer.textStart == start && tokenizer.addsBosToken == !start.isEmpty)
    #expect(try !tokenizer.encode("a").contains(1))
    // Its own files say the same, each of them alone, too.
    let vocabulary = try #require(tokenizer as? BytePairTokenizer).vocabulary
    let again = try BytePairTokenizer(vocabulary, source: "again").files
    #expect(try self.tokenizer(again).textStart == start)
    #expect(try self.tokenizer(again.filter { $0.key == "tokenizer.json" }).textStart == start)
  }

  @Test func asSaidBesideASentencePieceModel() throws {
    var files = Samples.tiny.files
    #expect(files.keys.sorted() == ["tokenizer.model"])
    for (configuration, start) in [
      (nil, [1]), ("{}", [1]), (#"{"add_bos_token": true}"#, [1]), (#"{"add_bos_token": false}"#, []),
    ] as [(String?, [Int])] {
      files["tokenizer_config.json"] = configuration.map { Data($0.utf8) }
      let tokenizer = try tokenizer(files)
      #expect(tokenizer.textStart == start && tokenizer.bosToken == 1)
      #expect(try self.tokenizer(tokenizer.files).textStart == start)
    }
    files["tokenizer_config.json"] = Data("{".utf8)
    #expect { _ = try tokenizer(files) } throws: { "\($0)".contains("tokenizer_config.json cannot be used") }
  }
}
