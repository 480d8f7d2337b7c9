/// A key, apart from its modifiers.
package enum Key: Hashable, Sendable {
  case character(Character)
  case enter, tab, backTab, escape, backspace, delete, insert
  case left, right, up, down, home, end, pageUp, pageDown
  case function(Int)
}

/// A key as it was pressed. Control with a letter is the letter with `control`.
package struct KeyPress: Hashable, Sendable {
  package struct Modifiers: OptionSet, Hashable, Sendable {
    package let rawValue: Int
    package init(rawValue: Int) { self.rawValue = rawValue }
    package static let shift = Modifiers(rawValue: 1)
    package static let alt = Modifiers(rawValue: 2)
    package static let control = Modifiers(rawValue: 4)
  }

  package var key: Key
  package var modifiers: Modifiers

  package init(_ key: Key, _ modifiers: Modifiers = []) {
    self.key = key
    self.modifiers = modifiers
  }

  package static func control(_ character: Character) -> KeyPress { KeyPress(.character(character), .control) }
  package static func alt(_ character: Character) -> KeyPress { KeyPress(.character(character), .alt) }

  /// As help shows it: `Ctrl-J`, `Alt-←`; with `ascii`, `Alt-Left`.
  package func name(ascii: Bool = false) -> String {
    var name = ""
    if modifiers.contains(.control) { name += "Ctrl-" }
    if modifiers.contains(.alt) { name += "Alt-" }
    if modifiers.contains(.shift) { name += "Shift-" }
    switch key {
    case .character(" "): name += "Space"
    case .character(let character): name += name.isEmpty ? String(character) : character.uppercased()
    case .enter: name += "Enter"
    case .tab: name += "Tab"
    case .backTab: name += "Shift-Tab"
    case .escape: name += "Esc"
    case .backspace: name += "Backspace"
    case .delete: name += "Del"
    case .insert: name += "Ins"
    case .left: name += ascii ? "Left" : "←"
    case .right: name += ascii ? "Right" : "→"
    case .up: name += ascii ? "Up" : "↑"
    case .down: name += ascii ? "Down" : "↓"
    case .home: name += "Home"
    case .end: name += "End"
    case .pageUp: name += "PgUp"
    case .pageDown: name += "PgDn"
    case .function(let number): name += "F\(number)"
    }
    return name
  }
}

/// What the mouse did, in cells.
package struct MouseEvent: Hashable, Sendable {
  package enum Kind: Hashable, Sendable { case press, release, move, wheelUp, wheelDown }
  package var kind: Kind
  package var x: Int
  package var y: Int

  package init(_ kind: Kind, x: Int, y: Int) {
    self.kind = kind
    self.x = x
    self.y = y
  }
}

/// What a terminal reports.
package enum TerminalEvent: Hashable, Sendable {
  case key(KeyPress)
  case paste(String)
  case mouse(MouseEvent)
  case resize(width: Int, height: Int)
  /// `Terminal.wake` was called.
  case wake
  /// The program should end: the signal that asks for it, 0 where the terminal is gone.
  case quit(signal: Int32)
  case suspend
  /// The process was continued after a stop; the screen must be drawn anew.
  case continued
  case timeout
}
