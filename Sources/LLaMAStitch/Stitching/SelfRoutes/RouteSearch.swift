import Support

/// Finds the routes that make a slider of one anchor: which blocks to leave out for how much of its cost.
///
/// Spans of blocks are replaced by linear layers fitted on the anchor's own states. Each span is judged by what counts,
/// KL(whole ‖ route) on held-out text; chains of up to three spans are chosen by the sum of what their spans cost alone,
/// and the best of them measured as they are. (Depth pruning with a linear layer in the gap: ReplaceMe, arXiv 2505.02819;
/// LLM-Streamline, arXiv 2403.19135.)
public struct RouteSearch: Sendable {
  public struct Options: Sendable {
    /// Stops to find, besides the anchor whole.
    public var stops = 10
    /// The cheapest stop costs about this share of the whole anchor.
    public var leastCost = 0.5
    /// Blocks that one layer replaces, at most; `nil`: a third of the depth.
    public var longestSpan: Int?
    /// Layers of a route, at most.
    public var mostSpans = 3
    /// Chains measured for each number of blocks left out.
    public var tries = 3
    /// What a route's divergence is multiplied by where all of it is to be computed again when the slider moves there, less
    /// 1. A route that leaves the anchor late shares more of what is computed.
    public var recomputing = 0.5
    /// Held-out tokens, at most, and those of them that single spans are judged on.
    public var heldOutTokens = 1024
    public var spanTokens = 384
    /// Share of the mean diagonal added to it.
    public var ridge = 1e-4
    /// Memory for hidden states, and for probabilities of held-out text.
    public var memory = 2 << 30

    public init() {}
  }

  /// A route that was found.
  public struct Stop: Sendable {
    public var route: Route
    /// Its stitching layers, in order.
    public var layers: [Projection]
    public var flopsPerToken: Int
    /// KL(whole ‖ route) on held-out text, nats a position.
    public var divergence: Double
    /// The share of held-out positions where the most likely token is that of the whole anchor.
    public var agreement: Double
    /// The share of the whole anchor's cost that is computed again when the slider moves here.
    public var recomputed: Double
  }

  public enum Progress: Sendable {
    /// The text is divided.
    case reading(calibration: Int, heldOut: Int)
    case fitting(spans: Int, of: Int)
    case judging(spans: Int, of: Int)
    case chaining(routes: Int, of: Int)
  }

  let anchor: LlamaModel
  let index: Int
  let options: Options
  /// How layers are stored: they are judged as they will be.
  let layerType: ElementType
  let pool: ComputePool

  /// - Parameters:
  ///   - anchor: as the family stores it.
  ///   - index: its place in the family.
  public init(_ anchor: LlamaModel, index: Int, layerType: ElementType, options: Options, pool: ComputePool) {
    self.anchor = anchor
    self.index = index
    self.layerType = layerType
    self.options = options
    self.pool = pool
  }

  private var depth: Int { anchor.blocks.count }

  /// The spans to choose from: no route can leave out the first block or the last.
  package static func spans(depth: Int, longest: Int) -> [Range<Int>] {
    guard depth > 2 else { return [] }
    return (1..<depth - 1).flatMap { exit in
      (exit + 1...min(exit + longest, depth - 1)).map { exit..<$0 }
    }
  }

  /// - Parameter sequences: token sequences, of which some are held out.
  /// - Returns: stops, cheapest first, each better than the one before it; none where the anchor has too few blocks.
  /// - Throws: `FamilyError.unstitchable` where there is too little text.
  public func run(_ sequences: [[Int32]], listener: (Progress) -> Void = { _ in }) throws(FamilyError) -> [Stop] {
    let longest = options.longestSpan ?? max(1, depth / 3)
    let spans = Self.spans(depth: depth, longest: longest)
    if spans.isEmpty { return [] }
    let text = try HeldOutText(sequences, options, contextLength: anchor.configuration.contextLength)
    listener(.reading(calibration: text.calibrationTokens, heldOut: text.heldOutTokens))
    let passes = PassPool()
    let layers = try fit(spans, longest: longest, text.calibration, passes, listener)
    let judge = RouteJudge(anchor, text.heldOut, passes: passes, pool: pool)
    let alone = judgeSpans(spans, layers, judge, listener)
    return choose(alone, layers, judge, listener)
  }

  // MARK: Layers

  private func fit(
    _ spans: [Range<Int>], longest: Int, _ batches: [PackedBatch], _ passes: PassPool,
    _ listener: (Progress) -> Void
  ) throws(FamilyError) -> [Range<Int>: Projection] {
    let sweep = StateSweep(anchor, batches, passes: passes, pool: pool)
    let fit = ExitFit(ridge: options.ridge)
    var layers: [Range<Int>: Projection] = [:]
    // Exits that are fitted at the same time; each takes one thread.
    let atOnce = 4
    for first in stride(from: 1, to: depth - 1, by: atOnce) {
      let exits = Array(first..<min(first + atOnce, depth - 1))
      sweep.advance(to: min(exits[exits.count - 1] + longest, depth - 1))
      sweep.forget(before: first)
      let results = Results<[ExitFit.Layer?]>(count: exits.count)
      pool.run(parts: exits.count) { part in
        let exit = exits[part]
        let entries = exit + 1...min(exit + longest, depth - 1)
        results[part] = fit.layers(
          x: sweep.state(after: exit), ys: entries.map { sweep.state(after: $0) }, leftOut: sweep.starts)
      }
      for (place, exit) in exits.enumerated() {
        for (offset, layer) in results[place]!.enumerated() {
          if let layer { layers[exit..<exit + 1 + offset] = rounded(layer.projection) }
        }
      }
      listener(.fitting(spans: layers.count, of: spans.count))
    }
    if layers.isEmpty { throw LeastSquares.tooShort }
    return layers
  }

  /// A layer as it will be stored.
  private func rounded(_ layer: Projection) -> Projection {
    guard layerType == .bf16, let floats = layer.weight.floatsInPlace else { return layer }
    return Projection(weight: WeightMatrix.bfloat16([floats])[0], bias: layer.bias)
  }

  // MARK: What spans cost

  private func judgeSpans(
    _ spans: [Range<Int>], _ layers: [Range<Int>: Projection], _ judge: RouteJudge, _ listener: (Progress) -> Void
  ) -> [Range<Int>: Double] {
    var costs: [Range<Int>: Double] = [:]
    let fitted = spans.filter { layers[$0] != nil }
    for start in stride(from: 0, to: fitted.count, by: 8) {
      let group = Array(fitted[start..<min(start + 8, fitted.count)])
      let verdicts = judge.measure(group.map { .init(spans: [$0], layers: [layers[$0]!]) }, onFirst: 2)
      for (span, verdict) in zip(group, verdicts) { costs[span] = verdict.divergence }
      listener(.judging(spans: start + group.count, of: fitted.count))
    }
    return costs
  }

  // MARK: Stops

  private func flops(_ route: Route, _ layers: [Projection]) -> Int {
    Assembler(anchors: [anchor], layers: [route: layers]).assemble(route).flopsPerToken
  }

  private func choose(
    _ costs: [Range<Int>: Double], _ layers: [Range<Int>: Projection], _ judge: RouteJudge,
    _ listener: (Progress) -> Void
  ) -> [Stop] {
    let whole = anchor.network().flopsPerToken
    let chains = SpanChains(depth: depth, costs: costs, most: options.mostSpans, kept: options.tries)
      .best { 1 + options.recomputing * recomputed($0, whole) }
    // For each stop the number of blocks whose absence comes nearest to what it should cost.
    let block = Double(anchor.blocks[0].flopsPerToken)
    let counts = Set(
      (1...options.stops).compactMap { stop -> Int? in
        let less = (1 - options.leastCost) * Double(whole) * Double(stop) / Double(options.stops)
        return chains.keys.min { abs(Double($0) * block - less) < abs(Double($1) * block - less) }
      }
    ).sorted()
    var stops: [Stop] = []
    for (done, count) in counts.enumerated() {
      let candidates = chains[count]!.map { chain in
        RouteJudge.Candidate(spans: chain.chain, layers: chain.chain.map { layers[$0]! })
      }
      let verdicts = judge.measure(candidates)
      let found = zip(candidates, verdicts).map { candidate, verdict in
        let route = Route(depth: depth, without: candidate.spans)
        return Stop(
          route: Route(anchor: index, depth: depth, without: candidate.spans), layers: candidate.layers,
          flopsPerToken: flops(route, candidate.layers), divergence: verdict.divergence,
          agreement: verdict.agreement, recomputed: recomputed(candidate.spans[0].lowerBound, whole))
      }
      stops.append(found.min { objective($0) < objective($1) }!)
      listener(.chaining(routes: done + 1, of: counts.count))
    }
    return Self.undominated(stops)
  }

  private func objective(_ stop: Stop) -> Double { stop.divergence * (1 + options.recomputing * stop.recomputed) }

  /// The share of the whole anchor's cost behind the first `exit` blocks.
  private func recomputed(_ exit: Int, _ whole: Int) -> Double {
    1 - Double(anchor.blocks[..<exit].reduce(0) { $0 + $1.flopsPerToken }) / Double(whole)
  }

  /// Without what a cheaper stop beats, cheapest first.
  package static func undominated(_ stops: [Stop]) -> [Stop] {
    var kept: [Stop] = []
    for stop in stops.sorted(by: { ($0.flopsPerToken, $0.divergence) < ($1.flopsPerToken, $1.divergence) })
    where stop.divergence < kept.last?.divergence ?? .infinity {
      kept.append(stop)
    }
    return kept
  }
}

extension Route {
  fileprivate init(depth: Int, without spans: [Range<Int>]) { self.init(anchor: 0, depth: depth, without: spans) }
}
