import Foundation
import LLaMAStitch
import Support
import Testing

/// Routes within one anchor: which are looked at, how their layers are fitted, what they are judged by, which are chosen.
@Suite struct RouteSearchTests {
  private static func model(blocks: Int, seed: UInt64 = 5) -> LlamaModel {
    let configuration = RandomModel.configuration(blocks: blocks, vocabulary: 40)
    let weights = RandomModel.weights(configuration, seed: seed)
    return LlamaModel(configuration: configuration) { tensor in
      let shape = configuration.shape(of: tensor)
      return WeightMatrix(weights(tensor).matrix(rows: shape[0], columns: shape[1]))
    } vector: {
      WeightVector(weights($0))
    }
  }

  private static func batch(_ sequences: [[Int32]]) -> PackedBatch {
    var batch = PackedBatch()
    for sequence in sequences { batch.append(sequence) }
    return batch
  }

  /// Every chain of spans that the search may choose.
  private static func allChains(_ spans: [Range<Int>], most: Int) -> [[Range<Int>]] {
    var chains: [[Range<Int>]] = []
    func extend(_ chain: [Range<Int>]) {
      if !chain.isEmpty { chains.append(chain) }
      if chain.count == most { return }
      for span in spans where span.lowerBound > chain.last?.upperBound ?? 0 { extend(chain + [span]) }
    }
    extend([])
    return chains
  }

  @Test func spansToChooseFrom() {
    #expect(RouteSearch.spans(depth: 2, longest: 3).isEmpty)
    #expect(RouteSearch.spans(depth: 3, longest: 3) == [1..<2])
    #expect(RouteSearch.spans(depth: 5, longest: 2) == [1..<2, 1..<3, 2..<3, 2..<4, 3..<4])
    let route = Route(anchor: 0, depth: 9, without: [1..<3, 4..<5])
    #expect(route.id(names: ["m"], depths: [9]) == "m@3~1@5~4" && route.leftOut == [1..<3, 4..<5])
    #expect(route.problem(depths: [9]) == nil)
  }

  /// Dynamic programming finds what trying all finds.
  @Test(arguments: [3, 5, 9]) func chainsAreTheBest(depth: Int) throws {
    var random = SeededGenerator(seed: UInt64(depth))
    let spans = RouteSearch.spans(depth: depth, longest: 4)
    let costs = Dictionary(uniqueKeysWithValues: spans.map { ($0, random.unit() + 0.1 * Double($0.count)) })
    func weight(_ exit: Int) -> Double { 2 - Double(exit) / Double(depth) }
    let found = SpanChains(depth: depth, costs: costs, most: 3, kept: 4).best(weight: weight)
    let all = Self.allChains(spans, most: 3).map { chain in
      (chain: chain, cost: chain.reduce(0) { $0 + costs[$1]! } * weight(chain[0].lowerBound))
    }
    let byCount = Dictionary(grouping: all) { $0.chain.reduce(0) { $0 + $1.count } }
    #expect(Set(found.keys) == Set(byCount.keys))
    for (count, chains) in found {
      let expected = byCount[count]!.sorted { $0.cost < $1.cost }.prefix(4)
      #expect(chains.count == expected.count)
      for (one, other) in zip(chains, expected) {
        #expect(one.chain == other.chain && abs(one.cost - other.cost) < 1e-12)
      }
    }
  }

  @Test func spansWithoutALayerAreNotChosen() {
    let costs: [Range<Int>: Double] = [1..<2: .infinity, 2..<3: 1, 3..<4: .nan]
    let found = SpanChains(depth: 5, costs: costs, most: 3, kept: 3).best()
    #expect(Set(found.keys) == [1] && found[1]?.map(\.chain) == [[2..<3]])
  }

  /// Where every token counts the same, the layers are those of the fit that routes across have.
  @Test func layersAreLeastSquares() throws {
    try LinearAlgebra.load()
    let (rows, width) = (60, 7)
    var random = SeededGenerator(seed: 3)
    /// Rows of unit mean square.
    func state() -> MatrixView {
      let state = FloatBuffer(count: rows * width).matrix(rows: rows, columns: width)
      for row in 0..<rows {
        let values = (0..<width).map { _ in Float(random.normal()) }
        let rms = (values.reduce(0) { $0 + $1 * $1 } / Float(width)).squareRoot()
        state.row(row).copy(from: values.map { $0 / rms })
      }
      return state
    }
    let (x, ys) = (state(), [state(), state()])
    let found = ExitFit(x: x, ridge: 0).layers(ys)
    for (y, layer) in zip(ys, found) {
      let layer = try #require(layer)
      let fit = StitchingLayerFit(inputs: width, outputs: width)
      fit.add(x: x, y: y, leftOut: [])
      fit.solve(ridge: 0)
      let expected = try #require(fit.solution)
      #expect(relativeDifference(layer.projection.weight.floats(), expected.weight.floats()) < 1e-4)
      #expect(relativeDifference(layer.projection.bias!.values.array, expected.bias!.values.array) < 1e-4)
      // What is left is what the layer leaves.
      let weights = layer.projection.weight.floats()
      var (left, all) = (0.0, 0.0)
      for row in 0..<rows {
        for output in 0..<width {
          let predicted = (0..<width).reduce(layer.projection.bias!.values[output]) {
            $0 + weights[output * width + $1] * x[row, $1]
          }
          left += Double((y[row, output] - predicted) * (y[row, output] - predicted))
          all += Double(y[row, output] * y[row, output])
        }
      }
      #expect(abs(layer.residual - left / all) < 1e-5)
    }
    // Where the ridge decides alone, the layer leaves the stream as it is.
    let stiff = try #require(ExitFit(x: x, ridge: 1e9).layers([ys[0]])[0])
    let identity = (0..<width * width).map { Float($0 % (width + 1) == 0 ? 1 : 0) }
    #expect(relativeDifference(stiff.projection.weight.floats(), identity) < 1e-5)
  }

  /// KL and agreement are what the whole networks' logits say.
  @Test func verdictsAreWhatLogitsSay() throws {
    try LinearAlgebra.load()
    let anchor = Self.model(blocks: 6)
    let sequences = RandomModel.tokens(5, length: 12, vocabulary: 40, seed: 2)
    let parts = [Self.batch(Array(sequences[..<2])), Self.batch(Array(sequences[2...]))]
    let judge = RouteJudge(anchor, parts, pool: ComputePool(threads: 2))
    var random = SeededGenerator(seed: 8)
    for spans in [[2..<4], [1..<2, 3..<5]] {
      let layers = spans.map { _ in
        Projection(
          weight: WeightMatrix(
            FloatBuffer((0..<256).map { ($0 % 17 == 0 ? 1 : 0) + Float(0.1 * random.normal()) })
              .matrix(rows: 16, columns: 16)),
          bias: WeightVector(FloatBuffer((0..<16).map { _ in Float(0.1 * random.normal()) }).vector))
      }
      let route = Route(anchor: 0, depth: 6, without: spans)
      let network = Assembler(anchors: [anchor], layers: [route: layers]).assemble(route)
      var (divergence, agreeing, positions) = (0.0, 0, 0)
      for sequence in sequences {
        func logProbabilities(_ network: Network) throws -> [[Double]] {
          let logits = try InferenceSession(network: network).evaluate(sequence.map(Int.init), logits: .all)
          return (0..<logits.rows).map { row in
            let values = logits.row(row).array.map(Double.init)
            let logSum = log(values.reduce(0) { $0 + exp($1) })
            return values.map { $0 - logSum }
          }
        }
        let (whole, found) = (try logProbabilities(anchor.network()), try logProbabilities(network))
        for row in 1..<sequence.count {
          divergence += zip(whole[row], found[row]).reduce(0) { $0 + exp($1.0) * ($1.0 - $1.1) }
          let top = whole[row].indices.max { whole[row][$0] < whole[row][$1] }
          if top == found[row].indices.max(by: { found[row][$0] < found[row][$1] }) { agreeing += 1 }
          positions += 1
        }
      }
      let verdict = judge.measure([.init(spans: spans, layers: layers)])[0]
      #expect(judge.positions() == positions)
      #expect(abs(verdict.divergence - divergence / Double(positions)) < 1e-4)
      #expect(abs(verdict.agreement - Double(agreeing) / Double(positions)) < 1e-9)
    }
    // The identity in place of nothing loses nothing.
    let identity = Projection(
      weight: WeightMatrix(
        FloatBuffer((0..<256).map { $0 % 17 == 0 ? 1 : 0 }).matrix(rows: 16, columns: 16)))
    let nothing = judge.measure([.init(spans: [3..<3], layers: [identity])])[0]
    #expect(abs(nothing.divergence) < 1e-5 && nothing.agreement == 1)
  }

  /// The same text makes the same routes and layers, bit for bit, however many threads there are; each is better than the
  /// cheaper ones.
  @Test func theSearchIsDeterministic() throws {
    try LinearAlgebra.load()
    let anchor = Self.model(blocks: 7)
    let sequences = RandomModel.tokens(40, length: 24, vocabulary: 40)
    func search(threads: Int) throws -> [RouteSearch.Stop] {
      try RouteSearch(
        anchor, index: 0, layerType: .f32, options: .init(), pool: ComputePool(threads: threads)
      ).run(sequences)
    }
    let (one, three) = (try search(threads: 1), try search(threads: 3))
    #expect(one.count >= 3)
    #expect(one.map(\.route) == three.map(\.route) && one.map(\.divergence) == three.map(\.divergence))
    for (a, b) in zip(one, three) {
      #expect(a.layers.map { $0.weight.floats() } == b.layers.map { $0.weight.floats() })
      #expect(a.route.problem(depths: [7]) == nil && a.route.junctions.count == a.layers.count)
    }
    for (cheaper, dearer) in zip(one, one.dropFirst()) {
      #expect(cheaper.flopsPerToken < dearer.flopsPerToken && cheaper.divergence > dearer.divergence)
    }
    #expect(one.allSatisfy { $0.flopsPerToken < anchor.network().flopsPerToken })
  }

  @Test func familiesOfOneAnchor() throws {
    let folder = try TemporaryFolder()
    func build(blocks: Int, _ calibration: [[Int32]], to name: String) throws -> Family {
      let configuration = RandomModel.configuration(blocks: blocks)
      let place = folder.url.appendingPathComponent("anchor-\(name)")
      let directory = try RandomModel.write(
        configuration, weights: RandomModel.weights(configuration, seed: 1), to: place)
      var options = FamilyBuilder.Options(name: name, chatTemplate: "tiny")
      options.selfRoutes = RouteSearch.Options()
      return try FamilyBuilder(
        [.init(name: "m", directory: directory)], options: options, pool: ComputePool(threads: 2)
      ).build(
        calibration: calibration, tokenizer: ["tokenizer": Data("x".utf8)],
        output: folder.url.appendingPathComponent(name))!
    }
    let text = RandomModel.tokens(40, length: 20)
    let family = try build(blocks: 6, text, to: "six")
    #expect(family.stops.count >= 3 && family.stops.last?.id == "m")
    #expect(family.stops == family.stitches && family.description.stops?.count == family.stitches.count)
    for stop in family.stops {
      let logits = try InferenceSession(network: family.network(stop.route, adapter: nil)).evaluate([1, 2, 3])
      #expect(!logits.row(0).array.contains { !$0.isFinite })
    }
    // A layer that several routes have is written once.
    let layers = try SafetensorsFile(family.directory.appendingPathComponent("stitches.safetensors"))
    let spans = family.routes.flatMap(\.leftOut)
    #expect(layers.tensors.keys.count { $0.hasSuffix(".weight") } == Set(spans).count)
    #expect(layers.metadata.keys.count { $0.hasPrefix("same:") } == spans.count - Set(spans).count)
    // The same again.
    let again = try build(blocks: 6, text, to: "again")
    #expect(again.description.identity == family.description.identity && again.routes == family.routes)
    // Nothing to leave out.
    #expect(try build(blocks: 2, text, to: "two").stitches.map(\.id) == ["m"])
    // Nothing to learn from.
    #expect(throws: FamilyError.self) { try build(blocks: 6, [[1]], to: "none") }
    #expect(!FileManager.default.fileExists(atPath: folder.url.appendingPathComponent("none").path))
  }

  @Test func waysIntoTheLargerAnchorAndBack() {
    #expect(Route.twoWay(depths: [4]).isEmpty && Route.twoWay(depths: [2, 4]).isEmpty)
    for depths in [[3, 4], [5, 8], [8, 12], [4, 4], [3, 5, 9]] {
      let routes = Route.twoWay(depths: depths)
      #expect(routes.count == zip(depths, depths.dropFirst()).reduce(0) { $0 + $1.0 - 2 })
      for route in routes {
        #expect(route.problem(depths: depths) == nil)
        #expect(route.segments.count == 3 && route.start == route.end && route.segments[1].anchor == route.start + 1)
      }
      #expect(Set(routes).count == routes.count)
    }
    #expect(
      Route.twoWay(depths: [4, 8]).map { $0.text(names: ["s", "l"]) } == [
        "s[0..<1] → l[2..<4] → s[2..<4]", "s[0..<1] → l[2..<6] → s[3..<4]",
      ])
  }
}
