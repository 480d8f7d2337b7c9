import Foundation
import LLaMAStitch
import Support
import Testing

@Suite struct SamplerTests {
  private func draws(_ options: SamplingOptions, _ logits: [Float], count: Int = 20_000) -> [Double] {
    var sampler = Sampler(options, vocabularySize: logits.count)
    let view = FloatBuffer(logits).vector
    var counts = [Double](repeating: 0, count: logits.count)
    for _ in 0..<count {
      counts[sampler.sample(view)!] += 1 / Double(count)
      sampler.forget()
    }
    return counts
  }

  private func isClose(_ found: [Double], _ expected: [Double]) -> Bool {
    zip(found, expected).allSatisfy { abs($0 - $1) < 0.015 && ($1 > 0 || $0 == 0) }
  }

  /// Logarithms of 0.5, 0.25, 0.15, 0.1, in another order.
  static let logits: [Float] = [-2.302585, -0.6931472, -1.89712, -1.3862944]

  @Test func distributions() {
    func options(_ t: Double, k: Int = 0, p: Double = 1, m: Double = 0) -> SamplingOptions {
      SamplingOptions(temperature: t, topK: k, topP: p, minP: m, seed: 3)
    }
    let all = Self.logits
    #expect(isClose(draws(options(1), all), [0.1, 0.5, 0.15, 0.25]))
    #expect(isClose(draws(options(1, k: 2), all), [0, 2 / 3, 0, 1 / 3]))
    #expect(isClose(draws(options(1, p: 0.49), all), [0, 1, 0, 0]))
    #expect(isClose(draws(options(1, p: 0.76), all), [0, 0.5 / 0.9, 0.15 / 0.9, 0.25 / 0.9]))
    // top-p counts within what top-k leaves: ⅔ is already more than 0.6.
    #expect(isClose(draws(options(1, k: 2, p: 0.6), all), [0, 1, 0, 0]))
    #expect(isClose(draws(options(1, m: 0.4), all), [0, 2 / 3, 0, 1 / 3]))
    #expect(isClose(draws(options(0), all), [0, 1, 0, 0]))
    #expect(isClose(draws(options(2, k: 2), all), [0, 0.586, 0, 0.414]))
    #expect(isClose(draws(options(1e-300), all), [0, 1, 0, 0]))
    #expect(isClose(draws(options(1e300), all), [0.25, 0.25, 0.25, 0.25]))
  }

  @Test func theRepetitionPenaltyActsOnBothSigns() {
    var sampler = Sampler(SamplingOptions(repetitionPenalty: 2), vocabularySize: 3)
    let logits = FloatBuffer([3, 2, -1]).vector
    #expect(sampler.sample(logits) == 0)  // then 1.5
    #expect(sampler.sample(logits) == 1)  // then 1
    #expect(sampler.sample(logits) == 0)
    let negative = FloatBuffer([-1, -1.5, -9]).vector
    #expect(sampler.sample(negative) == 0)  // −2 before −3
    sampler.forget()
    sampler.observe(0)
    #expect(sampler.sample(negative) == 1)
    sampler.observe(99)
  }

  @Test func whatIsNotANumberIsNeverChosen() {
    for options in [
      SamplingOptions(), SamplingOptions(temperature: 1), SamplingOptions(temperature: 1, topK: 3, topP: 0.9),
    ] {
      var sampler = Sampler(options, vocabularySize: 4)
      for _ in 0..<50 {
        #expect(sampler.sample(FloatBuffer([.nan, 1, -.infinity, .nan]).vector) == 1)
        #expect(sampler.sample(FloatBuffer([.nan, 1, .infinity, 2]).vector) == 2)
        #expect(sampler.sample(FloatBuffer([.nan, -.infinity, .nan, .nan]).vector) == nil)
      }
    }
  }

  @Test func ties() {
    var greedy = Sampler(SamplingOptions(), vocabularySize: 3)
    #expect(greedy.sample(FloatBuffer([1, 2, 2]).vector) == 1)
    #expect(isClose(draws(SamplingOptions(temperature: 1, topK: 2), [1, 2, 2, 2]), [0, 0.5, 0.5, 0]))
  }

  @Test func theSameSeedDrawsTheSame() {
    func sequence(_ seed: UInt64) -> [Int] {
      var sampler = Sampler(SamplingOptions(temperature: 1, seed: seed), vocabularySize: 4)
      let view = FloatBuffer(Self.logits).vector
      return (0..<40).map { _ in sampler.sample(view)! }
    }
    #expect(sequence(1) == sequence(1) && sequence(1) != sequence(2))
  }

  @Test(arguments: [
    SamplingOptions(temperature: -1), SamplingOptions(temperature: .nan), SamplingOptions(topK: -1),
    SamplingOptions(topP: 0), SamplingOptions(topP: 1.1), SamplingOptions(minP: -0.1), SamplingOptions(minP: 2),
    SamplingOptions(repetitionPenalty: 0), SamplingOptions(repetitionPenalty: .infinity),
  ])
  func optionsThatMeanNothing(_ options: SamplingOptions) {
    expectOneLine(["choose a value"]) { try options.validate() }
  }
}

@Suite struct GeneratorTests {
  private func session(_ name: String = "gqa", context: Int = 64) throws -> InferenceSession {
    InferenceSession(
      network: try LlamaModel.load(directory: Fixtures.model(name)).network(), contextLength: context, chunkSize: 8)
  }

  @Test func greedyTokensAreThoseOfPlainEvaluation() throws {
    let session = try session()
    var expected: [Int] = []
    let prompt = [1, 5, 9]
    for _ in 0..<12 {
      session.truncate(to: 0)
      let logits = try session.evaluate(prompt + expected).row(0).array
      expected.append(logits.indices.max { logits[$0] < logits[$1] }!)
    }
    var heard: [Int] = []
    let result = try session.generate(prompt: prompt, options: GenerationOptions(maxTokens: 12)) { event in
      if case .token(let token) = event { heard.append(token) }
      return .goOn
    }
    #expect(result.tokens == expected && heard == expected && result.finishReason == .length)
    #expect(result.promptTokens == 3 && result.reusedTokens == 2)

    // A stop token ends the text and is not part of it.
    let stop = expected[5]
    let stopped = try session.generate(
      prompt: prompt, options: GenerationOptions(maxTokens: 12, stopTokens: [stop])
    ) { _ in .goOn }
    #expect(stopped.tokens == Array(expected[..<expected.firstIndex(of: stop)!]) && stopped.finishReason == .stopToken)

    // A further turn computes only what is new.
    let longer = prompt + expected[..<6] + [3, 4]
    let next = try session.generate(prompt: longer, options: GenerationOptions(maxTokens: 3)) { _ in .goOn }
    #expect(next.reusedTokens >= prompt.count + stopped.tokens.count)
    let fresh = try self.session().generate(prompt: longer, options: GenerationOptions(maxTokens: 3)) { _ in .goOn }
    #expect(next.tokens == fresh.tokens && fresh.reusedTokens == 0)
  }

  @Test func endings() throws {
    let session = try session(context: 20)
    let prompt = (0..<17).map { $0 + 3 }
    let full = try session.generate(prompt: prompt, options: GenerationOptions(maxTokens: 50)) { _ in .goOn }
    #expect(full.finishReason == .context && full.tokens.count == 4)
    var count = 0
    let cancelled = try session.generate(prompt: [1], options: GenerationOptions(maxTokens: 50)) { event in
      if case .token = event { count += 1 }
      return count == 2 ? .cancel : .goOn
    }
    #expect(cancelled.finishReason == .cancelled && cancelled.tokens.count == 2)
    // A long prompt can be stopped between chunks.
    session.truncate(to: 0)
    let early = try session.generate(prompt: prompt, options: GenerationOptions(maxTokens: 50)) { event in
      event == .prompt(done: 8, total: 17) ? .cancel : .goOn
    }
    #expect(early.finishReason == .cancelled && early.tokens.isEmpty && session.position == 8)
    let none = try session.generate(prompt: prompt, options: GenerationOptions(maxTokens: 0)) { _ in .goOn }
    #expect(none.tokens.isEmpty && none.finishReason == .length)
    expectOneLine(["21 positions", "20", "shorten"]) {
      _ = try session.generate(prompt: [Int](repeating: 3, count: 21), options: GenerationOptions()) { _ in .goOn }
    }
    #expect(throws: InferenceError.noTokens) {
      _ = try session.generate(prompt: [], options: GenerationOptions()) { _ in .goOn }
    }
  }
}

/// The parts of choosing a token that look at a whole vocabulary.
@Suite struct SamplingKernelTests {
  /// Whatever their number, of temperatures usual and small; what lies beyond those asked for is not looked at.
  @Test(arguments: [(1, 0.7), (15, 1), (1023, 2.5), (1024, 0.1), (2500, 0.7), (3000, 1e-40)])
  func exponentialsAreThoseOfTheLibrary(count: Int, temperature: Double) {
    var random = SeededGenerator(seed: 3)
    let special: [Float] = [0.5, .nan, -.infinity, 0.5 - 0x1p-24, -1e30]
    let values = (special + (0..<count).map { _ in 0.5 - Float(pow(10, 3 * random.unit() - 1.5)) }).prefix(count)
    var found = [Float](repeating: 7, count: count)
    let sum = FloatBuffer(values + [100]).vector.exponentials(largest: 0.5, temperature: temperature, into: &found)
    var expected = 0.0
    for (value, exponential) in zip(values, found) {
      let exponent = (Double(value) - 0.5) / temperature
      let exact = exponent >= -87 ? exp(exponent) : 0
      // Some units in the last place of the exponent, and of the result.
      let most = exact == 0 ? 0 : 3e-7 * (1 + abs(exponent)) * exact
      #expect(abs(Double(exponential) - exact) <= most, "exp(\(exponent))")
      expected += exact
    }
    #expect(abs(sum - expected) < 1e-5 * expected)
    #expect(found[0] == 1 && found.dropFirst().prefix(2).allSatisfy { $0 == 0 })
  }

  /// Where a share of the whole ends is where adding one after another says.
  @Test(arguments: [1, 1023, 1024, 2500]) func aShareOfTheExponentials(count: Int) {
    var random = SeededGenerator(seed: 5)
    // The first is none, and so is what lies beyond those asked for.
    let values = [.nan] + (0..<count).map { _ in Float(-30 * random.unit()) } + [100]
    let logits = FloatBuffer(values).vector
    func index(_ share: Double) -> Int? {
      logits.indexOfShare(share, largest: 0.5, temperature: 0.7, count: count + 1)
    }
    var weights = [Float](repeating: 0, count: count)
    let whole = FloatBuffer(Array(values[1...count])).vector.exponentials(
      largest: 0.5, temperature: 0.7, into: &weights)
    for _ in 0..<500 {
      let share = random.unit()
      var sum = 0.0
      let expected = weights.firstIndex { weight in
        sum += Double(weight)
        return sum > share * whole
      }
      #expect(index(share) == expected.map { $0 + 1 }, "\(share)")
    }
    #expect(index(0) == 1 && index(1) == nil)
  }

  @Test func theFirstOfTheLargest() {
    func index(_ values: [Float]) -> Int? { FloatBuffer(values).vector.indexOfLargest(count: values.count) }
    #expect(index([]) == nil && index([.nan, -.infinity]) == nil)
    var values = [Float](repeating: -3, count: 29)
    #expect(index(values) == 0)
    for place in values.indices.reversed() {
      values[place] = 7
      #expect(index(values) == place)
      values[(place + 5) % 29] = .nan
      #expect(index(values) == place)
      values[(place + 5) % 29] = -3
    }
  }

  /// Few candidates or all of them: the same tokens are drawn as from a plain sorted list.
  @Test func limitsAreThoseOfASortedList() {
    var random = SeededGenerator(seed: 8)
    for round in 0..<60 {
      let spread = [0.5, 3, 12][round % 3]
      let logits = FloatBuffer((0..<500).map { _ in Float(spread * random.normal()) }).vector
      let options = SamplingOptions(
        temperature: [0.3, 1, 4][round / 3 % 3], topK: [0, 1, 7, 400, 900][round % 5],
        topP: [1, 0.3, 0.95, 0.9999][round % 4],
        minP: [0, 0.2, 1e-5][round / 5 % 3], seed: UInt64(round))
      var sampler = Sampler(options, vocabularySize: 500)
      var seeds = SeededGenerator(seed: UInt64(round))
      let largest = Double(logits.array.max()!)
      let weights = logits.array.map { exp((Double($0) - largest) / options.temperature) }
      let order = weights.indices.sorted { weights[$0] > weights[$1] || (weights[$0] == weights[$1] && $0 < $1) }
      let first = order.prefix(options.topK == 0 ? 500 : options.topK)
      let total = first.reduce(0) { $0 + weights[$1] }
      var (kept, sum) = ([Int](), 0.0)
      for token in first where sum < options.topP * total && (kept.isEmpty || weights[token] >= options.minP) {
        kept.append(token)
        sum += weights[token]
      }
      for _ in 0..<20 {
        let token = sampler.sample(logits)
        let target = seeds.unit() * sum
        if options.topK == 1 {
          #expect(token == order[0])
          continue
        }
        if options.topK == 0 && options.topP == 1 && options.minP == 0 { continue }
        var reached = 0.0
        let expected = kept.first { token in
          reached += weights[token]
          return reached > target
        }
        #expect(token == expected, "\(options)")
      }
    }
  }
}
