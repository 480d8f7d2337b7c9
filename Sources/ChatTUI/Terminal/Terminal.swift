import CTerminal
import Foundation

/// Why the terminal could not be used.
public struct TerminalError: Error, CustomStringConvertible {
  public var description: String
}

/// The terminal behind a canvas: its size, its next event, showing a canvas, giving it back. Main thread only,
/// except `wake`.
package struct Terminal: ~Copyable {
  private var shown = Canvas(width: 0, height: 0)
  private var scalars: [UInt32] = []

  /// Takes the terminal.
  /// - Throws: `TerminalError` if there is none that can be used.
  package init(log: URL?, mouse: Bool, color: Bool) throws(TerminalError) {
    if ct_open(log?.path, mouse ? 1 : 0, color ? 1 : 0) != 0 {
      throw TerminalError(description: String(cString: ct_error()))
    }
    for style in Style.allCases {
      let (foreground, attributes) = Self.look(of: style)
      ct_define_style(Int32(style.rawValue), Int32(foreground), Int32(attributes))
    }
  }

  deinit { ct_close() }

  /// Whether standard input and output are a terminal.
  package static var isAvailable: Bool { ct_is_terminal() != 0 }
  package static var inputIsTerminal: Bool { ct_input_is_terminal() != 0 }

  package var width: Int { Int(ct_width()) }
  package var height: Int { Int(ct_height()) }

  /// Ends the wait of `next` from any thread.
  package static func wake() { ct_wake() }

  /// Waits for an event, asleep.
  /// - Parameter milliseconds: how long at most; `nil` for ever.
  package mutating func next(milliseconds: Int?) -> TerminalEvent {
    var event = ct_event()
    ct_next(Int32(milliseconds ?? -1), &event)
    switch Int(event.kind) {
    case CT_CHARACTER, CT_KEY: return keyPress(event).map { .key($0) } ?? .wake
    case CT_PASTE_BEGIN: return .paste(String(cString: ct_read_paste()))
    case CT_PASTE_END: return .wake
    case CT_MOUSE:
      let kinds: [Int: MouseEvent.Kind] = [
        CT_MOUSE_PRESS: .press, CT_MOUSE_RELEASE: .release, CT_MOUSE_MOVE: .move,
        CT_MOUSE_WHEEL_UP: .wheelUp, CT_MOUSE_WHEEL_DOWN: .wheelDown,
      ]
      guard let kind = kinds[Int(event.code)] else { return .wake }
      return .mouse(MouseEvent(kind, x: Int(event.x), y: Int(event.y)))
    case CT_RESIZE: return .resize(width: width, height: height)
    case CT_WAKE: return .wake
    case CT_QUIT: return .quit(signal: event.code)
    case CT_SUSPEND: return .suspend
    case CT_CONTINUED: return .continued
    default: return .timeout
    }
  }

  private func keyPress(_ event: ct_event) -> KeyPress? {
    let modifiers = KeyPress.Modifiers(rawValue: Int(event.modifiers))
    let code = Int(event.code)
    if Int(event.kind) == CT_CHARACTER {
      return Unicode.Scalar(UInt32(code)).map { KeyPress(.character(Character($0)), modifiers) }
    }
    if code >= CT_KEY_CONTROL {
      let scalar = Unicode.Scalar(UInt8(code - CT_KEY_CONTROL))
      return KeyPress(.character(Character(scalar)), modifiers.union(.control))
    }
    if code > CT_KEY_F { return KeyPress(.function(code - CT_KEY_F), modifiers) }
    let keys: [Int: Key] = [
      CT_KEY_ENTER: .enter, CT_KEY_TAB: .tab, CT_KEY_BACKTAB: .backTab, CT_KEY_ESCAPE: .escape,
      CT_KEY_BACKSPACE: .backspace, CT_KEY_DELETE: .delete, CT_KEY_INSERT: .insert, CT_KEY_LEFT: .left,
      CT_KEY_RIGHT: .right, CT_KEY_UP: .up, CT_KEY_DOWN: .down, CT_KEY_HOME: .home, CT_KEY_END: .end,
      CT_KEY_PAGE_UP: .pageUp, CT_KEY_PAGE_DOWN: .pageDown,
    ]
    return keys[code].map { KeyPress($0, modifiers) }
  }

  /// Shows a canvas: only cells that differ from what is shown are sent.
  package mutating func present(_ canvas: Canvas) {
    let whole = canvas.width != shown.width || canvas.height != shown.height
    for y in 0..<canvas.height {
      for x in 0..<canvas.width {
        let cell = canvas[x, y]
        if cell.width == 0 || (!whole && shown[x, y] == cell) { continue }
        scalars.removeAll(keepingCapacity: true)
        for scalar in cell.text.unicodeScalars { scalars.append(scalar.value) }
        ct_put(Int32(x), Int32(y), scalars, Int32(scalars.count), Int32(cell.style.rawValue))
      }
    }
    ct_cursor(Int32(canvas.cursor?.x ?? -1), Int32(canvas.cursor?.y ?? -1))
    ct_flush()
    shown = canvas
  }

  /// Gives the terminal back, stops the process, and takes the terminal again when it is continued.
  package mutating func suspend(wholeGroup: Bool) {
    ct_suspend(wholeGroup ? 1 : 0)
    forget()
  }

  /// Makes the next `present` send every cell.
  package mutating func forget() {
    shown = Canvas(width: 0, height: 0)
    ct_repaint()
  }

  /// Palette colours, so that the user's theme decides; attributes alone must be enough without colour.
  private static func look(of style: Style) -> (foreground: Int, attributes: Int) {
    // Dim rather than “bright black”, which some themes give the colour of the background.
    switch style {
    case .text, .assistant: (-1, 0)
    case .dim, .rule: (-1, CT_DIM)
    case .accent: (6, 0)
    case .user: (6, CT_BOLD)
    case .warning: (3, CT_BOLD)
    case .error: (1, CT_BOLD)
    case .title, .strong: (-1, CT_BOLD)
    case .graph: (4, 0)
    case .graphSecond: (5, 0)
    case .mark: (2, CT_BOLD)
    case .selection: (-1, CT_REVERSE)
    case .code: (2, 0)
    case .key: (6, CT_BOLD)
    case .emphasis: (-1, CT_ITALIC)
    case .match: (3, CT_BOLD | CT_UNDERLINE)
    }
  }
}
