import Foundation

/// The kernels of this processor, with working memory and rotary angles that networks have in common which take turns:
/// those of a family, say, of which one computes at a time.
///
/// `@unchecked Sendable`: everything changes only while `lock` is held, which a network holds while it computes.
public final class ProcessorBackend: ComputeBackend, @unchecked Sendable {
  public let chunkSize: Int
  public let cacheType: CacheType
  let pool: ComputePool
  let kernels: InferenceKernels
  let lock = NSLock()
  let rotaryTables = RotaryTables()
  private(set) var workspace: Workspace
  let splitting: Splitting
  private var widths = Widths()
  private var contextLength = 0

  /// Whether work is split over the pool's threads; it cannot change results.
  package enum Splitting: Sendable {
    case never, always
    /// As it is quicker.
    case measured
  }

  public convenience init(chunkSize: Int = 256, cacheType: CacheType = .f32, pool: ComputePool = .shared) {
    self.init(chunkSize: chunkSize, cacheType: cacheType, pool: pool, kernels: .best)
  }

  package init(
    chunkSize: Int = 256, cacheType: CacheType = .f32, pool: ComputePool, kernels: InferenceKernels = .best,
    splitting: Splitting = .measured
  ) {
    precondition(chunkSize > 0)
    self.cacheType = cacheType
    self.chunkSize = chunkSize
    self.pool = pool
    self.kernels = kernels
    self.splitting = splitting
    workspace = Workspace(widths, tokens: 0, contextLength: 0, threads: pool.threads, kernels: kernels)
  }

  public func compile(
    _ network: Network, texts: Int, contextLength: Int, prefix: PrefixCache?
  ) -> any CompiledNetwork {
    let plan = NetworkPlan(
      network, texts: texts, contextLength: contextLength, prefix: prefix, cacheType: cacheType,
      rotaryTables: rotaryTables)
    reserve(plan.widths, contextLength: contextLength + plan.offset)
    return ProcessorNetwork(plan, texts: texts, backend: self, splitting: splitting)
  }

  public func batch(texts: Int, contextLength: Int) -> any CompiledBatch {
    ProcessorBatch(texts: texts, contextLength: contextLength, backend: self)
  }

  /// The plan of a network whose texts are computed beside those of others.
  func plan(_ network: Network, texts: Int, contextLength: Int, shelf: PlanShelf) -> NetworkPlan {
    let plan = NetworkPlan(
      network, texts: texts, contextLength: contextLength, prefix: nil, cacheType: cacheType,
      rotaryTables: rotaryTables,
      shelf: shelf)
    reserve(plan.widths, contextLength: contextLength)
    return plan
  }

  /// Makes the working memory large enough for a network.
  private func reserve(_ more: Widths, contextLength: Int) {
    lock.withLock {
      let all = widths.union(more)
      if all == widths && contextLength <= self.contextLength { return }
      widths = all
      self.contextLength = max(contextLength, self.contextLength)
      workspace = Workspace(
        widths, tokens: chunkSize, contextLength: self.contextLength, threads: pool.threads, kernels: kernels)
    }
  }
}

/// A network compiled for the kernels of this processor.
///
/// `@unchecked Sendable`: everything is written by the thread that calls `forward`, before a team starts or after it has
/// ended, which `ComputePool` orders; calls take turns. The backend is locked while a team runs. Inside a team see
/// `ForwardPass`.
private final class ProcessorNetwork: CompiledNetwork, @unchecked Sendable {
  private let plan: NetworkPlan
  private let backend: ProcessorBackend
  private let splitting: ProcessorBackend.Splitting
  private let texts: Int
  private let ids: UnsafeArray<Int32>
  private let parts: UnsafeArray<BatchPart>
  /// Of the tokens whose logits are wanted.
  private let wanted: UnsafeArray<BatchPart>
  /// Whether the network ends in a block of which nobody else reads the results, so that it is computed for wanted tokens
  /// alone.
  private let endsNarrow: Bool
  private(set) var logits: FloatBuffer
  /// What is computed at the moment.
  private var step = Step()
  /// By how many tokens there are at once: one, up to 2, up to 4, and so on: a token takes less time the more there are.
  private var threadChoices = [ThreadChoice](repeating: ThreadChoice(), count: 8)
  /// Whether the prompt, if there is one, has been computed: once, when the first text is, for then those who share its
  /// caches wait.
  private var hasReadPrompt = false
  /// Made once, so that a step allocates nothing.
  private lazy var body: @Sendable (Team) -> Void = { [unowned self] team in run(team) }

  init(_ plan: NetworkPlan, texts: Int, backend: ProcessorBackend, splitting: ProcessorBackend.Splitting) {
    self.plan = plan
    self.texts = texts
    self.backend = backend
    self.splitting = splitting
    ids = UnsafeArray([Int32](repeating: 0, count: backend.chunkSize))
    parts = UnsafeArray([BatchPart](repeating: BatchPart(), count: backend.chunkSize))
    wanted = UnsafeArray([BatchPart](repeating: BatchPart(), count: backend.chunkSize))
    let stages = plan.stages.count
    let isKept = plan.sharedStages == stages && plan.prefix?.hiddenState(after: stages) != nil
    endsNarrow =
      stages > 0 && plan.stages[stages - 1].isBlock && plan.ladder == nil
      && plan.parallelNetwork == nil && !isKept
    logits = FloatBuffer(count: plan.head.rows)
    _ = body
  }

  deinit {
    ids.deallocate()
    parts.deallocate()
    wanted.deallocate()
  }

  private struct Step {
    var stages = 0..<0
    var parts = 0
    var tokens = 0
    /// Where logits go, how many there are, and of how many parts.
    var logitsRow = 0
    var logits = 0
    var wanted = 0
  }

  var stageCount: Int { plan.stages.count }
  var sharedStages: Int { plan.sharedStages }

  func reserveLogits(rows: Int) {
    let count = rows * plan.head.rows
    if logits.count < count { logits = FloatBuffer(count: count) }
  }

  func forward(_ parts: [TextPart], stages: Range<Int>, logitsRow: Int, tokens: ArraySlice<Int>) {
    if !hasReadPrompt { readPrompt() }
    if stages.lowerBound == 0 {
      for (place, token) in tokens.enumerated() { ids[place] = Int32(token) }
    }
    step = Step(stages: stages, parts: parts.count, logitsRow: logitsRow)
    for (index, part) in parts.enumerated() {
      self.parts[index] = BatchPart(part, row: step.tokens)
      if part.logits > 0 {
        wanted[step.wanted] = self.parts[index].wanted(row: step.logits)
        step.wanted += 1
      }
      step.tokens += part.positions.count
      step.logits += part.logits
      for table in plan.rotaryTables { table.cover(part.positions.upperBound + plan.offset) }
    }
    precondition(step.tokens == tokens.count && step.tokens <= backend.chunkSize)
    reserveLogits(rows: logitsRow + step.logits)
    let work = plan.multiplications(of: stages)
    let kind = min(threadChoices.count - 1, Int.bitWidth - (step.tokens - 1).leadingZeroBitCount)
    let threads =
      switch splitting {
      case .never: 1
      case .always: backend.pool.threads
      case .measured: threadChoices[kind].next(work: work * step.tokens, available: backend.pool.threads)
      }
    let before = ContinuousClock.now
    backend.lock.withLock { backend.pool.runTeam(threads, body) }
    if splitting != .measured { return }
    // As if all stages had been computed.
    let whole = Double(step.tokens) * Double(work) / Double(plan.multiplications)
    threadChoices[kind].record((ContinuousClock.now - before) / .seconds(1) / whole)
  }

  /// Computes the keys and values of the prompt, which come before those of every text: at positions below 0.
  private func readPrompt() {
    hasReadPrompt = true
    guard let prompt = plan.prompt else { return }
    for start in stride(from: 0, to: prompt.length, by: backend.chunkSize) {
      let count = min(backend.chunkSize, prompt.length - start)
      let first = start - prompt.length
      let none = [Int](repeating: 0, count: count)
      forward([TextPart(positions: first..<first + count)], stages: 0..<stageCount, logitsRow: 0, tokens: none[...])
    }
    for text in 1..<max(1, texts) {
      for cache in plan.caches { cache.copy(positions: prompt.length, from: 0, to: text) }
    }
  }

  func clear(text: Int) { for cache in plan.caches { cache.clear(text: text) } }

  func copy(positions: Int, from source: Int, to target: Int) {
    for cache in plan.caches { cache.copy(positions: positions + plan.offset, from: source, to: target) }
  }

  private func run(_ team: Team) {
    let step = self.step
    let pass = ForwardPass(
      kernels: backend.kernels, workspace: backend.workspace, team: team, tokens: step.tokens,
      parts: parts.prefix(step.parts))
    let isNarrow = endsNarrow && step.logits < step.tokens
    let (x, last) = pass.hiddenState(
      plan, stages: step.stages, ids: ids, wanted: isNarrow ? wanted.prefix(step.wanted) : nil)
    if step.logits > 0 {
      let vocabulary = plan.head.rows
      last.logits(
        plan.output, x, count: step.logits,
        into: UnsafeRows(logits, offset: step.logitsRow * vocabulary, stride: vocabulary))
    }
  }
}
