import Foundation
import Synchronization

/// What can go wrong while running a network. The description is one line: cause, place, remedy.
public enum InferenceError: Error, Equatable, Sendable, CustomStringConvertible {
  /// `needed` positions do not fit the context of `contextLength`.
  case contextOverflow(needed: Int, contextLength: Int)
  case tokenOutOfRange(token: Int, vocabularySize: Int)
  case noTokens
  /// Every logit is NaN or −∞.
  case notANumber
  /// No token can go on in the form that was asked for.
  case noTokenFits(cause: String?)

  public var description: String {
    switch self {
    case .contextOverflow(let needed, let contextLength):
      "the text needs \(needed) positions, the context has \(contextLength); shorten the text or use a longer context"
    case .tokenOutOfRange(let token, let vocabularySize):
      "token \(token) is outside the model's vocabulary of \(vocabularySize); use the tokenizer that belongs to the model"
    case .noTokens:
      "there is no token to compute; give a prompt of at least one token"
    case .notANumber:
      "the network's output is not a number; its weights or adapter are damaged: restore or download them again"
    case .noTokenFits(let cause):
      cause ?? "the model's vocabulary has no token that goes on in this form; allow other characters in it"
    }
  }
}

/// Which logits `evaluate` computes.
public enum LogitsSelection: Sendable {
  case none
  /// Of the last token.
  case last
  /// Of every token.
  case all
}

/// A network with a KV cache: one running text.
///
/// **Batch invariance.** A token's logits are the same bits however the text was cut into calls of `evaluate`, whatever
/// the chunk size, however many threads the pool has, and whether earlier positions were computed now or before.
///
/// All scratch is allocated in `init`; evaluating one token allocates nothing.
///
/// Sessions of stitches that start in the same anchor can share what its blocks compute: see `PrefixCache`.
///
/// `@unchecked Sendable`: what changes does so while `lock` is held, which sessions with the same prefix cache have in
/// common, or in a `Mutex`. A view of logits is good until the next call.
public final class InferenceSession: @unchecked Sendable {
  public let network: Network
  /// Positions that are kept at most where nobody asks for so many: a cache for more would take more memory than a chat
  /// is worth, and configurations claim a billion.
  public static let longestUsualContext = 4096
  /// Positions that fit.
  public let contextLength: Int
  /// Tokens computed at once when a long text is prefilled.
  public let chunkSize: Int

  private let compiled: any CompiledNetwork
  private let prefix: PrefixCache?
  private let lock: NSLock
  /// The text; everything behind the first stitching layer is computed of it.
  private var history: [Int] = []
  /// What is computed at the moment, so that a step allocates nothing.
  private var part = [TextPart(positions: 0..<0)]
  /// The prefix cache's version when it last was seen to have the text.
  private var seenVersion = -1
  /// How speculative decoding goes; of the text that is generated, one at a time.
  let drafting: Mutex<SpeculationPace>
  /// How sure a drafter must be of a token to draft it.
  let leastProbability: Double

  /// - Parameters:
  ///   - contextLength: positions to keep; by default what the network was made for, at most `longestUsualContext`.
  ///   - chunkSize: tokens computed at once when a long text is prefilled.
  ///   - prefix: of the anchor the network starts in; it decides the context length.
  public convenience init(
    network: Network, contextLength: Int? = nil, chunkSize: Int = 256, cacheType: CacheType = .f32,
    pool: ComputePool = .shared, prefix: PrefixCache? = nil
  ) {
    self.init(
      network: network, contextLength: contextLength, prefix: prefix,
      backend: ProcessorBackend(chunkSize: chunkSize, cacheType: cacheType, pool: pool))
  }

  /// A session of a network that `backend` compiles; it takes turns with the others of that backend.
  public convenience init(
    network: Network, contextLength: Int? = nil, prefix: PrefixCache? = nil, backend: any ComputeBackend
  ) {
    self.init(
      network: network, contextLength: contextLength, prefix: prefix, backend: backend, drafting: SpeculationPace())
  }

  /// A session on a given instruction set.
  package convenience init(
    network: Network, contextLength: Int?, chunkSize: Int, pool: ComputePool, kernels: InferenceKernels,
    splitting: ProcessorBackend.Splitting = .measured, prefix: PrefixCache? = nil
  ) {
    self.init(
      network: network, contextLength: contextLength, prefix: prefix,
      backend: ProcessorBackend(chunkSize: chunkSize, pool: pool, kernels: kernels, splitting: splitting))
  }

  /// The same, drafting as a test wants it: that cannot change results.
  package init(
    network: Network, contextLength: Int? = nil, prefix: PrefixCache? = nil, backend: any ComputeBackend,
    drafting: SpeculationPace, leastProbability: Double = SpeculativeDecoding.leastProbability
  ) {
    self.network = network
    self.prefix = prefix
    self.drafting = Mutex(drafting)
    self.leastProbability = leastProbability
    lock = prefix?.lock ?? NSLock()
    self.contextLength =
      prefix?.contextLength ?? max(1, contextLength ?? min(Self.longestUsualContext, network.contextLength))
    chunkSize = min(backend.chunkSize, self.contextLength)
    compiled = backend.compile(network, texts: 1, contextLength: self.contextLength, prefix: prefix)
    history.reserveCapacity(self.contextLength)
    lock.withLock { prefix?.note(self, leavingAfter: compiled.sharedStages, hasRead: 0) }
  }

  deinit { lock.withLock { prefix?.remove(self, leavingAfter: compiled.sharedStages) } }

  /// The tokens whose keys and values are cached.
  public var tokens: [Int] { lock.withLock { history } }

  /// How many positions are cached: the next token's position.
  public var position: Int { lock.withLock { history.count } }

  /// How many tokens at the beginning of `tokens` are cached.
  public func commonPrefix(with tokens: [Int]) -> Int {
    lock.withLock {
      var common = 0
      let limit = min(history.count, tokens.count)
      while common < limit && history[common] == tokens[common] { common += 1 }
      return common
    }
  }

  /// Keeps what is computed of the beginning of `prompt`, by this session or, where it has nothing of its own, by another
  /// one that shares its prefix; forgets the rest. The last token is always computed, for its logits.
  /// - Returns: how many tokens are kept.
  @discardableResult
  public func reuse(_ prompt: [Int]) -> Int {
    lock.withLock {
      let limit = prompt.count - 1
      // Where another text has taken the place of this one before the stitching layer, what is behind it goes as well, but
      // for a piece: to restore a long text at once would keep the listener waiting.
      if let prefix {
        let kept = prefix.common(history, blocks: compiled.sharedStages)
        if kept < history.count - chunkSize { history.removeLast(history.count - kept) }
      }
      var common = 0
      while common < min(limit, history.count) && history[common] == prompt[common] { common += 1 }
      history.removeLast(history.count - common)
      if let prefix, compiled.sharedStages == compiled.stageCount {
        let more = min(limit, prefix.common(prompt, blocks: compiled.sharedStages))
        if more > common { history.append(contentsOf: prompt[common..<more]) }
      }
      return history.count
    }
  }

  /// How the shared prefix goes on after `text`: tokens whose blocks before the stitching layer need not be computed if
  /// they come next.
  public func known(after text: [Int]) -> [Int] {
    guard let prefix else { return [] }
    return lock.withLock {
      let end = prefix.computedPositions(blocks: compiled.sharedStages)
      let start = prefix.hiddenState(after: compiled.sharedStages)?.start ?? 0
      guard start <= text.count, text.count < end, prefix.common(text, blocks: compiled.sharedStages) == text.count
      else { return [] }
      return Array(prefix.tokens[text.count..<end])
    }
  }

  /// Forgets everything from position `length` on.
  public func truncate(to length: Int) {
    precondition(length >= 0)
    lock.withLock { if length < history.count { history.removeLast(history.count - length) } }
  }

  /// Appends tokens to the text.
  /// - Returns: logits, `[0, 1 or tokens.count × vocabulary]`, good until the next call.
  /// - Throws: `InferenceError`; the text is as before then.
  @discardableResult
  public func evaluate(_ tokens: [Int], logits: LogitsSelection = .last) throws(InferenceError) -> MatrixView {
    defer { evict() }
    return try prefill(tokens, logits: logits)
  }

  /// Evicts from the prefix cache what nobody needs any more.
  func evict() { lock.withLock { prefix?.evict() } }

  /// `evaluate` without `evict`.
  @discardableResult
  func prefill(_ tokens: [Int], logits: LogitsSelection = .last) throws(InferenceError) -> MatrixView {
    lock.lock()
    defer { lock.unlock() }
    if tokens.isEmpty { throw .noTokens }
    guard tokens.count <= contextLength - history.count else {
      throw .contextOverflow(needed: history.count + tokens.count, contextLength: contextLength)
    }
    for token in tokens { try check(token) }
    if logits == .all { compiled.reserveLogits(rows: tokens.count) }
    var start = 0
    while start < tokens.count {
      let count = min(chunkSize, tokens.count - start)
      let wanted: Wanted =
        switch logits {
        case .none: .none
        case .last: start + count == tokens.count ? .last : .none
        case .all: .rows(from: start)
        }
      advance(tokens[start..<start + count], wanted)
      start += count
    }
    let rows =
      switch logits {
      case .none: 0
      case .last: 1
      case .all: tokens.count
      }
    return compiled.logits.matrix(rows: rows, columns: network.vocabularySize)
  }

  /// Appends one token to the text, without allocating.
  /// - Returns: its logits, `[vocabulary]`, good until the next call.
  public func evaluate(_ token: Int) throws(InferenceError) -> VectorView {
    lock.lock()
    defer { lock.unlock() }
    guard history.count < contextLength else {
      throw .contextOverflow(needed: history.count + 1, contextLength: contextLength)
    }
    try check(token)
    advance(CollectionOfOne(token), .last)
    prefix?.evict()
    return compiled.logits.vector(offset: 0, count: network.vocabularySize)
  }

  private func check(_ token: Int) throws(InferenceError) {
    guard token >= 0, token < network.embedding.rows else {
      throw .tokenOutOfRange(token: token, vocabularySize: network.embedding.rows)
    }
  }

  /// The logits that a piece of text is to leave behind.
  private enum Wanted {
    case none, last
    /// Of every token, from this row on.
    case rows(from: Int)
  }

  /// Appends at most `chunkSize` tokens to the text.
  private func advance(_ tokens: some Collection<Int>, _ wanted: Wanted) {
    let (start, end) = (history.count, history.count + tokens.count)
    let stages = compiled.stageCount
    history.append(contentsOf: tokens)
    guard let prefix else {
      return run(start..<end, stages: 0..<stages, wanted, from: start, to: end)
    }
    if prefix.version == seenVersion { prefix.follow(tokens, from: start) } else { prefix.follow(history, from: 0) }
    seenVersion = prefix.version
    let shared = compiled.sharedStages
    // What another text has taken the place of is computed again, but for the tail, which is this session's own.
    var position = min(start, prefix.computedPositions(blocks: shared))
    while position < end {
      let isOld = position < start
      let last = isOld ? start : end
      let entry = prefix.entry(at: position, limit: shared, end: min(last, position + chunkSize))
      run(
        position..<entry.end, stages: entry.block..<(isOld ? shared : stages), isOld ? .none : wanted, from: start,
        to: end)
      prefix.note(entry.block..<shared, upTo: entry.end)
      position = entry.end
    }
    prefix.note(self, leavingAfter: shared, hasRead: end)
  }

  /// Computes some stages of some positions, which are part of `start ..< end`, or come before it.
  private func run(_ positions: Range<Int>, stages: Range<Int>, _ wanted: Wanted, from start: Int, to end: Int) {
    part[0] = TextPart(positions: positions)
    var logitsRow = 0
    switch wanted {
    case .none: break
    case .last: part[0].logits = positions.upperBound == end ? 1 : 0
    case .rows(let row): (part[0].logits, logitsRow) = (positions.count, row + positions.lowerBound - start)
    }
    if stages.isEmpty && part[0].logits == 0 { return }
    compiled.forward(part, stages: stages, logitsRow: logitsRow, tokens: history[positions])
  }
}
