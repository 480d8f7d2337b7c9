import Foundation
import Testing

import Jinja

/// Templates made to take long, much memory or a wrong turn: each ends in one line, and soon.
@Suite struct LimitTests {
  private static func reason(_ source: String, work: Int? = nil) -> String {
    var limits = TemplateLimits()
    if let work {
      limits.work = work
      limits.length = 1_000_000
    }
    do { return try Template(source).render([:], limits: limits).map(\.text).joined() } catch { return error.reason }
  }

  @Test(arguments: [
    ("{{ range(-5, 9223372036854775807) }}", "100000"), ("{{ range(0, -9223372036854775807, -1) }}", "100000"),
    ("{{ '%d' % 1e300 }}", "too large"), ("{{ '%d' % (0.0 * 1e308 * 1e308) }}", "0"),
    ("{{ (-9223372036854775807 - 1)|abs }}", "too large"), ("{{ -(-9223372036854775807 - 1) }}", "too large"),
    ("{{ (-9223372036854775807 - 1) // -1 }}", "too large"), ("{{ (-9223372036854775807 - 1) % -1 }}", "0"),
    ("{{ (-9223372036854775807 - 1) ** 100 }}", "too large"), ("{{ 3 ** 100 }}", "too large"),
    ("{{ 9223372036854775807 + 1 }}", "too large"), ("{{ 9223372036854775807 * 2 }}", "too large"),
    ("{{ 1e300|int }}", "too large"), ("{{ '99999999999999999999'|int }}", "too large"),
    ("{{ [9223372036854775807, 1]|sum }}", "too large"), ("{{ 'x'.center(9223372036854775807) }}", "too much"),
    ("{{ 'x'[::-9223372036854775807 - 1] }}", "x"), ("{{ 9223372036854775807|round(-2) }}", "92233720368547758"),
  ])
  func numbers(_ source: String, _ part: String) {
    #expect(Self.reason(source).contains(part), "\(source): \(Self.reason(source))")
  }

  /// What is shared is small where it is made, and endless where it is written.
  @Test(arguments: [
    "{'a': ns.x, 'b': ns.x}.items()", "{'a': ns.x, 'b': ns.x}|items", "{'a': ns.x, 'b': ns.x}.values()",
    "[ns.x, ns.x]|map('default')", "[ns.x, ns.x]|select('defined')", "[ns.x, ns.x]|reverse",
    "{'a': ns.x, 'b': ns.x}|dictsort", "[ns.x, ns.x].count", "namespace(a=ns.x, b=ns.x)",
  ])
  func sharedParts(_ expression: String) {
    let start = "{% set ns = namespace(x=1) %}{% for i in range(40) %}{% set ns.x = \(expression) %}{% endfor %}"
    let written = Self.reason(start + "{{ [ns.x] }}", work: 10_000_000)
    #expect(written.contains("too much") || written.contains("too long"), "\(expression): \(written.prefix(80))")
  }

  @Test(arguments: [
    "{'a': ns.x}.items()", "[ns.x]|list|reverse", "[ns.x].count", "{'a': ns.x}|items", "namespace(x=ns.x)", "[ns.x]",
  ])
  func depth(_ expression: String) {
    let text = Self.reason(
      "{% set ns = namespace(x=1) %}{% for i in range(30000) %}{% set ns.x = \(expression) %}{% endfor %}{{ ns.x }}")
    #expect(text.contains("too deeply"), "\(expression): \(text.prefix(80))")
  }

  @Test func whatHoldsItself() {
    let start = "{% set ns = namespace() %}{% set ns.x = "
    #expect(Self.reason(start + "ns %}{{ ns }}") == "<Namespace {'x': <Namespace {...}>}>")
    #expect(
      Self.reason(start + "{'a': ns}.items() %}{{ ns }}")
        == "<Namespace {'x': dict_items([('a', <Namespace {...}>)])}>")
  }

  @Test(arguments: [
    "x.find('b')", "x.rfind('b')", "x.count('b')", "x.upper()", "x.lower()", "x.title()", "x.strip('a')", "x.isdigit()",
    "x.isalpha()", "x.split('b')|length", "x.replace('b', '')|length", "x|upper|length", "x|lower|length",
    "x|trim|length", "x|wordcount", "x|reverse|length", "x == y", "x < y", "x in [y]", "{x: 1}|length", "{}[x]",
    "x is lower", "x|int", "x.startswith(y)", "l|reverse|list|length", "l == m", "l|list|length", "l[:]|length",
    "f(*l)", "r|last", "l.count(1)", "l.index(2)", "m|min", "[x, y]|sort|length", "'%s' % x == 1", "x ~ '' == 1",
    "'{}'.format(x)|length", "l|string|length", "x|title|length", "x|e|length", "x.splitlines()|length",
  ])
  func workIsCounted(_ expression: String) {
    let source = """
      {% set x = 'a' * 20000 %}{% set y = 'a' * 20000 %}{% set l = range(20000)|list %}{% set m = range(20000)|list %}\
      {% set r = range(20000) %}{% macro f() %}{{ varargs|length }}{% endmacro %}\
      {% for i in range(10000) %}{% if \(expression) %}{% endif %}{% endfor %}
      """
    let reason = Self.reason(source, work: 3_000_000)
    #expect(reason.contains("too long") || reason.contains("too much"), "\(expression): \(reason.prefix(80))")
  }

  @Test func oneLineOfNothing() {
    // Looking for the end of what never ends.
    #expect(Self.reason("{{ ('{a' * 500000).format() }}").contains("has no }"))
  }

  /// A scope holds a macro, the macro its scope; namespaces and loops may hold themselves.
  @Test(arguments: [
    "{% macro f() %}{% endmacro %}", "{% set ns = namespace() %}{% set ns.x = [ns, x] %}",
    "{% set ns = namespace() %}{% for i in [1] recursive %}{% set ns.x = [loop, ns, x] %}{% endfor %}",
    "{% for i in [1] %}{{ loop.changed(loop, x) }}{% endfor %}",
    "{% macro f() %}{% set ns.x = [caller, x] %}{% endmacro %}{% set ns = namespace() %}{% call f() %}{% endcall %}",
  ])
  func nothingIsLeft(_ cycle: String) throws {
    let doubling = "{% set x = 'abcd' %}" + String(repeating: "{% set x = x + x %}", count: 19)
    let template = try Template(doubling + cycle)
    func resident() throws -> Int {
      let pages = try String(contentsOfFile: "/proc/self/statm", encoding: .utf8).split(separator: " ")
      return try #require(Int(pages[1])) * 4096
    }
    _ = try template.render([:])
    let before = try resident()
    // Each would leave 8 MB.
    for _ in 0..<100 { _ = try template.render([:]) }
    #expect(try resident() - before < 400_000_000, "\(cycle)")
  }
}
