/// What keys do to a text, in the composer and wherever else something is written.
extension Editor {
  /// - Returns: whether the intent is one of writing.
  mutating func apply(_ intent: Intent) -> Bool {
    switch intent {
    case .left: moveLeft()
    case .right: moveRight()
    case .wordLeft: moveWordLeft()
    case .wordRight: moveWordRight()
    case .lineStart: moveToLineStart()
    case .lineEnd: moveToLineEnd()
    case .deleteBackward: deleteBackward()
    case .deleteForward: deleteForward()
    case .deleteBackwardToSpace: deleteBackwardToSpace()
    case .deleteWordBackward: deleteWordBackward()
    case .deleteWordForward: deleteWordForward()
    case .deleteToLineStart: deleteToLineStart()
    case .deleteToLineEnd: deleteToLineEnd()
    case .transpose: transpose()
    case .putBack: putBack()
    default: return false
    }
    return true
  }
}
