import ChatEngine

/// Comparisons: one question at several sizes, one after the other.
extension AppState {
  /// The key: what is written, or the last question, at the usual sizes.
  mutating func compareAtOnce() -> [Effect] {
    let line = editor.text.trimmingWhitespace
    if line.isEmpty { return compare([], nil) }
    if Command.isCommand(line) {
      say("a command is no question to compare")
      return []
    }
    let effects = compare([], Self.asMeant(line))
    if !effects.isEmpty { _ = editor.take() }
    return effects
  }

  /// - Parameters:
  ///   - names: stops by name or number; none: smallest, middle, largest.
  ///   - text: a new question; without it the last one is asked again.
  mutating func compare(_ names: [String], _ text: String?) -> [Effect] {
    if stops.isEmpty {
      say("comparing begins once the family is loaded", isWarning: true)
      return []
    }
    if refusesWhileReplying() { return [] }
    var indices: Set<Int> = names.isEmpty ? [0, (stops.count - 1) / 2, stops.count - 1] : []
    for name in names {
      guard let index = stopIndex(name) else {
        notice("No stitch \(name) to compare; /stitch lists them.", isWarning: true)
        return []
      }
      indices.insert(index)
    }
    guard indices.count > 1 else {
      say("there is nothing to compare: it is one size", isWarning: true)
      return []
    }
    if text == nil && conversation.messagesToLastQuestion.isEmpty {
      say("ask something first, or /compare 1 2 -- TEXT", isWarning: true)
      return []
    }
    settleChoice()
    if let text { conversation.append(.user(text)) }
    // Cheapest first: the user soon has something to read.
    let stitches = indices.sorted().map { stops[$0].id }
    let entry = conversation.appendComparison(stitches)
    repliesStarted &+= 1
    recordComparison(stitches, text, entry: entry)
    scrollToEnd()
    return nextOfComparison(entry)
  }

  /// Starts the next reply of a comparison, or ends it where none is left.
  mutating func nextOfComparison(_ entry: Int) -> [Effect] {
    guard let comparison = conversation.comparison(entry),
      let next = comparison.columns.first(where: { $0.reply.state == .waiting })
    else {
      endComparison(entry)
      return []
    }
    activity = .comparing(entry: entry, reply: next.id)
    var options = sampling
    // All with one seed.
    options.seed = sampling.seed &+ repliesStarted &- 1
    conversation.changeReply(next.id) { $0.options = options }
    options.form = replyForm
    return [
      .startReply(
        id: next.id, messages: conversation.messagesToLastQuestion, stitch: next.reply.stitch, options: options)
    ]
  }

  /// Those that wait are not made any more.
  mutating func cancelRestOfComparison() {
    guard let entry = comparing, let comparison = conversation.comparison(entry) else { return }
    for column in comparison.columns where column.reply.state == .waiting && column.id != activeReply {
      conversation.changeReply(column.id) { $0.state = .cancelled }
    }
  }

  private mutating func endComparison(_ entry: Int) {
    takeContext(of: entry)
    // On a screen the mark and the line at the bottom say so, and they follow the choice.
    if isPlain, let choice = conversation.openChoice, let number = conversation.comparison(choice)?.inUse {
      let id = conversation.comparison(choice)!.columns[number].reply.stitch
      notice("The conversation goes on with \(number + 1), \(id); /keep N takes another.")
    }
  }

  /// The context is what the reply in use left of it.
  private mutating func takeContext(of entry: Int) {
    guard let comparison = conversation.comparison(entry), let column = comparison.inUse,
      case .finished(let stamp) = comparison.columns[column].reply.state
    else { return }
    contextTokens = stamp.contextTokens
  }

  // MARK: Choosing

  /// While a comparison is to be chosen from and nothing is written, a digit keeps that reply and Enter the largest
  /// network's.
  /// - Returns: `nil` if the key means something else.
  mutating func pressInChoice(_ key: KeyPress) -> [Effect]? {
    guard editor.isEmpty, comparing == nil, let entry = conversation.openChoice else { return nil }
    if key == KeyPress(.enter) {
      settleChoice()
      return []
    }
    guard key.modifiers.isEmpty, case .character(let character) = key.key, let number = character.wholeNumberValue,
      let columns = conversation.comparison(entry)?.columns, columns.indices.contains(number - 1)
    else { return nil }
    keepAsAsked(number)
    return []
  }

  /// The user chooses a reply.
  mutating func keepAsAsked(_ number: Int) { if keep(number) { recordCommand("/keep \(number)") } }

  /// Going on is a choice as well.
  mutating func settleChoice() {
    guard let entry = conversation.openChoice, let column = conversation.comparison(entry)?.inUse else { return }
    keep(column + 1)
  }

  /// - Returns: whether it is in use now.
  @discardableResult
  private mutating func keep(_ number: Int) -> Bool {
    guard let entry = conversation.lastComparison, let comparison = conversation.comparison(entry) else {
      say("there is no comparison to keep a reply of")
      return false
    }
    if comparison.isOpen {
      say(comparing == entry ? "the comparison is still running" : "a reply is running: Esc stops it")
      return false
    }
    guard conversation.keep(number - 1, of: entry) else {
      say(
        comparison.columns.indices.contains(number - 1)
          ? "reply \(number) is empty" : "the comparison has \(comparison.columns.count) replies", isWarning: true)
      return false
    }
    takeContext(of: entry)
    say("the conversation goes on with \(number), \(comparison.columns[number - 1].reply.stitch)")
    return true
  }
}
