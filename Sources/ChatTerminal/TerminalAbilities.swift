import CTerminal
import ChatTUI
import Foundation

/// What the terminal can do, asked without taking it.
public struct TerminalAbilities: Sendable {
  public var isTerminal: Bool
  /// `$TERM`.
  public var name: String
  /// Whether ncurses has a description of it.
  public var isKnown: Bool
  public var colors: Int
  /// Whether the locale is one of UTF-8.
  public var isUTF8: Bool
  public var width: Int
  public var height: Int

  /// Of this process's standard input and output.
  public static var now: TerminalAbilities {
    var width: Int32 = 0
    var height: Int32 = 0
    ct_probe_size(&width, &height)
    let isTerminal = ct_is_terminal() != 0
    let colors = isTerminal ? ct_probe_colors() : 0
    return TerminalAbilities(
      isTerminal: isTerminal, name: ProcessInfo.processInfo.environment["TERM"] ?? "unset", isKnown: colors >= 0,
      colors: Int(max(0, colors)), isUTF8: ct_locale_is_utf8() != 0, width: Int(width), height: Int(height))
  }
}
