/// max(0, x), where adapters have it between two matrices.
extension TrainingKernels {
  /// In place; dense.
  package static func rectify(_ x: MatrixView) { UnsafeFloats(x.dense).rectify(count: x.dense.count) }

  /// A gradient becomes zero where nothing was passed on; dense.
  package static func rectifyBackward(_ gradient: MatrixView, active: MatrixView) {
    let (gradient, active) = (gradient.dense, active.dense)
    precondition(gradient.count == active.count)
    for index in 0..<gradient.count where active.base[index] <= 0 { gradient.base[index] = 0 }
  }
}

extension UnsafeFloats {
  /// Negative ones become 0, of so many.
  @inline(__always) package func rectify(count: Int) {
    for index in 0..<count { base[index] = base[index] < 0 ? 0 : base[index] }
  }
}
