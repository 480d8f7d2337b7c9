import Forms
import Support
import Testing

/// JSON schemas as forms.
@Suite struct SchemaTests {
  static func grammar(_ schema: String) throws -> Grammar { try FormSource.schema(schema).grammar() }

  struct Case: Sendable {
    var schema: String
    var texts: [String]
    var others: [String]
  }

  static let cases = [
    Case(
      schema: "{}", texts: ["1", "\"a\"", "[1, {\"a\": null}]", "{}", "-1.5e3"],
      others: ["", "01", "[1,]", "{a:1}", "nul"]),
    Case(
      schema: ##"{"type":"string","minLength":2,"maxLength":3}"##, texts: [##""ab""##, ##""😀é\n""##, ##""\u00e9a""##],
      others: [##""a""##, ##""abcd""##, ##""a\q""##, ##""\ud800a""##]),
    Case(
      schema: ##"{"enum":["a\"b",1,null,{"x":[]}]}"##, texts: [##""a\"b""##, "1", "null", ##"{"x":[]}"##],
      others: ["2", "\"a\""]),
    Case(schema: ##"{"const":"é"}"##, texts: ["\"é\""], others: ["\"e\""]),
    Case(
      schema: ##"{"type":"object","properties":{"a":{"type":"integer"},"b":{"type":"boolean"}},"required":["b"]}"##,
      texts: [##"{"a":1,"b":true}"##, ##"{"b": false}"##, "{\n  \"b\": true\n}"],
      others: ["{}", ##"{"b":true,"a":1}"##, ##"{"a":1}"##, ##"{"b":true,"c":1}"##]),
    Case(
      schema: ##"{"type":"object","properties":{"a":{},"b":{},"c":{}}}"##,
      texts: ["{}", ##"{"a":1}"##, ##"{"b":1}"##, ##"{"a":1,"c":2}"##, ##"{"a":1,"b":1,"c":1}"##],
      others: [##"{"c":1,"a":1}"##, ##"{,"a":1}"##, ##"{"a":1,}"##]),
    Case(
      schema: ##"{"type":"object","properties":{"a":{"type":"null"}},"additionalProperties":{"type":"integer"}}"##,
      texts: ["{}", ##"{"a":null,"x":1,"y":2}"##, ##"{"x":1}"##], others: [##"{"a":null,"x":"y"}"##]),
    Case(
      schema: ##"{"type":"object","required":["z"],"additionalProperties":false}"##, texts: [##"{"z":[]}"##],
      others: ["{}"]),
    Case(
      schema: ##"{"type":"array","items":{"type":"integer"},"minItems":1,"maxItems":2}"##, texts: ["[1]", "[1, 2]"],
      others: ["[]", "[1,2,3]", "[\"a\"]"]),
    Case(
      schema: ##"{"type":"array","prefixItems":[{"type":"string"},{"type":"integer"}]}"##, texts: [##"["a",1]"##],
      others: [##"["a"]"##, ##"["a",1,2]"##]),
    Case(schema: ##"{"type":["string","null"]}"##, texts: ["null", "\"x\""], others: ["1"]),
    Case(
      schema: ##"{"anyOf":[{"type":"integer"},{"type":"object","properties":{"k":{"const":1}},"required":["k"]}]}"##,
      texts: ["7", ##"{"k":1}"##], others: ["\"7\"", "{}"]),
    Case(
      schema:
        ##"{"type":"object","properties":{"a":{"type":"integer"}},"oneOf":[{"required":["a"]},{"properties":{"b":{"type":"null"}},"required":["b"]}]}"##,
      texts: [##"{"a":1}"##, ##"{"a":1,"b":null}"##, ##"{"b":null}"##], others: ["{}"]),
    Case(
      schema:
        ##"{"allOf":[{"$ref":"#/$defs/a"},{"properties":{"y":{"type":"integer"}},"required":["y"]}],"$defs":{"a":{"type":"object","properties":{"x":{"type":"integer"}},"required":["x"]}}}"##,
      texts: [##"{"x":1,"y":2}"##], others: [##"{"x":1}"##, ##"{"y":2}"##]),
    Case(
      schema:
        ##"{"$ref":"#/$defs/t","$defs":{"t":{"type":"object","properties":{"v":{"type":"integer"},"next":{"$ref":"#/$defs/t"}},"required":["v"]}}}"##,
      texts: [##"{"v":1}"##, ##"{"v":1,"next":{"v":2,"next":{"v":3}}}"##], others: [##"{"v":1,"next":{}}"##]),
    Case(
      schema: ##"{"type":"string","format":"date"}"##, texts: ["\"2024-12-31\"", "\"0001-02-28\""],
      others: ["\"2024-13-01\"", "\"2024-04-31\"", "\"2024-4-1\""]),
    Case(
      schema: ##"{"type":"string","format":"date-time"}"##,
      texts: ["\"2024-12-31T23:59:59Z\"", "\"2024-01-01T00:00:00.5+01:30\""],
      others: ["\"2024-12-31\"", "\"2024-12-31T24:00:00Z\""]),
    Case(
      schema: ##"{"type":"string","format":"uuid"}"##, texts: ["\"123e4567-e89b-12d3-a456-426614174000\""],
      others: ["\"123e4567\""]),
    Case(
      schema: ##"{"type":"string","format":"ipv4"}"##, texts: ["\"0.10.255.99\""],
      others: ["\"256.1.1.1\"", "\"01.1.1.1\""]),
    Case(
      schema: ##"{"type":"string","pattern":"^[A-Z]{2}-\\d+$"}"##, texts: ["\"AB-1\"", "\"ZZ-0042\""],
      others: ["\"AB-\"", "\"xAB-1\"", "\"AB-1x\""]),
    Case(
      schema: ##"{"type":"string","pattern":"b|^c"}"##, texts: ["\"abc\"", "\"cx\"", "\"b\""],
      others: ["\"ac\"", "\"\""]),
    Case(
      schema: ##"{"type":"string","pattern":"^(?:\\w\\s?)*[^\\d\\\\]\"$"}"##, texts: [##""ab c x\"""##, ##""é\"""##],
      others: [##""1\"""##, ##""\\\"""##]),
    Case(
      schema: ##"{"type":"number","minimum":0,"exclusiveMaximum":1}"##, texts: ["0", "0.5", "0.0"],
      others: ["1", "-0.1", "1.0", "0.5e1"]),
    Case(
      schema: ##"{"type":"number","exclusiveMinimum":-2,"maximum":3}"##,
      texts: ["-1.9", "-1", "0", "2.75", "3", "3.00"], others: ["-2", "-2.0", "3.1", "4"]),
    Case(
      schema: ##"{"type":"number","minimum":10}"##, texts: ["10", "10.5", "99", "123456"], others: ["9", "9.99", "-11"]),
    Case(schema: ##"{"type":"number","maximum":-10}"##, texts: ["-10", "-10.5", "-123"], others: ["-9", "10", "0"]),
  ]

  @Test(arguments: cases) func says(_ schema: Case) throws {
    let grammar = try Self.grammar(schema.schema)
    for text in schema.texts { #expect(try grammar.matches(text), "\(text) by \(schema.schema)") }
    for text in schema.others { #expect(try !grammar.matches(text), "\(text) by \(schema.schema)") }
  }

  /// Whole numbers between all kinds of bounds, one by one.
  @Test func wholeNumbersBetweenBounds() throws {
    var random = SeededGenerator(seed: 3)
    for _ in 0..<120 {
      let low = random.index(below: 260) - 130
      let high = low + random.index(below: 260)
      let kinds = ["\"minimum\":\(low)", "\"exclusiveMaximum\":\(high + 1)", "\"minimum\":\(low),\"maximum\":\(high)"]
      for (kind, bounds) in kinds.enumerated() {
        let grammar = try Self.grammar("{\"type\":\"integer\",\(bounds)}")
        for value in -400...400 {
          let fits = (kind == 1 || value >= low) && (kind == 0 || value <= high)
          #expect(try grammar.matches("\(value)") == fits, "\(value) by \(bounds)")
        }
        #expect(try !grammar.matches("007"))
      }
    }
  }

  @Test(arguments: [
    ("{", "no JSON"), ("[]", "an object, true or false"), ("false", "no text"), (##"{"$ref":"#"}"##, "no text"),
    (##"{"type":"array","items":{"$ref":"#"},"minItems":1}"##, "no text"), (##"{"not":{}}"##, "“not” is not supported"),
    (##"{"properties":{"a":{"multipleOf":3}}}"##, "#/properties/a/multipleOf"), (##"{"type":"strin"}"##, "is no type"),
    (##"{"$ref":"http://x/y"}"##, "not in this document"), (##"{"$ref":"#/$defs/x"}"##, "nothing at"),
    (##"{"enum":[]}"##, "a list"), (##"{"type":"string","maxLength":-1}"##, "0 to 10,000"),
    (##"{"type":"number","minimum":0.5}"##, "round it"), (##"{"type":"integer","minimum":5,"maximum":4}"##, "no text"),
    (##"{"type":"string","pattern":"(?=a)"}"##, "only (?:"),
    (##"{"type":"string","pattern":"a\\1"}"##, "not supported"),
    (##"{"type":"string","pattern":"(a"}"##, "not closed"), (##"{"type":"string","pattern":"a)"}"##, "closes nothing"),
    (
      ##"{"type":"array","items":{"type":"array","items":{"type":"string","minLength":9999},"minItems":9999},"minItems":9999}"##,
      "too large"
    ),
    (##"{"allOf":[{"type":"string"},{"type":"integer"}]}"##, "said twice"), (##"{"a":1,"a":2}"##, "duplicate"),
  ]) func isRefused(schema: String, cause: String) {
    #expect {
      try Self.grammar(schema)
    } throws: { error in
      let line = "\(error)"
      return error is FormError && line.contains(cause) && !line.contains("\n")
    }
  }
}
