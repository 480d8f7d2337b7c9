import Foundation
import Support

/// The network of LESA: two hidden layers of 256 with ReLU, from a row of two blocks' codes to that of the one between them.
struct PredictionNetwork {
  private static let hidden = 256
  private static let epochs = 10
  private static let batch = 64
  private static let rate: Float = 1e-3
  private static let weightDecay: Float = 0.01
  /// What the norm counts in the loss, beside the error.
  private static let normShare: Float = 5e-4

  private struct Layer {
    /// `[out × in]`
    var weight: MatrixView
    var bias: VectorView
  }

  private let width: Int
  private let store: ParameterStore
  private let gradient: GradientBuffer
  private let layers: [Layer]
  private let gradients: [Layer]
  private var random: SeededGenerator
  private var steps = 0

  /// - Parameter width: of a row.
  init(width: Int, random: SeededGenerator) {
    self.width = width
    self.random = random
    let sizes = [2 * width, Self.hidden, Self.hidden, width]
    let shapes = zip(sizes, sizes.dropFirst()).enumerated()
    store = ParameterStore(
      shapes.flatMap { index, shape in
        [
          ParameterStore.Declaration("\(index).weight", shape: [shape.1, shape.0], decays: true),
          ParameterStore.Declaration("\(index).bias", shape: [shape.1], decays: true),
        ]
      })
    gradient = GradientBuffer(of: store)
    func layers(_ floats: FloatBuffer, _ store: ParameterStore) -> [Layer] {
      stride(from: 0, to: store.parameters.count, by: 2).map { index in
        let (weight, bias) = (store.parameters[index], store.parameters[index + 1])
        return Layer(
          weight: floats.matrix(offset: weight.range.lowerBound, rows: weight.shape[0], columns: weight.shape[1]),
          bias: floats.vector(offset: bias.range.lowerBound, count: bias.count))
      }
    }
    self.layers = layers(store.values, store)
    gradients = layers(gradient.floats, store)
    for layer in self.layers {
      let bound = 1 / Float(layer.weight.columns).squareRoot()
      layer.weight.dense.fillUniformly(within: bound, &self.random)
      layer.bias.fillUniformly(within: bound, &self.random)
    }
  }

  // MARK: Learning

  /// Learns to say each code but the first and the last by its neighbours.
  mutating func learn(_ codes: [MatrixView]) {
    let rows = codes[0].rows
    let samples = (1..<max(1, codes.count - 1)).flatMap { code in (0..<rows).map { (code: code, row: $0) } }
    for _ in 0..<Self.epochs {
      let order = random.permutation(of: samples.count)
      for start in stride(from: 0, to: samples.count, by: Self.batch) {
        let chosen = order[start..<min(start + Self.batch, samples.count)].map { samples[$0] }
        let input = FloatBuffer(count: chosen.count * 2 * width).matrix(rows: chosen.count, columns: 2 * width)
        let target = FloatBuffer(count: chosen.count * width).matrix(rows: chosen.count, columns: width)
        for (place, sample) in chosen.enumerated() {
          let row = input.row(place)
          row.slice(0..<width).copy(from: codes[sample.code - 1].row(sample.row))
          row.slice(width..<2 * width).copy(from: codes[sample.code + 1].row(sample.row))
          target.row(place).copy(from: codes[sample.code].row(sample.row))
        }
        step(input, target)
      }
    }
  }

  private mutating func step(_ input: MatrixView, _ target: MatrixView) {
    let states = forward(input)
    let output = states[states.count - 1]
    let (found, wanted) = (
      TrainingKernels.sumOfSquares(output.dense).squareRoot(), TrainingKernels.sumOfSquares(target.dense).squareRoot()
    )
    // ∂/∂o of (1 − λ) · mean (o − y)² + λ · (‖o‖ − ‖y‖)²
    let flowing = FloatBuffer(count: output.rows * output.columns).matrix(rows: output.rows, columns: output.columns)
    let errorScale = (1 - Self.normShare) * 2 / Float(output.rows * output.columns)
    let normScale = found > 0 ? Self.normShare * 2 * Float((found - wanted) / found) : 0
    TrainingKernels.addScaled(output, by: errorScale + normScale, to: flowing)
    TrainingKernels.addScaled(target, by: -errorScale, to: flowing)
    backward([input] + states, flowing)
    update()
  }

  /// The output of each layer, after its ReLU.
  private func forward(_ input: MatrixView) -> [MatrixView] {
    var states: [MatrixView] = []
    for (index, layer) in layers.enumerated() {
      let out = FloatBuffer(count: input.rows * layer.weight.rows).matrix(rows: input.rows, columns: layer.weight.rows)
      LinearAlgebra.multiply(states.last ?? input, layer.weight.transposed, into: out)
      TrainingKernels.addBias(layer.bias, to: out)
      if index < layers.count - 1 {
        let values = out.dense
        for place in 0..<values.count { values[place] = max(0, values[place]) }
      }
      states.append(out)
    }
    return states
  }

  private func backward(_ states: [MatrixView], _ last: MatrixView) {
    var flowing = last
    for index in layers.indices.reversed() {
      let input = states[index]
      LinearAlgebra.multiply(flowing.transposed, input, into: gradients[index].weight)
      gradients[index].bias.fill(0)
      TrainingKernels.addColumnSums(of: flowing, to: gradients[index].bias)
      if index == 0 { return }
      let below = FloatBuffer(count: input.rows * input.columns).matrix(rows: input.rows, columns: input.columns)
      LinearAlgebra.multiply(flowing, layers[index].weight, into: below)
      let (values, active) = (below.dense, input.dense)
      for place in 0..<values.count where active[place] <= 0 { values[place] = 0 }
      flowing = below
    }
  }

  private mutating func update() {
    steps += 1
    func correction(_ beta: Double) -> Float { Float(1 - pow(beta, Double(steps))) }
    TrainingKernels.adamW(
      values: store.values.vector, gradient: gradient.floats.vector, firstMoment: store.firstMoments.vector,
      secondMoment: store.secondMoments.vector, gradientScale: 1, learningRate: Self.rate, beta1: 0.9, beta2: 0.999,
      epsilon: 1e-8, weightDecay: Self.weightDecay, start: nil, startDecay: 0, correction1: correction(0.9),
      correction2: correction(0.999))
  }

  // MARK: Predicting

  /// The code between two neighbours'.
  func predict(_ left: MatrixView, _ right: MatrixView) -> MatrixView {
    let input = FloatBuffer(count: left.rows * 2 * width).matrix(rows: left.rows, columns: 2 * width)
    for row in 0..<left.rows {
      input.row(row).slice(0..<width).copy(from: left.row(row))
      input.row(row).slice(width..<2 * width).copy(from: right.row(row))
    }
    return forward(input).last!
  }
}
