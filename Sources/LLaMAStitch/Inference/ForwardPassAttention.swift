/// Attention: queries, keys and values, the cache, and what is added to the hidden state.
extension ForwardPass {
  func addAttention(_ block: BlockPlan, to x: UnsafeRows) {
    let hidden = normed(x, by: block.attentionNorm, epsilon: block.epsilon, for: block.query)
    reduce((block.query, block.key, block.value), hidden)
    // A step of many conversations: every token is its text's only one.
    let isStep = tokens > 1 && parts.count == tokens
    if isStep {
      project(block, hidden)
    } else {
      queriesKeysValues(block, hidden, heads: team.share(of: block.headCount + 2 * block.keyValueHeadCount))
    }
    attend(block, addingTo: x, isStep: isStep)
  }

  /// Attention and what it adds, when the thread has its queries, keys and values.
  /// - Parameter isStep: whether these are projections alone, of single tokens.
  func attend(_ block: BlockPlan, addingTo x: UnsafeRows, isStep: Bool = false) {
    team.barrier()
    // Heads that are whole blocks are rounded where they are made.
    let roundsHeads = isShared && block.headDimension % InferenceKernels.roundedColumns == 0
    attention(block, isStep: isStep, rounding: roundsHeads ? workspace.rounded[0] : nil)
    team.barrier()
    let context =
      roundsHeads
      ? Activations(rows: workspace.context, rounded: workspace.rounded[0], type: block.output.weight.type)
      : rounded(workspace.context, for: block.output)
    reduce((block.output, nil, nil), context)
    project(block.output, context, into: x, rows: team.share(of: block.hiddenSize, unit: 16), adding: true)
    team.barrier()
  }

  // MARK: Queries, keys and values

  /// Projects alone: rows are dealt out evenly, whatever head they belong to.
  private func project(_ block: BlockPlan, _ hidden: Activations) {
    let (queries, keys) = (block.headCount * block.headDimension, block.keyValueHeadCount * block.headDimension)
    let mine = team.share(of: queries + 2 * keys, unit: 16)
    func part(from first: Int, count: Int) -> Range<Int> {
      mine.clamped(to: first..<first + count).shifted(by: -first)
    }
    project(block.query, slot: 0, hidden, into: workspace.query, rows: part(from: 0, count: queries))
    project(block.key, slot: 1, hidden, into: workspace.key, rows: part(from: queries, count: keys))
    project(block.value, slot: 2, hidden, into: workspace.value, rows: part(from: queries + keys, count: keys))
  }

  /// Projects, rotates and caches.
  /// - Parameter mine: of the heads of queries, keys and values, one after another, those of this thread.
  func queriesKeysValues(_ block: BlockPlan, _ hidden: Activations, heads mine: Range<Int>) {
    let dimension = block.headDimension
    let keysStart = block.headCount
    let valuesStart = keysStart + block.keyValueHeadCount

    let queryHeads = mine.clamped(to: 0..<keysStart)
    project(block.query, slot: 0, hidden, into: workspace.query, rows: queryHeads.times(dimension))
    for index in 0..<parts.count {
      for token in parts[index].rows { rotate(block, queryHeads, of: parts[index], token: token) }
    }
    let keyHeads = mine.clamped(to: keysStart..<valuesStart).shifted(by: -keysStart)
    project(block.key, slot: 1, hidden, into: workspace.key, rows: keyHeads.times(dimension))
    for index in 0..<parts.count {
      for token in parts[index].rows { storeKeys(block, keyHeads, of: parts[index], token: token) }
    }
    let valueHeads = mine.clamped(to: valuesStart..<valuesStart + block.keyValueHeadCount)
      .shifted(by: -valuesStart)
    project(block.value, slot: 2, hidden, into: workspace.value, rows: valueHeads.times(dimension))
    for index in 0..<parts.count {
      for token in parts[index].rows { storeValues(block, valueHeads, of: parts[index], token: token) }
    }
  }

  private func rotate(_ block: BlockPlan, _ heads: Range<Int>, of part: BatchPart, token: Int) {
    let position = part.position(of: token) + block.offset
    for head in heads {
      kernels.rotate(workspace.query.at(token, head * block.headDimension), block.rotary, position: position)
    }
  }

  private func storeKeys(_ block: BlockPlan, _ heads: Range<Int>, of part: BatchPart, token: Int) {
    let cache = block.cache.text(part.text)
    let position = part.position(of: token) + block.offset
    for head in heads {
      let key = workspace.key.at(token, head * block.headDimension)
      kernels.rotate(key, block.rotary, position: position)
      kernels.storeKey(cache, head: head, position: position, key)
    }
  }

  private func storeValues(_ block: BlockPlan, _ heads: Range<Int>, of part: BatchPart, token: Int) {
    let cache = block.cache.text(part.text)
    let position = part.position(of: token) + block.offset
    for head in heads {
      kernels.storeValue(cache, head: head, position: position, workspace.value.at(token, head * block.headDimension))
    }
  }

  // MARK: Attention

  /// softmax(q kᵀ / √d) v of every head. A text's single token is dealt out by heads that share keys and values; of more
  /// tokens groups are, in turn, for later ones see more.
  /// - Parameters:
  ///   - isStep: whether a thread first rotates the queries of such heads, and rotates and caches their key and value.
  ///   - rounding: where to round what comes out, as the output's weights meet it; `nil` if that is done later.
  private func attention(_ block: BlockPlan, isStep: Bool, rounding: UnsafeScratch?) {
    if tokens == 1 { return attention(block, of: parts[0], heads: team.share(of: block.headCount)) }
    let group = 8
    let queriesPerHead = block.headCount / block.keyValueHeadCount
    // Pieces of work before the part.
    var before = 0
    for index in 0..<parts.count {
      let part = parts[index]
      let isSingle = part.count == 1
      let pieces = isSingle ? block.keyValueHeadCount : (part.count + group - 1) / group * block.headCount
      let mine = (team.index + team.count - before % team.count) % team.count
      for piece in stride(from: mine, to: pieces, by: team.count) {
        let heads: Range<Int>
        let some: Range<Int>
        if isSingle {
          heads = piece * queriesPerHead..<(piece + 1) * queriesPerHead
          some = 0..<1
          if isStep {
            rotate(block, heads, of: part, token: part.row)
            storeKeys(block, piece..<piece + 1, of: part, token: part.row)
            storeValues(block, piece..<piece + 1, of: part, token: part.row)
          }
          attention(block, of: part, heads: heads, next: keys(block, after: piece, of: index))
        } else {
          let head = piece % block.headCount
          let first = piece / block.headCount * group
          heads = head..<head + 1
          some = first..<min(part.count, first + group)
          kernels.attend(
            block.cache.text(part.text), head: head,
            queries: workspace.query.rows(from: part.row),
            into: workspace.context.rows(from: part.row),
            tokens: some, position: part.position + block.offset, scratch: workspace.scores[team.index])
        }
        if let rounding {
          kernels.round(
            workspace.context, for: block.output.weight, tokens: tokens, range: some.shifted(by: part.row),
            columns: heads.times(block.headDimension), into: rounding)
        }
      }
      before += pieces
    }
  }

  /// Some heads of a part that is one token.
  /// - Parameter next: the keys that this thread reads after them.
  private func attention(
    _ block: BlockPlan, of part: BatchPart, heads: Range<Int>,
    next: UnsafeRawBufferPointer = .init(start: nil, count: 0)
  ) {
    kernels.attend(
      block.cache.text(part.text), heads: heads, query: workspace.query.at(part.row),
      into: workspace.context.at(part.row), position: part.position + block.offset,
      scratch: workspace.scores[team.index], next: next)
  }

  /// The keys that this thread reads when it is done with a piece of a part: of its next piece, which may be of a later part.
  private func keys(_ block: BlockPlan, after piece: Int, of part: Int) -> UnsafeRawBufferPointer {
    var (head, index) = (piece + team.count, part)
    while head >= block.keyValueHeadCount {
      head -= block.keyValueHeadCount
      index += 1
      guard index < parts.count, parts[index].count == 1 else { return .init(start: nil, count: 0) }
    }
    let next = parts[index]
    return block.cache.text(next.text).firstKeys(of: head, position: next.position + block.offset)
  }
}

extension Range<Int> {
  fileprivate func times(_ factor: Int) -> Range<Int> { lowerBound * factor..<upperBound * factor }
  func shifted(by offset: Int) -> Range<Int> { lowerBound + offset..<upperBound + offset }
}
