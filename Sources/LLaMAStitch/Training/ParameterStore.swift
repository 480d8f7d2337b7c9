/// One trainable tensor: a name, a shape and its place in the store.
public struct Parameter: Sendable, Equatable {
  public let name: String
  public let shape: [Int]
  /// Its floats in the store.
  public let range: Range<Int>
  /// Whether weight decay applies (matrices) or not (norms, biases).
  public let decays: Bool

  public var count: Int { range.count }
}

/// Everything a run trains, in one buffer: values, both Adam moments, and how many steps touched each parameter.
///
/// Not `Sendable` by itself: the trainer owns it; worker threads read values through views during a pass and the
/// trainer alone writes between passes.
public final class ParameterStore {
  public private(set) var parameters: [Parameter] = []
  public let values: FloatBuffer
  public let firstMoments: FloatBuffer
  public let secondMoments: FloatBuffer
  /// Adam steps taken, per parameter: only steps that touched it count.
  public var steps: [Int]
  private let indices: [String: Int]

  /// A declaration of a parameter before the store is made.
  public struct Declaration {
    public var name: String
    public var shape: [Int]
    public var decays: Bool

    public init(_ name: String, shape: [Int], decays: Bool) {
      self.name = name
      self.shape = shape
      self.decays = decays
    }
  }

  public init(_ declarations: [Declaration]) {
    var offset = 0
    var indices: [String: Int] = [:]
    for declaration in declarations {
      let count = declaration.shape.reduce(1, *)
      precondition(indices[declaration.name] == nil, "\(declaration.name) is declared twice")
      indices[declaration.name] = parameters.count
      parameters.append(
        Parameter(
          name: declaration.name, shape: declaration.shape, range: offset..<offset + count,
          decays: declaration.decays))
      offset += (count + 15) / 16 * 16  // every parameter starts on a cache line
    }
    values = FloatBuffer(count: offset)
    firstMoments = FloatBuffer(count: offset)
    secondMoments = FloatBuffer(count: offset)
    steps = Array(repeating: 0, count: parameters.count)
    self.indices = indices
  }

  public func index(of name: String) -> Int? { indices[name] }

  /// Number of trainable floats.
  public var count: Int { parameters.reduce(0) { $0 + $1.count } }

  /// Forgets moments and step counts; values stay.
  func resetOptimizer() {
    firstMoments.vector.fill(0)
    secondMoments.vector.fill(0)
    steps = Array(repeating: 0, count: parameters.count)
  }

  /// Floats handled at a time when gradients are summed and applied.
  private static let sliceLength = 32_768

  /// Some parameters cut into slices of bounded length, in order; none spans two parameters.
  func slices(of indices: [Int]) -> [Range<Int>] {
    indices.flatMap { index in
      let range = parameters[index].range
      return stride(from: range.lowerBound, to: range.upperBound, by: Self.sliceLength).map {
        $0..<min($0 + Self.sliceLength, range.upperBound)
      }
    }
  }

  /// The value of one parameter as a vector.
  public func value(_ index: Int) -> VectorView {
    let range = parameters[index].range
    return values.vector(offset: range.lowerBound, count: range.count)
  }

  /// A parameter as a matrix of weights, by name; `nil` where there is none.
  public func matrix(_ name: String) -> WeightMatrix? {
    guard let index = indices[name] else { return nil }
    let parameter = parameters[index]
    let columns = parameter.shape.last ?? 1
    return WeightMatrix(
      values.matrix(offset: parameter.range.lowerBound, rows: parameter.count / max(1, columns), columns: columns),
      parameter: index)
  }

  /// A parameter as a vector of weights, by name; `nil` where there is none.
  public func vector(_ name: String) -> WeightVector? {
    guard let index = indices[name] else { return nil }
    return WeightVector(value(index), parameter: index)
  }
}

extension ParameterStore: DeltaTensors {
  func lowRank(_ name: String, scale: Float) -> LowRank? {
    guard let a = matrix(name + ".lora_A"), let b = matrix(name + ".lora_B") else { return nil }
    return LowRank(a: a, b: b, scale: scale)
  }

  func kronecker(_ name: String, scale: Float) -> Delta? { kroneckerSum(name, scale: scale).map(Delta.kronecker) }

  func bias(_ name: String) -> WeightVector? { vector(name) }
}

/// Gradients of a store's parameters, laid out like its values.
///
/// `@unchecked Sendable`: one worker writes it during a pass; the trainer reads it after the pool has returned.
final class GradientBuffer: @unchecked Sendable {
  let floats: FloatBuffer
  private let parameters: [Parameter]

  init(of store: ParameterStore) {
    floats = FloatBuffer(count: store.values.count)
    parameters = store.parameters
  }

  /// The gradient of a matrix, `nil` where it is frozen.
  func matrix(_ weights: WeightMatrix) -> MatrixView? {
    weights.parameter.map {
      floats.matrix(offset: parameters[$0].range.lowerBound, rows: weights.rows, columns: weights.columns)
    }
  }

  /// The gradient of a vector, `nil` where it is frozen.
  func vector(_ weights: WeightVector) -> VectorView? { weights.parameter.map(vector) }

  func vector(_ index: Int) -> VectorView {
    let range = parameters[index].range
    return floats.vector(offset: range.lowerBound, count: range.count)
  }

  /// Some of the floats.
  func vector(_ slice: Range<Int>) -> VectorView { floats.vector(offset: slice.lowerBound, count: slice.count) }
}
