import CTerminal
import ChatTUI
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
  package init(log: URL?, settings: ScreenSettings) throws(TerminalError) {
    if ct_open(log?.path, settings.mouse ? 1 : 0) != 0 {
      throw TerminalError(description: String(cString: ct_error()))
    }
    define(settings.theme)
  }

  /// Changes the look and the use of the mouse.
  package mutating func set(_ settings: ScreenSettings) {
    ct_use_mouse(settings.mouse ? 1 : 0)
    define(settings.theme)
    forget()
  }

  private func define(_ theme: Theme) {
    let environment = ProcessInfo.processInfo.environment
    let theme = ct_has_colors() == 0 ? .mono : theme.resolved(colorFGBG: environment["COLORFGBG"])
    for style in Style.allCases {
      let (foreground, attributes) = theme.look(of: style)
      ct_define_style(Int32(style.rawValue), Int32(foreground), Self.bits(attributes))
    }
  }

  private static func bits(_ attributes: TextAttributes) -> Int32 {
    let known: [(TextAttributes, Int)] = [
      (.bold, CT_BOLD), (.dim, CT_DIM), (.reverse, CT_REVERSE), (.underline, CT_UNDERLINE), (.italic, CT_ITALIC),
    ]
    return Int32(known.reduce(0) { attributes.contains($1.0) ? $0 | $1.1 : $0 })
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
    case CT_PASTE_BEGIN: return .paste(readPaste())
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

  /// Everything up to the end marker. A terminal that never sends the marker is given up on after a second of silence.
  private func readPaste() -> String {
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 1 << 16)
    var isOver: Int32 = 0
    while isOver == 0 {
      let count = ct_read_paste(&chunk, Int32(chunk.count), 1000, &isOver)
      // Past any text that somebody wants to send, the rest is dropped.
      if bytes.count < Self.longestPaste { bytes += chunk[..<Int(count)] }
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  private static let longestPaste = 64 << 20

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
}
