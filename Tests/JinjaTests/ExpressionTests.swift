import Foundation
import Testing

import Jinja

/// Small templates, beside what Python's jinja2 makes of them (`scripts/jinja_fixture.py`).
@Suite struct ExpressionTests {
  private struct Line: Decodable {
    var template: String
    var text: String?
    var fails: String?
  }

  private static let lines: [Data] = {
    let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("expressions.jsonl")
    let data = (try? Data(contentsOf: file)) ?? Data()
    return data.split(separator: UInt8(ascii: "\n")).map { Data($0) }
  }()

  /// Dicts keep the order of the file, which Foundation's readers lose: those here are written in it.
  private static let context: [String: TemplateValue] = {
    func text(_ text: String) -> TemplateValue { .string(text, .typed) }
    func message(_ role: String, _ content: String) -> TemplateValue {
      .dict([(key: "role", value: text(role)), (key: "content", value: text(content))])
    }
    return [
      "messages": .list([
        message("system", "  Be brief. "), message("user", "What's 1 < 2 & \"3\"?"),
        message("assistant", "<think>hm</think>\n\nYes.\n"),
      ]),
      "tools": .list([
        .dict([
          (key: "type", value: text("function")),
          (
            key: "function",
            value: .dict([
              (key: "name", value: text("look")), (key: "description", value: text("Looks é日")),
              (
                key: "parameters",
                value: .dict([(key: "x", value: .list([.integer(1), .number(2.5), .none, .bool(true)]))])
              ),
            ])
          ),
        ])
      ]),
      "n": .integer(7), "x": .number(2.5), "s": text("Hello wide world"), "empty": text(""),
      "items": .list([.integer(3), .integer(1), .integer(2)]),
      "d": .dict([(key: "b", value: .integer(1)), (key: "a", value: .integer(2)), (key: "C", value: .integer(3))]),
      "none": .none, "flag": .bool(true),
      "odd": text("a\u{7}\u{85}\u{A0}\u{AD}\u{200B}\u{2028}é日😀\u{E0001}'\"\\\n<|x|>"),
      "spec": .dict([
        (key: "items", value: .list([.integer(1)])), (key: "keys", value: text("k")), (key: "title", value: text("t")),
        (key: "größe", value: .dict([(key: "it's", value: text("x"))])),
      ]),
    ]
  }()

  @Test func sameAsJinja2() throws {
    let lines = try Self.lines.dropFirst().map { try JSONDecoder().decode(Line.self, from: $0) }
    try #require(lines.count > 400)
    for line in lines {
      let found: String?
      do { found = try Template(line.template).render(Self.context).map(\.text).joined() } catch {
        #expect(line.fails != nil, "\(line.template): \(error)")
        continue
      }
      #expect(found == line.text, "\(line.template)")
    }
  }

  @Test func marksStayWithTheText() throws {
    let template = try Template("{{ '<' ~ s[0:2]|upper ~ '>' ~ (s.split(' ')|join('+')).replace('wide', n|string) }}")
    let runs = try template.render(Self.context)
    #expect(runs.map(\.text).joined() == "<HE>Hello+7+world")
    #expect(runs.filter { $0.origin == .typed }.map(\.text).joined() == "HEHelloworld")
  }
}
