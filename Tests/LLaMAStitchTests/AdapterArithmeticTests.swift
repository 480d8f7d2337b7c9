import Foundation
import LLaMAStitch
import Support
import Testing

/// Adapters that are weakened by depth, and several as one.
@Suite struct AdapterArithmeticTests {
  /// Two anchors of several blocks, with routes between them.
  private static func family(in folder: TemporaryFolder) throws -> Family {
    try RandomModel.family(in: folder, depths: [2, 4])
  }

  private static func adapter(_ family: Family, rank: Int, seed: UInt64, scope: BiasScope = .tail) throws -> Adapter {
    RandomModel.adapter(family, AdapterOptions(rank: rank, alpha: 6, scope: scope), seed: seed, step: Int(seed))
  }

  private static func logits(_ family: Family, _ stitch: Stitch, _ adapter: Adapter?) throws -> [Float] {
    let tokens = (0..<20).map { ($0 * 7 + 3) % 32 }
    return try InferenceSession(network: family.network(stitch.route, adapter: adapter))
      .evaluate(tokens, logits: .all).dense.array
  }

  /// What each adds to a projection adds up: the same logits as with both added to it.
  @Test func mergedAdaptersAddUp() throws {
    let folder = try TemporaryFolder()
    let family = try Self.family(in: folder)
    let (one, two) = (try Self.adapter(family, rank: 2, seed: 1), try Self.adapter(family, rank: 5, seed: 2))
    for stitch in family.stitches {
      for (adapter, parts) in [
        (one, [(one, Float(1)), (two, 0)]), (two, [(one, 0), (two, 1)]), (one, [(one, 0.25), (one, 0.75)]),
      ] {
        let merged = try Adapter.merged(parts.map { (adapter: $0.0, weight: $0.1) }, in: family)
        #expect(
          relativeDifference(try Self.logits(family, stitch, merged), try Self.logits(family, stitch, adapter)) < 1e-5)
      }
      // The other way round is the same sum.
      let sum = try Adapter.merged([(one, 0.3), (two, 0.7)], in: family)
      let same = try Adapter.merged([(two, 0.7), (one, 0.3)], in: family)
      #expect(sum.options.rank == 7 && sum.step == 2)
      let found = try Self.logits(family, stitch, sum)
      #expect(relativeDifference(found, try Self.logits(family, stitch, same)) < 1e-5)
      #expect(relativeDifference(found, try Self.logits(family, stitch, one)) > 1e-2)
    }
  }

  @Test func unlikeAdaptersAreRefused() throws {
    let folder = try TemporaryFolder()
    let family = try Self.family(in: folder)
    let one = try Self.adapter(family, rank: 2, seed: 1)
    let other = try Self.adapter(family, rank: 2, seed: 2, scope: .all)
    #expect(throws: AdapterMergeError.unlike(index: 1, what: "scope of biases")) {
      try Adapter.merged([(one, 1), (other, 1)], in: family)
    }
    let broken = try Self.adapter(family, rank: 2, seed: 3).scaled(by: AdapterScale(first: 0, last: .nan), in: family)
    let error = try #require(throws: AdapterMergeError.self) {
      try Adapter.merged([(one, 1), (broken, 1)], in: family)
    }
    #expect(error.index == 1 && "\(error)".contains("no number"))
  }

  /// Nothing kept is the family as it was, all of it the adapter; between them blocks keep what the line says.
  @Test func scalesFollowDepth() throws {
    let folder = try TemporaryFolder()
    let family = try Self.family(in: folder)
    let adapter = try Self.adapter(family, rank: 3, seed: 4)
    for stitch in family.stitches {
      for (kept, expected) in [(Float(0), nil), (1, adapter)] as [(Float, Adapter?)] {
        let scaled = adapter.scaled(by: AdapterScale(first: kept, last: kept), in: family)
        #expect(try Self.logits(family, stitch, scaled) == Self.logits(family, stitch, expected))
      }
    }
    let norms = adapter.updateNorms(in: family)
    let scaled = adapter.scaled(by: AdapterScale(first: 0.25, last: 1), in: family).updateNorms(in: family)
    #expect(norms.map(\.count) == [2, 4] && norms.allSatisfy { $0.allSatisfy { $0 > 0 } })
    for (anchor, blocks) in norms.enumerated() {
      for (block, norm) in blocks.enumerated() {
        let kept = 0.25 + 0.75 * Double(block) / Double(blocks.count - 1)
        #expect(abs(scaled[anchor][block] - kept * norm) < 1e-5 * norm)
      }
    }
  }

  /// The norm of an update is that of the matrix it adds.
  @Test func normsAreThoseOfTheMatrices() throws {
    let folder = try TemporaryFolder()
    let family = try Self.family(in: folder)
    let adapter = try Self.adapter(family, rank: 3, seed: 5)
    let network = family.network(family.route(ofAnchor: 1), adapter: adapter)
    for (index, block) in network.blocks.enumerated() {
      var sum = 0.0
      for projection in block.projections {
        guard let update = projection.lowRank else { continue }
        let (a, b) = (update.a.floats(), update.b.floats())
        for row in 0..<update.b.rows {
          for column in 0..<update.a.columns {
            let entry = (0..<update.rank).reduce(0.0) {
              $0 + Double(b[row * update.rank + $1]) * Double(a[$1 * update.a.columns + column])
            }
            sum += entry * entry * Double(update.scale * update.scale)
          }
        }
      }
      #expect(abs(adapter.updateNorms(in: family)[1][index] - sum.squareRoot()) < 1e-6 * sum.squareRoot())
    }
  }
}
