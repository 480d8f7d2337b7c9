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
  private let splitting: Splitting
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

  public func compile(_ network: Network, contextLength: Int, prefix: PrefixCache?) -> any CompiledNetwork {
    let plan = NetworkPlan(
      network, contextLength: contextLength, prefix: prefix, cacheType: cacheType, rotaryTables: rotaryTables)
    reserve(plan.widths, contextLength: contextLength)
    return ProcessorNetwork(plan, backend: self, splitting: splitting)
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
  private let ids: UnsafeArray<Int32>
  private(set) var logits: FloatBuffer
  private var step = ForwardStep(positions: 0..<0, stages: 0..<0)
  private var tokenThreads = ThreadChoice()
  private var batchThreads = ThreadChoice()
  /// Made once, so that a step allocates nothing.
  private lazy var body: @Sendable (Team) -> Void = { [unowned self] team in run(team) }

  init(_ plan: NetworkPlan, backend: ProcessorBackend, splitting: ProcessorBackend.Splitting) {
    self.plan = plan
    self.backend = backend
    self.splitting = splitting
    ids = UnsafeArray([Int32](repeating: 0, count: backend.chunkSize))
    logits = FloatBuffer(count: plan.head.rows)
    _ = body
  }

  deinit { ids.deallocate() }

  var stageCount: Int { plan.stages.count }
  var sharedStages: Int { plan.sharedStages }

  func reserveLogits(rows: Int) {
    let count = rows * plan.head.rows
    if logits.count < count { logits = FloatBuffer(count: count) }
  }

  func forward(_ step: ForwardStep, tokens: ArraySlice<Int>) {
    if step.stages.lowerBound == 0 {
      for (place, token) in tokens.enumerated() { ids[place] = Int32(token) }
    }
    for table in plan.rotaryTables { table.cover(step.positions.upperBound) }
    self.step = step
    let count = step.positions.count
    let work = plan.multiplications(of: step.stages)
    let threads =
      switch (splitting, count > 1) {
      case (.never, _): 1
      case (.always, _): backend.pool.threads
      case (.measured, true): batchThreads.next(work: work * count, available: backend.pool.threads)
      case (.measured, false): tokenThreads.next(work: work, available: backend.pool.threads)
      }
    let before = ContinuousClock.now
    backend.lock.withLock { backend.pool.runTeam(threads, body) }
    if splitting != .measured { return }
    // As if all stages had been computed.
    let whole = Double(count) * Double(work) / Double(plan.multiplications)
    let time = (ContinuousClock.now - before) / .seconds(1) / whole
    if count > 1 { batchThreads.record(time) } else { tokenThreads.record(time) }
  }

  private func run(_ team: Team) {
    let step = self.step
    let pass = ForwardPass(
      kernels: backend.kernels, workspace: backend.workspace, team: team, tokens: step.positions.count,
      position: step.positions.lowerBound)
    let x = pass.hiddenState(plan, stages: step.stages, ids: ids)
    if step.logits > 0 {
      let vocabulary = plan.head.rows
      pass.logits(
        plan, x, last: step.logits,
        into: UnsafeRows(logits, offset: step.logitsRow * vocabulary, stride: vocabulary))
    }
  }
}
