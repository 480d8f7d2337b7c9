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

  func filter(_ value: Value, _ name: String, _ arguments: Arguments, _ scope: Scope) throws -> Value {
    func text() -> MarkedString { value.printed }
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
      writer.sortsKeys = arguments[3, "sort_keys"]?.isTrue ?? false
      if let given = arguments[2, "separators"], given.isTrue {
        let parts = try iterate(given).map(\.printed)
        guard parts.count == 2 else { throw Failure("separators are two texts") }
        writer.separators = (parts[0], parts[1])
      }
      try writer.write(value)
      try made(writer.output.count)
      return .string(writer.output)
    case "length", "count": return .integer(try length(value))
    case "string": return .string(text())
    case "safe": return .string(MarkedString(text().units, isMarkup: true))
    case "escape", "e":
      try made(text().count)
      return .string(text().escaped)
    case "forceescape": return .string(MarkedString(text().units).escaped)
    case "upper": return .string(text().uppercased)
    case "lower": return .string(text().lowercased)
    case "capitalize": return .string(text().capitalized)
    case "title": return .string(MarkedString(text().titled(afterAny: false).units))
    case "trim":
      let characters = try arguments.text(0, "chars").map { Set($0.units.map(MarkedString.code)) }
      return .string(text().stripped { characters?.contains(MarkedString.code($0)) ?? MarkedString.isSpace($0) })
    case "replace":
      guard let old = try arguments.text(0, "old"), let new = try arguments.text(1, "new") else {
        throw Failure("replace needs two texts")
      }
      return .string(try replaced(MarkedString(text().units), old, new, try arguments.integer(2, "count")))
    case "indent": return .string(try indented(text(), arguments))
    case "wordcount": return .integer(text().words(maximum: nil).count)
    case "format": return .string(try formatted(text(), arguments.positional))
    case "join":
      let separator = arguments[0, "d"]?.printed ?? ""
      var items = try iterate(value)
      if let name = arguments[1, "attribute"] { items = try items.map { try path($0, name) } }
      var result = MarkedString([])
      for (index, item) in items.enumerated() {
        if index > 0 { result += separator }
        result += item.printed
        if result.count > limits.length { break }
      }
      try made(result.count)
      return .string(result)
    case "first":
      if case .iterable(let iterable) = value {
        return iterable.takeFirst() ?? .undefined("there is no first element")
      }
      return try iterate(value).first ?? .undefined("there is no first element")
    case "last":
      if case .iterable(let iterable) = value, iterable.count == nil { throw Failure("the last of a generator") }
      return try iterate(value).last ?? .undefined("there is no last element")
    case "list": return .list(try iterate(value))
    case "reverse":
      if let text = value.string { return .string(text.with(text.units.reversed())) }
      // A copy, reversed, of what can only be looped over.
      if case .iterable(let iterable) = value, iterable.count == nil { return .list(iterable.take().reversed()) }
      return .generator(try iterate(value).reversed())
    case "items":
      if value.isUndefined { return .generator([]) }
      guard case .dict(let dict) = value else { throw Failure("items of a \(value.typeName)") }
      return .generator(dict.items.map { .tuple([$0.key, $0.value]) })
    case "dictsort":
      try needsValue()
      guard case .dict(let dict) = value else { throw Failure("dictsort of a \(value.typeName)") }
      let byValue = arguments[1, "by"]?.printed == "value"
      let items = try sorted(
        dict.items.map { .tuple([$0.key, $0.value]) }, isCaseSensitive: arguments[0, "case_sensitive"]?.isTrue ?? false,
        isReversed: arguments[2, "reverse"]?.isTrue ?? false
      ) { $0.sequence![byValue ? 1 : 0] }
      return .list(items)
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
        let key = folded(try arguments[1, "attribute"].map { try path(item, $0) } ?? item, isCaseSensitive)
        if try contains(.list(seen), key) { continue }
        seen.append(key)
        kept.append(item)
      }
      return .generator(kept)
    case "min", "max":
      let items = try iterate(value)
      guard var best = items.first else { return .undefined("there are no elements") }
      func key(_ item: Value) throws -> Value {
        folded(try arguments[1, "attribute"].map { try path(item, $0) } ?? item, false)
      }
      for item in items.dropFirst() {
        let isBetter = try name == "min" ? Value.isLess(key(item), key(best)) : Value.isLess(key(best), key(item))
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
      if let number = value.number {
        return Int(exactly: number.rounded(.towardZero)).map { .integer($0) } ?? .integer(0)
      }
      let spelled = text().stripped().text.replacing("_", with: "")
      if let number = Int(spelled, radix: try arguments.integer(1, "base") ?? 10) { return .integer(number) }
      if let number = Double(spelled), let whole = Int(exactly: number.rounded(.towardZero)) { return .integer(whole) }
      return arguments[0, "default"] ?? .integer(0)
    case "float":
      try needsValue()
      if let number = value.number ?? Double(text().stripped().text) { return .float(number) }
      return arguments[0, "default"] ?? .float(0)
    case "abs":
      if let number = value.integer { return .integer(abs(number)) }
      guard let number = value.number else { throw Failure("abs of a \(value.typeName)") }
      return .float(abs(number))
    case "round":
      guard let number = value.number else { throw Failure("round of a \(value.typeName)") }
      var scale = 1.0
      for _ in 0..<min(15, max(0, try arguments.integer(0, "precision") ?? 0)) { scale *= 10 }
      let rule: FloatingPointRoundingRule =
        switch arguments[1, "method"]?.printed.text {
        case "ceil": .up
        case "floor": .down
        default: .toNearestOrEven
        }
      return .float((number * scale).rounded(rule) / scale)
    case "attr":
      let name = try arguments.required(0, "name").printed.text
      // Not its elements.
      if case .dict = value { return methodValue(value, name) ?? .undefined("a dict has no attribute '\(name)'") }
      return try attribute(value, name)
    case "map":
      // What is false has no elements, whatever it is.
      let items = value.isTrue ? try iterate(value) : []
      if arguments.positional.isEmpty {
        guard let name = arguments[0, "attribute"] else { throw Failure("map needs a filter or an attribute") }
        let fallback = arguments[1, "default"]
        return .generator(
          try items.map { item in
            let found = try path(item, name)
            return found.isUndefined ? fallback ?? found : found
          })
      }
      let filter = try arguments.required(0, "filter").printed.text
      guard Self.filterNames.contains(filter) else { throw Failure("there is no filter named '\(filter)'") }
      let rest = Arguments(Array(arguments.positional.dropFirst()), arguments.named)
      return .generator(try items.map { try self.filter($0, filter, rest, scope) })
    case "select", "reject", "selectattr", "rejectattr":
      var rest = arguments.positional[...]
      let key = name.hasSuffix("attr") ? rest.popFirst() : nil
      if name.hasSuffix("attr") && key == nil { throw Failure("\(name) needs an attribute") }
      let test = rest.popFirst()?.printed.text
      if let test, !Self.testNames.contains(test) { throw Failure("there is no test named '\(test)'") }
      let keeps = name.hasPrefix("select")
      return .generator(
        try (value.isTrue ? iterate(value) : []).filter { item in
          let tested = try key.map { try path(item, $0) } ?? item
          return try (test.map { try self.test(tested, $0, Array(rest)) } ?? tested.isTrue) == keeps
        })
    default: throw Failure("there is no filter named '\(name)'")
    }
  }

  /// An element by name, or by a path of names and numbers: `function.name`.
  private func path(_ value: Value, _ path: Value) throws -> Value {
    if path.integer != nil { return try item(value, path) }
    return try path.printed.text.split(separator: ".").reduce(value) { object, name in
      if let index = Int(name) { return try item(object, .integer(index)) }
      return try item(object, .string(MarkedString(String(name))))
    }
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

  private func folded(_ value: Value, _ isCaseSensitive: Bool) -> Value {
    isCaseSensitive ? value : value.string.map { .string($0.lowercased) } ?? value
  }

  private func sorted(
    _ items: [Value], isCaseSensitive: Bool, isReversed: Bool, by key: (Value) throws -> Value
  ) throws -> [Value] {
    try made(items.count)
    let keyed = try items.enumerated().map { ($0.offset, folded(try key($0.element), isCaseSensitive), $0.element) }
    // Equal ones stay in their order.
    return try keyed.sorted { a, b in
      if Value.areEqual(a.1, b.1) { return a.0 < b.0 }
      return try isReversed ? Value.isLess(b.1, a.1) : Value.isLess(a.1, b.1)
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
    try made(result.count)
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
    try made(result.count)
    return text.with(result)
  }
}
