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
        reduce((projection, nil, nil), x)
        project(projection, x, into: other, rows: team.share(of: projection.rows, unit: 16))
        team.barrier()
        swap(&x, &other)
      }
    }
    return x
  }

  /// The logits of the last `count` tokens, `[count × vocabulary]`.
  func logits(_ plan: NetworkPlan, _ x: UnsafeRows, last count: Int, into logits: UnsafeRows) {
    let hidden = workspace.normed[team.index]
    kernels.rmsNorm(
      x.rows(from: tokens - count), weight: plan.finalNorm, count: plan.head.weight.columns,
      epsilon: plan.finalNormEpsilon, tokens: count, into: hidden)
    let pass = ForwardPass(
      kernels: kernels, workspace: workspace, team: team, tokens: count, position: position + tokens - count)
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
    let hidden = workspace.normed[team.index]
    kernels.rmsNorm(
      x, weight: block.attentionNorm, count: block.hiddenSize, epsilon: block.epsilon, tokens: tokens, into: hidden)
    reduce((block.query, block.key, block.value), hidden)
    queriesKeysValues(block, hidden)
    team.barrier()
    attention(block)
    team.barrier()
    reduce((block.output, nil, nil), workspace.context)
    project(
      block.output, workspace.context, into: x, rows: team.share(of: block.hiddenSize, unit: 16), adding: true)
    team.barrier()
  }

  /// Projects, rotates and caches. The heads of queries, keys and values, one after another, are shared out.
  private func queriesKeysValues(_ block: BlockPlan, _ hidden: UnsafeRows) {
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
    let hidden = workspace.normed[team.index]
    kernels.rmsNorm(
      x, weight: block.mlpNorm, count: block.hiddenSize, epsilon: block.epsilon, tokens: tokens, into: hidden)
    reduce((block.gate, block.up, nil), hidden)
    let columns = team.share(of: block.intermediateSize, unit: 16)
    project(block.gate, hidden, into: workspace.gate, rows: columns)
    project(block.up, slot: 1, hidden, into: workspace.up, rows: columns)
    kernels.siluMultiply(workspace.gate, workspace.up, columns: columns, tokens: tokens)
    team.barrier()
    reduce((block.down, nil, nil), workspace.gate)
    project(block.down, workspace.gate, into: x, rows: team.share(of: block.hiddenSize, unit: 16), adding: true)
    team.barrier()
  }

  // MARK: Projections

  /// A x of the projections that have a low-rank update, then a barrier if any has.
  private func reduce(_ projections: (LinearPlan, LinearPlan?, LinearPlan?), _ x: UnsafeRows) {
    func slot(_ index: Int, _ a: UnsafeWeights?) -> Bool {
      guard let a else { return false }
      kernels.linear(
        a, x, tokens: tokens, into: workspace.lowRank.columns(from: index * workspace.rank),
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
    _ projection: LinearPlan, slot: Int = 0, _ x: UnsafeRows, into y: UnsafeRows, rows: Range<Int>, adding: Bool = false
  ) {
    kernels.linear(
      projection.weight, x, tokens: tokens, into: y, rows: rows, bias: projection.bias, adding: adding,
      scratch: workspace.products[team.index])
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
