import Foundation
import LLaMAStitch
import Support
import Testing

/// Routes beyond an anchor and a join of two: they leave an anchor and enter it again, go into another one and back, or
/// lead through three.
@Suite struct ChainRouteTests {
  private static func segment(_ anchor: Int, _ blocks: Range<Int>) -> Route.Segment {
    Route.Segment(anchor: anchor, blocks: blocks)
  }

  /// Of a family of depths 3, 4 and 5.
  private static let selfRoute = Route([segment(2, 0..<2), segment(2, 3..<5)])
  private static let twoWay = Route([segment(0, 0..<1), segment(1, 1..<3), segment(0, 2..<3)])
  private static let threeAnchors = Route([segment(0, 0..<1), segment(1, 2..<3), segment(2, 4..<5)])
  private static let reentered = Route([segment(1, 0..<1), segment(1, 2..<3), segment(1, 3..<4)])
  private static let chains = [selfRoute, twoWay, threeAnchors, reentered]
  private static let depths = [3, 4, 5]

  private static func family(in folder: URL) throws -> Family {
    let shapes = [("small", 3, 16), ("medium", 4, 24), ("large", 5, 32)]
    let anchors = try shapes.enumerated().map { index, shape in
      let configuration = RandomModel.configuration(hidden: shape.2, blocks: shape.1)
      let directory = try RandomModel.write(
        configuration, weights: RandomModel.weights(configuration, seed: UInt64(index + 1)),
        to: folder.appending(path: shape.0))
      return FamilyBuilder.Anchor(name: shape.0, directory: directory)
    }
    var options = FamilyBuilder.Options(name: "chains", chatTemplate: "tiny")
    options.moreRoutes = chains
    return try FamilyBuilder(anchors, options: options, pool: ComputePool(threads: 2)).build(
      calibration: RandomModel.tokens(40, length: 20), tokenizer: ["tokenizer": Data("x".utf8)],
      output: folder.appending(path: "family"))!
  }

  @Test func idsAndTexts() {
    let names = ["small", "medium", "large"]
    #expect(
      Self.chains.map { $0.id(names: names, depths: Self.depths) } == [
        "large@3~2", "small-medium-small@1@2", "small-medium-large@2~1@4", "medium@2~1@3",
      ])
    #expect(
      Route(anchor: 0, depth: 6, without: [1..<3, 4..<5]).text(names: names) == "small[0..<1] → [3..<4] → [5..<6]")
    #expect(Self.twoWay.text(names: names) == "small[0..<1] → medium[1..<3] → small[2..<3]")
    let all = Route.all(depths: Self.depths, window: 2) + Self.chains
    #expect(Set(all.map { $0.id(names: names, depths: Self.depths) }).count == all.count)
  }

  @Test func routesInFiles() throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    for route in Route.all(depths: Self.depths) + Self.chains {
      #expect(try JSONDecoder().decode(Route.self, from: encoder.encode(route)) == route)
    }
    #expect(
      try String(decoding: encoder.encode(Self.selfRoute), as: UTF8.self)
        == #"[{"anchor":2,"blocks":[0,2]},{"anchor":2,"blocks":[3,5]}]"#)
    for text in ["[]", "[{\"anchor\":0}]", "[{\"anchor\":0,\"blocks\":[2,1]}]", "[{\"anchor\":0,\"blocks\":[2]}]", "7"]
    {
      #expect(throws: DecodingError.self) { try JSONDecoder().decode(Route.self, from: Data(text.utf8)) }
    }
  }

  /// A chain built, stored and read back computes what the formulas say, and training computes the same.
  @Test func chainsRunAndTrain() throws {
    try withScratchDirectory { folder in
      let family = try Self.family(in: folder)
      let trainer = try ESTATrainerTests.trainer(family, steps: 60)
      _ = try trainer.run { _ in .goOn }
      let file = folder.appending(path: "adapter.safetensors")
      try trainer.snapshot().write(to: file)
      let adapter = try Adapter.read(file, for: family)
      let rule = try Backpropagation(store: trainer.store, pool: ComputePool(threads: 1))
      let tokens = RandomModel.tokens(1, length: 20, seed: 3)[0]
      var batch = PackedBatch()
      batch.append(tokens)
      for route in Self.chains {
        let network = family.network(route, adapter: adapter)
        #expect(network.stages.count == route.blocks.count + route.junctions.count)
        let session = InferenceSession(network: network)
        let found = try session.evaluate(tokens.map(Int.init), logits: .all)
        for (row, expected) in PlainForward.logits(network, tokens.map(Int.init)).enumerated() {
          #expect(relativeDifference(found.row(row).array, expected.map(Float.init)) < 1e-4)
        }
        session.truncate(to: 0)
        let nll = try Scorer.negativeLogLikelihoods(of: tokens.map(Int.init), session: session)
        let loss = rule.loss(trainer.trainingNetwork(route), batch)
        #expect(abs(nll.reduce(0, +) / Double(nll.count) - loss) < 1e-4)
        // Each layer has updates of its own.
        let names = Set(trainer.trainingNetwork(route).parameters.map { trainer.store.parameters[$0].name })
        let id = family.layout(adapter.options).id(route)
        let layers = route.junctions.count == 1 ? [""] : route.junctions.indices.map { ".\($0)" }
        for layer in layers { #expect(names.contains("stitches.\(id)\(layer).delta_bias")) }
      }
    }
  }

  /// A chain shares the blocks before its first stitching layer with the other stitches of its anchor, bit by bit.
  @Test func chainsShareTheirPrefix() throws {
    try withScratchDirectory { folder in
      let family = try Self.family(in: folder)
      let tokens = RandomModel.tokens(1, length: 30, seed: 4)[0].map(Int.init)
      for route in Self.chains {
        let prefix = PrefixCache(
          anchor: family.network(family.route(ofAnchor: route.start), adapter: nil),
          exits: family.exits(of: route.start), contextLength: 64)
        let anchor = InferenceSession(
          network: family.network(family.route(ofAnchor: route.start), adapter: nil), prefix: prefix)
        try anchor.evaluate(tokens, logits: .none)
        #expect(prefix.commonPrefix(with: tokens, blocks: route.leadingBlockCount) == tokens.count)
        let shared = InferenceSession(network: family.network(route, adapter: nil), prefix: prefix)
        let alone = InferenceSession(network: family.network(route, adapter: nil), contextLength: 64)
        let (found, expected) = (try shared.evaluate(tokens).row(0).array, try alone.evaluate(tokens).row(0).array)
        #expect(found.map(\.bitPattern) == expected.map(\.bitPattern))
      }
    }
  }

  /// The least-squares layer of a self-route over nothing but its own block is what best replaces that block.
  @Test func aLayerReplacesItsSpan() throws {
    try withScratchDirectory { folder in
      let family = try Self.family(in: folder)
      let layer = try #require(family.assembler.layers[Self.selfRoute]?.first)
      #expect(layer.inputSize == 32 && layer.outputSize == 32)
      // Dropping the block is the identity: the fitted layer must come nearer to the whole anchor.
      let whole = family.network(family.route(ofAnchor: 2), adapter: nil)
      let tokens = RandomModel.tokens(1, length: 40, seed: 8)[0].map(Int.init)
      func logits(_ network: Network) throws -> [Float] {
        try InferenceSession(network: network).evaluate(tokens, logits: .all).dense.array
      }
      let dropped = Network(
        embedding: whole.embedding,
        stages: whole.stages.enumerated().filter { $0.offset != 2 }.map(\.element), finalNorm: whole.finalNorm,
        finalNormEpsilon: whole.finalNormEpsilon, head: whole.head)
      let expected = try logits(whole)
      let fitted = relativeDifference(try logits(family.network(Self.selfRoute, adapter: nil)), expected)
      #expect(fitted < relativeDifference(try logits(dropped), expected))
    }
  }

  @Test func routesThatMakeNoSense() throws {
    let wrong: [(Route, String)] = [
      (Route([Self.segment(0, 0..<4)]), "not there"), (Route([Self.segment(5, 0..<1)]), "not there"),
      (Route([Self.segment(0, 1..<3)]), "first block"), (Route([Self.segment(0, 0..<2)]), "last"),
      (Route([Self.segment(0, 0..<2), Self.segment(0, 1..<3)]), "twice"),
      (Route([Self.segment(0, 0..<1), Self.segment(1, 2..<2), Self.segment(0, 2..<3)]), "not there"),
    ]
    for (route, cause) in wrong {
      let problem = try #require(route.problem(depths: Self.depths))
      #expect(problem.contains(cause), "\(route)")
    }
    for route in Self.chains { #expect(route.problem(depths: Self.depths) == nil) }
  }

  /// A family of format 1, as older programs wrote it, is the same family.
  @Test func anOlderFamilyIsRead() throws {
    let folder = try TemporaryFolder()
    let family = try RandomModel.family(in: folder, depths: [2, 3, 4], widths: [16, 24, 32])
    let file = family.directory.appending(path: "family.json")
    var document = try #require(try JSONSerialization.jsonObject(with: Data(contentsOf: file)) as? [String: Any])
    #expect(document["format"] as? Int == 2)
    document["format"] = 1
    document["routes"] = family.routes.map { route -> [String: Any] in
      guard let junction = route.junctions.first else { return ["start": route.start] }
      return [
        "start": route.start, "join": ["prefix": junction.exit, "end": junction.to, "entry": junction.entry],
      ]
    }
    try JSONSerialization.data(withJSONObject: document).write(to: file)
    let old = try Family(family.directory)
    #expect(old.stitches == family.stitches && old.identity == family.identity && old.routes == family.routes)
    // What is written of it is written anew.
    try old.writeStops(old.stitches.map(\.id))
    let written = try String(decoding: Data(contentsOf: file), as: UTF8.self)
    #expect(written.contains("\"format\" : 2") && written.contains("\"segments\"") == false)
    #expect(try Family(family.directory).routes == family.routes)
  }
}
