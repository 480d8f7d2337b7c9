import Foundation
import Support

/// What a function of many inputs may be, of which few matter, given some of its values (SAASBO: Eriksson and Jankowiak 2021,
/// arXiv 2103.00349): a Gaussian process with a Matérn-5/2 kernel, whose inverse squared lengthscales are small unless the data
/// say otherwise, for they are half-Cauchy about a scale that is itself half-Cauchy. Nothing is fitted: what it says is the
/// mean over draws from the posterior of all of these numbers (`NoUTurnSampler`).
///
/// Priors: mean N(0, 1), scale of the kernel Γ(2, 0.15), noise Γ(0.9, 10), global scale half-Cauchy(0.1), as in BoTorch.
package struct SparseGaussianProcess {
  /// How much is drawn; what is kept is every so many-th draw.
  package struct Effort: Sendable {
    package var warmup = 128
    package var samples = 64
    package var thinning = 4
    package var mostDoublings = 6

    package init(warmup: Int = 128, samples: Int = 64, thinning: Int = 4, mostDoublings: Int = 6) {
      self.warmup = warmup
      self.samples = samples
      self.thinning = thinning
      self.mostDoublings = mostDoublings
    }
  }

  private let inputs: [[Double]]
  private let draws: [Posterior.Draw]

  /// - Parameters:
  ///   - inputs: between 0 and 1, or about that.
  ///   - outputs: of mean 0 and variance 1, about.
  package init(
    inputs: [[Double]], outputs: [Double], effort: Effort, _ random: inout SeededGenerator
  ) throws(ComputeError) {
    try LinearAlgebra.load()
    self.inputs = inputs
    let posterior = Posterior(inputs: inputs, outputs: outputs)
    let sampler = NoUTurnSampler(
      warmup: effort.warmup, count: effort.samples, mostDoublings: effort.mostDoublings)
    let places = sampler.draw(from: posterior.start, &random, density: posterior.density)
    draws = stride(from: effort.thinning - 1, to: places.count, by: effort.thinning).compactMap {
      posterior.draw(places[$0])
    }
  }

  /// The function's mean and deviation at a place, without noise, by each draw.
  package func predictions(at place: [Double]) -> [(mean: Double, deviation: Double)] {
    draws.map { draw in
      let kernel = inputs.map { draw.scale * Matern.value(Matern.distance(place, $0, draw.weights)) }
      let mean = zip(kernel, draw.solved).reduce(draw.mean) { $0 + $1.0 * $1.1 }
      let explained = zip(kernel, draw.inverse.times(kernel)).reduce(0) { $0 + $1.0 * $1.1 }
      return (mean, max(1e-12, draw.scale - explained).squareRoot())
    }
  }
}

/// The Matérn-5/2 kernel, of scale 1.
package enum Matern {
  /// Σ wᵢ (aᵢ − bᵢ)²
  package static func distance(_ a: [Double], _ b: [Double], _ weights: [Double]) -> Double {
    var sum = 0.0
    for index in weights.indices {
      let difference = a[index] - b[index]
      sum += weights[index] * difference * difference
    }
    return sum
  }

  /// (1 + √5 r + 5/3 r²) e^(−√5 r), of the squared distance r².
  package static func value(_ squared: Double) -> Double {
    let root = (5 * squared).squareRoot()
    return (1 + root + root * root / 3) * exp(-root)
  }

  /// Its derivative by r².
  package static func slope(_ squared: Double) -> Double {
    let root = (5 * squared).squareRoot()
    return -5.0 / 6 * (1 + root) * exp(-root)
  }
}

/// The density of the numbers of a sparse Gaussian process, given values of the function. OpenBLAS must have been loaded.
package struct Posterior {
  /// A draw of the numbers, and what predictions need of it.
  package struct Draw {
    package var mean, scale: Double
    /// Inverse squared lengthscales.
    package var weights: [Double]
    /// K⁻¹ (y − mean), and K⁻¹.
    package var solved: [Double]
    package var inverse: PositiveDefiniteInverse
  }

  private let inputs: [[Double]]
  private let outputs: [Double]
  private static let leastNoise = 1e-6

  package init(inputs: [[Double]], outputs: [Double]) {
    precondition(inputs.count == outputs.count && !inputs.isEmpty)
    self.inputs = inputs
    self.outputs = outputs
  }

  /// Where drawing begins: mean, logarithms of the kernel's scale, the noise, the global scale and each input's.
  package var start: [Double] { [0, 0, log(0.05), log(0.1)] + [Double](repeating: 0, count: inputs[0].count) }

  private struct Numbers {
    var mean, scale, noise, global: Double
    var weights: [Double]

    init(_ place: [Double]) {
      mean = place[0]
      scale = exp(place[1])
      noise = exp(place[2]) + Posterior.leastNoise
      global = exp(place[3])
      weights = place[4...].map { [global] in global * exp($0) }
    }
  }

  /// The logarithm of the density at a place, up to a constant, and its gradient.
  package func density(_ place: [Double]) -> (value: Double, gradient: [Double]) {
    let lost = (-Double.infinity, [Double](repeating: 0, count: place.count))
    guard place.allSatisfy({ abs($0) < 50 }) else { return lost }
    let numbers = Numbers(place)
    let n = inputs.count
    let distances = distances(numbers.weights)
    let kernel = kernel(distances, numbers)
    guard let inverse = PositiveDefiniteInverse(of: kernel, n) else { return lost }
    let solved = inverse.times(outputs.map { $0 - numbers.mean })
    var value = -inverse.halfLogDeterminant
    for index in 0..<n { value -= solved[index] * (outputs[index] - numbers.mean) / 2 }

    // ∂L/∂K = ½ (a aᵀ − K⁻¹), a = K⁻¹ (y − mean).
    var (byScale, byNoise) = (0.0, 0.0)
    var byWeights = [Double](repeating: 0, count: numbers.weights.count)
    for row in 0..<n {
      let own = (solved[row] * solved[row] - inverse[row, row]) / 2
      byNoise += own
      byScale += own * numbers.scale
      for column in row + 1..<n {
        // Twice, for the pair below the diagonal.
        let pair = solved[row] * solved[column] - inverse[row, column]
        byScale += pair * kernel[row * n + column]
        let share = pair * numbers.scale * Matern.slope(distances[row * n + column])
        for index in byWeights.indices {
          let difference = inputs[row][index] - inputs[column][index]
          byWeights[index] += share * difference * difference
        }
      }
    }
    var gradient = [Double](repeating: 0, count: place.count)
    gradient[0] = solved.reduce(0, +)
    gradient[1] = byScale
    gradient[2] = byNoise * exp(place[2])
    for index in byWeights.indices {
      let byLogarithm = byWeights[index] * numbers.weights[index]
      gradient[4 + index] = byLogarithm
      gradient[3] += byLogarithm
    }
    addPriors(place, to: &value, &gradient)
    return value.isFinite && gradient.allSatisfy(\.isFinite) ? (value, gradient) : lost
  }

  /// Of logarithms: densities of the numbers times what they change by.
  private func addPriors(_ place: [Double], to value: inout Double, _ gradient: inout [Double]) {
    value -= place[0] * place[0] / 2
    gradient[0] -= place[0]
    for (index, shape, rate) in [(1, 2.0, 0.15), (2, 0.9, 10.0)] {
      value += shape * place[index] - rate * exp(place[index])
      gradient[index] += shape - rate * exp(place[index])
    }
    for index in 3..<place.count {
      let ratio = exp(2 * (place[index] - (index == 3 ? log(0.1) : 0)))
      value += place[index] - log1p(ratio)
      gradient[index] += 1 - 2 * ratio / (1 + ratio)
    }
  }

  /// Squared distances of the inputs, above the diagonal, row after row.
  private func distances(_ weights: [Double]) -> [Double] {
    let n = inputs.count
    var distances = [Double](repeating: 0, count: n * n)
    for row in 0..<n {
      for column in row + 1..<n {
        distances[row * n + column] = Matern.distance(inputs[row], inputs[column], weights)
      }
    }
    return distances
  }

  private func kernel(_ distances: [Double], _ numbers: Numbers) -> [Double] {
    let n = inputs.count
    var kernel = [Double](repeating: 0, count: n * n)
    for row in 0..<n {
      kernel[row * n + row] = numbers.scale + numbers.noise
      for column in row + 1..<n {
        kernel[row * n + column] = numbers.scale * Matern.value(distances[row * n + column])
      }
    }
    return kernel
  }

  /// What predictions need at a place; `nil` where K is not positive definite.
  package func draw(_ place: [Double]) -> Draw? {
    let numbers = Numbers(place)
    guard let inverse = PositiveDefiniteInverse(of: kernel(distances(numbers.weights), numbers), inputs.count) else {
      return nil
    }
    let solved = inverse.times(outputs.map { $0 - numbers.mean })
    return Draw(
      mean: numbers.mean, scale: numbers.scale, weights: numbers.weights, solved: solved, inverse: inverse)
  }
}
