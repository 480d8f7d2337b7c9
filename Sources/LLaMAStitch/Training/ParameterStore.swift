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

  /// The value of one parameter as a vector.
  public func value(_ index: Int) -> VectorView {
    let range = parameters[index].range
    return values.vector(offset: range.lowerBound, count: range.count)
  }

  /// A parameter as training sees it, by name.
  public func tensor(_ name: String) -> TrainingTensor? {
    guard let index = indices[name] else { return nil }
    let parameter = parameters[index]
    let columns = parameter.shape.last ?? 1
    return TrainingTensor(
      values: values.matrix(
        offset: parameter.range.lowerBound, rows: parameter.count / max(1, columns), columns: columns),
      parameter: index)
  }
}

/// Gradients of a store's parameters, laid out like its values. One per worker.
///
/// `@unchecked Sendable`: one worker writes it during a pass; the trainer reads it after the pool has returned.
final class GradientBuffer: @unchecked Sendable {
  let floats: FloatBuffer
  private let parameters: [Parameter]

  init(of store: ParameterStore) {
    floats = FloatBuffer(count: store.values.count)
    parameters = store.parameters
  }

  /// The gradient of a tensor, `nil` where it is frozen.
  func matrix(_ tensor: TrainingTensor) -> MatrixView? {
    guard let index = tensor.parameter else { return nil }
    return floats.matrix(
      offset: parameters[index].range.lowerBound, rows: tensor.values.rows,
      columns: tensor.values.columns)
  }

  /// The gradient of a matrix, `nil` where it is frozen.
  func matrix(_ matrix: TrainingMatrix) -> MatrixView? {
    guard case .floats(let tensor) = matrix else { return nil }
    return self.matrix(tensor)
  }

  /// The gradient of a one-row tensor, `nil` where it is frozen.
  func vector(_ tensor: TrainingTensor) -> VectorView? { matrix(tensor)?.row(0) }

  func vector(_ index: Int) -> VectorView {
    let range = parameters[index].range
    return floats.vector(offset: range.lowerBound, count: range.count)
  }
}

/// A tensor in a training pass: its values, and which parameter it is if it is trained.
public struct TrainingTensor: Sendable {
  /// Vectors are matrices of one row.
  public var values: MatrixView
  public var parameter: Int?

  public init(values: MatrixView, parameter: Int? = nil) {
    self.values = values
    self.parameter = parameter
  }

  public init(frozen values: VectorView) {
    self.values = values.matrix(rows: 1, columns: values.count)
    parameter = nil
  }

  var vector: VectorView { values.row(0) }

  /// Sets the values.
  public func fill(_ newValues: [Float]) { values.dense.copy(from: newValues) }
}
