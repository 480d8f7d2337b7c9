/// Several networks as numbers that threads share, where a phase begins and ends at a barrier.
struct JointMemory {
  let stages: UnsafeArray<StagePlan>
  var groups: UnsafeGrowingArray<JointStep.Group>
  var phases: UnsafeGrowingArray<JointStep.Phase>
  var parts: UnsafeGrowingArray<BatchPart>
  var runs: UnsafeGrowingArray<JointStep.Run>
  var homes: UnsafeGrowingArray<Int>
  var outputs: UnsafeGrowingArray<JointStep.Output>
}

/// Tokens side by side whose networks share weights, and add different things to products with them.
struct SplitTokens: BitwiseCopyable {
  let runs: UnsafeArray<JointStep.Run>
  let stages: UnsafeArray<StagePlan>
}

/// One thread's part in computing tokens of several networks at once.
extension ForwardPass {
  /// A pass over some of the tokens.
  private func pass(_ memory: JointMemory, tokens: Int, parts: JointStep.Span, runs: JointStep.Span) -> ForwardPass {
    var pass = ForwardPass(
      kernels: kernels, workspace: workspace, team: team, tokens: tokens, parts: memory.parts.elements(parts.range))
    if runs.count > 1 { pass.split = SplitTokens(runs: memory.runs.elements(runs.range), stages: memory.stages) }
    return pass
  }

  /// All stages of all networks; the hidden state of each token comes to lie in its row.
  func joint(_ memory: JointMemory, ids: UnsafeArray<Int32>, logits: UnsafeRows) {
    let x = workspace.residual.0
    let mine = team.share(of: tokens)
    for index in 0..<memory.groups.count {
      let group = memory.groups[index]
      for token in group.rows.range.clamped(to: mine) {
        kernels.dequantize(group.embedding, row: Int(ids[token]), into: x.at(token))
      }
    }
    team.barrier()
    for index in 0..<memory.phases.count { phase(memory.phases[index], memory, x) }
    for index in 0..<memory.outputs.count where memory.outputs[index].logits > 0 {
      let output = memory.outputs[index]
      let pass = pass(memory, tokens: output.logits, parts: output.parts, runs: .init(0..<0))
      pass.logits(output.head, x, count: output.logits, into: logits.rows(from: output.logitsRow))
      // The next one uses the same scratch.
      if index + 1 < memory.outputs.count { team.barrier() }
    }
  }

  private func phase(_ phase: JointStep.Phase, _ memory: JointMemory, _ home: UnsafeRows) {
    let pass = pass(memory, tokens: phase.tokens, parts: phase.parts, runs: phase.runs)
    var x = workspace.residual.1
    if let first = phase.firstRow {
      x = home.rows(from: first)
    } else {
      pass.copyParts(phase.parts, memory, from: home, to: x, isBack: false)
      team.barrier()
    }
    switch memory.stages[phase.stage] {
    case .block(let block):
      guard let wanted = phase.wanted else {
        pass.block(block, x)
        if phase.firstRow != nil { return }
        pass.copyParts(phase.parts, memory, from: x, to: home, isBack: true)
        return team.barrier()
      }
      // Whose logits are wanted may all be of another network than the phase's first.
      let runs = memory.runs.elements(phase.wantedRuns.range)
      let isSplit = runs.count > 1 || runs.count == 1 && runs[0].stage != phase.stage
      let narrow = pass.lastBlock(
        block, x, wanted: memory.parts.elements(wanted.range), into: workspace.spare,
        split: isSplit ? SplitTokens(runs: runs, stages: memory.stages) : nil)
      narrow.copyParts(wanted, memory, from: workspace.spare, to: home, isBack: true)
      team.barrier()
    case .stitch(let layer):
      pass.stitch(layer, x, into: workspace.spare)
      pass.copyParts(phase.parts, memory, from: workspace.spare, to: home, isBack: true)
      team.barrier()
    }
  }

  /// Copies tokens of parts between where they lie among all and where they lie side by side.
  private func copyParts(
    _ span: JointStep.Span, _ memory: JointMemory, from source: UnsafeRows, to target: UnsafeRows, isBack: Bool
  ) {
    let mine = team.share(of: tokens)
    for index in span.range {
      let part = memory.parts[index]
      let home = memory.homes[index]
      for row in part.rows.clamped(to: mine) {
        let there = home + row - part.row
        if isBack {
          target.at(there).copy(source.at(row), count: source.stride)
        } else {
          target.at(row).copy(source.at(there), count: source.stride)
        }
      }
    }
  }

  // MARK: Projections

  /// A x of a projection whose updates are not the same for all tokens.
  /// - Returns: whether there is any.
  func reduce(_ projection: LinearPlan, _ x: Activations, _ split: SplitTokens, into y: UnsafeRows) -> Bool {
    var common: UnsafeWeights?
    var isCommon = true
    let mine = isShared ? team.share(of: tokens) : 0..<tokens
    for index in 0..<split.runs.count {
      let run = split.runs[index]
      let own = split.stages[run.stage].projection(projection.site)
      guard let a = own.a, let b = own.b else { continue }
      if let common { isCommon = isCommon && common.address == a.address } else { common = a }
      // What quantised factors have more columns for.
      if b.columns > a.rows {
        for token in run.rows.range.clamped(to: mine) { y.at(token, a.rows).clear(count: b.columns - a.rows) }
      }
    }
    guard let common else { return false }
    if isCommon {
      kernels.linear(
        common, x.rows, tokens: tokens, into: y,
        rows: isShared ? team.share(of: common.rows, unit: 4) : 0..<common.rows,
        rounded: x.type == common.type ? x.rounded : nil, scratch: workspace.products[team.index])
      return true
    }
    for index in 0..<split.runs.count {
      let run = split.runs[index]
      guard let a = split.stages[run.stage].projection(projection.site).a else { continue }
      kernels.linear(
        a, x.rows.rows(from: run.rows.start), tokens: run.rows.count, into: y.rows(from: run.rows.start),
        rows: isShared ? team.share(of: a.rows, unit: 4) : 0..<a.rows, scratch: workspace.products[team.index])
    }
    return true
  }

  /// y (+)= W x + b + Δb, then y += scale · B (A x), for some rows, where all but W differs from token to token. The sums
  /// are added in the order in which they are where it does not.
  func multiply(
    _ projection: LinearPlan, slot: Int, _ x: Activations, into y: UnsafeRows, rows: Range<Int>, adding: Bool,
    _ split: SplitTokens
  ) {
    if rows.isEmpty { return }
    let sums = adding ? workspace.added : y
    for index in 0..<split.runs.count {
      let run = split.runs[index]
      let bias = split.stages[run.stage].projection(projection.site).bias
      for token in run.rows.range {
        let place = sums.at(token, rows.lowerBound)
        // Added to −0 every number stays what it is.
        if let bias {
          place.copy(bias.offset(by: rows.lowerBound), count: rows.count)
        } else {
          place.fill(-0.0, count: rows.count)
        }
      }
    }
    kernels.linear(
      projection.weight, x.rows, tokens: tokens, into: sums, rows: rows, adding: true,
      rounded: x.type == projection.weight.type ? x.rounded : nil, scratch: workspace.products[team.index])
    if adding {
      for token in 0..<tokens { y.at(token, rows.lowerBound).add(sums.at(token, rows.lowerBound), count: rows.count) }
    }
    for index in 0..<split.runs.count {
      let run = split.runs[index]
      let own = split.stages[run.stage].projection(projection.site)
      guard let b = own.b else { continue }
      kernels.linear(
        b, lowRank(slot: slot).rows(from: run.rows.start), tokens: run.rows.count,
        into: y.rows(from: run.rows.start), rows: rows, scale: own.scale, adding: true,
        scratch: workspace.products[team.index])
    }
  }
}
