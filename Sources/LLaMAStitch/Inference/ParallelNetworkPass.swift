import Foundation
import Support

/// A side network that reads all blocks' outputs at once, as addresses.
struct ParallelNetworkPlan {
  let width: Int
  let insertion: Int
  let ones: UnsafeFloats
  /// The guide is the last one.
  let readers: UnsafeArray<ReaderPlan>
  /// Which of them reads after so many stages; −1: none.
  let places: UnsafeArray<Int>
  let merge: MergePlan
  let exit: LinearPlan

  /// - Parameter cache: what is kept of the text at a place.
  init(_ side: ParallelNetwork, keeping owned: inout NetworkPlan.Owned, cache: (Int, KeptShape) -> KVCache) {
    width = side.width
    insertion = side.insertion
    let widest = side.reading.reduce(0) { max($0, $1.reader.down.columns) }
    let ones = FloatBuffer([Float](repeating: 1, count: widest))
    owned.buffers.append(ones)
    self.ones = UnsafeFloats(ones)
    func linear(_ matrix: WeightMatrix) -> LinearPlan { LinearPlan(Projection(weight: matrix), keeping: &owned) }
    var places = [Int](repeating: -1, count: side.readers.count)
    var plans: [ReaderPlan] = []
    let kept = side.kept
    for (index, (place, reader)) in side.reading.enumerated() {
      places[place] = index
      var plan = ReaderPlan(place: place, down: linear(reader.down))
      switch reader {
      case .normed(_, let norm): plan.norm = UnsafeFloats(norm.values)
      case .gated(_, let mixing, let opening): (plan.mixing, plan.opening) = (linear(mixing), linear(opening))
      }
      if let shape = kept[place] {
        let cache = cache(place, shape)
        owned.caches.append(cache)
        plan.cache = UnsafeCache(cache, configuration: shape.configuration)
      }
      plans.append(plan)
    }
    self.places = UnsafeArray(places)
    readers = UnsafeArray(plans)
    switch side.merge {
    case .attention(let confidence, let projection, let norm):
      merge = .attention(
        confidence: UnsafeFloats(confidence.values), projection: linear(projection), norm: UnsafeFloats(norm.values))
    case .antiRedundancy(let weighing, _):
      merge = .antiRedundancy(
        weighing: UnsafeFloats(weighing.values), kept: side.keptShare)
    }
    exit = linear(side.exit)
  }

  func deallocate() {
    readers.deallocate()
    places.deallocate()
  }
}

/// What reads at one place.
struct ReaderPlan {
  /// After so many stages.
  let place: Int
  let down: LinearPlan
  var norm: UnsafeFloats?
  var mixing: LinearPlan?
  var opening: LinearPlan?
  var cache: UnsafeCache?

  init(place: Int, down: LinearPlan) {
    self.place = place
    self.down = down
  }
}

enum MergePlan {
  case attention(confidence: UnsafeFloats, projection: LinearPlan, norm: UnsafeFloats)
  case antiRedundancy(weighing: UnsafeFloats, kept: Float)
}

/// Reading beside the forward pass, and merging what was read; see `ParallelNetwork`.
extension ForwardPass {
  /// Reads the hidden state `x` after so many stages. What is written nobody needs before the next merging.
  func read(_ side: ParallelNetworkPlan, after stages: Int, _ x: UnsafeRows) {
    let index = side.places[stages]
    if index < 0 { return }
    let down = side.readers[index].down
    let hidden = normed(x, by: side.ones, epsilon: SideNetwork.epsilon, for: down)
    project(
      down, hidden, into: feature(index, side), rows: team.share(of: side.width, unit: 16))
    // What is read here is written next.
    if isShared { team.barrier() }
  }

  /// Adds what was read to the hidden state `x`, if this is where it is to be.
  func speak(_ side: ParallelNetworkPlan, before stage: Int, _ x: UnsafeRows) {
    guard side.insertion == stage else { return }
    switch side.merge {
    case .attention(let confidence, let projection, let norm):
      attend(side, confidence: confidence, projection: projection, norm: norm, x)
    case .antiRedundancy(let weighing, let kept): reconcile(side, weighing: weighing, kept: kept, x)
    }
  }

  /// z of a reader, `[tokens × width]`.
  private func feature(_ index: Int, _ side: ParallelNetworkPlan) -> UnsafeRows {
    workspace.features.columns(from: index * side.width)
  }

  // MARK: UniPT

  /// Finishes z of what was read, and keeps it; z of what was read before is had from where it is kept.
  /// - Parameter places: the numbers of stages after which something was read now.
  func keep(_ side: ParallelNetworkPlan, places: Range<Int>) {
    guard case .attention = side.merge else { return }
    team.barrier()
    for index in team.share(of: side.readers.count) {
      let reader = side.readers[index]
      guard let cache = reader.cache, let norm = reader.norm else { continue }
      let z = feature(index, side)
      // What comes later is not read yet.
      if reader.place >= places.upperBound { continue }
      let isNew = reader.place >= places.lowerBound
      if isNew {
        kernels.rmsNorm(z, weight: norm, count: side.width, epsilon: SideNetwork.epsilon, tokens: tokens, into: z)
      }
      for part in 0..<parts.count {
        let part = parts[part]
        let cache = cache.text(part.text)
        for token in part.rows {
          let position = part.position(of: token)
          if isNew {
            kernels.storeKey(cache, head: 0, position: position, z.at(token))
            kernels.storeValue(cache, head: 0, position: position, z.at(token))
            // What others will find of it.
            kernels.loadValue(cache, head: 0, position: position, into: z.at(token))
            cache.addSum(z.at(token), position: position)
          } else {
            kernels.loadValue(cache, head: 0, position: position, into: z.at(token))
          }
        }
      }
    }
    team.barrier()
  }

  /// Merges what was kept, and adds it to the hidden state `x` after the last stage.
  private func attend(
    _ side: ParallelNetworkPlan, confidence: UnsafeFloats, projection: LinearPlan, norm: UnsafeFloats, _ x: UnsafeRows
  ) {
    let width = side.width
    let guide = side.readers.count - 1
    let group = 8
    // Pieces of work before the part.
    var before = 0
    for index in 0..<parts.count {
      let part = parts[index]
      let pieces = (part.count + group - 1) / group * guide
      let mine = (team.index + team.count - before % team.count) % team.count
      for piece in stride(from: mine, to: pieces, by: team.count) {
        let reader = piece % guide
        let first = piece / guide * group
        attend(
          side, reader, guide, confidence, part, tokens: first..<min(part.count, first + group))
      }
      before += pieces
    }
    team.barrier()

    // Few tokens each thread merges all of, which takes less time than meeting.
    let scratch = workspace.merging[isShared ? 0 : team.index]
    let mine = isShared ? team.share(of: tokens) : 0..<tokens
    let (sum, out) = (scratch.rows(from: mine.lowerBound), scratch.columns(from: width).rows(from: mine.lowerBound))
    for (row, token) in mine.enumerated() {
      let weights = scratch.at(mine.lowerBound + row, 2 * width)
      weights.copy(workspace.weights.at(token), count: guide)
      softmax(weights, count: guide)
      sum.at(row).clear(count: width)
      for reader in 0..<guide {
        sum.at(row).add(
          workspace.merged.at(token, reader * width), times: weights.base[reader], count: width)
      }
    }
    kernels.linear(
      projection.weight, sum, tokens: mine.count, into: out, rows: 0..<width,
      scratch: workspace.products[team.index])
    kernels.rmsNorm(out, weight: norm, count: width, epsilon: SideNetwork.epsilon, tokens: mine.count, into: out)
    let guides = feature(guide, side)
    for (row, token) in mine.enumerated() {
      let (result, guide) = (out.at(row), guides.at(token))
      for column in 0..<width { result.base[column] = max(0, result.base[column] + guide.base[column]) }
    }
    speak(side, scratch.columns(from: width), into: x)
  }

  /// m of some tokens of a part, and the logit of how much it counts.
  private func attend(
    _ side: ParallelNetworkPlan, _ reader: Int, _ guide: Int, _ confidence: UnsafeFloats, _ part: BatchPart,
    tokens range: Range<Int>
  ) {
    let width = side.width
    guard let own = side.readers[reader].cache, let other = side.readers[guide].cache else { return }
    let (cache, guideCache) = (own.text(part.text), other.text(part.text))
    let merged = workspace.merged.columns(from: reader * width).rows(from: part.row)
    kernels.attendRectified(
      cache, queries: feature(guide, side).rows(from: part.row), into: merged, tokens: range, position: part.position,
      scratch: workspace.scores[team.index])
    let z = feature(reader, side).rows(from: part.row)
    for token in range {
      merged.at(token).add(z.at(token), times: 1, count: width)
      let position = part.position + token
      let (sums, guides) = (cache.sums(position: position), guideCache.sums(position: position))
      let scale = 1 / Float(position + 1)
      var logit: Float = 0
      for column in 0..<width {
        logit += confidence.base[column] * ((guides.base[column] * scale) * (sums.base[column] * scale))
      }
      workspace.weights.at(part.row + token, reader).base[0] = logit
    }
  }

  private func softmax(_ values: UnsafeFloats, count: Int) {
    var largest = -Float.infinity
    for index in 0..<count { largest = max(largest, values.base[index]) }
    var total: Float = 0
    for index in 0..<count {
      values.base[index] = exp(values.base[index] - largest)
      total += values.base[index]
    }
    values.scale(by: 1 / total, count: count)
  }

  // MARK: SHERL

  /// Merges what was read, and adds it to the hidden state `x`.
  private func reconcile(_ side: ParallelNetworkPlan, weighing: UnsafeFloats, kept: Float, _ x: UnsafeRows) {
    let width = side.width
    team.barrier()
    for index in team.share(of: side.readers.count) {
      let reader = side.readers[index]
      guard let mixing = reader.mixing, let opening = reader.opening else { continue }
      let z = feature(index, side)
      let (mixed, opened) = (
        workspace.merged.columns(from: index * width), workspace.opened.columns(from: index * width)
      )
      for token in 0..<tokens { z.at(token).rectify(count: width) }
      let scratch = workspace.products[team.index]
      kernels.linear(mixing.weight, z, tokens: tokens, into: mixed, rows: 0..<width, scratch: scratch)
      kernels.linear(opening.weight, z, tokens: tokens, into: opened, rows: 0..<width, scratch: scratch)
      for token in 0..<tokens {
        let (z, mixed, opened) = (z.at(token).base, mixed.at(token).base, opened.at(token).base)
        for column in 0..<width { z[column] = (mixed[column] + z[column]) / (1 + exp(-opened[column])) }
      }
    }
    team.barrier()

    let scratch = workspace.merging[isShared ? 0 : team.index]
    for token in isShared ? team.share(of: tokens) : 0..<tokens {
      antiRedundant(side, weighing, token, into: scratch.at(token), weights: scratch.at(token, width))
    }
    let columns = team.share(of: side.exit.rows, unit: 16)
    for token in 0..<tokens { x.at(token, columns.lowerBound).scale(by: kept, count: columns.count) }
    speak(side, scratch, into: x)
  }

  /// relu(Σ q z + g) of one token.
  /// - Parameter weights: scratch, two numbers a reader.
  private func antiRedundant(
    _ side: ParallelNetworkPlan, _ weighing: UnsafeFloats, _ token: Int, into out: UnsafeFloats, weights: UnsafeFloats
  ) {
    let (width, early) = (side.width, side.readers.count - 1)
    func z(_ index: Int) -> UnsafeFloats { feature(index, side).at(token) }
    let guide = z(early)
    let lengths = weights.offset(by: early)
    for index in 0..<early {
      lengths.base[index] = z(index).dot(z(index), count: width).squareRoot() + ParallelNetwork.least
    }
    var total: Float = 0
    for index in 0..<early {
      var redundancy: Float = 0
      for other in 0..<early {
        let cosine = z(index).dot(z(other), count: width) / (lengths.base[index] * lengths.base[other])
        redundancy += max(0, cosine)
      }
      var logit: Float = 0
      for column in 0..<width { logit += weighing.base[column] * (z(index).base[column] * guide.base[column]) }
      weights.base[index] = max(0, logit) / (redundancy + ParallelNetwork.least)
      total += weights.base[index]
    }
    out.copy(guide, count: width)
    for index in 0..<early {
      out.add(z(index), times: weights.base[index] / (total + ParallelNetwork.least), count: width)
    }
    out.rectify(count: width)
  }

  // MARK: Both

  /// Adds U out to the hidden state.
  private func speak(_ side: ParallelNetworkPlan, _ out: UnsafeRows, into x: UnsafeRows) {
    if isShared { team.barrier() }
    kernels.linear(
      side.exit.weight, out, tokens: tokens, into: x, rows: team.share(of: side.exit.rows, unit: 16), adding: true,
      scratch: workspace.products[team.index])
    team.barrier()
  }
}
