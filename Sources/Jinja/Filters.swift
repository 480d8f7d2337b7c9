import Foundation

// Filters, as Python's jinja2 has them.

extension Interpreter {
  static let filterNames: Set<String> = [
    "abs", "attr", "capitalize", "count", "d", "default", "dictsort", "e", "escape", "first", "float", "forceescape",
    "format", "indent",
    "int", "items", "join", "last", "length", "list", "lower", "map", "max", "min", "reject", "rejectattr", "replace",
    "reverse", "round", "safe", "select", "selectattr", "sort", "string", "sum", "title", "tojson", "trim", "unique",
    "upper", "wordcount",
  ]

  // MARK: Filters

  /// Those that look at a value without going through it.
  private static let quickFilters: Set<String> = [
    "attr", "count", "d", "default", "first", "last", "length", "map", "safe", "string",
  ]

  func filter(_ value: Value, _ name: String, _ arguments: Arguments, _ scope: Scope) throws -> Value {
    if Self.quickFilters.contains(name) { return try filtered(value, name, arguments, scope) }
    try stepOver(value)
    let result = try filtered(value, name, arguments, scope)
    if case .string(let text) = result { try made(text.count) }
    return result
  }

  private func filtered(_ value: Value, _ name: String, _ arguments: Arguments, _ scope: Scope) throws -> Value {
    func text() throws -> MarkedString { try printed(value) }
    func needsValue() throws { if case .undefined(let reason) = value { throw Failure(reason) } }
    switch name {
    case "default", "d":
      let isMissing = value.isUndefined || (arguments[1, "boolean"]?.isTrue == true && !value.isTrue)
      return isMissing ? arguments[0, "default_value"] ?? .string("") : value
    case "tojson":
      let indent: MarkedString? =
        try arguments[1, "indent"]?.string
        ?? arguments.integer(1, "indent").map { width in
          if width > 1000 { throw Failure("JSON indented by \(width)") }
          return MarkedString(String(repeating: " ", count: max(0, width)))
        }
      var writer = JSONWriter(indent: indent, limit: limits.length)
      writer.escapesNonASCII = arguments[0, "ensure_ascii"]?.isTrue ?? false
      if arguments[3, "sort_keys"]?.isTrue == true { writer.precedes = isLess }
      if let given = arguments[2, "separators"], given.isTrue {
        let parts = try iterate(given).map(printed)
        guard parts.count == 2 else { throw Failure("separators are two texts") }
        writer.separators = (parts[0], parts[1])
      }
      try writer.write(value)
      return .string(writer.output)
    case "length", "count": return .integer(try length(value))
    case "string": return .string(try text())
    case "safe": return .string(MarkedString(try text().units, isMarkup: true))
    case "escape", "e": return .string(try text().escaped)
    case "forceescape": return .string(MarkedString(try text().units).escaped)
    case "upper": return .string(try text().uppercased)
    case "lower": return .string(try text().lowercased)
    case "capitalize": return .string(try text().capitalized)
    case "title": return .string(MarkedString(try text().titled(afterAny: false).units))
    case "trim":
      let characters = try arguments.text(0, "chars").map { Set($0.units.map(MarkedString.code)) }
      return .string(try text().stripped { characters?.contains(MarkedString.code($0)) ?? MarkedString.isSpace($0) })
    case "replace":
      guard let old = try arguments.text(0, "old"), let new = try arguments.text(1, "new") else {
        throw Failure("replace needs two texts")
      }
      return .string(try replaced(MarkedString(try text().units), old, new, try arguments.integer(2, "count")))
    case "indent": return .string(try indented(try text(), arguments))
    case "wordcount": return .integer(try text().wordCount)
    case "format": return .string(try formatted(try text(), arguments.positional))
    case "join":
      let separator = try arguments[0, "d"].map(printed) ?? ""
      var items = try iterate(value)
      if let name = arguments[1, "attribute"] { items = try items.map { try path($0, name) } }
      var result = MarkedString([])
      for (index, item) in items.enumerated() {
        if index > 0 { result += separator }
        result += try printed(item)
        if result.count > limits.length { break }
      }
      return .string(result)
    case "first":
      if let unit = value.string?.units.first { return .string(MarkedString([unit])) }
      if case .iterable(let iterable) = value {
        return iterable.takeFirst() ?? .undefined("there is no first element")
      }
      return try iterate(value).first ?? .undefined("there is no first element")
    case "last":
      if let unit = value.string?.units.last { return .string(MarkedString([unit])) }
      if case .iterable(let iterable) = value, iterable.count == nil { throw Failure("the last of a generator") }
      return try iterate(value).last ?? .undefined("there is no last element")
    case "list": return .list(try iterate(value))
    case "reverse":
      if let text = value.string { return .string(text.with(text.units.reversed())) }
      // A copy, reversed, of what can only be looped over.
      if case .iterable(let iterable) = value, iterable.count == nil { return .list(try elements(iterable).reversed()) }
      return try generator(iterate(value).reversed())
    case "items":
      if value.isUndefined { return try generator([]) }
      guard case .dict(let dict) = value else { throw Failure("items of a \(value.typeName)") }
      return try generator(dict.items.map { .tuple([$0.key, $0.value]) })
    case "dictsort":
      try needsValue()
      guard case .dict(let dict) = value else { throw Failure("dictsort of a \(value.typeName)") }
      let byValue = arguments[1, "by"]?.string == "value"
      let items = try sorted(
        dict.items.map { .tuple([$0.key, $0.value]) }, isCaseSensitive: arguments[0, "case_sensitive"]?.isTrue ?? false,
        isReversed: arguments[2, "reverse"]?.isTrue ?? false
      ) { $0.sequence![byValue ? 1 : 0] }
      return try built(.list(items))
    case "sort":
      let key = arguments[2, "attribute"]
      return .list(
        try sorted(
          try iterate(value), isCaseSensitive: arguments[1, "case_sensitive"]?.isTrue ?? false,
          isReversed: arguments[0, "reverse"]?.isTrue ?? false
        ) { item in try key.map { try path(item, $0) } ?? item })
    case "unique":
      let isCaseSensitive = arguments[0, "case_sensitive"]?.isTrue ?? false
      var seen: [Value] = []
      var kept: [Value] = []
      for item in try iterate(value) {
        let key = try folded(try arguments[1, "attribute"].map { try path(item, $0) } ?? item, isCaseSensitive)
        if try contains(.list(seen), key) { continue }
        seen.append(key)
        kept.append(item)
      }
      return try generator(kept)
    case "min", "max":
      let items = try iterate(value)
      guard var best = items.first else { return .undefined("there are no elements") }
      func key(_ item: Value) throws -> Value {
        try folded(try arguments[1, "attribute"].map { try path(item, $0) } ?? item, false)
      }
      for item in items.dropFirst() {
        let isBetter = try name == "min" ? isLess(key(item), key(best)) : isLess(key(best), key(item))
        if isBetter { best = item }
      }
      return best
    case "sum":
      var sum = arguments[1, "start"] ?? .integer(0)
      for item in try iterate(value) {
        sum = try binary(.add, sum, try arguments[0, "attribute"].map { try path(item, $0) } ?? item)
      }
      return sum
    case "int":
      try needsValue()
      if let number = value.integer { return .integer(number) }
      let base = try arguments.integer(1, "base") ?? 10
      let spelled = try value.number == nil ? text().stripped().text.replacing("_", with: "") : ""
      if let number = Self.integer(spelled, base) { return .integer(number) }
      guard let number = value.number ?? Self.number(spelled), number.isFinite else {
        return arguments[0, "default"] ?? .integer(0)
      }
      guard let whole = Int(exactly: number.rounded(.towardZero)) else { throw Failure("a number too large") }
      return .integer(whole)
    case "float":
      try needsValue()
      if let number = try value.number ?? Self.number(text().stripped().text) { return .float(number) }
      return arguments[0, "default"] ?? .float(0)
    case "abs":
      if let number = value.integer { return number < 0 ? try negated(value) : .integer(number) }
      guard let number = value.number else { throw Failure("abs of a \(value.typeName)") }
      return .float(abs(number))
    case "round":
      guard let number = value.number else { throw Failure("round of a \(value.typeName)") }
      let precision = min(15, max(-15, try arguments.integer(0, "precision") ?? 0))
      let scale = pow(10, Double(abs(precision)))
      let rule: FloatingPointRoundingRule =
        switch arguments[1, "method"]?.string {
        case "ceil": .up
        case "floor": .down
        default: .toNearestOrEven
        }
      let isWhole = value.integer != nil && rule == .toNearestOrEven
      if isWhole, precision >= 0 { return value }
      let rounded = precision < 0 ? (number / scale).rounded(rule) * scale : (number * scale).rounded(rule) / scale
      return isWhole ? Int(exactly: rounded).map { .integer($0) } ?? value : .float(rounded)
    case "attr":
      let name = try self.name(arguments.required(0, "name"))
      // Not its elements.
      if case .dict = value { return methodValue(value, name) ?? .undefined("a dict has no attribute '\(name)'") }
      return try attribute(value, name)
    case "map":
      // What is false has no elements, whatever it is.
      let items = value.isTrue ? try iterate(value) : []
      if arguments.positional.isEmpty {
        guard let name = arguments[0, "attribute"] else { throw Failure("map needs a filter or an attribute") }
        let fallback = arguments[1, "default"]
        return try generator(
          items.map { item in
            let found = try path(item, name)
            return found.isUndefined ? fallback ?? found : found
          })
      }
      let filter = try self.name(arguments.required(0, "filter"))
      guard Self.filterNames.contains(filter) else { throw Failure("there is no filter named '\(filter)'") }
      let rest = Arguments(Array(arguments.positional.dropFirst()), arguments.named)
      return try generator(items.map { try self.filter($0, filter, rest, scope) })
    case "select", "reject", "selectattr", "rejectattr":
      var rest = arguments.positional[...]
      let key = name.hasSuffix("attr") ? rest.popFirst() : nil
      if name.hasSuffix("attr") && key == nil { throw Failure("\(name) needs an attribute") }
      let test = try rest.popFirst().map(self.name)
      if let test, !Self.testNames.contains(test) { throw Failure("there is no test named '\(test)'") }
      let keeps = name.hasPrefix("select")
      return try generator(
        (value.isTrue ? iterate(value) : []).filter { item in
          let tested = try key.map { try path(item, $0) } ?? item
          return try (test.map { try self.test(tested, $0, Array(rest)) } ?? tested.isTrue) == keeps
        })
    default: throw Failure("there is no filter named '\(name)'")
    }
  }

  /// An element by name, or by a path of names and numbers: `function.name`.
  private func path(_ value: Value, _ path: Value) throws -> Value {
    if path.integer != nil { return try item(value, path) }
    return try name(path).split(separator: ".").reduce(value) { object, name in
      if let index = Int(name) { return try item(object, .integer(index)) }
      return try item(object, .string(MarkedString(String(name))))
    }
  }

  /// An integer as Python reads one; base 0 means what its first characters say.
  private static func integer(_ text: String, _ base: Int) -> Int? {
    let isNegative = text.hasPrefix("-")
    var digits = text.dropFirst(isNegative || text.hasPrefix("+") ? 1 : 0)
    var radix = base
    for (prefix, meaning) in [("0x", 16), ("0o", 8), ("0b", 2)]
    where digits.lowercased().hasPrefix(prefix) && (base == meaning || base == 0) {
      digits = digits.dropFirst(2)
      radix = meaning
    }
    if radix == 0, digits.hasPrefix("0"), digits.contains(where: { $0 != "0" }) { return nil }
    if radix == 0 { radix = 10 }
    guard (2...36).contains(radix), digits.first?.isHexDigit == true || digits.first?.isLetter == true else {
      return nil
    }
    return Int((isNegative ? "-" : "") + digits, radix: radix)
  }

  /// A number as Python reads one, which knows none in hexadecimal.
  private static func number(_ text: String) -> Double? {
    text.contains { "xXpP(".contains($0) } ? nil : Double(text)
  }

  private func length(_ value: Value) throws -> Int {
    switch value {
    case .string(let text): return text.count
    case .list(let items), .tuple(let items): return items.count
    case .dict(let dict): return dict.keys.count
    case .undefined: return 0
    case .loop(let loop): return loop.items.count
    case .iterable(let iterable):
      guard let count = iterable.count else { throw Failure("a \(value.typeName) has no length") }
      return count
    default: throw Failure("a \(value.typeName) has no length")
    }
  }

  private func folded(_ value: Value, _ isCaseSensitive: Bool) throws -> Value {
    guard !isCaseSensitive, let text = value.string else { return value }
    try step(text.count)
    return .string(text.lowercased)
  }

  private func sorted(
    _ items: [Value], isCaseSensitive: Bool, isReversed: Bool, by key: (Value) throws -> Value
  ) throws -> [Value] {
    try made(items.count)
    let keyed = try items.enumerated().map { ($0.offset, try folded(try key($0.element), isCaseSensitive), $0.element) }
    // Equal ones stay in their order.
    return try keyed.sorted { a, b in
      if try areEqual(a.1, b.1) { return a.0 < b.0 }
      return try isReversed ? isLess(b.1, a.1) : isLess(a.1, b.1)
    }.map(\.2)
  }

  private func indented(_ text: MarkedString, _ arguments: Arguments) throws -> MarkedString {
    let width = arguments[0, "width"]
    let blank: MarkedString =
      width?.string ?? MarkedString(String(repeating: " ", count: min(1000, max(0, width?.integer ?? 4))))
    let isFirstIndented = arguments[1, "first"]?.isTrue ?? false
    let areBlankIndented = arguments[2, "blank"]?.isTrue ?? false
    var result = MarkedString([])
    for (index, line) in (text + "\n").lines.enumerated() {
      if index > 0 { result += "\n" }
      let isIndented = index > 0 ? !line.isEmpty || areBlankIndented : isFirstIndented
      if isIndented { result += blank }
      result += line
      if result.count > limits.length { break }
    }
    return MarkedString(result.units, isMarkup: text.isMarkup)
  }

  func replaced(_ text: MarkedString, _ old: MarkedString, _ new: MarkedString, _ count: Int?) throws -> MarkedString {
    var left = count.map { $0 < 0 ? .max : $0 } ?? .max
    var result: [UInt32] = []
    if old.isEmpty {
      for unit in text.units {
        if left > 0 { result += new.units }
        left -= left > 0 ? 1 : 0
        result.append(unit)
        if result.count > limits.length { break }
      }
      if left > 0 { result += new.units }
    } else {
      var rest = text.units[...]
      while left > 0, let range = MarkedString.firstRange(of: old.units, in: rest) {
        result += rest[..<range.lowerBound] + new.units
        rest = rest[range.upperBound...]
        left -= 1
        if result.count > limits.length { break }
      }
      result += rest
    }
    return text.with(result)
  }
}
