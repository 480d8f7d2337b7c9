/// A parallel adapter as addresses.
struct ParallelPlan {
  let down: UnsafeWeights
  let downBias: UnsafeFloats
  let up: UnsafeWeights
  /// s · c
  let upBias: UnsafeFloats
  let scale: Float

  init(_ adapter: ParallelAdapter, keeping owned: inout NetworkPlan.Owned) {
    down = UnsafeWeights(adapter.down)
    downBias = UnsafeFloats(adapter.downBias.values)
    up = UnsafeWeights(adapter.up)
    let bias = FloatBuffer(adapter.upBias.values.array.map { adapter.scale * $0 })
    owned.buffers.append(bias)
    upBias = UnsafeFloats(bias)
    scale = adapter.scale
  }
}

/// A parallel adapter beside the MLP; see `ParallelAdapter`.
extension ForwardPass {
  /// relu(D x + b) of what the MLP reads. As with low-rank updates, threads share it where they share what comes before
  /// products, and may read it after the next barrier; of few tokens each computes all.
  func narrow(_ adapter: ParallelPlan, _ x: Activations) {
    let narrow = workspace.parallel[isShared ? 0 : team.index]
    let rows = isShared ? team.share(of: adapter.down.rows, unit: 4) : 0..<adapter.down.rows
    kernels.linear(
      adapter.down, x.rows, tokens: tokens, into: narrow, rows: rows, bias: adapter.downBias,
      scratch: workspace.products[team.index])
    for token in 0..<tokens { narrow.at(token, rows.lowerBound).rectify(count: rows.count) }
  }

  /// y += s · (U relu(D x + b) + c), for some rows.
  func widen(_ adapter: ParallelPlan, into y: UnsafeRows, rows: Range<Int>) {
    kernels.linear(
      adapter.up, workspace.parallel[isShared ? 0 : team.index], tokens: tokens, into: y, rows: rows,
      scale: adapter.scale, bias: adapter.upBias, adding: true, scratch: workspace.products[team.index])
  }
}
