/// How much is kept of an adapter's updates, by depth (LiNeS: Wang et al. 2024, arXiv 2410.17146): `first` in an anchor's
/// first block, `last` in its last one, linearly between them.
///
/// Early blocks serve whatever a model does, late ones what it was taught last: with less of the early updates it forgets
/// less.
public struct AdapterScale: Sendable, Equatable {
  public var first: Float
  public var last: Float

  public init(first: Float, last: Float) {
    self.first = first
    self.last = last
  }

  /// - Parameter depth: from 0 in the first block to 1 in the last.
  func factor(at depth: Double) -> Float { first + (last - first) * Float(depth) }
}

/// Why adapters cannot be made one; `index` says which of them, from 0.
public enum AdapterMergeError: Error, Equatable, Sendable, CustomStringConvertible {
  /// It adapts something else than the first one.
  case unlike(index: Int, what: String)
  case notFinite(index: Int, tensor: String)
  /// It has something whose values do not add up.
  case notAdditive(index: Int, what: String)
  /// It has something that no scale is learned of.
  case noScale(index: Int, what: String)

  public var index: Int {
    switch self {
    case .unlike(let index, _), .notFinite(let index, _), .notAdditive(let index, _),
      .noScale(let index, _):
      index
    }
  }

  public var description: String {
    switch self {
    case .unlike(_, let what): "it has other \(what) than the first one; merge adapters that were trained with the same"
    case .notAdditive(_, let what): "it has \(what), whose values do not add up; merge adapters without one"
    case .noScale(_, let what): "it has \(what), of which no scales are learned; merge by --method sum"
    case .notFinite(_, let tensor): "its tensor \(tensor) holds what is no number; train it anew"
    }
  }
}

extension Adapter {
  /// The same with some of its updates: low-rank ones, biases and those of stitching layers.
  public func scaled(by scale: AdapterScale, in family: Family) -> Adapter {
    let depths = family.layout(options).depths
    let scaled = tensors.map { name, tensor -> (String, MatrixView) in
      // A and B are multiplied: one of them is enough.
      if name.hasSuffix(".lora_A") || name.hasSuffix(".kron_S") || name.hasSuffix(".kron_V") { return (name, tensor) }
      // Scales and norms are as strong as they differ from what they were.
      if AdapterLayout.isScale(name) {
        let factor = scale.factor(at: depths[name] ?? 1)
        let start = family.layout(options).startScale(name, anchors: family.anchors)
        return (name, tensor.moved(by: factor, from: start))
      }
      if AdapterLayout.isSide(name), !AdapterLayout.isSideStrength(name) { return (name, tensor) }
      if AdapterLayout.isParallel(name), name.contains(".down") { return (name, tensor) }
      if AdapterLayout.isPrefix(name) || AdapterLayout.isPrompt(name) { return (name, tensor) }
      return (name, tensor.multiplied(by: scale.factor(at: depths[name] ?? 1)))
    }
    return Adapter(
      options: options, step: step, family: family, importance: importance,
      tensors: Dictionary(uniqueKeysWithValues: scaled))
  }

  /// Several adapters of one family as one, which adds up what they add: Σ weight · update (task arithmetic: Ilharco et
  /// al. 2023, arXiv 2212.04089; with weights that add up to 1, their average). The sum of low-rank updates is exact, for
  /// their ranks stand side by side; a reply takes as long as with that rank.
  /// - Parameter parts: at least one.
  /// - Throws: `AdapterMergeError`.
  public static func merged(
    _ parts: [(adapter: Adapter, weight: Float)], in family: Family
  ) throws(AdapterMergeError) -> Adapter {
    try checkMergeable(parts.map(\.adapter))
    let first = parts[0].adapter.options
    var options = first
    options.rank = parts.reduce(0) { $0 + $1.adapter.options.rank }
    options.alpha = Float(options.rank)
    options.kronecker?.experts = parts.reduce(0) { $0 + ($1.adapter.options.kronecker?.experts ?? 0) }
    options.kronecker?.scale = 1
    options.parallel?.width = parts.reduce(0) { $0 + ($1.adapter.options.parallel?.width ?? 0) }
    options.parallel?.scale = 1
    var tensors: [String: MatrixView] = [:]
    for declaration in family.layout(options).declarations {
      let found = parts.compactMap { part in
        part.adapter.tensors[declaration.name].map { (tensor: $0, part: part) }
      }
      if found.count != parts.count { continue }
      let sums = found.map { ($0.tensor, $0.part.weight * ($0.part.adapter.options.kronecker?.scale ?? 1)) }
      if let joined = AdapterLayout.joinedKronecker(declaration.name, sums) {
        tensors[declaration.name] = joined
        continue
      }
      let beside = found.map { ($0.tensor, $0.part.weight * ($0.part.adapter.options.parallel?.scale ?? 1)) }
      if let joined = AdapterLayout.joinedParallel(declaration.name, beside) {
        tensors[declaration.name] = joined
        continue
      }
      let (rows, columns) = (
        declaration.shape.count > 1 ? declaration.shape[0] : 1, declaration.shape[declaration.shape.count - 1]
      )
      let sum = FloatBuffer(count: rows * columns).matrix(rows: rows, columns: columns)
      var rank = 0
      for (tensor, part) in found {
        if declaration.name.hasSuffix(".lora_A") {
          sum.rows(rank..<rank + tensor.rows).dense.copy(from: tensor.dense)
        } else if declaration.name.hasSuffix(".lora_B") {
          let scaled = tensor.multiplied(by: part.weight * part.adapter.options.scale)
          for row in 0..<rows { sum.row(row).slice(rank..<rank + tensor.columns).copy(from: scaled.row(row)) }
        } else if AdapterLayout.isScale(declaration.name) {
          // What they differ by adds up.
          let start = family.layout(options).startScale(declaration.name, anchors: family.anchors)
          for column in 0..<columns {
            let before = start?[column] ?? 1
            if rank == 0 { sum[0, column] = before }
            sum[0, column] += part.weight * (tensor[0, column] - before)
          }
        } else {
          for column in 0..<columns { sum[0, column] += part.weight * tensor[0, column] }
        }
        rank += part.adapter.options.rank
      }
      tensors[declaration.name] = sum
    }
    return Adapter(
      options: options, step: parts.map(\.adapter.step).max() ?? 0, family: family,
      importance: meanImportance(parts.map(\.adapter)), tensors: tensors)
  }

  /// Of each stitch, over the adapters that know it.
  static func meanImportance(_ adapters: [Adapter]) -> [String: Double] {
    let ids = Set(adapters.flatMap(\.importance.keys))
    return Dictionary(
      uniqueKeysWithValues: ids.map { id in
        let known = adapters.compactMap { $0.importance[id] }
        return (id, known.reduce(0, +) / Double(known.count))
      })
  }

  /// Whether adapters of one family can be made one, whatever their ranks.
  /// - Parameter adapters: at least one.
  /// - Throws: `AdapterMergeError`.
  static func checkMergeable(_ adapters: [Adapter]) throws(AdapterMergeError) {
    precondition(!adapters.isEmpty)
    let first = adapters[0].options
    for (index, adapter) in adapters.enumerated() {
      let options = adapter.options
      if let what = options.notAdditive { throw .notAdditive(index: index, what: what) }
      for (what, isSame) in [
        ("targets", options.targets == first.targets), ("blocks", options.blocks == first.blocks),
        ("biases", options.trainsBiases == first.trainsBiases),
        ("scope of biases", options.scope == first.scope),
        ("updates of stitching layers", options.updatesLayers == first.updatesLayers),
        ("adapters beside the MLPs", (options.parallel == nil) == (first.parallel == nil)),
        ("updates", options.hasScales == first.hasScales && options.hasLowRank == first.hasLowRank),
        ("blocks that it leaves alone", options.keepsPrefix == first.keepsPrefix),
        (
          "Kronecker factors",
          options.kronecker?.factor == first.kronecker?.factor && options.kronecker?.rank == first.kronecker?.rank
        ),
      ] where !isSame { throw .unlike(index: index, what: what) }
      if let tensor = adapter.firstNotFinite { throw .notFinite(index: index, tensor: tensor) }
    }
  }

  /// The first tensor, by name, that holds what is no number.
  package var firstNotFinite: String? { tensors.filter { !$0.value.isFinite }.keys.min() }

  /// How large the low-rank updates are: of each block of each anchor the Frobenius norm of all that is added to its
  /// weights.
  public func updateNorms(in family: Family) -> [[Double]] {
    let layout = family.layout(options)
    return family.anchors.enumerated().map { anchor, model in
      model.blocks.indices.map { block in
        let squares = options.targets.map { target -> Double in
          let name = layout.lowRankName(anchor: anchor, block: block, target)
          guard let update = lowRankUpdate(name), let a = update.a.floatsInPlace, let b = update.b.floatsInPlace
          else { return 0 }
          // ‖B A‖² = Σ (Bᵀ B) ∘ (A Aᵀ)
          var sum = 0.0
          for first in 0..<a.rows {
            for second in 0..<a.rows {
              let left = (0..<b.rows).reduce(0.0) { $0 + Double(b[$1, first]) * Double(b[$1, second]) }
              let right = (0..<a.columns).reduce(0.0) { $0 + Double(a[first, $1]) * Double(a[second, $1]) }
              sum += left * right
            }
          }
          return Double(update.scale * update.scale) * max(0, sum)
        }
        return squares.reduce(0, +).squareRoot()
      }
    }
  }
}

extension MatrixView {
  /// A copy, every number times another.
  fileprivate func multiplied(by factor: Float) -> MatrixView {
    let copy = FloatBuffer(count: rows * columns).matrix(rows: rows, columns: columns)
    for row in 0..<rows {
      for column in 0..<columns { copy[row, column] = factor * self[row, column] }
    }
    return copy
  }

  /// A copy of one row that is so many times as far from a start as it was; 1 where there is none.
  fileprivate func moved(by factor: Float, from start: VectorView?) -> MatrixView {
    let copy = FloatBuffer(count: columns).matrix(rows: 1, columns: columns)
    for column in 0..<columns {
      let before = start?[column] ?? 1
      copy[0, column] = before + factor * (self[0, column] - before)
    }
    return copy
  }

  fileprivate var isFinite: Bool {
    (0..<rows).allSatisfy { row in (0..<columns).allSatisfy { self[row, $0].isFinite } }
  }
}
