import Foundation
import LLaMAStitch
import Testing

/// With a drafter a network writes what it writes alone.
@Suite struct SpeculationTests {
  /// Every stitch with the smallest anchor as drafter, over shared prefixes: greedy, drawn and with a repetition
  /// penalty, whatever the drafter drafts.
  @Test(arguments: [0, 0.3] as [Double]) func theTextIsTheSame(leastProbability: Double) throws {
    let folder = try TemporaryFolder()
    let family = try RandomModel.family(in: folder, depths: [2, 3, 4], widths: [16, 24, 32])
    let trainer = try ESTATrainerTests.trainer(family, steps: 60)
    _ = try trainer.run { _ in .goOn }
    let adapter = trainer.snapshot()
    let prefixes = family.anchors.indices.map { start in
      PrefixCache(
        anchor: family.network(family.route(ofAnchor: start), adapter: adapter), exits: family.exits(of: start),
        contextLength: 64
      )
    }
    func network(_ stitch: Stitch) -> Network { family.network(stitch.route, adapter: adapter) }
    let drafter = InferenceSession(network: network(family.stitches[0]), prefix: prefixes[0])
    var (drafted, accepted) = (0, 0)
    for stitch in family.stitches.dropFirst() {
      let shared = InferenceSession(
        network: network(stitch), prefix: prefixes[stitch.route.start], backend: ProcessorBackend(chunkSize: 8),
        // Always, or by turns with plain decoding.
        drafting: SpeculationPace(always: leastProbability == 0), leastProbability: leastProbability)
      for seed in 0..<12 {
        let prompt = RandomModel.tokens(1, length: 3 + 4 * seed, seed: UInt64(seed))[0].map(Int.init)
        let sampling =
          [
            SamplingOptions(), SamplingOptions(temperature: 0.7, seed: UInt64(seed)),
            SamplingOptions(temperature: 1, topK: 5, repetitionPenalty: 1.3, seed: UInt64(seed)),
          ][seed % 3]
        // Up to the end of the context, or as many tokens as are wanted.
        let options = GenerationOptions(
          maxTokens: seed % 2 == 0 ? 200 : 1 + 2 * seed, stopTokens: [30], sampling: sampling)
        let alone = try InferenceSession(network: network(stitch), contextLength: 64)
          .generate(prompt: prompt, options: options) { _ in .goOn }
        let found = try shared.generate(prompt: prompt, options: options, drafter: drafter) { _ in .goOn }
        #expect(found.tokens == alone.tokens && found.finishReason == alone.finishReason, "\(stitch.id), \(seed)")
        // No drafted token is left behind.
        let text = prompt + found.tokens
        #expect(shared.tokens == Array(text.prefix(shared.position)) && shared.position >= text.count - 2)
        drafted += found.draftedTokens
        accepted += found.acceptedTokens
      }
    }
    if leastProbability == 0 { #expect(accepted > 0 && accepted < drafted) }
  }

  /// A network that drafts for itself is accepted every time.
  @Test func aTwinIsAlwaysAccepted() throws {
    let network = try LlamaModel.load(directory: Fixtures.model("gqa")).network()
    let session = InferenceSession(
      network: network, contextLength: 64, backend: ProcessorBackend(), drafting: SpeculationPace(always: true),
      leastProbability: 0)
    let drafter = InferenceSession(network: network, contextLength: 64)
    let result = try session.generate(prompt: [1, 5, 9], options: GenerationOptions(maxTokens: 10), drafter: drafter) {
      _ in .goOn
    }
    #expect(result.draftedTokens > 0 && result.acceptedTokens == result.draftedTokens)
  }

  /// A listener that cancels amid drafted tokens ends the text there.
  @Test func cancelledAmidADraft() throws {
    let network = try LlamaModel.load(directory: Fixtures.model("gqa")).network()
    let session = InferenceSession(
      network: network, contextLength: 64, backend: ProcessorBackend(), drafting: SpeculationPace(always: true),
      leastProbability: 0)
    let drafter = InferenceSession(network: network, contextLength: 64)
    var heard = 0
    let result = try session.generate(prompt: [1, 5, 9], options: GenerationOptions(maxTokens: 30), drafter: drafter) {
      event in
      if case .token = event { heard += 1 }
      return heard == 4 ? .cancel : .goOn
    }
    #expect(result.tokens.count == 4 && result.finishReason == .cancelled)
    #expect(session.tokens == Array(([1, 5, 9] + result.tokens).prefix(session.position)))
  }
}
