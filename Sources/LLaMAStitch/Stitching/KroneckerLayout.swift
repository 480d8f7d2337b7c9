import Support

/// The shape of sums of Kronecker products (ALoRE; see `KroneckerSum`).
public struct KroneckerOptions: Sendable, Equatable, Codable {
  /// n: parts that inputs and outputs are cut into; it divides the widths of all that is adapted.
  public var factor: Int
  public var experts: Int
  /// Of one expert.
  public var rank: Int
  public var scale: Float

  /// - Parameter experts: as many as parts if absent, as in the paper.
  public init(factor: Int = 4, experts: Int? = nil, rank: Int = 4, scale: Float = 1) {
    self.factor = factor
    self.experts = experts ?? factor
    self.rank = rank
    self.scale = scale
  }
}

/// The tensors of sums of Kronecker products, where low-rank updates have theirs: `NAME.kron_S` `[experts · n × n]`,
/// `NAME.kron_U` `[out / n × experts · rank]`, `NAME.kron_V` `[experts · rank × in / n]`.
extension AdapterLayout {
  /// - Throws: `TrainingError.plan` where n does not divide a width.
  func checkKronecker() throws {
    guard let kronecker = options.kronecker else { return }
    var widths: [(width: Int, of: String)] = []
    for (name, configuration) in zip(names, configurations) {
      for target in options.targets {
        widths.append((target.inputs(configuration), "what \(target.rawValue) of \(name) reads"))
        widths.append((target.outputs(configuration), "what \(target.rawValue) of \(name) writes"))
      }
      if options.updatesLayers { widths.append((configuration.hiddenSize, "the hidden state of \(name)")) }
    }
    guard let wrong = widths.first(where: { $0.width % kronecker.factor != 0 }) else { return }
    let fitting = (1...64).filter { factor in widths.allSatisfy { $0.width % factor == 0 } }
    throw TrainingError.plan(
      cause:
        "a Kronecker factor of \(kronecker.factor) does not divide \(wrong.width), the width of \(wrong.of); give --kronecker one of \(fitting.map(String.init).joined(separator: ", "))"
    )
  }

  /// The tensors of one sum.
  func kroneckerShapes(_ name: String, outputs: Int, inputs: Int) -> [(name: String, shape: [Int])] {
    guard let kronecker = options.kronecker else { return [] }
    let ranks = kronecker.experts * kronecker.rank
    return [
      (name + ".kron_S", [kronecker.experts * kronecker.factor, kronecker.factor]),
      (name + ".kron_U", [outputs / kronecker.factor, ranks]), (name + ".kron_V", [ranks, inputs / kronecker.factor]),
    ]
  }

  static func isKronecker(_ name: String) -> Bool { name.split(separator: ".").last?.hasPrefix("kron_") ?? false }

  /// What a tensor is before training: random, but U, so that nothing is added.
  static func startKronecker(_ parameter: Parameter, _ values: VectorView, _ random: inout SeededGenerator) {
    if parameter.name.hasSuffix("_U") { return values.fill(0) }
    values.fillUniformly(within: 1 / Float(parameter.shape[1]).squareRoot(), &random)
  }

  /// The tensor of several sums as one: their experts side by side. `nil` if it is none of a sum.
  /// - Parameter parts: with what each sum is multiplied by.
  static func joinedKronecker(_ name: String, _ parts: [(tensor: MatrixView, weight: Float)]) -> MatrixView? {
    guard isKronecker(name) else { return nil }
    let isUp = name.hasSuffix("_U")
    let rows = isUp ? parts[0].tensor.rows : parts.reduce(0) { $0 + $1.tensor.rows }
    let columns = isUp ? parts.reduce(0) { $0 + $1.tensor.columns } : parts[0].tensor.columns
    let joined = FloatBuffer(count: rows * columns).matrix(rows: rows, columns: columns)
    var start = 0
    for (tensor, weight) in parts {
      for row in 0..<tensor.rows {
        for column in 0..<tensor.columns {
          if isUp {
            joined[row, start + column] = weight * tensor[row, column]
          } else {
            joined[start + row, column] = tensor[row, column]
          }
        }
      }
      start += isUp ? tensor.columns : tensor.rows
    }
    return joined
  }
}

extension DeltaTensors {
  /// The sum of this name; `nil` where there is none.
  func kroneckerSum(_ name: String, scale: Float) -> KroneckerSum? {
    guard let mixing = matrix(name + ".kron_S"), let up = matrix(name + ".kron_U"), let down = matrix(name + ".kron_V")
    else { return nil }
    return KroneckerSum(mixing: mixing, up: up, down: down, scale: scale)
  }
}

extension Adapter {
  /// Sums of Kronecker products as the low-rank updates that they are, by name; beside quantised weights rounded to Q8_0.
  /// - Parameter types: of those weights, by name.
  static func lowRanks(
    ofSumsIn tensors: [String: MatrixView], _ options: AdapterOptions, _ types: [String: ElementType]
  ) -> [String: LowRank] {
    guard let kronecker = options.kronecker else { return [:] }
    let ending = ".kron_S"
    let names = tensors.keys.filter { $0.hasSuffix(ending) }.map { String($0.dropLast(ending.count)) }
    let sums = names.map { name in
      let parts = ["S", "U", "V"].map { WeightMatrix(tensors["\(name).kron_\($0)"]!) }
      return KroneckerSum(mixing: parts[0], up: parts[1], down: parts[2], scale: kronecker.scale).expanded
    }
    let rounded = names.indices.filter { types[names[$0]] != nil }
    let reads = LowRank.quantized(
      rounded.map { (sums[$0].a.floatsInPlace!, sums[$0].b.floatsInPlace!, .q8_0) })
    var found = Dictionary(uniqueKeysWithValues: zip(names, sums))
    for (index, read) in zip(rounded, reads) {
      found[names[index]] = LowRank(a: sums[index].a, b: sums[index].b, scale: sums[index].scale, read: read)
    }
    return found
  }

  /// The low-rank update of a projection of an anchor, as inference has it; `nil` where it has none.
  func lowRankUpdate(_ name: String) -> LowRank? {
    let updates = [lowRank(name, scale: options.scale), sums[name]].compactMap { $0 }
    return updates.isEmpty ? nil : LowRank.combined(updates)
  }
}
