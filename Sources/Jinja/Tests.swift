// Tests, as Python's jinja2 has them.

extension Interpreter {
  static let testNames: Set<String> = [
    "!=", "<", "<=", "==", ">", ">=", "boolean", "callable", "defined", "divisibleby", "eq", "equalto", "even", "false",
    "filter", "float", "ge", "greaterthan", "gt", "in", "integer", "iterable", "le", "lessthan", "lower", "lt",
    "mapping",
    "ne", "none", "number", "odd", "sameas", "sequence", "string", "test", "true", "undefined", "upper",
  ]

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
      case .iterable(let iterable): return iterable.isRange
      default: return false
      }
    case "iterable":
      switch value {
      case .string, .list, .tuple, .dict, .undefined, .loop, .iterable: return true
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
      case .function, .macro, .loop, .method: return true
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
    case "lower", "upper":
      let text = try printed(value)
      try step(4 * text.count)
      let (small, large) = (text.lowercased, text.uppercased)
      return name == "lower" ? text == small && text != large : text == large && text != small
    case "in": return try contains(try argument(), value)
    case "eq", "equalto", "==": return try areEqual(value, try argument())
    case "ne", "!=": return try !areEqual(value, try argument())
    case "lt", "lessthan", "<": return try isLess(value, try argument())
    case "gt", "greaterthan", ">": return try isLess(try argument(), value)
    case "le", "<=": return try !isLess(try argument(), value)
    case "ge", ">=": return try !isLess(value, try argument())
    case "sameas":
      let other = try argument()
      return try value.typeName == other.typeName && areEqual(value, other)
    case "filter": return Self.filterNames.contains(try self.name(value))
    case "test": return Self.testNames.contains(try self.name(value))
    default: throw Failure("there is no test named '\(name)'")
    }
  }
}
