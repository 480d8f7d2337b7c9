import Foundation
import Support

/// Draws from a density by Hamiltonian dynamics that go on until they turn back (NUTS: Hoffman and Gelman 2014, arXiv
/// 1111.4246, algorithm 6): steps are as long as accepts eight tenths (dual averaging), and, after a part of the warm-up, each
/// coordinate is measured by how far it was seen to vary.
package struct NoUTurnSampler {
  /// Of the logarithm, up to a constant: the value and its gradient.
  package typealias Density = (_ place: [Double]) -> (value: Double, gradient: [Double])

  /// Steps in which lengths are found, of which nothing is kept.
  package var warmup: Int
  /// Draws after that.
  package var count: Int
  /// Doublings of a path, at most.
  package var mostDoublings: Int

  package init(warmup: Int, count: Int, mostDoublings: Int = 6) {
    self.warmup = warmup
    self.count = count
    self.mostDoublings = mostDoublings
  }

  /// The mean acceptance that is aimed at.
  private let acceptance = 0.8
  /// So much less likely a step is an error of the dynamics.
  private let divergence = 1000.0

  private struct State {
    var place, momentum: [Double]
    var value: Double
    var gradient: [Double]
  }

  /// A part of a path: its ends, one of its places, how many it has, and whether it may go on.
  private struct Path {
    var first, last: State
    var chosen: State
    var count: Int
    var goesOn: Bool
    /// The sum of what each step would be accepted with, and their number.
    var accepted: Double
    var steps: Int
  }

  /// How states move: by the density, and the variance that each coordinate is taken to have.
  private struct Dynamics {
    let density: Density
    var spread: [Double]

    func momentum(_ random: inout SeededGenerator) -> [Double] { spread.map { random.normal() / $0.squareRoot() } }

    /// The logarithm of a state's density, its momentum's included.
    func height(of state: State) -> Double {
      state.value - zip(state.momentum, spread).reduce(0) { $0 + $1.0 * $1.0 * $1.1 } / 2
    }

    func leap(_ state: State, _ length: Double) -> State {
      var next = state
      for index in next.place.indices {
        next.momentum[index] += length / 2 * state.gradient[index]
        next.place[index] += length * spread[index] * next.momentum[index]
      }
      (next.value, next.gradient) = density(next.place)
      for index in next.place.indices { next.momentum[index] += length / 2 * next.gradient[index] }
      return next
    }
  }

  /// Heights: that of the path's start, and one drawn below it, above which places are chosen.
  private struct Slice {
    let start, floor: Double
  }

  /// How long steps are, by what they were accepted with.
  private struct StepLength {
    var current: Double
    private let aim: Double
    private var error = 0.0
    private var average = 0.0
    private var count = 0

    init(_ first: Double) {
      current = first
      aim = log(10 * first)
    }

    mutating func adapt(_ accepted: Double, to acceptance: Double) {
      count += 1
      let t = Double(count)
      error += (acceptance - accepted - error) / (t + 10)
      let length = aim - t.squareRoot() / 0.05 * error
      let share = pow(t, -0.75)
      average = share * length + (1 - share) * average
      current = exp(length)
    }

    /// What it settled at.
    var settled: Double { count == 0 ? current : exp(average) }
  }

  /// - Parameter start: a place of positive density.
  package func draw(
    from start: [Double], _ random: inout SeededGenerator, density: @escaping Density
  ) -> [[Double]] {
    let (value, gradient) = density(start)
    var state = State(place: start, momentum: [], value: value, gradient: gradient)
    var dynamics = Dynamics(density: density, spread: [Double](repeating: 1, count: start.count))
    var length = StepLength(reasonable(state, dynamics, &random))
    var seen: [[Double]] = []
    var draws: [[Double]] = []
    let (from, to) = (warmup / 4, warmup * 5 / 8)
    for step in 0..<warmup + count {
      let isWarm = step >= warmup
      let path = path(from: state, length: isWarm ? length.settled : length.current, dynamics, &random)
      state = path.chosen
      if isWarm {
        draws.append(state.place)
        continue
      }
      length.adapt(path.accepted / Double(max(1, path.steps)), to: acceptance)
      if (from..<to).contains(step) { seen.append(state.place) }
      if step + 1 == to, seen.count > 4 {
        dynamics.spread = Self.variances(seen)
        length = StepLength(reasonable(state, dynamics, &random))
      }
    }
    return draws
  }

  /// Drawn towards a small one, the more, the fewer were seen.
  private static func variances(_ places: [[Double]]) -> [Double] {
    let n = Double(places.count)
    return places[0].indices.map { index in
      let mean = places.reduce(0) { $0 + $1[index] } / n
      let variance = places.reduce(0) { $0 + ($1[index] - mean) * ($1[index] - mean) } / (n - 1)
      return n / (n + 5) * variance + 1e-3 * 5 / (n + 5)
    }
  }

  /// One step of the sampler.
  private func path(
    from start: State, length: Double, _ dynamics: Dynamics, _ random: inout SeededGenerator
  ) -> Path {
    var start = start
    start.momentum = dynamics.momentum(&random)
    let height = dynamics.height(of: start)
    let slice = Slice(start: height, floor: height + log(max(random.unit(), .leastNormalMagnitude)))
    var path = Path(first: start, last: start, chosen: start, count: 1, goesOn: true, accepted: 0, steps: 0)
    var depth = 0
    while path.goesOn && depth < mostDoublings {
      let isForward = random.unit() < 0.5
      let more = double(
        isForward ? path.last : path.first, depth, length: isForward ? length : -length, slice, dynamics, &random)
      if isForward { path.last = more.last } else { path.first = more.first }
      if more.goesOn, random.unit() < Double(more.count) / Double(path.count) { path.chosen = more.chosen }
      path.count += more.count
      (path.accepted, path.steps) = (more.accepted, more.steps)
      path.goesOn = more.goesOn && !Self.turns(path)
      depth += 1
    }
    return path
  }

  /// 2^depth steps on from an end.
  private func double(
    _ end: State, _ depth: Int, length: Double, _ slice: Slice, _ dynamics: Dynamics, _ random: inout SeededGenerator
  ) -> Path {
    if depth == 0 {
      let next = dynamics.leap(end, length)
      let found = dynamics.height(of: next)
      let isGood = found.isFinite
      return Path(
        first: next, last: next, chosen: next, count: isGood && slice.floor <= found ? 1 : 0,
        goesOn: isGood && slice.floor < found + divergence, accepted: isGood ? min(1, exp(found - slice.start)) : 0,
        steps: 1)
    }
    var path = double(end, depth - 1, length: length, slice, dynamics, &random)
    if !path.goesOn { return path }
    let more = double(length > 0 ? path.last : path.first, depth - 1, length: length, slice, dynamics, &random)
    if length > 0 { path.last = more.last } else { path.first = more.first }
    let count = path.count + more.count
    if count > 0, random.unit() < Double(more.count) / Double(count) { path.chosen = more.chosen }
    path.count = count
    path.accepted += more.accepted
    path.steps += more.steps
    path.goesOn = more.goesOn && !Self.turns(path)
    return path
  }

  /// A length that a step is accepted with about every second time.
  private func reasonable(_ state: State, _ dynamics: Dynamics, _ random: inout SeededGenerator) -> Double {
    var start = state
    start.momentum = dynamics.momentum(&random)
    let height = dynamics.height(of: start)
    func gain(_ length: Double) -> Double {
      let gain = dynamics.height(of: dynamics.leap(start, length)) - height
      return gain.isFinite ? gain : -.infinity
    }
    var length = 1.0
    let grows = gain(length) > log(0.5)
    for _ in 0..<40 {
      let next = grows ? 2 * length : length / 2
      if (gain(next) > log(0.5)) != grows { return grows ? length : next }
      length = next
    }
    return length
  }

  /// Whether the ends of a path come nearer to each other.
  private static func turns(_ path: Path) -> Bool {
    var (first, last) = (0.0, 0.0)
    for index in path.first.place.indices {
      let way = path.last.place[index] - path.first.place[index]
      first += way * path.first.momentum[index]
      last += way * path.last.momentum[index]
    }
    return first < 0 || last < 0
  }
}
