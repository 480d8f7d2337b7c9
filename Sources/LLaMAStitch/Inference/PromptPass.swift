/// A soft prompt as addresses.
struct PromptPlan {
  let embeddings: UnsafeRows
  let length: Int
  /// A, one row a position.
  let positions: UnsafeRows
  let positionCount: Int
  /// Bᵀ
  let update: UnsafeWeights

  init(_ prompt: SoftPrompt) {
    embeddings = UnsafeRows(prompt.embeddings.floatsInPlace!)
    length = prompt.length
    positions = UnsafeRows(prompt.positions.floatsInPlace!)
    positionCount = prompt.positions.rows
    update = UnsafeWeights(prompt.update)
  }
}

/// What a network reads besides tokens; see `SoftPrompt`.
extension ForwardPass {
  /// What enters the first block: of positions before 0 the prompt, of others the tokens' embeddings, updated.
  func embed(_ plan: NetworkPlan, _ prompt: PromptPlan, ids: UnsafeArray<Int32>, into x: UnsafeRows) {
    let mine = team.share(of: tokens)
    for index in 0..<parts.count {
      let part = parts[index]
      for token in part.rows.clamped(to: mine) {
        let position = part.position(of: token)
        if position < 0 {
          x.at(token).copy(prompt.embeddings.at(position + prompt.length), count: plan.embedding.columns)
          continue
        }
        kernels.dequantize(plan.embedding, row: Int(ids[token]), into: x.at(token))
        if position < prompt.positionCount {
          kernels.linear(
            prompt.update, prompt.positions.rows(from: position), tokens: 1, into: x.rows(from: token),
            rows: 0..<prompt.update.rows, adding: true, scratch: workspace.products[team.index])
        }
      }
    }
  }
}
