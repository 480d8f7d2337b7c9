// Filters, tests and methods, as Python's jinja2 and Python itself have them.

extension Interpreter {
  static let filterNames: Set<String> = [
    "abs", "attr", "capitalize", "count", "d", "default", "dictsort", "e", "escape", "first", "float", "format",
    "indent",
    "int", "items", "join", "last", "length", "list", "lower", "map", "max", "min", "reject", "rejectattr", "replace",
    "reverse", "round", "safe", "select", "selectattr", "sort", "string", "sum", "title", "tojson", "trim", "unique",
    "upper", "wordcount",
  ]

  static let testNames: Set<String> = [
    "!=", "<", "<=", "==", ">", ">=", "boolean", "callable", "defined", "divisibleby", "eq", "equalto", "even", "false",
    "filter", "float", "ge", "greaterthan", "gt", "in", "integer", "iterable", "le", "lessthan", "lower", "lt",
    "mapping",
    "ne", "none", "number", "odd", "sameas", "sequence", "string", "test", "true", "undefined", "upper",
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
      var separators: (String, String)?
      if let given = arguments[2, "separators"]?.sequence, given.count == 2 {
        separators = (given[0].printed.text, given[1].printed.text)
      }
      let json = try value.json(
        indent: try arguments.integer(1, "indent"), sortKeys: arguments[3, "sort_keys"]?.isTrue ?? false,
        separators: separators)
      try made(json.count)
      return .string(json)
    case "length", "count": return .integer(try length(value))
    case "string": return .string(text())
    case "safe", "escape", "e": return .string(name == "safe" ? text() : text().escaped)
    case "upper": return .string(text().uppercased)
    case "lower": return .string(text().lowercased)
    case "capitalize": return .string(text().capitalized)
    case "title": return .string(text().titled(afterAny: false))
    case "trim":
      let characters = try arguments.text(0, "chars").map { Set($0.units.map(MarkedString.code)) }
      return .string(text().stripped { characters?.contains(MarkedString.code($0)) ?? MarkedString.isSpace($0) })
    case "replace":
      guard let old = try arguments.text(0, "old"), let new = try arguments.text(1, "new") else {
        throw Failure("replace needs two texts")
      }
      return .string(try replaced(text(), old, new, try arguments.integer(2, "count")))
    case "indent": return .string(indented(text(), arguments))
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
      }
      try made(result.count)
      return .string(result)
    case "first": return try iterate(value).first ?? .undefined("there is no first element")
    case "last": return try iterate(value).last ?? .undefined("there is no last element")
    case "list": return .list(try iterate(value))
    case "reverse":
      if let text = value.string { return .string(text.with(text.units.reversed())) }
      return .list(try iterate(value).reversed())
    case "items":
      if value.isUndefined { return .list([]) }
      guard case .dict(let dict) = value else { throw Failure("items of a \(value.typeName)") }
      return .list(dict.items.map { .tuple([$0.key, $0.value]) })
    case "dictsort":
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
      return .list(kept)
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
      if let number = value.integer { return .integer(number) }
      if let number = value.number {
        return Int(exactly: number.rounded(.towardZero)).map { .integer($0) } ?? .integer(0)
      }
      let spelled = text().stripped().text.replacing("_", with: "")
      if let number = Int(spelled, radix: try arguments.integer(1, "base") ?? 10) { return .integer(number) }
      if let number = Double(spelled), let whole = Int(exactly: number.rounded(.towardZero)) { return .integer(whole) }
      return arguments[0, "default"] ?? .integer(0)
    case "float":
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
      return try attribute(value, try arguments.required(0, "name").printed.text)
    case "map":
      let items = try iterate(value)
      if arguments.positional.isEmpty {
        guard let name = arguments[0, "attribute"] else { throw Failure("map needs a filter or an attribute") }
        let fallback = arguments[1, "default"]
        return .list(
          try items.map { item in
            let found = try path(item, name)
            return found.isUndefined ? fallback ?? found : found
          })
      }
      let filter = try arguments.required(0, "filter").printed.text
      guard Self.filterNames.contains(filter) else { throw Failure("there is no filter named '\(filter)'") }
      let rest = Arguments(Array(arguments.positional.dropFirst()), arguments.named)
      return .list(try items.map { try self.filter($0, filter, rest, scope) })
    case "select", "reject", "selectattr", "rejectattr":
      var rest = arguments.positional[...]
      let key = name.hasSuffix("attr") ? rest.popFirst() : nil
      if name.hasSuffix("attr") && key == nil { throw Failure("\(name) needs an attribute") }
      let test = rest.popFirst()?.printed.text
      if let test, !Self.testNames.contains(test) { throw Failure("there is no test named '\(test)'") }
      let keeps = name.hasPrefix("select")
      return .list(
        try iterate(value).filter { item in
          let tested = try key.map { try path(item, $0) } ?? item
          return try (test.map { try self.test(tested, $0, Array(rest)) } ?? tested.isTrue) == keeps
        })
    default: throw Failure("there is no filter named '\(name)'")
    }
  }

  /// An attribute by name, or by a path of names and numbers: `function.name`.
  private func path(_ value: Value, _ path: Value) throws -> Value {
    if path.integer != nil { return try item(value, path) }
    return try path.printed.text.split(separator: ".").reduce(value) { object, name in
      if let index = Int(name) { return try item(object, .integer(index)) }
      return try attribute(object, String(name))
    }
  }

  private func length(_ value: Value) throws -> Int {
    switch value {
    case .string(let text): return text.count
    case .list(let items), .tuple(let items): return items.count
    case .dict(let dict): return dict.keys.count
    case .undefined: return 0
    case .loop(let loop): return loop.items.count
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

  private func indented(_ text: MarkedString, _ arguments: Arguments) -> MarkedString {
    let width = arguments[0, "width"]
    let blank: MarkedString =
      width?.string ?? MarkedString(String(repeating: " ", count: min(1000, max(0, width?.integer ?? 4))))
    let isFirstIndented = arguments[1, "first"]?.isTrue ?? false
    let areBlankIndented = arguments[2, "blank"]?.isTrue ?? false
    var result = MarkedString([])
    for (index, line) in text.split(on: "\n", maximum: nil).enumerated() {
      if index > 0 { result += "\n" }
      let isIndented = index > 0 ? !line.isEmpty || areBlankIndented : isFirstIndented
      if isIndented { result += blank }
      result += line
    }
    return result
  }

  func replaced(_ text: MarkedString, _ old: MarkedString, _ new: MarkedString, _ count: Int?) throws -> MarkedString {
    var left = count.map { $0 < 0 ? .max : $0 } ?? .max
    var result: [UInt32] = []
    if old.isEmpty {
      for unit in text.units {
        if left > 0 { result += new.units }
        left -= left > 0 ? 1 : 0
        result.append(unit)
      }
      if left > 0 { result += new.units }
    } else {
      var rest = text.units[...]
      while left > 0, let range = MarkedString.firstRange(of: old.units, in: rest) {
        result += rest[..<range.lowerBound] + new.units
        rest = rest[range.upperBound...]
        left -= 1
      }
      result += rest
    }
    try made(result.count)
    return text.with(result)
  }

  // MARK: Tests

  func test(_ value: Value, _ name: String, _ arguments: [Value]) throws -> Bool {
    func argument() throws -> Value {
      guard let first = arguments.first else { throw Failure("the test '\(name)' needs something to compare with") }
      return first
    }
    switch name {
    case "defined": return !value.isUndefined
    case "undefined": return value.isUndefined
    case "none": if case .none = value { return true } else { return false }
    case "string": return value.string != nil
    case "mapping": if case .dict = value { return true } else { return false }
    case "sequence":
      switch value {
      case .string, .list, .tuple, .dict, .undefined: return true
      default: return false
      }
    case "iterable":
      switch value {
      case .string, .list, .tuple, .dict, .undefined, .loop: return true
      default: return false
      }
    case "number":
      switch value {
      case .bool, .integer, .float: return true
      default: return false
      }
    case "integer": if case .integer = value { return true } else { return false }
    case "float": if case .float = value { return true } else { return false }
    case "boolean": if case .bool = value { return true } else { return false }
    case "true": if case .bool(true) = value { return true } else { return false }
    case "false": if case .bool(false) = value { return true } else { return false }
    case "callable":
      switch value {
      case .function, .macro, .loop: return true
      default: return false
      }
    case "odd", "even":
      guard let number = value.integer else { throw Failure("'\(name)' of a \(value.typeName)") }
      return (number % 2 != 0) == (name == "odd")
    case "divisibleby":
      guard let number = value.integer, let divisor = try argument().integer, divisor != 0 else {
        throw Failure("divisibleby needs numbers")
      }
      return divisor == -1 || number % divisor == 0
    case "lower": return value.printed == value.printed.lowercased && value.printed != value.printed.uppercased
    case "upper": return value.printed == value.printed.uppercased && value.printed != value.printed.lowercased
    case "in": return try contains(try argument(), value)
    case "eq", "equalto", "==": return Value.areEqual(value, try argument())
    case "ne", "!=": return !Value.areEqual(value, try argument())
    case "lt", "lessthan", "<": return try Value.isLess(value, try argument())
    case "gt", "greaterthan", ">": return try Value.isLess(try argument(), value)
    case "le", "<=": return try !Value.isLess(try argument(), value)
    case "ge", ">=": return try !Value.isLess(value, try argument())
    case "sameas":
      let other = try argument()
      return value.typeName == other.typeName && Value.areEqual(value, other)
    case "filter": return Self.filterNames.contains(value.printed.text)
    case "test": return Self.testNames.contains(value.printed.text)
    default: throw Failure("there is no test named '\(name)'")
    }
  }

  // MARK: Methods

  /// - Returns: `nil` where the object has no such method.
  func method(_ object: Value, _ name: String, _ arguments: Arguments) throws -> Value? {
    switch object {
    case .string(let text): return try method(text, name, arguments)
    case .dict(let dict):
      switch name {
      case "items": return .list(dict.items.map { .tuple([$0.key, $0.value]) })
      case "keys": return .list(dict.keys)
      case "values": return .list(dict.items.map(\.value))
      case "get": return dict[try arguments.required(0, "key")] ?? arguments[1, "default"] ?? Value.none
      case "copy": return object
      case "update", "pop", "clear", "setdefault", "popitem": throw Failure("a template cannot change a dict")
      default: return nil
      }
    case .list(let items), .tuple(let items):
      switch name {
      case "index":
        let wanted = try arguments.required(0, "value")
        guard let index = items.firstIndex(where: { Value.areEqual($0, wanted) }) else {
          throw Failure("the list has no such element")
        }
        return .integer(index)
      case "count":
        let wanted = try arguments.required(0, "value")
        return .integer(items.count { Value.areEqual($0, wanted) })
      case "copy": return object
      case "append", "extend", "insert", "pop", "remove", "sort", "reverse", "clear":
        throw Failure("a template cannot change a list")
      default: return nil
      }
    case .loop(let loop):
      switch name {
      case "cycle":
        if arguments.positional.isEmpty { throw Failure("cycle of nothing") }
        return arguments.positional[loop.index % arguments.positional.count]
      case "changed":
        defer { loop.lastChanged = arguments.positional }
        return .bool(loop.lastChanged.map { !Value.areEqual(.list($0), .list(arguments.positional)) } ?? true)
      default: return nil
      }
    default: return nil
    }
  }

  private func method(_ text: MarkedString, _ name: String, _ arguments: Arguments) throws -> Value? {
    func strip(left: Bool, right: Bool) throws -> Value {
      let characters = try arguments.text(0, "chars").map { Set($0.units.map(MarkedString.code)) }
      return .string(
        text.stripped(left: left, right: right) {
          characters?.contains(MarkedString.code($0)) ?? MarkedString.isSpace($0)
        })
    }
    func affixes() throws -> [MarkedString] {
      let value = try arguments.required(0, "prefix")
      guard let all = value.sequence ?? (value.string != nil ? [value] : nil) else {
        throw Failure("\(name) of a \(value.typeName)")
      }
      return all.map(\.printed)
    }
    switch name {
    case "strip": return try strip(left: true, right: true)
    case "lstrip": return try strip(left: true, right: false)
    case "rstrip": return try strip(left: false, right: true)
    case "upper": return .string(text.uppercased)
    case "lower", "casefold": return .string(text.lowercased)
    case "capitalize": return .string(text.capitalized)
    case "title": return .string(text.titled(afterAny: true))
    case "startswith": return .bool(try affixes().contains { text.hasPrefix($0) })
    case "endswith": return .bool(try affixes().contains { text.hasSuffix($0) })
    case "removeprefix":
      let affix = try affixes()[0]
      return .string(text.hasPrefix(affix) ? text.with(text.units.dropFirst(affix.count)) : text)
    case "removesuffix":
      let affix = try affixes()[0]
      return .string(text.hasSuffix(affix) && !affix.isEmpty ? text.with(text.units.dropLast(affix.count)) : text)
    case "replace":
      guard let old = try arguments.text(0, "old"), let new = try arguments.text(1, "new") else {
        throw Failure("replace needs two texts")
      }
      return .string(try replaced(text, old, new, try arguments.integer(2, "count")))
    case "split", "rsplit":
      let most = try arguments.integer(1, "maxsplit").flatMap { $0 < 0 ? nil : $0 }
      try made(text.count)
      guard let separator = try arguments.text(0, "sep") else {
        return .list((name == "split" ? text.words(maximum: most) : text.lastWords(maximum: most)).map { .string($0) })
      }
      if separator.isEmpty { throw Failure("split by nothing") }
      let parts =
        name == "split" ? text.split(on: separator, maximum: most) : text.splitFromEnd(on: separator, maximum: most)
      return .list(parts.map { .string($0) })
    case "splitlines": return .list(text.lines.map { .string($0) })
    case "partition", "rpartition":
      let separator = try arguments.text(0, "sep") ?? ""
      if separator.isEmpty { throw Failure("\(name) by nothing") }
      let parts =
        name == "partition"
        ? text.split(on: separator, maximum: 1) : text.splitFromEnd(on: separator, maximum: 1)
      if parts.count == 2 { return .tuple([.string(parts[0]), .string(separator), .string(parts[1])]) }
      let empty = Value.string(MarkedString([]))
      return .tuple(name == "partition" ? [.string(text), empty, empty] : [empty, empty, .string(text)])
    case "join":
      return try filter(try arguments.required(0, "iterable"), "join", Arguments([.string(text)], []), Scope(in: nil))
    case "find", "rfind", "index":
      let part = try arguments.text(0, "sub") ?? ""
      let range = name == "rfind" ? text.lastRange(of: part) : text.firstRange(of: part)
      if range == nil, name == "index" { throw Failure("the text has no such part") }
      return .integer(range?.lowerBound ?? -1)
    case "count":
      let part = try arguments.text(0, "sub") ?? ""
      return .integer(part.isEmpty ? text.count + 1 : text.split(on: part, maximum: nil).count - 1)
    case "isdigit", "isnumeric", "isdecimal":
      return .bool(!text.isEmpty && text.units.allSatisfy { MarkedString.scalar($0).properties.numericType != nil })
    case "isalpha":
      return .bool(!text.isEmpty && text.units.allSatisfy { MarkedString.scalar($0).properties.isAlphabetic })
    case "isalnum":
      return .bool(
        !text.isEmpty
          && text.units.allSatisfy {
            let properties = MarkedString.scalar($0).properties
            return properties.isAlphabetic || properties.numericType != nil
          })
    case "isspace": return .bool(!text.isEmpty && text.units.allSatisfy(MarkedString.isSpace))
    case "islower": return .bool(try test(.string(text), "lower", []))
    case "isupper": return .bool(try test(.string(text), "upper", []))
    case "zfill", "ljust", "rjust", "center":
      let width = min(10_000, try arguments.integer(0, "width") ?? 0)
      let fill = name == "zfill" ? "0" : try arguments.text(1, "fillchar") ?? " "
      let missing = max(0, width - text.count)
      func pad(_ count: Int) -> [UInt32] { (0..<count).flatMap { _ in fill.units } }
      switch name {
      case "ljust": return .string(text.with(text.units + pad(missing)))
      case "center": return .string(text.with(pad(missing / 2) + text.units + pad(missing - missing / 2)))
      default: return .string(text.with(pad(missing) + text.units))
      }
    case "format":
      var next = 0
      var result = MarkedString([])
      var rest = text.units[...]
      while let unit = rest.popFirst() {
        let code = MarkedString.code(unit)
        if code == 0x7B || code == 0x7D, rest.first.map(MarkedString.code) == code {
          result.units.append(unit)
          rest.removeFirst()
        } else if code == 0x7B, let end = rest.firstIndex(where: { MarkedString.code($0) == 0x7D }) {
          let name = MarkedString.text(rest[..<end])
          rest = rest[(end + 1)...]
          let index = name.isEmpty ? next : Int(name) ?? Int.max
          if name.isEmpty { next += 1 }
          guard let value = arguments[index, name] else { throw Failure("format has no value for {\(name)}") }
          result += value.printed
        } else {
          result.units.append(unit)
        }
      }
      return .string(result)
    default: return nil
    }
  }
}

// MARK: - Parts of texts

extension MarkedString {
  static func firstRange(of part: [Unit], in units: ArraySlice<Unit>) -> Range<Int>? {
    if part.isEmpty { return units.startIndex..<units.startIndex }
    guard units.count >= part.count else { return nil }
    let first = code(part[0])
    for start in units.startIndex...(units.endIndex - part.count) where code(units[start]) == first {
      if part.indices.allSatisfy({ (units[start + $0] ^ part[$0]) & codeMask == 0 }) {
        return start..<start + part.count
      }
    }
    return nil
  }

  func firstRange(of part: MarkedString) -> Range<Int>? { Self.firstRange(of: part.units, in: units[...]) }

  func lastRange(of part: MarkedString) -> Range<Int>? {
    guard count >= part.count else { return nil }
    for start in stride(from: count - part.count, through: 0, by: -1) {
      if part.units.indices.allSatisfy({ (units[start + $0] ^ part.units[$0]) & Self.codeMask == 0 }) {
        return start..<start + part.count
      }
    }
    return nil
  }

  func hasPrefix(_ part: MarkedString) -> Bool { with(units.prefix(part.count)) == part }
  func hasSuffix(_ part: MarkedString) -> Bool { with(units.suffix(part.count)) == part }

  func split(on separator: MarkedString, maximum: Int?) -> [MarkedString] {
    var parts: [MarkedString] = []
    var rest = units[...]
    while parts.count < maximum ?? .max, let range = Self.firstRange(of: separator.units, in: rest) {
      parts.append(with(rest[..<range.lowerBound]))
      rest = rest[range.upperBound...]
    }
    return parts + [with(rest)]
  }

  func splitFromEnd(on separator: MarkedString, maximum: Int?) -> [MarkedString] {
    var parts: [MarkedString] = []
    var rest = self
    while parts.count < maximum ?? .max, let range = rest.lastRange(of: separator) {
      parts.insert(with(rest.units[range.upperBound...]), at: 0)
      rest = with(rest.units[..<range.lowerBound])
    }
    return [rest] + parts
  }

  /// What white space separates; what is left after `maximum` cuts is one part.
  func words(maximum: Int?) -> [MarkedString] {
    var words: [MarkedString] = []
    var rest = units[...].drop(while: Self.isSpace)
    while !rest.isEmpty {
      if words.count == maximum { return words + [with(rest).stripped(left: false)] }
      let word = rest.prefix { !Self.isSpace($0) }
      words.append(with(word))
      rest = rest.dropFirst(word.count).drop(while: Self.isSpace)
    }
    return words
  }

  func lastWords(maximum: Int?) -> [MarkedString] {
    with(units.reversed()).words(maximum: maximum).reversed().map { with($0.units.reversed()) }
  }

  var lines: [MarkedString] {
    var lines: [MarkedString] = []
    var line: [Unit] = []
    for (index, unit) in units.enumerated() {
      let isSecondHalf = Self.code(unit) == 0x0A && index > 0 && Self.code(units[index - 1]) == 0x0D
      if isSecondHalf { continue }
      if Self.isLineEnd(unit) {
        lines.append(with(line))
        line = []
      } else {
        line.append(unit)
      }
    }
    return line.isEmpty ? lines : lines + [with(line)]
  }

  var capitalized: MarkedString {
    guard let first = units.first else { return self }
    return with(Self.changed(first) { $0.properties.titlecaseMapping } + with(units.dropFirst()).lowercased.units)
  }

  /// The first letter of every word large, the others small.
  /// - Parameter afterAny: whether anything but a letter begins a word, as Python's method has it; the filter looks for
  ///   spaces and brackets alone.
  func titled(afterAny: Bool) -> MarkedString {
    var result: [Unit] = []
    var isInWord = false
    for unit in units {
      let scalar = Self.scalar(unit)
      result += Self.changed(unit) { isInWord ? $0.properties.lowercaseMapping : $0.properties.titlecaseMapping }
      isInWord = afterAny ? scalar.properties.isCased : !Self.isSpace(unit) && !"-({[<".unicodeScalars.contains(scalar)
    }
    return with(result)
  }
}
