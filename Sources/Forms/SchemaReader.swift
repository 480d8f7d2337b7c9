import Support

/// Reads a JSON schema (draft 2020-12, what of it says which texts there are) into rules.
///
/// What is generated is a part of what the schema allows: properties come in the schema's order, and others than those it
/// names only where it says so. What would have to be known and is not is refused; annotations are passed over.
struct SchemaReader {
  private let document: OrderedJSON
  private var rules = JSONForms.rules
  /// Rules of references, by what they point to.
  private var references: [String: String] = [:]

  private init(_ document: OrderedJSON) { self.document = document }

  /// - Throws: `FormError`.
  static func rules(of document: OrderedJSON) throws(FormError) -> [String: Expression] {
    var reader = SchemaReader(document)
    reader.rules["root"] = try reader.expression(document, at: "#")
    return reader.rules
  }

  /// Keywords that say something about texts and are not understood.
  private static let unsupported: Set<String> = [
    "not", "if", "then", "else", "dependentSchemas", "dependentRequired", "dependencies", "patternProperties",
    "propertyNames", "minProperties", "maxProperties", "uniqueItems", "contains", "minContains", "maxContains",
    "multipleOf", "unevaluatedItems", "unevaluatedProperties", "$dynamicRef", "$recursiveRef", "additionalItems",
  ]

  private func failure(_ place: String, _ cause: String) -> FormError { .schema(place: place, cause: cause) }

  private mutating func expression(_ schema: OrderedJSON, at place: String) throws(FormError) -> Expression {
    switch schema {
    case .bool(true): return .rule("value")
    case .bool(false): return .choice([])
    case .object(let members):
      for (name, value) in members where Self.unsupported.contains(name) {
        if name == "uniqueItems", value.bool == false { continue }
        throw failure("\(place)/\(name)", "“\(name)” is not supported; leave it out")
      }
    default: throw failure(place, "a schema is an object, true or false")
    }
    if let reference = schema["$ref"] { return try self.reference(reference, at: place + "/$ref") }
    if let constant = schema["const"] { return .text(constant.text) }
    if let values = schema["enum"] {
      guard let values = values.array, !values.isEmpty else { throw failure(place + "/enum", "a list is expected") }
      return .choice(values.map { .text($0.text) })
    }
    for name in ["anyOf", "oneOf"] {
      guard let choices = schema[name] else { continue }
      guard let choices = choices.array, !choices.isEmpty else {
        throw failure("\(place)/\(name)", "a list is expected")
      }
      var expressions: [Expression] = []
      for (index, choice) in choices.enumerated() {
        expressions.append(
          try expression(merged(schema, without: name, with: choice, at: place), at: "\(place)/\(name)/\(index)"))
      }
      return .choice(expressions)
    }
    if let parts = schema["allOf"] {
      guard let parts = parts.array, !parts.isEmpty else { throw failure(place + "/allOf", "a list is expected") }
      var all = schema
      for part in parts {
        all = try merged(all, without: "allOf", with: resolved(part, at: place + "/allOf"), at: place)
      }
      return try expression(all, at: place)
    }
    return try typed(schema, at: place)
  }

  // MARK: References

  private mutating func reference(_ reference: OrderedJSON, at place: String) throws(FormError) -> Expression {
    guard let pointer = reference.string else { throw failure(place, "a string is expected") }
    if let rule = references[pointer] { return .rule(rule) }
    let rule = "reference \(pointer)"
    references[pointer] = rule
    rules[rule] = try expression(try target(of: pointer, at: place), at: pointer)
    return .rule(rule)
  }

  /// A schema, or what it refers to where it does nothing else.
  private func resolved(_ schema: OrderedJSON, at place: String) throws(FormError) -> OrderedJSON {
    var schema = schema
    // One that comes back to itself ends nowhere.
    for _ in 0..<64 {
      guard let pointer = schema["$ref"]?.string else { return schema }
      schema = try target(of: pointer, at: place)
    }
    throw .matchesNothing
  }

  private func target(of pointer: String, at place: String) throws(FormError) -> OrderedJSON {
    guard pointer == "#" || pointer.hasPrefix("#/") else {
      throw failure(place, "“\(oneLine(pointer, limit: 60))” is not in this document; put it below $defs")
    }
    var found = document
    for part in pointer.split(separator: "/").dropFirst() {
      let name = String(part).replacing("~1", with: "/").replacing("~0", with: "~")
      let next =
        found[name]
        ?? Int(name).flatMap { index in
          found.array.flatMap { $0.indices.contains(index) ? $0[index] : nil }
        }
      guard let next else { throw failure(place, "there is nothing at “\(oneLine(pointer, limit: 60))”") }
      found = next
    }
    return found
  }

  /// A schema that says what both say.
  private func merged(
    _ schema: OrderedJSON, without name: String, with part: OrderedJSON, at place: String
  ) throws(FormError) -> OrderedJSON {
    let ignored = Set([
      name, "$defs", "definitions", "title", "description", "default", "examples", "$comment", "$schema", "$id",
    ])
    var members = (schema.object ?? []).filter { !ignored.contains($0.key) }
    if case .bool(true) = part { return .object(members) }
    guard !members.isEmpty else { return part }
    guard let others = try resolved(part, at: place).object else { return part }
    for (key, value) in others {
      guard let index = members.firstIndex(where: { $0.key == key }) else {
        members.append((key, value))
        continue
      }
      switch key {
      case "properties":
        let names = Set(value.object?.map(\.key) ?? [])
        members[index].value = .object(
          (members[index].value.object ?? []).filter { !names.contains($0.key) } + (value.object ?? []))
      case "required": members[index].value = .array((members[index].value.array ?? []) + (value.array ?? []))
      case _ where ignored.contains(key): break
      case _ where members[index].value.text == value.text: break
      default: throw failure(place, "“\(key)” is said twice, beside “\(name)”; say it once")
      }
    }
    return .object(members)
  }

  // MARK: Types

  private mutating func typed(_ schema: OrderedJSON, at place: String) throws(FormError) -> Expression {
    var types: [String]
    switch schema["type"] {
    case .string(let type): types = [type]
    case .array(let list): types = list.compactMap(\.string)
    case nil: types = impliedTypes(schema)
    default: throw failure(place + "/type", "a name or a list of names is expected")
    }
    if types.isEmpty { return .rule("value") }
    var choices: [Expression] = []
    for type in types {
      switch type {
      case "null": choices.append(.text("null"))
      case "boolean": choices.append(JSONForms.boolean)
      case "string": choices.append(try string(schema, at: place))
      case "integer": choices.append(try integer(schema, at: place))
      case "number": choices.append(try number(schema, at: place))
      case "array": choices.append(try array(schema, at: place))
      case "object": choices.append(try object(schema, at: place))
      default:
        throw failure(
          place + "/type",
          "“\(oneLine(type, limit: 40))” is no type; those are object, array, string, number, integer, boolean and null"
        )
      }
    }
    return .choice(choices)
  }

  /// What a schema without a type is about, by its keywords; none for any value.
  private func impliedTypes(_ schema: OrderedJSON) -> [String] {
    let keywords: [(String, [String])] = [
      ("object", ["properties", "required", "additionalProperties"]),
      ("array", ["items", "prefixItems", "minItems", "maxItems"]),
      ("string", ["minLength", "maxLength", "pattern", "format"]),
      ("number", ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"]),
    ]
    return keywords.filter { _, names in names.contains { schema[$0] != nil } }.map(\.0)
  }

  /// How often something may be there.
  private func count(_ schema: OrderedJSON, _ name: String, at place: String) throws(FormError) -> Int? {
    guard let value = schema[name] else { return nil }
    guard let count = value.integer, (0...10_000).contains(count) else {
      throw failure("\(place)/\(name)", "a whole number from 0 to 10,000 is expected")
    }
    return count
  }

  private func string(_ schema: OrderedJSON, at place: String) throws(FormError) -> Expression {
    let (least, most) = (try count(schema, "minLength", at: place), try count(schema, "maxLength", at: place))
    if let pattern = schema["pattern"] {
      guard let pattern = pattern.string else { throw failure(place + "/pattern", "a string is expected") }
      if least ?? 0 > 0 || most != nil {
        throw failure(place + "/pattern", "a length beside a pattern is not supported; say it in the pattern")
      }
      return JSONForms.string(of: try PatternReader.expression(of: pattern, at: place + "/pattern"))
    }
    if let format = schema["format"]?.string, let expression = StringFormats.expression(of: format) {
      return JSONForms.string(of: expression)
    }
    if most.map({ $0 < least ?? 0 }) ?? false { return .choice([]) }
    return JSONForms.string(least: least ?? 0, most: most)
  }

  private func bound(_ schema: OrderedJSON, _ name: String, at place: String) throws(FormError) -> Double? {
    guard let value = schema[name] else { return nil }
    guard let bound = value.double, bound.magnitude < 1e15 else {
      throw failure("\(place)/\(name)", "a number below 10¹⁵ is expected")
    }
    return bound
  }

  private func integer(_ schema: OrderedJSON, at place: String) throws(FormError) -> Expression {
    let least = [
      try bound(schema, "minimum", at: place).map { Int($0.rounded(.up)) },
      try bound(schema, "exclusiveMinimum", at: place).map { Int($0.rounded(.down)) + 1 },
    ].compactMap(\.self).max()
    let most = [
      try bound(schema, "maximum", at: place).map { Int($0.rounded(.down)) },
      try bound(schema, "exclusiveMaximum", at: place).map { Int($0.rounded(.up)) - 1 },
    ].compactMap(\.self).min()
    if let least, let most, least > most { return .choice([]) }
    return JSONForms.integer(least: least, most: most)
  }

  private func number(_ schema: OrderedJSON, at place: String) throws(FormError) -> Expression {
    func whole(_ name: String) throws(FormError) -> Int? {
      guard let bound = try bound(schema, name, at: place) else { return nil }
      guard let value = Int(exactly: bound) else {
        throw failure("\(place)/\(name)", "a bound of a number that is no whole number is not supported; round it")
      }
      return value
    }
    var least = try whole("minimum").map { (value: $0, isIn: true) }
    if let other = try whole("exclusiveMinimum"), other >= least?.value ?? other { least = (other, false) }
    var most = try whole("maximum").map { (value: $0, isIn: true) }
    if let other = try whole("exclusiveMaximum"), other <= most?.value ?? other { most = (other, false) }
    if least == nil && most == nil { return .rule("number") }
    return JSONForms.number(least: least, most: most)
  }

  private mutating func array(_ schema: OrderedJSON, at place: String) throws(FormError) -> Expression {
    let least = try count(schema, "minItems", at: place) ?? 0
    let most = try count(schema, "maxItems", at: place)
    var first: [Expression] = []
    if let items = schema["prefixItems"] {
      guard let items = items.array else { throw failure(place + "/prefixItems", "a list is expected") }
      for (index, item) in items.enumerated() {
        first.append(try expression(item, at: "\(place)/prefixItems/\(index)"))
      }
    }
    let items =
      try schema["items"].map { item throws(FormError) in try expression(item, at: place + "/items") } ?? .rule("value")
    if first.isEmpty {
      if most.map({ $0 < least }) ?? false { return .choice([]) }
      return brackets("[", JSONForms.list(items, least: least, most: most), "]")
    }
    // All of the first ones, then others.
    let fixed = first.enumerated().flatMap { index, item in
      index == 0 ? [item] : [.text(","), .rule("space"), item]
    }
    let more = Expression.repetition(
      .sequence([.text(","), .rule("space"), items]), least: max(0, least - first.count),
      most: most.map { max(0, $0 - first.count) } ?? (schema["items"] == nil ? 0 : nil))
    return brackets("[", .sequence(fixed + [more]), "]")
  }

  private func brackets(_ open: String, _ content: Expression, _ close: String) -> Expression {
    .sequence([.text(open), .rule("space"), content, .rule("space"), .text(close)])
  }

  private mutating func object(_ schema: OrderedJSON, at place: String) throws(FormError) -> Expression {
    var properties: [(name: String, value: Expression, isRequired: Bool)] = []
    var required: [String] = []
    if let names = schema["required"] {
      guard let names = names.array, case let list = names.compactMap(\.string), list.count == names.count else {
        throw failure(place + "/required", "a list of names is expected")
      }
      required = list
    }
    if let members = schema["properties"] {
      guard let members = members.object else { throw failure(place + "/properties", "an object is expected") }
      for (name, value) in members {
        properties.append(
          (name, try expression(value, at: "\(place)/properties/\(name)"), required.contains(name)))
      }
    }
    var others: Expression?
    switch schema["additionalProperties"] {
    case .bool(false): break
    case .bool(true): others = .rule("value")
    case nil: others = properties.isEmpty && required.isEmpty ? .rule("value") : nil
    case let schema?: others = try expression(schema, at: place + "/additionalProperties")
    }
    var known = Set(properties.map(\.name))
    for name in required where known.insert(name).inserted { properties.append((name, others ?? .rule("value"), true)) }

    func member(_ name: Expression, _ value: Expression) -> Expression {
      .sequence([name, .text(":"), .rule("space"), value])
    }
    let more = others.map { value in member(.rule("string"), value) }
    // What can follow once a member is written, and before one is: from the last property to the first.
    func withComma(_ expression: Expression) -> Expression { .sequence([.text(","), .rule("space"), expression]) }
    var after = more.map { .repetition(withComma($0), least: 0, most: nil) } ?? Expression.empty
    var before = more.map { JSONForms.list($0, least: 0, most: nil) } ?? Expression.empty
    for (index, property) in properties.enumerated().reversed() {
      let written = member(.text(OrderedJSON.quoted(property.name)), property.value)
      let (afterRule, memberRule) = ("after \(place) \(index)", "member \(place) \(index)")
      rules[afterRule] = after
      rules[memberRule] = written
      let first = Expression.sequence([.rule(memberRule), .rule(afterRule)])
      let further = Expression.sequence([withComma(.rule(memberRule)), .rule(afterRule)])
      before = property.isRequired ? first : .choice([first, before])
      after = property.isRequired ? further : .choice([further, .rule(afterRule)])
    }
    return brackets("{", before, "}")
  }
}

extension Grammar {
  /// - Parameter schema: of the JSON documents that have the form.
  /// - Throws: `FormError`.
  public init(schema: OrderedJSON) throws(FormError) { try self.init(try SchemaReader.rules(of: schema), root: "root") }

  /// Any JSON object.
  public static var jsonObject: Grammar {
    get throws(FormError) { try Grammar(JSONForms.rules, root: "object") }
  }
}
