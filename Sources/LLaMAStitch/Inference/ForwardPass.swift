/// One thread's part in computing a batch of tokens. All threads of the team run the same code and meet at barriers;
/// what a thread writes between two barriers no other thread touches.
struct ForwardPass {
  let kernels: InferenceKernels
  let workspace: Workspace
  let team: Team
  /// Tokens in the batch.
  let tokens: Int
  /// Of the first one.
  let position: Int

  /// The hidden state after the stages in `range`, from token ids where it starts with the first and from what the
  /// prefix cache holds otherwise.
  func hiddenState(_ plan: NetworkPlan, stages range: Range<Int>, ids: UnsafeArray<Int32>) -> UnsafeRows {
    var (x, other) = workspace.residual
    let kept = range.lowerBound == 0 ? nil : plan.prefix?.hiddenState(after: range.lowerBound)
    for token in team.share(of: tokens) {
      if let kept {
        x.at(token).copy(kept.rows.at(position + token), count: kept.rows.stride)
      } else {
        kernels.dequantize(plan.embedding, row: Int(ids[token]), into: x.at(token))
      }
    }
    team.barrier()
    for index in range {
      switch plan.stages[index] {
      case .block(let block):
        self.block(block, x)
        if index < plan.sharedStages, let kept = plan.prefix?.hiddenState(after: index + 1) {
          for token in team.share(of: tokens) where kept.start <= position + token {
            kept.rows.at(position + token).copy(x.at(token), count: kept.rows.stride)
          }
        }
      case .stitch(let projection):
        let activations = rounded(x, for: projection)
        reduce((projection, nil, nil), activations)
        project(projection, activations, into: other, rows: team.share(of: projection.rows, unit: 16))
        team.barrier()
        swap(&x, &other)
      }
    }
    return x
  }

  /// The logits of the last `count` tokens, `[count × vocabulary]`.
  func logits(_ plan: NetworkPlan, _ x: UnsafeRows, last count: Int, into logits: UnsafeRows) {
    let pass = ForwardPass(
      kernels: kernels, workspace: workspace, team: team, tokens: count, position: position + tokens - count)
    let hidden = pass.normed(
      x.rows(from: tokens - count), by: plan.finalNorm, epsilon: plan.finalNormEpsilon, for: plan.head)
    pass.reduce((plan.head, nil, nil), hidden)
    pass.project(plan.head, hidden, into: logits, rows: team.share(of: plan.head.rows, unit: 16))
  }

  /// x += attention(norm(x)); x += mlp(norm(x))
  private func block(_ block: BlockPlan, _ x: UnsafeRows) {
    addAttention(block, to: x)
    addMLP(block, to: x)
  }

  // MARK: Attention

  private func addAttention(_ block: BlockPlan, to x: UnsafeRows) {
    let hidden = normed(x, by: block.attentionNorm, epsilon: block.epsilon, for: block.query)
    reduce((block.query, block.key, block.value), hidden)
    queriesKeysValues(block, hidden)
    team.barrier()
    attention(block)
    team.barrier()
    let context = rounded(workspace.context, for: block.output)
    reduce((block.output, nil, nil), context)
    project(block.output, context, into: x, rows: team.share(of: block.hiddenSize, unit: 16), adding: true)
    team.barrier()
  }

  /// Projects, rotates and caches. The heads of queries, keys and values, one after another, are shared out.
  private func queriesKeysValues(_ block: BlockPlan, _ hidden: Activations) {
    let dimension = block.headDimension
    let keysStart = block.headCount
    let valuesStart = keysStart + block.keyValueHeadCount
    let mine = team.share(of: valuesStart + block.keyValueHeadCount)

    let queryHeads = mine.clamped(to: 0..<keysStart)
    project(block.query, slot: 0, hidden, into: workspace.query, rows: queryHeads.times(dimension))
    for token in 0..<tokens {
      for head in queryHeads {
        kernels.rotate(workspace.query.at(token, head * dimension), block.rotary, position: position + token)
      }
    }
    let keyHeads = mine.clamped(to: keysStart..<valuesStart).shifted(by: -keysStart)
    project(block.key, slot: 1, hidden, into: workspace.key, rows: keyHeads.times(dimension))
    for token in 0..<tokens {
      for head in keyHeads {
        let key = workspace.key.at(token, head * dimension)
        kernels.rotate(key, block.rotary, position: position + token)
        kernels.storeKey(block.cache, head: head, position: position + token, key)
      }
    }
    let valueHeads = mine.clamped(to: valuesStart..<valuesStart + block.keyValueHeadCount)
      .shifted(by: -valuesStart)
    project(block.value, slot: 2, hidden, into: workspace.value, rows: valueHeads.times(dimension))
    for token in 0..<tokens {
      for head in valueHeads {
        kernels.storeValue(
          block.cache, head: head, position: position + token, workspace.value.at(token, head * dimension))
      }
    }
  }

  /// softmax(q kᵀ / √d) v of every head. Groups of tokens are dealt out in turn, for later ones see more.
  private func attention(_ block: BlockPlan) {
    if tokens == 1 {
      return kernels.attend(
        block.cache, heads: team.share(of: block.headCount), query: workspace.query.at(0),
        into: workspace.context.at(0),
        position: position, scratch: workspace.scores[team.index])
    }
    let group = 8
    let units = (tokens + group - 1) / group * block.headCount
    for unit in stride(from: team.index, to: units, by: team.count) {
      let first = unit / block.headCount * group
      kernels.attend(
        block.cache, head: unit % block.headCount, queries: workspace.query, into: workspace.context,
        tokens: first..<min(tokens, first + group), position: position, scratch: workspace.scores[team.index])
    }
  }

  // MARK: MLP

  private func addMLP(_ block: BlockPlan, to x: UnsafeRows) {
    let hidden = normed(x, by: block.mlpNorm, epsilon: block.epsilon, for: block.gate)
    reduce((block.gate, block.up, nil), hidden)
    let columns = team.share(of: block.intermediateSize, unit: 16)
    project(block.gate, hidden, into: workspace.gate, rows: columns)
    project(block.up, slot: 1, hidden, into: workspace.up, rows: columns)
    kernels.siluMultiply(workspace.gate, workspace.up, columns: columns, tokens: tokens)
    team.barrier()
    let activated = rounded(workspace.gate, for: block.down)
    reduce((block.down, nil, nil), activated)
    project(block.down, activated, into: x, rows: team.share(of: block.hiddenSize, unit: 16), adding: true)
    team.barrier()
  }

  // MARK: Projections

  /// What projections read: as floats, and rounded as weights of that type meet it.
  private struct Activations {
    let rows: UnsafeRows
    let rounded: UnsafeScratch
    let type: Int32
  }

  /// Whether threads share out what comes before products.
  private var isShared: Bool { team.count > 1 && tokens >= Workspace.sharedTokens }

  /// The normed hidden state for a projection and for those that read the same.
  private func normed(
    _ x: UnsafeRows, by weight: UnsafeFloats, epsilon: Float, for projection: LinearPlan
  ) -> Activations {
    let hidden = workspace.normed[isShared ? 0 : team.index]
    let mine = isShared ? team.share(of: tokens) : 0..<tokens
    kernels.rmsNorm(
      x.rows(from: mine.lowerBound), weight: weight, count: projection.weight.columns, epsilon: epsilon,
      tokens: mine.count, into: hidden.rows(from: mine.lowerBound))
    return rounded(hidden, for: projection)
  }

  /// x for a projection and for those that read the same; what a thread wrote of its share of tokens, others may read.
  private func rounded(_ x: UnsafeRows, for projection: LinearPlan) -> Activations {
    let rounded = workspace.rounded[isShared ? 0 : team.index]
    kernels.round(
      x, for: projection.weight, tokens: tokens, range: isShared ? team.share(of: tokens) : 0..<tokens, into: rounded)
    if isShared { team.barrier() }
    return Activations(rows: x, rounded: rounded, type: projection.weight.type)
  }

  /// A x of the projections that have a low-rank update, then a barrier if any has.
  private func reduce(_ projections: (LinearPlan, LinearPlan?, LinearPlan?), _ x: Activations) {
    func slot(_ index: Int, _ a: UnsafeWeights?) -> Bool {
      guard let a else { return false }
      kernels.linear(
        a, x.rows, tokens: tokens, into: workspace.lowRank.columns(from: index * workspace.rank),
        rows: team.share(of: a.rows, unit: 4), scratch: workspace.products[team.index])
      return true
    }
    let first = slot(0, projections.0.a)
    let second = slot(1, projections.1?.a)
    let third = slot(2, projections.2?.a)
    if first || second || third { team.barrier() }
  }

  /// y (+)= W x + b + Δb, then y += scale · B (A x), for some rows.
  private func project(
    _ projection: LinearPlan, slot: Int = 0, _ x: Activations, into y: UnsafeRows, rows: Range<Int>, adding: Bool = false
  ) {
    kernels.linear(
      projection.weight, x.rows, tokens: tokens, into: y, rows: rows, bias: projection.bias, adding: adding,
      rounded: x.type == projection.weight.type ? x.rounded : nil, scratch: workspace.products[team.index])
    if let b = projection.b {
      kernels.linear(
        b, workspace.lowRank.columns(from: slot * workspace.rank), tokens: tokens, into: y, rows: rows,
        scale: projection.scale, adding: true, scratch: workspace.products[team.index])
    }
  }
}

extension Range<Int> {
  fileprivate func times(_ factor: Int) -> Range<Int> { lowerBound * factor..<upperBound * factor }
  fileprivate func shifted(by offset: Int) -> Range<Int> { lowerBound + offset..<upperBound + offset }
}
