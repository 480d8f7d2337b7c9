/// Why a template cannot be read or rendered: one line that says where and what.
public struct TemplateError: Error, Sendable, Equatable, CustomStringConvertible {
  /// 1 for the first.
  public let line: Int
  /// 1 for the first, in code points.
  public let column: Int
  public let reason: String
  /// The template itself refused what it was given, by `raise_exception`.
  public let isRaisedByTemplate: Bool

  init(_ reason: String, at offset: Int, in source: [UInt32], isRaisedByTemplate: Bool = false) {
    let before = source[..<min(offset, source.count)]
    line = before.reduce(1) { $0 + ($1 == 0x0A ? 1 : 0) }
    column = before.count - (before.lastIndex(of: 0x0A).map { $0 + 1 } ?? 0) + 1
    self.reason = Self.oneLine(reason)
    self.isRaisedByTemplate = isRaisedByTemplate
  }

  public var description: String { "line \(line), column \(column): \(reason)" }

  /// Texts of templates and of messages are quoted in reasons, whatever is in them.
  private static func oneLine(_ text: String) -> String {
    var result = ""
    for scalar in text.unicodeScalars.prefix(500) {
      switch scalar.properties.generalCategory {
      case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate, .privateUse:
        result.unicodeScalars.append(scalar == "\n" ? " " : "?")
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result
  }
}

/// What a rendering may take before it is given up.
public struct TemplateLimits: Sendable, Equatable {
  /// Work, in characters handled; evaluating an expression counts as `perStep`. A hundred million are a second or two.
  public var work = 100_000_000
  /// What is put together on the way, in characters.
  public var allocation = 128_000_000
  /// The longest string or list, and the rendering, in characters or elements.
  public var length = 16_000_000
  /// How deeply expressions, statements, macros and values may nest.
  public var depth = 1000

  static let perStep = 20
  /// How deeply a template's text may nest.
  static let nesting = 200

  public init() {}
}

/// A reason on its way to where the place in the template is known.
struct Failure: Error {
  let reason: String
  var offset: Int?
  var isRaisedByTemplate = false

  init(_ reason: String, at offset: Int? = nil) {
    self.reason = reason
    self.offset = offset
  }
}
