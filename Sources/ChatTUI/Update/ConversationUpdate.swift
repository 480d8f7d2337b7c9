import ChatEngine
import Conversations
import Foundation

/// Saved conversations: listing, opening, branching, exporting.
extension AppState {
  // MARK: Commands

  mutating func showConversations(_ query: String) -> [Effect] {
    overlay = .picker(
      Picker(title: "Conversations", emptyText: query.isEmpty ? "Nothing is saved yet." : "Nothing fits.", query: query)
    )
    return [.listConversations(query: query, refreshes: true)]
  }

  mutating func openConversation(_ id: String) -> [Effect] {
    if refusesWhileReplying() { return [] }
    if id == journal.id {
      say("this is the conversation that is open")
      return []
    }
    if opening != .done {
      say("a conversation is being opened")
      return []
    }
    opening = .reading
    return [.openConversation(id)]
  }

  /// A new conversation that begins with the first messages of this one.
  mutating func branch(_ turns: Int?) {
    if refusesWhileReplying() { return }
    let count = conversation.turns
    if count == 0 {
      say("there is nothing to branch from yet")
      return
    }
    guard journal.isOn else {
      say("conversations are not saved here, so what a branch leaves out would be lost", isWarning: true)
      return
    }
    let kept = turns ?? count
    guard (1...count).contains(kept) else {
      say("/branch takes a message's number, from 1 to \(count)", isWarning: true)
      return
    }
    let parent = journal.id ?? journal.parent?.id
    conversation.keep(turns: kept)
    if kept < count { recordBeginning(isEmpty: false) }
    conversation.title = nil
    journal.begin(parent: parent.map { ConversationParent(id: $0, turns: kept) })
    contextTokens = conversation.lastContextTokens
    scrollToEnd()
    let messages =
      kept == 1 ? "the first message" : kept == count ? "all \(count) messages" : "the first \(kept) messages"
    notice(
      "This is a branch with \(messages)."
        + (parent.map { " The conversation before stays as it was: /open \($0)" } ?? ""))
  }

  /// `/title`.
  mutating func setTitle(_ text: String?) {
    if let text {
      conversation.title = text == "-" ? nil : text.split(whereSeparator: \.isNewline).joined(separator: " ")
      say(text == "-" ? "no title" : "the title is \(text)")
    } else {
      say(conversation.title.map { "the title is \($0)" } ?? "no title yet: /title TEXT gives one")
    }
  }

  /// `/system`.
  mutating func setSystem(_ text: String?) {
    if let text { conversation.system = text == "-" ? "" : text }
    notice(conversation.system.isEmpty ? "No system prompt." : "System prompt: \(conversation.system)")
  }

  mutating func export(_ file: String) -> [Effect] {
    if conversation.turns == 0 {
      say("there is nothing to export yet")
      return []
    }
    var saved = SavedConversation(
      id: journal.id ?? "", created: Date(), program: "", family: familyReference)
    saved.title = conversation.title
    saved.settings = conversationSettings
    saved.items = conversation.items
    pendingAnswers += 1
    return [.export(saved, file: file)]
  }

  /// `/clear`.
  mutating func clear() -> [Effect] {
    let effects = cancelReply()
    if journal.id != nil { say("a new conversation; the one before is saved: /chats") }
    beginConversation()
    recordBeginning(isEmpty: true)
    bringHeldBack()
    return effects
  }

  /// An empty conversation; the one before stays saved.
  private mutating func beginConversation() {
    conversation.clear()
    journal.begin()
    restoredThrough = 0
    activity = .idle
    contextTokens = 0
    cache = nil
    hasWarnedOfContext = false
    editing = nil
    scrollToEnd()
  }

  // MARK: What comes back

  mutating func recorder(_ event: RecorderEvent) {
    switch event {
    case .created(let id): journal.created(id)
    case .failed(let message):
      notice("This conversation is not saved for now: \(message)", isWarning: true)
    case .recovered: notice("All of this conversation is saved again.")
    }
  }

  mutating func conversations(_ query: String, _ listing: ConversationLibrary.Listing) {
    guard picker?.query == query else { return }
    overlay.picker?.show(listing.conversations.map { Picker.Row($0, isOpen: $0.id == journal.id) })
    if let first = listing.unreadable.first { say(first, isWarning: true) }
  }

  mutating func conversationOpened(_ saved: SavedConversation, obstacle: ConversationError?) -> [Effect] {
    overlay.picker = nil
    if saved.id == journal.id {
      opening = .done
      say("this is the conversation that is open")
      return []
    }
    var effects = cancelReply()
    beginConversation()
    recordBeginning(isEmpty: false)
    restore(saved, isReadOnly: obstacle != nil)
    for problem in saved.problems { notice(problem, isWarning: true) }
    if let obstacle {
      notice(
        "\(obstacle). You can go on here: what is said from now on is saved as a branch of it.", isWarning: true)
    }
    warnAboutFamily(saved)
    opening = .done
    if let adapter = saved.settings.adapter, !startedWith.adapter {
      opening = .adapter
      effects.append(.restoreAdapter(adapter))
    }
    startedWith = StartOptions()
    return effects
  }

  private mutating func restore(_ saved: SavedConversation, isReadOnly: Bool) {
    conversation.restore(saved)
    restoredThrough = conversation.entries.last?.id ?? 0
    contextTokens = conversation.lastContextTokens
    if isReadOnly {
      journal.openForReading(saved, entries: conversation.entries)
    } else {
      journal.open(saved, entries: conversation.entries)
    }
    restoreSettings(saved.settings)
  }

  mutating func conversationRefused(_ message: String) {
    opening = .done
    startedWith = StartOptions()
    notice(message, isWarning: true)
  }

  mutating func adapterRestored(_ adapter: AdapterReference, failure: String?) -> [Effect] {
    if opening == .adapter { opening = .done }
    if case .failed = family { return [] }
    if let failure {
      let name = adapter.step.map { "The adapter of step \($0)" } ?? "The family without an adapter"
      notice("\(name), which this conversation was using, is not in use: \(failure)", isWarning: true)
    } else {
      self.adapter = adapter
      closeMixer(unless: adapter)
    }
    journal.accept(conversationSettings)
    // Quality and importance are those of an adapter.
    return (failure == nil ? [.describe] : []) + startWaitingReply()
  }

  mutating func exported(_ file: String, failure: String?) {
    pendingAnswers -= 1
    notice(failure ?? "Written to \(file).", isWarning: failure != nil)
  }

  // MARK: Settings

  private mutating func restoreSettings(_ settings: ConversationSettings) {
    if let system = startedWith.system { conversation.system = system }
    sampling = settings.sampling.overridden(by: startedWith.sampling)
    repliesStarted = sampling.seed == settings.sampling.seed ? settings.nextSeed &- sampling.seed : 0
    guard startedWith.stitch == nil else { return }
    if let target = settings.auto {
      if stops.isEmpty { slider.wanted = "auto" } else { startAuto(target) }
      return
    }
    slider.auto = nil
    guard let stitch = settings.stitch else { return }
    if stops.isEmpty {
      slider.wanted = stitch
    } else if let index = stopIndex(stitch) {
      slider.stop = index
    } else {
      notice(
        "The stitch \(stitch) of this conversation is not among the stops here; using \(currentStop?.id ?? "none").",
        isWarning: true)
    }
  }

  private mutating func warnAboutFamily(_ saved: SavedConversation) {
    guard let theirs = saved.family, let ours = familyReference, theirs.identity != ours.identity else { return }
    let what =
      theirs.name == ours.name ? "another version of the family \(theirs.name)" : "the family \(theirs.name)"
    notice(
      "This conversation was made with \(what) (\(theirs.directory)); replies now come from \(ours.name) (\(ours.directory)).",
      isWarning: true)
  }
}

extension ReplyOptions {
  /// With those settings of another one that are not the usual ones.
  fileprivate func overridden(by given: ReplyOptions) -> ReplyOptions {
    let usual = ReplyOptions()
    var result = self
    if given.temperature != usual.temperature { result.temperature = given.temperature }
    if given.topK != usual.topK { result.topK = given.topK }
    if given.topP != usual.topP { result.topP = given.topP }
    if given.minP != usual.minP { result.minP = given.minP }
    if given.repetitionPenalty != usual.repetitionPenalty { result.repetitionPenalty = given.repetitionPenalty }
    if given.maxTokens != usual.maxTokens { result.maxTokens = given.maxTokens }
    if given.seed != usual.seed { result.seed = given.seed }
    return result
  }
}

extension Conversation {
  /// What the last reply that ended took of the context.
  fileprivate var lastContextTokens: Int {
    for entry in entries.reversed() {
      if let reply = entry.reply, case .finished(let stamp) = reply.state { return stamp.contextTokens }
    }
    return 0
  }
}
