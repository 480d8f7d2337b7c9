import Forms
import Testing

/// Grammars in llama.cpp's notation.
@Suite struct GBNFTests {
  struct Case: Sendable {
    var grammar: String
    var texts: [String]
    var others: [String]
  }

  static let cases = [
    Case(
      grammar: "root ::=\n  \"a\" b |\n  \"c\"\n\n# b\nb ::=\n  \"b\"",
      texts: ["ab", "c"], others: ["a", "abc"]),
    Case(grammar: "root ::= \"yes\" | \"no\"", texts: ["yes", "no"], others: ["", "ye", "yesno", "YES"]),
    Case(grammar: "root ::= [a-c]+ # letters\n", texts: ["a", "abccba"], others: ["", "abd", "A"]),
    Case(grammar: "root ::= [^\"\\n]*", texts: ["", "ä☃😀 '"], others: ["\"", "a\nb"]),
    Case(grammar: "root ::= .", texts: ["a", "é", "語", "😀", "\n"], others: ["", "ab"]),
    Case(grammar: "root ::= [à-ÿΑ-Ω𝒜-𝒵]{2,3}", texts: ["éΩ", "𝒜ÿΑ"], others: ["é", "aé", "éééé"]),
    Case(grammar: "root ::= \"\\x41\\u00e9\\U0001F600\\t\\\\\\\"\"", texts: ["Aé😀\t\\\""], others: ["Ae😀\t\\\""]),
    Case(
      grammar: "root ::= list\nlist ::= item (\",\" item)*\nitem ::= [0-9]", texts: ["1", "1,2,3"], others: [",", "1,"]),
    Case(grammar: "root ::= \"(\" root? \")\"", texts: ["()", "((()))"], others: ["(", "(()", "())"]),
    Case(
      grammar: "root ::= a{3} b{2,} c{0,2}\na ::= \"a\"\nb ::= \"b\"\nc ::= \"c\"", texts: ["aaabb", "aaabbbcc"],
      others: ["aabb", "aaab", "aaabbccc"]),
    Case(grammar: "root ::= (\"a\"* \"b\"?)* \"c\"", texts: ["c", "abac", "bbc"], others: ["ab", ""]),
    Case(grammar: "root ::= (\n  \"a\" |\n  \"b\"\n)\n  | \"c\"", texts: ["a", "b", "c"], others: ["ab"]),
    Case(grammar: "root ::= \"\" | \"x\" root \"x\" | \"y\"", texts: ["", "xx", "xyx", "xxxx"], others: ["x", "yx"]),
    Case(grammar: "root ::= [-a] [\\]^]", texts: ["-]", "a^"], others: ["b]"]),
  ]

  @Test(arguments: cases) func says(_ grammar: Case) throws {
    let read = try Grammar(gbnf: grammar.grammar)
    for text in grammar.texts { #expect(try read.matches(text), "“\(text)” by \(grammar.grammar)") }
    for text in grammar.others { #expect(try !read.matches(text), "“\(text)” by \(grammar.grammar)") }
  }

  @Test(arguments: [
    ("", "rule “root”"), ("a ::= \"x\"", "rule “root”"), ("root ::= b", "rule “b”"), ("root \"x\"", "::="),
    ("root ::= \"x", "within a literal"), ("root ::= [a", "within a class"), ("root ::= (\"a\"", "add )"),
    ("root ::= \"a\"{3,2}", "most is less"), ("root ::= \"a\"{99999}", "at most 10000"),
    ("root ::= \"\\q\"", "stands for nothing"),
    ("root ::= \"a\"\nroot ::= \"b\"", "twice"), ("\n\nroot ::= \"a\" )", "line 3"),
    ("root ::= [b-a]", "comes after its last"),
    ("root ::= root \"a\" | \"a\"", "comes to itself"),
    ("root ::= a? b\na ::= \"x\"\nb ::= a? root \"y\" | \"z\"", "comes to itself"),
    ("root ::= \"a\" root", "no text"), ("root ::= \"\\uD800\"", "no character"),
    ("root ::= * \"a\"", "nothing that a rule"),
    (String(repeating: "root ::= (", count: 1) + String(repeating: "(", count: 100), "deep"),
    ("root ::= " + String(repeating: "\"a\"{9999} ", count: 40), "too large"),
  ]) func isRefused(grammar: String, cause: String) {
    #expect {
      try Grammar(gbnf: grammar)
    } throws: { error in
      let line = "\(error)"
      return error is FormError && line.contains(cause) && !line.contains("\n")
    }
  }

  /// Rules of which a text could be read in ever more ways end with a line, not with the memory.
  @Test func ambiguityHasAnEnd() throws {
    let grammar = try Grammar(gbnf: "root ::= a a a a a a a a\na ::= \"x\" | \"x\" a a | \"\"")
    #expect(throws: FormError.tooAmbiguous) { try grammar.matches(String(repeating: "x", count: 400)) }
  }
}
