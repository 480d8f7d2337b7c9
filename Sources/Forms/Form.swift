import Synchronization

/// A vocabulary's tokens as bytes, for forms.
public final class FormVocabulary: Sendable {
  /// Of each token; `nil` for one that adds nothing to a text.
  let bytes: [[UInt8]?]
  /// The same where a text has still to begin, where that makes a difference.
  let firstBytes: [[UInt8]?]?
  let trie: TokenTrie
  let firstTrie: TokenTrie?

  /// - Parameters:
  ///   - bytes: of each token; `nil` for one that adds nothing to a text.
  ///   - firstBytes: the same where a text has still to begin.
  public init(bytes: [[UInt8]?], firstBytes: [[UInt8]?]) {
    self.bytes = bytes
    trie = TokenTrie(bytes)
    self.firstBytes = firstBytes == bytes ? nil : firstBytes
    firstTrie = self.firstBytes.map(TokenTrie.init)
  }

  public var count: Int { bytes.count }
}

/// A grammar over a vocabulary: which tokens may come next. What is found out for one text is kept for others.
public final class Form: Sendable {
  let vocabulary: FormVocabulary
  private let grammar: Grammar
  private let tables: Mutex<Tables>

  /// Masks that are kept at most.
  private static let mostMasks = 2048

  private struct Tables {
    var automaton: FormAutomaton
    /// By state; of tokens at the beginning of a text, and further on.
    var masks: (first: [Int32: [UInt64]], later: [Int32: [UInt64]]) = ([:], [:])
    /// Grows whenever everything is forgotten.
    var version = 0
    /// States from which on everything is forgotten: twice those that the text under way needs, at least.
    var mostStates = FormAutomaton.usualStates
  }

  /// - Throws: `FormError.tooAmbiguous`.
  public init(_ grammar: Grammar, vocabulary: FormVocabulary) throws(FormError) {
    self.grammar = grammar
    self.vocabulary = vocabulary
    tables = Mutex(Tables(automaton: try FormAutomaton(grammar)))
  }

  /// How far a text is.
  public struct Progress: Sendable {
    fileprivate var state: Int32
    fileprivate var version: Int
    /// The text, to find the state again.
    fileprivate var text: [UInt8] = []
    fileprivate var hasBegun = false
  }

  /// What may come next.
  public struct Next: Sendable {
    /// Tokens: bit t % 64 of word t / 64.
    public var tokens: [UInt64]
    /// Whether the text may end.
    public var canEnd: Bool
  }

  /// Of a text that has yet to begin.
  public var start: Progress { tables.withLock { Progress(state: $0.automaton.start, version: $0.version) } }

  /// What may come next in a text.
  /// - Throws: `FormError.tooAmbiguous`.
  public func next(_ progress: inout Progress) throws(FormError) -> Next {
    try withTables { tables throws(FormError) in
      try prepare(&tables, &progress)
      let isFirst = !progress.hasBegun && vocabulary.firstTrie != nil
      let canEnd = tables.automaton.accepts(progress.state)
      if let known = (isFirst ? tables.masks.first : tables.masks.later)[progress.state] {
        return Next(tokens: known, canEnd: canEnd)
      }
      let trie = isFirst ? vocabulary.firstTrie! : vocabulary.trie
      let mask = try trie.mask(&tables.automaton, state: progress.state)
      if tables.masks.later.count > Self.mostMasks { tables.masks.later = [:] }
      if tables.masks.first.count > Self.mostMasks { tables.masks.first = [:] }
      if isFirst { tables.masks.first[progress.state] = mask } else { tables.masks.later[progress.state] = mask }
      return Next(tokens: mask, canEnd: canEnd)
    }
  }

  /// Notes that a token has come.
  /// - Throws: `FormError.tooAmbiguous`.
  public func take(_ token: Int, _ progress: inout Progress) throws(FormError) {
    let bytes = (progress.hasBegun ? vocabulary.bytes : vocabulary.firstBytes ?? vocabulary.bytes)[token] ?? []
    try withTables { tables throws(FormError) in
      try prepare(&tables, &progress)
      for byte in bytes where progress.state != FormAutomaton.dead {
        progress.state = try tables.automaton.step(progress.state, byte)
      }
    }
    progress.text += bytes
    progress.hasBegun = true
  }

  /// Whether a text is whole and nothing can follow.
  public func isComplete(_ progress: Progress) -> Bool {
    tables.withLock { tables in
      progress.version == tables.version && progress.state != FormAutomaton.dead
        && tables.automaton.isFinal(progress.state) && tables.automaton.accepts(progress.state)
    }
  }

  /// Forgets what is kept where it has become too much, and finds a text's state where it was forgotten.
  private func prepare(_ tables: inout Tables, _ progress: inout Progress) throws(FormError) {
    if tables.automaton.stateCount > tables.mostStates {
      tables = Tables(automaton: try FormAutomaton(grammar), version: tables.version + 1)
    }
    if progress.version == tables.version { return }
    defer { tables.mostStates = max(tables.mostStates, 2 * tables.automaton.stateCount) }
    progress.version = tables.version
    progress.state = tables.automaton.start
    for byte in progress.text where progress.state != FormAutomaton.dead {
      progress.state = try tables.automaton.step(progress.state, byte)
    }
  }

  /// `Mutex.withLock` hands on errors of one type only.
  private func withTables<Result: Sendable>(
    _ body: (inout sending Tables) throws(FormError) -> sending Result
  ) throws(FormError) -> Result {
    try tables.withLock(body)
  }
}
