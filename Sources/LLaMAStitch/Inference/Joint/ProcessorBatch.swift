import Foundation

/// Several networks compiled for the kernels of this processor, with the KV caches of many texts, each of which is of one
/// of them. What the networks have in common is computed together.
///
/// Networks with something beside their blocks, a side network or a prompt, are computed apart.
///
/// `@unchecked Sendable`: everything is written by the thread that has the session, before a team starts or after it has
/// ended, which `ComputePool` orders. The backend is locked while a team runs. Inside a team see `ForwardPass`.
final class ProcessorBatch: CompiledBatch, @unchecked Sendable {
  private let backend: ProcessorBackend
  private let texts: Int
  private let contextLength: Int
  private let shelf: PlanShelf
  /// By number; of the others `nil`.
  private var plans: [NetworkPlan?] = []
  /// Those that are computed apart.
  private var apart: [(any CompiledNetwork)?] = []
  private var joint = JointPlan([])
  private var memory: JointMemory?
  private let ids: UnsafeArray<Int32>
  private var logits = FloatBuffer(count: 0)
  private var logitsStride = 0
  private var tokenCount = 0
  /// By how many tokens there are at once: one, up to 2, up to 4, and so on.
  private var threadChoices = [ThreadChoice](repeating: ThreadChoice(), count: 8)
  private lazy var body: @Sendable (Team) -> Void = { [unowned self] team in run(team) }

  init(texts: Int, contextLength: Int, backend: ProcessorBackend) {
    self.backend = backend
    self.texts = texts
    self.contextLength = contextLength
    shelf = PlanShelf(texts: texts, cacheType: backend.cacheType)
    ids = UnsafeArray([Int32](repeating: 0, count: backend.chunkSize))
    _ = body
  }

  deinit {
    ids.deallocate()
    memory?.deallocate()
  }

  var stageCount: Int { joint.phases.count + apart.reduce(0) { $0 + ($1?.stageCount ?? 0) } }

  func add(_ network: Network) {
    guard network.side == nil && network.prompt == nil && network.virtualTokens == 0 else {
      plans.append(nil)
      apart.append(backend.compile(network, texts: texts, contextLength: contextLength, prefix: nil))
      return
    }
    let plan = backend.plan(network, texts: texts, contextLength: contextLength, shelf: shelf)
    plans.append(plan)
    apart.append(nil)
    logitsStride = max(logitsStride, network.head.outputSize)
    joint = JointPlan(plans)
    memory?.deallocate()
    memory = JointMemory(stages: joint.stages)
  }

  func copy(positions: Int, from source: Int, to target: Int, network: Int) {
    if let apart = apart[network] { return apart.copy(positions: positions, from: source, to: target) }
    for cache in plans[network]?.caches ?? [] { cache.copy(positions: positions, from: source, to: target) }
  }

  func release(text: Int, butFor network: Int) {
    let kept = plans[network]?.caches ?? []
    for cache in shelf.caches where !kept.contains(where: { $0 === cache }) { cache.clear(text: text) }
    for (number, other) in apart.enumerated() where number != network { other?.clear(text: text) }
  }

  func forward(_ parts: [(network: Int, part: TextPart)], tokens: [Int]) -> [VectorView] {
    var rows = [VectorView?](repeating: nil, count: parts.count)
    // By head, then by network, so that what they share lies side by side.
    var order: [Int] = []
    var starts = [0]
    for (_, part) in parts { starts.append(starts[starts.count - 1] + part.positions.count) }
    func alone(_ place: Int) {
      guard let network = apart[parts[place].network] else { return }
      network.forward(
        [parts[place].part], stages: 0..<network.stageCount, logitsRow: 0,
        tokens: tokens[starts[place]..<starts[place + 1]])
      // The next one of them takes the place of these.
      if parts[place].part.logits > 0 { rows[place] = FloatBuffer(network.logits.vector.array).vector }
    }
    func together(_ order: [Int]) {
      let order = order.sorted { left, right in
        let (one, other) = (rank(parts[left].network), rank(parts[right].network))
        return one == other ? left < right : one < other
      }
      var batch: [(network: Int, part: BatchPart)] = []
      var row = 0
      for place in order {
        batch.append((parts[place].network, BatchPart(parts[place].part, row: row)))
        for token in tokens[starts[place]..<starts[place + 1]] {
          ids[row] = Int32(token)
          row += 1
        }
      }
      compute(batch, tokens: row)
      var logitsRow = 0
      for place in order where parts[place].part.logits > 0 {
        let count = plans[parts[place].network]?.output.linear.rows ?? 0
        rows[place] = logits.vector(offset: logitsRow * logitsStride, count: count)
        logitsRow += 1
      }
    }
    for (place, entry) in parts.enumerated() {
      if plans[entry.network] != nil { order.append(place) } else { alone(place) }
    }
    if !order.isEmpty { together(order) }
    return rows.compactMap { $0 }
  }

  /// Where a network's tokens come: those of one head after another.
  private func rank(_ network: Int) -> Int {
    guard let output = plans[network]?.output else { return network }
    let first = plans.firstIndex { $0?.output.isSame(as: output) ?? false } ?? network
    return first * plans.count + network
  }

  private func compute(_ parts: [(network: Int, part: BatchPart)], tokens: Int) {
    precondition(tokens <= backend.chunkSize)
    tokenCount = tokens
    var work = 0
    var wanted = 0
    for (network, part) in parts {
      guard let plan = plans[network] else { continue }
      work += part.count * plan.multiplications
      wanted += part.logits
      for table in plan.rotaryTables { table.cover(part.position + part.count) }
    }
    if logits.count < wanted * logitsStride { logits = FloatBuffer(count: wanted * logitsStride) }
    memory?.take(JointStep(joint, plans, parts))
    let kind = min(threadChoices.count - 1, Int.bitWidth - (tokens - 1).leadingZeroBitCount)
    let threads =
      switch backend.splitting {
      case .never: 1
      case .always: backend.pool.threads
      case .measured: threadChoices[kind].next(work: work, available: backend.pool.threads)
      }
    let before = ContinuousClock.now
    backend.lock.withLock { backend.pool.runTeam(threads, body) }
    if backend.splitting != .measured { return }
    // By work, for stops differ.
    threadChoices[kind].record((ContinuousClock.now - before) / .seconds(1) / Double(work) * Self.usualWork)
  }

  /// Multiplications of a token, about: times are compared as if all tokens took as many.
  private static let usualWork = 1e8

  private func run(_ team: Team) {
    guard let memory else { return }
    let pass = ForwardPass(
      kernels: backend.kernels, workspace: backend.workspace, team: team, tokens: tokenCount,
      parts: memory.parts.elements(0..<0))
    pass.joint(memory, ids: ids, logits: UnsafeRows(logits, stride: logitsStride))
  }
}

extension JointMemory {
  init(stages: [StagePlan]) {
    self.stages = UnsafeArray(stages)
    groups = UnsafeGrowingArray()
    phases = UnsafeGrowingArray()
    parts = UnsafeGrowingArray()
    runs = UnsafeGrowingArray()
    homes = UnsafeGrowingArray()
    outputs = UnsafeGrowingArray()
  }

  func deallocate() {
    stages.deallocate()
    groups.deallocate()
    phases.deallocate()
    parts.deallocate()
    runs.deallocate()
    homes.deallocate()
    outputs.deallocate()
  }

  mutating func take(_ step: JointStep) {
    groups.take(step.groups)
    phases.take(step.phases)
    parts.take(step.parts)
    runs.take(step.runs)
    homes.take(step.homes)
    outputs.take(step.outputs)
  }
}
