/// How the characters of a cell are drawn, apart from their colour.
package struct TextAttributes: OptionSet, Hashable, Sendable {
  package let rawValue: UInt8
  package init(rawValue: UInt8) { self.rawValue = rawValue }
  package static let bold = TextAttributes(rawValue: 1)
  package static let dim = TextAttributes(rawValue: 2)
  package static let reverse = TextAttributes(rawValue: 4)
  package static let underline = TextAttributes(rawValue: 8)
  package static let italic = TextAttributes(rawValue: 16)
}

/// Which of the terminal's palette colours are used. The colours themselves are the terminal's own.
public enum Theme: String, Sendable, CaseIterable {
  /// Light where the terminal says so, dark otherwise.
  case auto
  case light, dark
  /// None: attributes alone.
  case mono

  /// What `auto` stands for.
  /// - Parameter colorFGBG: the variable in which some terminals tell their colours, such as `15;0`. Asking the
  ///   terminal itself would delay the first screen.
  package func resolved(colorFGBG: String?) -> Theme {
    guard self == .auto else { return self }
    let background = colorFGBG?.split(separator: ";").last.flatMap { Int($0) }
    // White and light grey; of the rest of the sixteen nobody's background is light.
    return background == 7 || background == 15 ? .light : .dark
  }

  /// The palette index of a style's colour (−1: the terminal's own), and its attributes.
  ///
  /// On black, blue can hardly be read; on white, neither can yellow, green and cyan. Dim is an attribute and no
  /// “bright black”, which some palettes give the colour of the background.
  package func look(of style: Style) -> (foreground: Int, attributes: TextAttributes) {
    let attributes = self == .mono ? Self.attributesAlone(style) : Self.attributes(style)
    return switch self {
    case .light: (Self.light(style), attributes)
    case .dark, .auto: (Self.dark(style), attributes)
    case .mono: (-1, attributes)
    }
  }

  private static func dark(_ style: Style) -> Int {
    switch style {
    case .accent, .user, .key, .graph: 6
    case .warning, .match: 3
    case .error: 1
    case .graphSecond: 5
    case .mark, .code: 2
    default: -1
    }
  }

  private static func light(_ style: Style) -> Int {
    switch style {
    case .accent, .user, .key, .graph: 4
    case .error: 1
    case .warning, .graphSecond, .mark, .code, .match: 5
    default: -1
    }
  }

  private static func attributes(_ style: Style) -> TextAttributes {
    switch style {
    case .text, .assistant, .accent, .graph, .graphSecond, .code: []
    case .dim, .rule: .dim
    case .user, .warning, .error, .title, .strong, .mark, .key: .bold
    case .selection: .reverse
    case .emphasis: .italic
    case .match: [.bold, .underline]
    }
  }

  /// What a colour alone says elsewhere.
  private static func attributesAlone(_ style: Style) -> TextAttributes {
    switch style {
    case .error: [.bold, .reverse]
    case .warning, .code: .bold
    default: attributes(style)
    }
  }
}

/// What about the screen can change while the program runs.
package struct ScreenSettings: Sendable, Equatable {
  package var theme = Theme.auto
  /// Take the mouse.
  package var mouse = true

  package init() {}
}
