import Foundation
import LLaMAStitch
import Support
import Testing

/// Networks of random weights, with everything ESTA adds.
enum Networks {
  /// Random floats in ±scale.
  static func random(_ count: Int, _ generator: inout SeededGenerator, scale: Double = 0.3) -> FloatBuffer {
    FloatBuffer((0..<count).map { _ in Float((generator.unit() * 2 - 1) * scale) })
  }

  static func projection(
    out: Int, in columns: Int, rank: Int?, bias: Bool, extra: Bool, _ generator: inout SeededGenerator
  ) -> Projection {
    Projection(
      weight: WeightMatrix(random(out * columns, &generator).matrix(rows: out, columns: columns)),
      bias: bias ? WeightVector(random(out, &generator).vector) : nil,
      deltas: (rank.map {
        [
          .lowRank(
            LowRank(
              a: random($0 * columns, &generator).matrix(rows: $0, columns: columns),
              b: random(out * $0, &generator).matrix(rows: out, columns: $0), scale: 1.5))
        ]
      } ?? []) + (extra ? [.bias(WeightVector(random(out, &generator).vector))] : []))
  }

  static func block(_ configuration: LlamaConfiguration, _ generator: inout SeededGenerator) -> Block {
    let hidden = configuration.hiddenSize
    func norm(_ generator: inout SeededGenerator) -> WeightVector {
      WeightVector(FloatBuffer((0..<hidden).map { _ in Float(0.5 + generator.unit()) }).vector)
    }
    return Block(
      configuration: configuration,
      attentionNorm: norm(&generator),
      attention: Attention(
        query: projection(out: configuration.queryWidth, in: hidden, rank: 8, bias: false, extra: true, &generator),
        key: projection(out: configuration.keyValueWidth, in: hidden, rank: 5, bias: true, extra: true, &generator),
        value: projection(out: configuration.keyValueWidth, in: hidden, rank: 8, bias: true, extra: false, &generator),
        output: projection(out: hidden, in: configuration.queryWidth, rank: 17, bias: true, extra: true, &generator)),
      mlpNorm: norm(&generator),
      mlp: MLP(
        gate: projection(
          out: configuration.intermediateSize, in: hidden, rank: 2, bias: false, extra: false, &generator),
        up: projection(
          out: configuration.intermediateSize, in: hidden, rank: nil, bias: true, extra: false, &generator),
        down: projection(
          out: hidden, in: configuration.intermediateSize, rank: 4, bias: false, extra: true, &generator)))
  }

  /// Two blocks 20 wide, a stitching layer, two blocks 36 wide of another shape of heads.
  static func stitched() throws -> Network {
    var generator = SeededGenerator(seed: 7)
    let small = LlamaConfiguration(
      vocabularySize: 64, hiddenSize: 20, intermediateSize: 33, blockCount: 3, headCount: 2, contextLength: 128)
    let large = LlamaConfiguration(
      vocabularySize: 64, hiddenSize: 36, intermediateSize: 50, blockCount: 5, headCount: 6, keyValueHeadCount: 3,
      headDimension: 18, contextLength: 128, normEpsilon: 1e-3, ropeTheta: 700,
      ropeScaling: .llama3(factor: 4, lowFrequencyFactor: 1, highFrequencyFactor: 4, originalContextLength: 32))
    return Network(
      embedding: WeightMatrix(random(64 * 20, &generator, scale: 1).matrix(rows: 64, columns: 20)),
      stages: [
        .block(block(small, &generator)), .block(block(small, &generator)),
        .stitch(projection(out: 36, in: 20, rank: 6, bias: true, extra: true, &generator)),
        .block(block(large, &generator)), .block(block(large, &generator)),
      ],
      finalNorm: WeightVector(FloatBuffer((0..<36).map { _ in Float(0.5 + generator.unit()) }).vector),
      finalNormEpsilon: 1e-3,
      head: projection(out: 64, in: 36, rank: nil, bias: false, extra: false, &generator))
  }
}

/// The forward pass written plainly, in Double, one text at once.
struct PlainForward {
  typealias Rows = [[Double]]

  static func apply(_ p: Projection, _ x: Rows) -> Rows {
    x.map { row in
      var y = times(p.weight, row)
      if let bias = p.bias { for r in y.indices { y[r] += Double(bias.values[r]) } }
      for delta in p.deltas {
        switch delta {
        case .bias(let bias): for r in y.indices { y[r] += Double(bias.values[r]) }
        case .lowRank(let update):
          let added = times(update.b, times(update.a, row))
          for r in y.indices { y[r] += Double(update.scale) * added[r] }
        case .kronecker(let sum):
          let update = sum.expanded
          let added = times(update.b, times(update.a, row))
          for r in y.indices { y[r] += Double(update.scale) * added[r] }
        case .scale(let scale): for r in y.indices { y[r] *= Double(scale.values[r]) }
        }
      }
      return y
    }
  }

  /// W x
  private static func times(_ weights: WeightMatrix, _ x: [Double]) -> [Double] {
    let floats = weights.floats()
    return (0..<weights.rows).map { r in
      var sum = 0.0
      for column in x.indices { sum += Double(floats[r * x.count + column]) * x[column] }
      return sum
    }
  }

  static func norm(_ x: Rows, _ weight: VectorView, _ epsilon: Float) -> Rows {
    x.map { row in
      let scale = 1 / (row.reduce(0) { $0 + $1 * $1 } / Double(row.count) + Double(epsilon)).squareRoot()
      return row.indices.map { row[$0] * scale * Double(weight[$0]) }
    }
  }

  static func rotated(_ head: [Double], _ frequencies: [Float], _ position: Int) -> [Double] {
    let half = head.count / 2
    return head.indices.map { i in
      let angle = Double(position) * Double(frequencies[i % half])
      let partner = i < half ? -head[i + half] : head[i - half]
      return head[i] * cos(angle) + partner * sin(angle)
    }
  }

  static func block(_ block: Block, _ x: Rows) -> Rows {
    let c = block.configuration
    let frequencies = RotaryEmbedding.inverseFrequencies(c)
    let normed = norm(x, block.attentionNorm.values, c.normEpsilon)
    func heads(_ rows: Rows, rotate: Bool) -> [Rows] {
      rows.enumerated().map { position, row in
        stride(from: 0, to: row.count, by: c.headDimension).map {
          let head = Array(row[$0..<$0 + c.headDimension])
          return rotate ? rotated(head, frequencies, position) : head
        }
      }
    }
    let q = heads(apply(block.attention.query, normed), rotate: true)
    let k = heads(apply(block.attention.key, normed), rotate: true)
    let v = heads(apply(block.attention.value, normed), rotate: false)
    let context: Rows = q.indices.map { t in
      (0..<c.headCount).flatMap { head -> [Double] in
        let source = head * c.keyValueHeadCount / c.headCount
        let scores = (0...t).map { j in
          zip(q[t][head], k[j][source]).reduce(0) { $0 + $1.0 * $1.1 } / Double(c.headDimension).squareRoot()
        }
        let largest = scores.max()!
        let weights = scores.map { exp($0 - largest) }
        let total = weights.reduce(0, +)
        return (0..<c.headDimension).map { d in
          (0...t).reduce(0) { $0 + weights[$1] / total * v[$1][source][d] }
        }
      }
    }
    let attended = zip(x, apply(block.attention.output, context)).map { zip($0, $1).map(+) }
    let hidden = norm(attended, block.mlpNorm.values, c.normEpsilon)
    let activated = zip(apply(block.mlp.gate, hidden), apply(block.mlp.up, hidden)).map { gate, up in
      zip(gate, up).map { $0 / (1 + exp(-$0)) * $1 }
    }
    return zip(attended, apply(block.mlp.down, activated)).map { zip($0, $1).map(+) }
  }

  static func logits(_ network: Network, _ tokens: [Int]) -> Rows {
    let table = network.embedding.floats()
    let width = network.embedding.columns
    var x: Rows = tokens.map { token in table[token * width..<(token + 1) * width].map(Double.init) }
    for stage in network.stages {
      switch stage {
      case .block(let block): x = self.block(block, x)
      case .stitch(let projection): x = apply(projection, x)
      }
    }
    return apply(network.head, norm(x, network.finalNorm.values, network.finalNormEpsilon))
  }
}

@Suite struct StitchedNetworkTests {
  @Test func aStitchOfTwoModelsAgreesWithTheFormulas() throws {
    let network = try Networks.stitched()
    let tokens = (0..<45).map { ($0 * 29 + 3) % 64 }
    let expected = PlainForward.logits(network, tokens)
    for kernels in InferenceKernels.available {
      let session = InferenceSession(
        network: network, contextLength: 64, chunkSize: 20, pool: .shared, kernels: kernels)
      let found = try session.evaluate(tokens, logits: .all)
      var worst = 0.0
      for t in tokens.indices {
        for v in 0..<64 { worst = max(worst, abs(Double(found[t, v]) - expected[t][v])) }
      }
      let largest = expected.flatMap { $0 }.map(abs).max()!
      #expect(worst < 2e-5 * largest, "\(kernels.name): \(worst) of \(largest)")
    }
  }

  @Test func costCountsWhatIsUsed() throws {
    let model = try LlamaModel.load(directory: Fixtures.model("tied"))
    let c = model.configuration
    let matrices = c.blockCount * (4 * c.hiddenSize * c.hiddenSize + 3 * c.hiddenSize * c.intermediateSize)
    let ends = c.vocabularySize * c.hiddenSize
    let network = model.network()
    #expect(network.flopsPerToken == 2 * (matrices + ends))
    #expect(network.parameterCount == matrices + ends + (2 * c.blockCount + 1) * c.hiddenSize)
    #expect(network.byteCount == 4 * network.parameterCount)
  }

  @Test func longTextsAreScoredInWindows() throws {
    let network = try LlamaModel.load(directory: Fixtures.model("gqa")).network()
    let tokens = [1] + (0..<29).map { ($0 * 13 + 3) % 64 }
    let whole = try Scorer.negativeLogLikelihoods(
      of: tokens, session: InferenceSession(network: network, contextLength: 64))
    let windowed = try Scorer.negativeLogLikelihoods(
      of: tokens, session: InferenceSession(network: network, contextLength: 12, chunkSize: 5))
    #expect(windowed.count == whole.count)
    #expect(Array(windowed[..<12]) == Array(whole[..<12]))
    // Token 13 is predicted from BOS and the ⌊12/2⌋ − 1 tokens before it.
    let window = [tokens[0]] + tokens[8...13]
    let expected = try Scorer.negativeLogLikelihoods(
      of: window, session: InferenceSession(network: network, contextLength: 64))
    #expect(windowed[12] == expected.last)
    let tiny = try Scorer.negativeLogLikelihoods(
      of: tokens, session: InferenceSession(network: network, contextLength: 1))
    #expect(tiny.count == whole.count && tiny[0] == whole[0])
  }
}
