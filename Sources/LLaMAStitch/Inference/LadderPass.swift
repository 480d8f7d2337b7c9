import Support

/// A ladder side network as addresses.
struct LadderPlan {
  let width: Int
  let ones: UnsafeFloats
  let entry: LinearPlan
  /// One a stage.
  let rungs: UnsafeArray<RungPlan?>
  let norm: UnsafeFloats
  let exit: LinearPlan

  /// - Parameter block: plans a block, given the stage beside which it stands.
  init(
    _ side: LadderNetwork, keeping owned: inout NetworkPlan.Owned,
    block: (Int, Block, inout NetworkPlan.Owned) -> BlockPlan
  ) {
    width = side.width
    let widest = side.rungs.reduce(side.entry.columns) { max($0, $1?.down.columns ?? 0) }
    let ones = FloatBuffer([Float](repeating: 1, count: widest))
    owned.buffers.append(ones)
    self.ones = UnsafeFloats(ones)
    entry = LinearPlan(Projection(weight: side.entry), keeping: &owned)
    norm = UnsafeFloats(side.norm.values)
    exit = LinearPlan(Projection(weight: side.exit), keeping: &owned)
    var plans: [RungPlan?] = []
    for (stage, rung) in side.rungs.enumerated() {
      plans.append(
        rung.map { rung in
          RungPlan(
            down: LinearPlan(Projection(weight: rung.down), keeping: &owned), openness: rung.openness,
            block: block(stage, rung.block, &owned))
        })
    }
    rungs = UnsafeArray(plans)
  }

  func deallocate() { rungs.deallocate() }
}

/// What is computed beside a stage.
struct RungPlan {
  let down: LinearPlan
  let openness: Float
  let block: BlockPlan
}

/// The ladder beside the forward pass; see `LadderNetwork`.
extension ForwardPass {
  /// Its state at the embedding `x`.
  func enter(_ side: LadderPlan, _ x: UnsafeRows) {
    let read = normed(x, by: side.ones, epsilon: SideNetwork.epsilon, for: side.entry)
    project(side.entry, read, into: workspace.side, rows: team.share(of: side.width, unit: 16))
    team.barrier()
  }

  /// Its state beside the hidden state `x` after a stage.
  func climb(_ rung: RungPlan, _ side: LadderPlan, _ x: UnsafeRows) {
    let read = normed(x, by: side.ones, epsilon: SideNetwork.epsilon, for: rung.down)
    let columns = team.share(of: side.width, unit: 16)
    for token in 0..<tokens {
      workspace.side.at(token, columns.lowerBound).scale(by: 1 - rung.openness, count: columns.count)
    }
    kernels.linear(
      rung.down.weight, read.rows, tokens: tokens, into: workspace.side, rows: columns, scale: rung.openness,
      adding: true,
      scratch: workspace.products[team.index])
    team.barrier()
    block(rung.block, workspace.side)
  }

  /// Adds what it has to say to the hidden state `x` after the last stage.
  func leave(_ side: LadderPlan, _ x: UnsafeRows) {
    let read = normed(workspace.side, by: side.norm, epsilon: SideNetwork.epsilon, for: side.exit)
    project(side.exit, read, into: x, rows: team.share(of: side.exit.rows, unit: 16), adding: true)
    team.barrier()
  }
}
