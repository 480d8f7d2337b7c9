import FamilyFixture
import Forms
import Foundation
import Jinja
import Support
import Tokenizer

/// What comes with a model or a request and is run: templates, schemas, grammars.
extension FuzzTarget {
  static let jinja = FuzzTarget("jinja") { bytes in
    let source = text(bytes)
    var limits = TemplateLimits()
    limits.work = 20_000
    limits.length = 100_000
    let messages = TemplateValue.list([
      .dict([("role", .string("system", .typed)), ("content", .string("Be brief.", .typed))]),
      .dict([("role", .string("user", .typed)), ("content", .string("Hello, {{ 1 }}", .typed))]),
      .dict([("role", .string("assistant", .typed)), ("content", .string("é 😀", .typed))]),
    ])
    refusing {
      let template = try Template(source)
      _ = template.literals
      let runs = try template.render(
        [
          "messages": messages, "add_generation_prompt": .bool(true), "bos_token": .string("<s>", .template),
          "eos_token": .string("</s>", .template), "tools": .none,
        ], limits: limits, now: Date(timeIntervalSince1970: 0))
      // UTF-16 units or characters: a little more than the limit may be said of a text in UTF-8.
      expect(runs.reduce(0) { $0 + $1.text.utf8.count } <= 8 * 100_000, "no more text than the limit")
    }
    refusing {
      let tokenizer = ByteTokenizer()
      let template = ChatTemplate(try JinjaTemplate(source, tokenizer: tokenizer))
      _ = try template.stopTokens(tokenizer)
    }
  }

  static let jsonSchema = FuzzTarget("json-schema") { bytes in
    refusing { follow(try Grammar(schema: try OrderedJSON(utf8: bytes))) }
  }

  static let gbnf = FuzzTarget("gbnf") { bytes in refusing { follow(try Grammar(gbnf: text(bytes))) } }

  private static let vocabulary: FormVocabulary = {
    let bytes = (0...255).map { [UInt8($0)] } + ["true", "\":", "\", \"", "{\"", " é"].map { Array($0.utf8) }
    return FormVocabulary(bytes: bytes, firstBytes: bytes)
  }()

  /// Writes a text in a form, always one of the tokens that may come.
  private static func follow(_ grammar: Grammar) {
    refusing { for sample in ["", "a", "{\"a\": 1}", "\"é\"", "12.5e3", "[]"] { _ = try grammar.matches(sample) } }
    refusing {
      let form = try Form(grammar, vocabulary: vocabulary)
      var progress = form.start
      for step in 0..<24 {
        let next = try form.next(&progress)
        let open = (0..<vocabulary.count).filter { next.tokens[$0 / 64] >> UInt64($0 % 64) & 1 == 1 }
        expect(next.canEnd || !open.isEmpty, "a way on, or an end")
        guard !open.isEmpty else { break }
        try form.take(open[step * 7 % open.count], &progress)
      }
    }
  }
}
