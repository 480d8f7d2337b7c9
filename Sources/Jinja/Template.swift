import Foundation

/// A chat template in the language of Python's jinja2, as transformers sets it up: `trim_blocks`, `lstrip_blocks`, loop
/// controls, `{% generation %}`, an immutable sandbox.
///
/// Rendering is bounded in time, depth and size (`TemplateLimits`), and reaches nothing but what it is given.
public struct Template: Sendable, Equatable {
  /// The template's text.
  public let source: String
  private let statements: [Statement]
  private let units: [UInt32]

  public static func == (left: Template, right: Template) -> Bool { left.source == right.source }

  /// - Throws: `TemplateError`, which says where the template is wrong.
  public init(_ source: String) throws(TemplateError) {
    self.source = source
    let units = Lexer.normalized(source)
    self.units = units
    statements = try Self.deep(units) { try Parser.statements(of: units) }
  }

  /// What the template says itself: text between its tags, and strings in them.
  public var literals: [String] {
    var literals: [String] = []
    // Whatever the template computes of them, they are in its text.
    do {
      for token in try Lexer.tokens(of: units) {
        switch token.kind {
        case .data(let text), .string(let text): literals.append(text.text)
        default: break
        }
      }
    } catch { return [] }
    return literals
  }

  /// Renders it.
  /// - Parameters:
  ///   - context: the values of its variables.
  ///   - now: what `strftime_now` says.
  /// - Throws: `TemplateError`, also where the template itself refuses what it is given.
  public func render(
    _ context: [String: TemplateValue], limits: TemplateLimits = TemplateLimits(), now: Date = Date()
  ) throws(TemplateError) -> [TemplateRun] {
    let (statements, values) = (statements, context.mapValues(\.value))
    let output = try Self.deep(units) { try Interpreter(limits: limits, now: now).render(statements, values) }
    return TemplateRun.runs(of: output)
  }

  /// Runs on a thread whose stack is deep enough for everything that `TemplateLimits` lets through.
  private static func deep<Result: Sendable>(
    _ source: [UInt32], _ body: @escaping @Sendable () throws -> Result
  ) throws(TemplateError) -> Result {
    let box = ResultBox<Result>()
    let thread = Thread { box.finish(Swift.Result { try body() }) }
    thread.stackSize = 512 << 20
    thread.start()
    switch box.wait() {
    case .success(let result): return result
    case .failure(let error):
      guard let failure = error as? Failure else { throw TemplateError("\(error)", at: 0, in: source) }
      throw TemplateError(
        failure.reason, at: failure.offset ?? 0, in: source, isRaisedByTemplate: failure.isRaisedByTemplate)
    }
  }
}

/// Hands a result from one thread to another.
///
/// `@unchecked Sendable`: written before the semaphore is signalled, read after it was waited for.
private final class ResultBox<Success: Sendable>: @unchecked Sendable {
  private var result: Result<Success, any Error>?
  private let done = DispatchSemaphore(value: 0)

  func finish(_ result: Result<Success, any Error>) {
    self.result = result
    done.signal()
  }

  func wait() -> Result<Success, any Error> {
    done.wait()
    return result ?? .failure(Failure("the thread ended without a result"))
  }
}

/// A stretch of a rendering that one author wrote.
public struct TemplateRun: Sendable, Equatable {
  public var text: String
  public var origin: TextOrigin
  /// Whether it lies in a `{% generation %}` block.
  public var isGeneration: Bool

  public init(_ text: String, _ origin: TextOrigin, isGeneration: Bool = false) {
    self.text = text
    self.origin = origin
    self.isGeneration = isGeneration
  }

  static func runs(of units: [UInt32]) -> [TemplateRun] {
    var runs: [TemplateRun] = []
    var start = 0
    while start < units.count {
      let mark = units[start] & ~MarkedString.codeMask
      let end = units[start...].firstIndex { $0 & ~MarkedString.codeMask != mark } ?? units.count
      let origin: TextOrigin =
        mark & MarkedString.replyBit != 0
        ? .reply(message: Int(mark >> MarkedString.messageShift))
        : mark & MarkedString.typedBit != 0 ? .typed : .template
      runs.append(
        TemplateRun(MarkedString.text(units[start..<end]), origin, isGeneration: mark & MarkedString.generatedBit != 0))
      start = end
    }
    return runs
  }
}

/// A value that a template is given.
public indirect enum TemplateValue: Sendable {
  case none
  case bool(Bool)
  case integer(Int)
  case number(Double)
  case string(String, TextOrigin)
  case list([TemplateValue])
  /// In this order; somebody wrote the names, too.
  case dict([(key: String, value: TemplateValue)], keys: TextOrigin = .typed)

  var value: Value {
    switch self {
    case .none: return .none
    case .bool(let value): return .bool(value)
    case .integer(let value): return .integer(value)
    case .number(let value): return .float(value)
    case .string(let text, let origin): return .string(MarkedString(text, origin: origin))
    case .list(let items): return .list(items.map(\.value))
    case .dict(let items, let origin):
      var dict = OrderedDict()
      for (key, value) in items {
        // A string can be a key.
        do { try dict.set(.string(MarkedString(key, origin: origin)), value.value) } catch {}
      }
      return .dict(dict)
    }
  }
}
