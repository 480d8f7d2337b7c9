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
    public var tries = 2
    /// What a route's divergence is multiplied by where all of it is to be computed again when the slider moves there, less
    /// 1. A route that leaves the anchor late shares more of what is computed.
    public var recomputing = 0.5
    /// Single spans measured, at most.
    public var measuredSpans = 64
    /// Held-out tokens, at most, and those of them that single spans are judged on, about.
    public var heldOutTokens = 512
    public var spanTokens = 256
    /// Share of the mean diagonal added to it.
    public var ridge = 3e-3
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
    case computing(tokens: Int, of: Int)
    case judging(spans: Int, atMost: Int)
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
  public init(
    _ anchor: LlamaModel, index: Int, layerType: ElementType, options: Options, pool: ComputePool
  ) {
    self.anchor = anchor
    self.index = index
    self.layerType = layerType
    self.options = options
    self.pool = pool
  }

  private var depth: Int { anchor.blocks.count }
  private var wholeCost: Int { anchor.network().flopsPerToken }

  /// The spans to choose from: no route can leave out the first block or the last.
  package static func spans(depth: Int, longest: Int) -> [Range<Int>] {
    guard canLeaveOut(depth: depth) else { return [] }
    return (1..<depth - 1).flatMap { exit in
      (exit + 1...min(exit + longest, depth - 1)).map { exit..<$0 }
    }
  }

  /// Whether a model of so many blocks has any that a route can leave out.
  public static func canLeaveOut(depth: Int) -> Bool { depth > 2 }

  /// - Parameter sequences: token sequences, of which some are held out.
  /// - Returns: stops, cheapest first, each better than the one before it; none where the anchor has too few blocks.
  /// - Throws: `FamilyError.unstitchable` where there is too little text.
  public func run(
    _ sequences: [[Int32]], listener: (Progress) -> Void = { _ in }
  ) throws(FamilyError) -> [Stop] {
    let longest = options.longestSpan ?? max(1, depth / 3)
    let spans = Self.spans(depth: depth, longest: longest)
    if spans.isEmpty { return [] }
    let text = try HeldOutText(sequences, options, of: anchor, depth: depth - 1)
    listener(.reading(calibration: text.calibrationTokens, heldOut: text.heldOutTokens))
    let passes = PassPool()
    let judge = RouteJudge(anchor, text.heldOut, passes: passes, pool: pool)
    let states = CalibrationStates(
      anchor, text.calibration, depth: depth - 1, passes: passes, pool: pool
    ) {
      listener(.computing(tokens: $0, of: $1))
    }
    let layers = SpanLayers(
      states, depth: depth, ridge: options.ridge, storedType: layerType, memory: options.memory / 4,
      pool: pool)
    let counts = self.counts(spans)
    let costs = judgeSpans(spans, counts, layers, judge, listener)
    if costs.all.values.allSatisfy({ !$0.isFinite }) { throw LeastSquares.tooShort }
    return choose(costs, counts, layers, judge, listener)
  }

  // MARK: What spans cost

  /// The numbers of blocks to leave out, of which stops come nearest to what they should cost.
  private func counts(_ spans: [Range<Int>]) -> [Int] {
    let (whole, block) = (Double(wholeCost), Double(anchor.blocks[0].flopsPerToken))
    let possible = SpanChains(
      depth: depth, costs: Dictionary(uniqueKeysWithValues: spans.map { ($0, 1) }),
      most: options.mostSpans, kept: 1
    ).best().keys
    return Set(
      (1...options.stops).compactMap { stop in
        let less = (1 - options.leastCost) * whole * Double(stop) / Double(options.stops)
        return possible.min {
          (abs(Double($0) * block - less), $0) < (abs(Double($1) * block - less), $1)
        }
      }
    ).sorted()
  }

  /// The best chains of spans by what is known and guessed of these.
  private func chains(_ costs: SpanCosts) -> [Int: [(chain: SpanChains.Chain, cost: Double)]] {
    SpanChains(depth: depth, costs: costs.all, most: options.mostSpans, kept: options.tries)
      .best { 1 + options.recomputing * recomputed($0) }
  }

  /// Measures spans until those of the best chains all are, or so many that it is enough.
  private func judgeSpans(
    _ spans: [Range<Int>], _ counts: [Int], _ layers: SpanLayers, _ judge: RouteJudge,
    _ listener: (Progress) -> Void
  ) -> SpanCosts {
    var costs = SpanCosts(spans)
    let limit = min(spans.count, options.measuredSpans)
    let used = judge.parts(of: options.spanTokens)
    var wanted = costs.scouts
    while !wanted.isEmpty {
      let group = Array(wanted.prefix(limit - costs.measuredCount))
      layers.fit(group)
      let candidates = group.compactMap { span in
        layers[span].map { RouteJudge.Candidate(spans: [span], layers: [$0]) }
      }
      for span in group { costs.note(span, cost: .infinity) }
      for (candidate, verdict) in zip(candidates, judge.measure(candidates, onFirst: used)) {
        costs.note(candidate.spans[0], cost: verdict.divergence)
      }
      listener(.judging(spans: costs.measuredCount, atMost: limit))
      if costs.measuredCount >= limit { break }
      let best = chains(costs)
      var seen: Set<Range<Int>> = []
      // The best chain of every number first.
      wanted = (0..<options.tries).flatMap { place in
        counts.flatMap { count in best[count].map { place < $0.count ? $0[place].chain : [] } ?? []
        }
      }.filter { !costs.isMeasured($0) && seen.insert($0).inserted }
    }
    return costs
  }

  // MARK: Stops

  private func choose(
    _ costs: SpanCosts, _ counts: [Int], _ layers: SpanLayers, _ judge: RouteJudge,
    _ listener: (Progress) -> Void
  ) -> [Stop] {
    let best = chains(costs)
    var stops: [Stop] = []
    for (done, count) in counts.enumerated() {
      let chains = (best[count] ?? []).map(\.chain)
      layers.fit(chains.flatMap { $0 })
      let candidates = chains.compactMap { chain -> RouteJudge.Candidate? in
        let fitted = chain.compactMap { layers[$0] }
        return fitted.count == chain.count
          ? RouteJudge.Candidate(spans: chain, layers: fitted) : nil
      }
      let found = zip(candidates, judge.measure(candidates)).map { stop($0, $1) }
      if let best = found.min(by: { objective($0) < objective($1) }) { stops.append(best) }
      listener(.chaining(routes: done + 1, of: counts.count))
    }
    return Self.undominated(stops)
  }

  private func stop(_ candidate: RouteJudge.Candidate, _ verdict: RouteJudge.Verdict) -> Stop {
    let alone = Route(anchor: 0, depth: depth, without: candidate.spans)
    return Stop(
      route: Route(anchor: index, depth: depth, without: candidate.spans), layers: candidate.layers,
      flopsPerToken: Assembler(anchors: [anchor], layers: [alone: candidate.layers]).assemble(alone)
        .flopsPerToken,
      divergence: verdict.divergence, agreement: verdict.agreement,
      recomputed: recomputed(candidate.spans[0].lowerBound))
  }

  private func objective(_ stop: Stop) -> Double {
    stop.divergence * (1 + options.recomputing * stop.recomputed)
  }

  /// The share of the whole anchor's cost behind the first `exit` blocks.
  private func recomputed(_ exit: Int) -> Double {
    1 - Double(anchor.blocks[..<exit].reduce(0) { $0 + $1.flopsPerToken }) / Double(wholeCost)
  }

  /// Without what a cheaper stop beats, cheapest first.
  package static func undominated(_ stops: [Stop]) -> [Stop] {
    var kept: [Stop] = []
    for stop in stops.sorted(by: {
      ($0.flopsPerToken, $0.divergence) < ($1.flopsPerToken, $1.divergence)
    })
    where stop.divergence < kept.last?.divergence ?? .infinity {
      kept.append(stop)
    }
    return kept
  }
}
