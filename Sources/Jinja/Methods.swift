// Methods of strings, lists and dicts, as Python has them.

extension Interpreter {
  /// - Returns: `nil` where the object has no such method.
  func method(_ object: Value, _ name: String, _ arguments: Arguments) throws -> Value? {
    switch object {
    case .function("dict") where name == "fromkeys":
      var dict = OrderedDict()
      for key in try iterate(try arguments.required(0, "iterable")) {
        try set(key, to: arguments[1, "value"] ?? .none, in: &dict)
      }
      return try built(.dict(dict))
    case .string(let text):
      // Affixes are compared alone.
      try step(["startswith", "endswith"].contains(name) ? 1 : text.count)
      let result = try method(text, name, arguments)
      if case .string(let text)? = result { try made(text.count) }
      return result
    case .dict(let dict):
      switch name {
      case "items":
        return try built(.iterable(Iterable(.view("dict_items"), dict.items.map { .tuple([$0.key, $0.value]) })))
      case "keys": return try built(.iterable(Iterable(.view("dict_keys"), dict.keys)))
      case "values": return try built(.iterable(Iterable(.view("dict_values"), dict.items.map(\.value))))
      case "get": return try element(arguments.required(0, "key"), of: dict) ?? arguments[1, "default"] ?? Value.none
      case "copy": return object
      case "update", "pop", "clear", "setdefault", "popitem": throw Failure("a template cannot change a dict")
      default: return nil
      }
    case .list(let items), .tuple(let items):
      switch name {
      case "index":
        let wanted = try arguments.required(0, "value")
        guard let index = try items.firstIndex(where: { try areEqual($0, wanted) }) else {
          throw Failure("the list has no such element")
        }
        return .integer(index)
      case "count":
        let wanted = try arguments.required(0, "value")
        return .integer(try items.count { try areEqual($0, wanted) })
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
        if loop.lastChanged == nil { keep(loop) }
        defer { loop.lastChanged = arguments.positional }
        return .bool(try loop.lastChanged.map { try !areEqual($0, arguments.positional) } ?? true)
      default: return nil
      }
    default: return nil
    }
  }

  func method(_ text: MarkedString, _ name: String, _ arguments: Arguments) throws -> Value? {
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
      let affixes = try all.map(printed)
      for affix in affixes { try step(affix.count) }
      return affixes
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
      // More parts than that are refused.
      let bound = limits.length / Self.perElement
      let most = try arguments.integer(1, "maxsplit").map { $0 < 0 ? bound : min($0, bound) } ?? bound
      guard let separator = try arguments.text(0, "sep") else {
        let words = name == "split" ? text.words(maximum: most) : text.lastWords(maximum: most)
        try made(words.count * Self.perElement)
        return .list(words.map { .string($0) })
      }
      if separator.isEmpty { throw Failure("split by nothing") }
      let parts =
        name == "split" ? text.split(on: separator, maximum: most) : text.splitFromEnd(on: separator, maximum: most)
      try made(parts.count * Self.perElement)
      return .list(parts.map { .string($0) })
    case "splitlines":
      try made(text.units.count(where: MarkedString.isLineEnd) * Self.perElement)
      return .list(text.lines.map { .string($0) })
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
      let parts = try iterate(try arguments.required(0, "iterable")).map { part in
        guard let part = part.string else { throw Failure("join of a \(part.typeName)") }
        return Value.string(text.isMarkup ? part.escaped : part)
      }
      let joined = try filter(.list(parts), "join", Arguments([.string(text)], []), Scope(in: nil))
      return .string(text.with(try printed(joined).units))
    case "swapcase":
      return .string(
        text.mapped { $0.properties.isUppercase ? $0.properties.lowercaseMapping : $0.properties.uppercaseMapping })
    case "expandtabs":
      let width = try arguments.integer(0, "tabsize") ?? 8
      if width > 1000 { throw Failure("tabs of \(width)") }
      var column = 0
      var result: [UInt32] = []
      for unit in text.units {
        if MarkedString.code(unit) == 9 {
          let count = width > 0 ? width - column % width : 0
          result += repeatElement(0x20 | unit & ~MarkedString.codeMask, count: count)
          column += count
        } else {
          result.append(unit)
          column = [0x0A, 0x0D].contains(MarkedString.code(unit)) ? 0 : column + 1
        }
        if result.count > limits.length { break }
      }
      return .string(text.with(result))
    case "isascii": return .bool(text.units.allSatisfy { MarkedString.code($0) < 0x80 })
    case "find", "rfind", "index", "rindex":
      let part = try arguments.text(0, "sub") ?? ""
      let range = name.hasPrefix("r") ? text.lastRange(of: part) : text.firstRange(of: part)
      if range == nil, name.hasSuffix("index") { throw Failure("the text has no such part") }
      return .integer(range?.lowerBound ?? -1)
    case "count":
      let part = try arguments.text(0, "sub") ?? ""
      return .integer(part.isEmpty ? text.count + 1 : text.count(of: part))
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
      let width = max(text.count, try arguments.integer(0, "width") ?? 0)
      try made(width)
      let fill = name == "zfill" ? "0" : try arguments.text(1, "fillchar") ?? " "
      guard fill.count == 1 else { throw Failure("\(name) fills with one character, not with \(fill.count)") }
      let missing = width - text.count
      func pad(_ count: Int) -> [UInt32] { Array(repeating: fill.units[0], count: count) }
      switch name {
      case "ljust": return .string(text.with(text.units + pad(missing)))
      case "center":
        // Of an odd number the larger half on the left, if the width is odd.
        let left = missing / 2 + (missing & width & 1)
        return .string(text.with(pad(left) + text.units + pad(missing - left)))
      case "zfill":
        let isSigned = text.units.first.map { [0x2B, 0x2D].contains(MarkedString.code($0)) } ?? false
        let sign = text.units.prefix(isSigned ? 1 : 0)
        return .string(text.with(sign + pad(missing) + text.units.dropFirst(sign.count)))
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
        } else if code == 0x7B {
          guard let end = rest.firstIndex(where: { MarkedString.code($0) == 0x7D }) else {
            throw Failure("a { of a format has no }")
          }
          let name = MarkedString.text(rest[..<end])
          rest = rest[(end + 1)...]
          let index = name.isEmpty ? next : Int(name) ?? Int.max
          if name.isEmpty { next += 1 }
          guard let value = arguments[index, name] else { throw Failure("format has no value for {\(name)}") }
          let part = try printed(value)
          try step(part.count)
          result += text.isMarkup ? part.escaped : part
          if result.count > limits.length { break }
        } else if code == 0x7D {
          throw Failure("a } of a format has no {")
        } else {
          result.units.append(unit)
        }
      }
      return .string(text.with(result.units))
    default: return nil
    }
  }
}
