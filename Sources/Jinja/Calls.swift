import Foundation

// Calls of macros and of the functions that templates have.

extension Interpreter {
  func call(_ callee: Value, _ positional: [Value], _ named: [(String, Value)], _ scope: Scope) throws -> Value {
    switch callee {
    case .undefined(let reason): throw Failure(reason)
    case .function(let name): return try function(name, Arguments(positional, named))
    case .method(let object, let name):
      if let result = try method(object, name, Arguments(positional, named)) { return result }
      throw Failure("the method '\(name)' is not supported")
    case .macro(let macro): return .string(try nested { try call(macro, positional, named) })
    case .loop(let loop):
      guard let scope = loop.scope, let items = positional.first else {
        throw Failure("this loop is not recursive")
      }
      return .string(
        try nested { try capture { try run(loop.statement, over: try iterate(items), in: scope) } })
    default: throw Failure("a \(callee.typeName) cannot be called")
    }
  }

  func call(_ macro: Macro, _ positional: [Value], _ named: [(String, Value)]) throws -> MarkedString {
    let definition = macro.definition
    let scope = Scope(in: macro.scope)
    var named = named
    var rest = positional[...]
    for parameter in definition.parameters {
      try step(1 + named.count)
      if let value = rest.popFirst() {
        scope[parameter.name] = value
      } else if let index = named.firstIndex(where: { $0.0 == parameter.name }) {
        scope[parameter.name] = named.remove(at: index).1
      } else if let fallback = parameter.fallback {
        scope[parameter.name] = try evaluate(fallback, scope)
      } else {
        scope[parameter.name] = .undefined("parameter '\(parameter.name)' was not given")
      }
    }
    let caller = named.firstIndex { $0.0 == "caller" }.map { named.remove(at: $0).1 }
    if definition.takesCaller { scope["caller"] = caller ?? .undefined("no caller") }
    if definition.takesVarargs {
      scope["varargs"] = try built(.tuple(Array(rest)))
    } else if !rest.isEmpty {
      throw Failure("the macro '\(definition.name)' takes \(definition.parameters.count) arguments")
    }
    if definition.takesKwargs {
      var dict = OrderedDict()
      for (name, value) in named { try set(.name(name), to: value, in: &dict) }
      scope["kwargs"] = try built(.dict(dict))
    } else if let extra = named.first {
      throw Failure("the macro '\(definition.name)' has no parameter '\(extra.0)'")
    }
    return try capture { _ = try run(definition.body, in: scope) }
  }

  func function(_ name: String, _ arguments: Arguments) throws -> Value {
    switch name {
    case "range":
      let numbers = try arguments.positional.map { value in
        guard let number = value.integer else { throw Failure("range() of a \(value.typeName)") }
        return number
      }
      guard (1...3).contains(numbers.count) else { throw Failure("range() takes one to three numbers") }
      let (start, stop) = numbers.count == 1 ? (0, numbers[0]) : (numbers[0], numbers[1])
      let stride = numbers.count == 3 ? numbers[2] : 1
      if stride == 0 { throw Failure("range() with step 0") }
      let places = Self.places(from: start, to: stop, by: stride)
      // As the sandbox of Jinja has it.
      if places.count > 100_000 { throw Failure("range() of more than 100000 numbers") }
      try made(places.count * Self.perElement)
      let bounds = numbers.count == 1 ? [0, stop] : numbers.count == 3 && stride == 1 ? [start, stop] : numbers
      return .iterable(Iterable(.range(bounds), (0..<places.count).map { .integer(places.place($0)) }))
    case "dict", "namespace":
      var dict = OrderedDict()
      if let first = arguments.positional.first {
        if case .dict(let given) = first {
          dict = given
        } else {
          for pair in try iterate(first) {
            guard let parts = pair.sequence, parts.count == 2 else { throw Failure("\(name)() of what is no pair") }
            try set(parts[0], to: parts[1], in: &dict)
          }
        }
      }
      for (key, value) in arguments.named { try set(.name(key), to: value, in: &dict) }
      if name == "dict" { return try built(.dict(dict)) }
      for key in dict.keys { try Self.checkNamespace(self.name(key)) }
      let space = Namespace(dict)
      keep(space)
      return .namespace(space)
    case "raise_exception":
      var failure = Failure(try self.name(arguments.required(0, "message")))
      failure.isRaisedByTemplate = true
      throw failure
    case "strftime_now":
      return .string(MarkedString(Self.time(now, try self.name(arguments.required(0, "format")))))
    default: throw Failure("\(name)() is not supported")
    }
  }

  /// As transformers has it.
  static func checkNamespace(_ attribute: String) throws {
    if attribute.hasPrefix("_") { throw Failure("a namespace's attribute '\(attribute)' begins with an underscore") }
  }

  /// `strftime` in the C locale, local time.
  static func time(_ date: Date, _ format: String) -> String {
    var seconds = time_t(date.timeIntervalSince1970)
    var parts = tm()
    localtime_r(&seconds, &parts)
    var buffer = [CChar](repeating: 0, count: 256)
    let count = strftime(&buffer, buffer.count, String(format.prefix(100)), &parts)
    return String(decoding: buffer.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }
}

/// What a filter, a function or a method is given.
struct Arguments {
  let positional: [Value]
  let named: [(String, Value)]

  init(_ positional: [Value], _ named: [(String, Value)]) {
    self.positional = positional
    self.named = named
  }

  /// An argument by place or name; `nil` where it is not given.
  subscript(_ index: Int, _ name: String) -> Value? {
    positional.indices.contains(index) ? positional[index] : named.first { $0.0 == name }?.1
  }

  func required(_ index: Int, _ name: String) throws -> Value {
    guard let value = self[index, name] else { throw Failure("the argument '\(name)' is missing") }
    return value
  }

  func integer(_ index: Int, _ name: String) throws -> Int? {
    guard let value = self[index, name] else { return nil }
    if case .none = value { return nil }
    guard let number = value.integer else { throw Failure("the argument '\(name)' is a \(value.typeName)") }
    return number
  }

  func text(_ index: Int, _ name: String) throws -> MarkedString? {
    guard let value = self[index, name] else { return nil }
    if case .none = value { return nil }
    guard let text = value.string else { throw Failure("the argument '\(name)' is a \(value.typeName)") }
    return text
  }
}
