/// One thread's part in computing a batch of tokens. All threads of the team run the same code and meet at barriers;
/// what a thread writes between two barriers no other thread touches.
struct ForwardPass {
  let kernels: InferenceKernels
  let workspace: Workspace
  let team: Team
  /// Tokens in the batch.
  let tokens: Int
  /// Whose they are, one part after another.
  let parts: UnsafeArray<BatchPart>
  /// Where they are of several networks that add different things to products with the weights they share.
  var split: SplitTokens?

  /// The hidden state after the stages in `range`, from token ids where it starts with the first and from what the
  /// prefix cache holds otherwise.
  /// - Parameter wanted: of the tokens whose logits are wanted, where those are fewer than all and the last block ends the
  ///   network: what comes after the keys and values of that block is computed of them alone.
  /// - Returns: the hidden state, and the pass whose tokens it is of.
  func hiddenState(
    _ plan: NetworkPlan, stages range: Range<Int>, ids: UnsafeArray<Int32>, wanted: UnsafeArray<BatchPart>?
  ) -> (rows: UnsafeRows, pass: ForwardPass) {
    var (x, other) = workspace.residual
    let kept = range.lowerBound == 0 ? nil : plan.prefix?.hiddenState(after: range.lowerBound)
    // Only a text that is alone has a prefix cache.
    let position = parts[0].position
    if let prompt = plan.prompt, kept == nil { embed(plan, prompt, ids: ids, into: x) }
    for token in team.share(of: tokens) where kept != nil || plan.prompt == nil {
      if let kept {
        let width = kept.rows.stride - kept.sideWidth
        x.at(token).copy(kept.rows.at(position + token), count: width)
        workspace.side.at(token).copy(kept.rows.at(position + token, width), count: kept.sideWidth)
      } else {
        kernels.dequantize(plan.embedding, row: Int(ids[token]), into: x.at(token))
      }
    }
    team.barrier()
    if kept == nil {
      if let ladder = plan.ladder { enter(ladder, x) }
      if let parallel = plan.parallelNetwork { read(parallel, after: 0, x) }
    }
    for index in range {
      if let parallel = plan.parallelNetwork { speak(parallel, before: index, x) }
      switch plan.stages[index] {
      case .block(let block):
        if let wanted, index == plan.stages.count - 1 {
          return (other, lastBlock(block, x, wanted: wanted, into: other))
        }
        self.block(block, x)
        if let ladder = plan.ladder, let rung = ladder.rungs[index] { climb(rung, ladder, x) }
        if let parallel = plan.parallelNetwork { read(parallel, after: index + 1, x) }
        if index < plan.sharedStages, let kept = plan.prefix?.hiddenState(after: index + 1) {
          for token in team.share(of: tokens) where kept.start <= position + token {
            let width = kept.rows.stride - kept.sideWidth
            kept.rows.at(position + token).copy(x.at(token), count: width)
            kept.rows.at(position + token, width).copy(workspace.side.at(token), count: kept.sideWidth)
          }
        }
      case .stitch(let projection):
        stitch(projection, x, into: other)
        swap(&x, &other)
      }
    }
    if let ladder = plan.ladder, range.upperBound == plan.stages.count { leave(ladder, x) }
    if let parallel = plan.parallelNetwork {
      keep(parallel, places: (kept == nil ? 0 : range.lowerBound + 1)..<range.upperBound + 1)
      if range.upperBound == plan.stages.count { speak(parallel, before: range.upperBound, x) }
    }
    return (x, self)
  }

  /// The `count` logits that the parts want, one after another, `[count × vocabulary]`.
  func logits(_ head: HeadPlan, _ x: UnsafeRows, count: Int, into logits: UnsafeRows) {
    let pass = ForwardPass(kernels: kernels, workspace: workspace, team: team, tokens: count, parts: parts)
    let hidden = workspace.normed[pass.isShared ? 0 : team.index]
    let mine = pass.isShared ? team.share(of: count) : 0..<count
    var row = 0
    for index in 0..<parts.count {
      let part = parts[index]
      let wanted = (row..<row + part.logits).clamped(to: mine)
      kernels.rmsNorm(
        x.rows(from: part.row + part.count - part.logits + wanted.lowerBound - row), weight: head.norm,
        count: head.linear.weight.columns, epsilon: head.epsilon, tokens: wanted.count,
        into: hidden.rows(from: wanted.lowerBound))
      row += part.logits
    }
    let activations = pass.rounded(hidden, for: head.linear)
    pass.reduce((head.linear, nil, nil), activations)
    pass.project(head.linear, activations, into: logits, rows: team.share(of: head.linear.rows, unit: 16))
  }

  /// A stitching layer: from the hidden state of one model to that of another.
  func stitch(_ projection: LinearPlan, _ x: UnsafeRows, into other: UnsafeRows) {
    let activations = rounded(x, for: projection)
    reduce((projection, nil, nil), activations)
    project(projection, activations, into: other, rows: team.share(of: projection.rows, unit: 16))
    team.barrier()
  }

  /// x += attention(norm(x)); x += mlp(norm(x))
  func block(_ block: BlockPlan, _ x: UnsafeRows) {
    addAttention(block, to: x)
    addMLP(block, to: x)
  }

  /// The last block: keys and values of all tokens, the rest of the `wanted` ones, whose rows come to lie in `narrow`.
  /// - Parameter split: of the wanted ones.
  /// - Returns: a pass over those.
  func lastBlock(
    _ block: BlockPlan, _ x: UnsafeRows, wanted: UnsafeArray<BatchPart>, into narrow: UnsafeRows,
    split: SplitTokens? = nil
  ) -> ForwardPass {
    let hidden = normed(x, by: block.attentionNorm, epsilon: block.epsilon, for: block.key)
    reduce((nil, block.key, block.value), hidden)
    let heads = team.share(of: 2 * block.keyValueHeadCount).shifted(by: block.headCount)
    queriesKeysValues(block, hidden, heads: heads)
    let pass = ForwardPass(
      kernels: kernels, workspace: workspace, team: team,
      tokens: (0..<wanted.count).reduce(0) { $0 + wanted[$1].count }, parts: wanted, split: split)
    copy(x, to: narrow, rows: team.share(of: pass.tokens))
    team.barrier()
    if pass.tokens == 0 { return pass }
    let read = pass.normed(narrow, by: block.attentionNorm, epsilon: block.epsilon, for: block.query)
    pass.reduce((block.query, nil, nil), read)
    pass.queriesKeysValues(block, read, heads: team.share(of: block.headCount))
    pass.attend(block, addingTo: narrow)
    pass.addMLP(block, to: narrow)
    return pass
  }

  /// Copies the rows of the tokens whose logits are wanted, one part after another; some `rows` of them.
  private func copy(_ x: UnsafeRows, to narrow: UnsafeRows, rows: Range<Int>) {
    var row = 0
    for index in 0..<parts.count {
      let part = parts[index]
      let first = part.row + part.count - part.logits
      for wanted in (row..<row + part.logits).clamped(to: rows) {
        narrow.at(wanted).copy(x.at(first + wanted - row), count: x.stride)
      }
      row += part.logits
    }
  }

  // MARK: MLP

  private func addMLP(_ block: BlockPlan, to x: UnsafeRows) {
    let hidden = normed(x, by: block.mlpNorm, epsilon: block.epsilon, for: block.gate)
    if let parallel = block.parallel { narrow(parallel, hidden) }
    reduce((block.gate, block.up, nil), hidden)
    let columns = team.share(of: block.intermediateSize, unit: InferenceKernels.roundedColumns)
    project(block.gate, hidden, into: workspace.gate, rows: columns)
    project(block.up, slot: 1, hidden, into: workspace.up, rows: columns)
    kernels.siluMultiply(workspace.gate, workspace.up, columns: columns, tokens: tokens)
    let activated = gathered(workspace.gate, for: block.down, columns: columns)
    reduce((block.down, nil, nil), activated)
    let rows = team.share(of: block.hiddenSize, unit: 16)
    project(block.down, activated, into: x, rows: rows, adding: true)
    if let parallel = block.parallel { widen(parallel, into: x, rows: rows) }
    team.barrier()
  }

  // MARK: Projections

  /// What projections read: as floats, and rounded as weights of that type meet it.
  struct Activations {
    let rows: UnsafeRows
    let rounded: UnsafeScratch
    let type: Int32
  }

  /// Whether threads share out what comes before products.
  var isShared: Bool { team.count > 1 && tokens >= Workspace.sharedTokens }

  /// The normed hidden state for a projection and for those that read the same.
  func normed(
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
  func rounded(_ x: UnsafeRows, for projection: LinearPlan) -> Activations {
    let rounded = workspace.rounded[isShared ? 0 : team.index]
    kernels.round(
      x, for: projection.weight, tokens: tokens, range: isShared ? team.share(of: tokens) : 0..<tokens, into: rounded)
    if isShared { team.barrier() }
    return Activations(rows: x, rounded: rounded, type: projection.weight.type)
  }

  /// What a projection reads of `x`, some `columns` of which each thread has just written.
  private func gathered(_ x: UnsafeRows, for projection: LinearPlan, columns: Range<Int>) -> Activations {
    guard isShared else {
      team.barrier()
      return rounded(x, for: projection)
    }
    // What is read before others may still read.
    let rounded = workspace.roundedNext
    kernels.round(x, for: projection.weight, tokens: tokens, range: 0..<tokens, columns: columns, into: rounded)
    team.barrier()
    return Activations(rows: x, rounded: rounded, type: projection.weight.type)
  }

  /// A x of the projections that have a low-rank update. Where threads share what comes before products they share this
  /// too, and meet at a barrier; of few tokens each computes all, which takes less time than meeting.
  func reduce(_ projections: (LinearPlan?, LinearPlan?, LinearPlan?), _ x: Activations) {
    func slot(_ index: Int, _ projection: LinearPlan?) -> Bool {
      guard let projection else { return false }
      let y = lowRank(slot: index)
      if let split { return reduce(projection, x, split, into: y) }
      guard let a = projection.a, let b = projection.b else { return false }
      // What quantised factors have more columns for.
      if b.columns > a.rows {
        for token in isShared ? team.share(of: tokens) : 0..<tokens {
          y.at(token, a.rows).clear(count: b.columns - a.rows)
        }
      }
      kernels.linear(
        a, x.rows, tokens: tokens, into: y, rows: isShared ? team.share(of: a.rows, unit: 4) : 0..<a.rows,
        rounded: x.type == a.type ? x.rounded : nil, scratch: workspace.products[team.index])
      return true
    }
    let first = slot(0, projections.0)
    let second = slot(1, projections.1)
    let third = slot(2, projections.2)
    if isShared, first || second || third { team.barrier() }
  }

  /// A x of one of up to three projections.
  func lowRank(slot: Int) -> UnsafeRows {
    workspace.lowRank[isShared ? 0 : team.index].columns(from: slot * workspace.rank)
  }

  /// y (+)= W x + b + Δb, then y += scale · B (A x), for some rows.
  func project(
    _ projection: LinearPlan, slot: Int = 0, _ x: Activations, into y: UnsafeRows, rows: Range<Int>,
    adding: Bool = false
  ) {
    if let scale = projection.outputScale {
      // Only what is added to the hidden state has one.
      precondition(adding, "a scale of what is not added")
      multiply(projection, slot: slot, x, into: workspace.unscaled, rows: rows, adding: false)
      for token in 0..<tokens {
        let (sum, part) = (y.at(token), workspace.unscaled.at(token))
        for row in rows { sum.base[row] += scale.base[row] * part.base[row] }
      }
    } else {
      multiply(projection, slot: slot, x, into: y, rows: rows, adding: adding)
    }
  }

  /// The same but for the scale.
  private func multiply(
    _ projection: LinearPlan, slot: Int, _ x: Activations, into y: UnsafeRows, rows: Range<Int>, adding: Bool
  ) {
    if let split { return multiply(projection, slot: slot, x, into: y, rows: rows, adding: adding, split) }
    kernels.linear(
      projection.weight, x.rows, tokens: tokens, into: y, rows: rows, bias: projection.bias, adding: adding,
      rounded: x.type == projection.weight.type ? x.rounded : nil, scratch: workspace.products[team.index])
    if let b = projection.b {
      kernels.linear(
        b, lowRank(slot: slot), tokens: tokens, into: y, rows: rows,
        scale: projection.scale, adding: true, scratch: workspace.products[team.index])
    }
  }
}

/// A part of a batch: consecutive tokens of one text.
struct BatchPart: BitwiseCopyable {
  /// Its first token's row in the batch, and how many it has.
  var row = 0
  var count = 0
  /// Of the first one in its text.
  var position = 0
  /// Which of the KV caches it has.
  var text = 0
  /// Logits wanted, of the last so many tokens.
  var logits = 0

  init() {}

  init(_ part: TextPart, row: Int) {
    self.row = row
    count = part.positions.count
    position = part.positions.lowerBound
    text = part.text
    logits = part.logits
  }

  /// Its tokens whose logits are wanted, as a part of a batch of such tokens alone.
  func wanted(row: Int) -> BatchPart {
    var part = self
    part.row = row
    part.count = logits
    part.position = position + count - logits
    return part
  }

  /// Where it lies in the batch.
  var rows: Range<Int> { row..<row + count }

  @inline(__always)
  func position(of row: Int) -> Int { position + row - self.row }
}
