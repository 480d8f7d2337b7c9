/// The tensors of a side network that reads all blocks' outputs at once (`ParallelNetwork`), of one width everywhere:
///
/// - of an anchor in which routes start, of its embedding `anchors.NAME.side.entry` `[width × hidden]`, with UniPT
///   `.side.entry_norm` `[width]`, with SHERL `.side.entry_mixing` and `.side.entry_opening` `[width × width]`
/// - of a block that is read `anchors.NAME.layers.N.side.down` `[width × hidden]`, with UniPT `.side.norm` `[width]`, with
///   SHERL `.side.mixing` and `.side.opening` `[width × width]`
/// - of an anchor in which routes end `.side.exit` `[hidden × width]`, with UniPT `.side.confidence` `[width]`,
///   `.side.projection` `[width × width]` and `.side.projection_norm` `[width]`, with SHERL `.side.weighing` `[width]` and
///   `.side.keep` `[1]`
extension AdapterLayout {
  /// A block whose output is read, and its stage of the route.
  private typealias Reading = (stage: Int, anchor: Int, block: Int)

  /// Where it speaks, and what is read before: every so many blocks of an anchor and its last one, or the last one before
  /// it speaks.
  private func readings(_ route: Route, _ side: SideOptions) -> (insertion: Int, blocks: [Reading]) {
    var blocks: [Reading] = []
    var stages = 0
    for (index, segment) in route.segments.enumerated() {
      if index > 0 { stages += 1 }
      for block in segment.blocks {
        blocks.append((stages, segment.anchor, block))
        stages += 1
      }
    }
    let late = side.kind == .sherl ? min(side.lateBlocks, route.segments[route.segments.count - 1].blocks.count) : 0
    let early = blocks.dropLast(late)
    let last = early.last?.stage
    return (
      stages - late,
      early.filter {
        side.kind == .unipt
          ? side.reads($0.block, of: configurations[$0.anchor])
          : ($0.block + 1) % side.interval == 0 || $0.stage == last
      }
    )
  }

  /// The parts of what reads, besides its projection down, with their shapes.
  private static func readerParts(_ side: SideOptions, _ width: Int) -> [(String, [Int])] {
    side.kind == .unipt ? [("norm", [width])] : [("mixing", [width, width]), ("opening", [width, width])]
  }

  func parallelNetworkDeclarations(_ side: SideOptions, width: Int) -> [SideDeclaration] {
    var read = configurations.map { _ in Set<Int>() }
    for route in routes {
      for (_, anchor, block) in readings(route, side).blocks { read[anchor].insert(block) }
    }
    let (starts, ends) = (Set(routes.map(\.start)), Set(routes.map(\.end)))
    var all: [SideDeclaration] = []
    for (anchor, configuration) in configurations.enumerated() {
      func add(_ part: String, _ shape: [Int], after block: Int, of place: Int? = nil) {
        all.append(
          (.init(sideName(anchor, place, part), shape: shape, decays: shape.count > 1), anchor, block))
      }
      let hidden = configuration.hiddenSize
      if starts.contains(anchor) {
        add("entry", [width, hidden], after: 0)
        for (part, shape) in Self.readerParts(side, width) { add("entry_" + part, shape, after: 0) }
      }
      for block in read[anchor].sorted() {
        add("down", [width, hidden], after: block, of: block)
        for (part, shape) in Self.readerParts(side, width) { add(part, shape, after: block, of: block) }
      }
      guard ends.contains(anchor) else { continue }
      let last = configuration.blockCount - 1
      if side.kind == .unipt {
        add("confidence", [width], after: last)
        add("projection", [width, width], after: last)
        add("projection_norm", [width], after: last)
      } else {
        add("weighing", [width], after: last)
        add("keep", [1], after: last)
      }
      add("exit", [hidden, width], after: last)
    }
    return all
  }

  func parallelNetwork(_ route: Route, _ side: SideOptions, from tensors: some DeltaTensors) -> ParallelNetwork? {
    let (insertion, blocks) = readings(route, side)
    func reader(_ anchor: Int, _ block: Int?, _ down: String, _ prefix: String = "") -> ParallelNetwork.Reader? {
      func matrix(_ part: String) -> WeightMatrix? { tensors.matrix(sideName(anchor, block, part)) }
      guard let down = matrix(down) else { return nil }
      if side.kind == .unipt {
        return tensors.bias(sideName(anchor, block, prefix + "norm")).map { .normed(down: down, norm: $0) }
      }
      guard let mixing = matrix(prefix + "mixing"), let opening = matrix(prefix + "opening") else { return nil }
      return .gated(down: down, mixing: mixing, opening: opening)
    }
    let stages = route.segments.reduce(route.segments.count - 1) { $0 + $1.blocks.count }
    var readers = [ParallelNetwork.Reader?](repeating: nil, count: stages + 1)
    guard let entry = reader(route.start, nil, "entry", "entry_"),
      let exit = tensors.matrix(sideName(route.end, nil, "exit"))
    else { return nil }
    readers[0] = entry
    for (stage, anchor, block) in blocks {
      guard let read = reader(anchor, block, "down") else { return nil }
      readers[stage + 1] = read
    }
    func vector(_ part: String) -> WeightVector? { tensors.bias(sideName(route.end, nil, part)) }
    let merge: ParallelNetwork.Merge
    if side.kind == .unipt {
      guard let confidence = vector("confidence"), let norm = vector("projection_norm"),
        let projection = tensors.matrix(sideName(route.end, nil, "projection"))
      else { return nil }
      merge = .attention(confidence: confidence, projection: projection, norm: norm)
    } else {
      guard let weighing = vector("weighing"), let keep = vector("keep") else { return nil }
      merge = .antiRedundancy(weighing: weighing, keep: keep)
    }
    return ParallelNetwork(readers: readers, insertion: insertion, merge: merge, exit: exit)
  }
}
