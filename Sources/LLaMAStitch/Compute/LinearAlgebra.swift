import COpenBLAS

/// What can go wrong before any computing starts.
public enum ComputeError: Error, CustomStringConvertible, Sendable {
  /// OpenBLAS could not be loaded.
  case openBLASMissing(reason: String)

  public var description: String {
    switch self {
    case .openBLASMissing(let reason):
      "training needs OpenBLAS, which could not be loaded (\(reason)); install the package libopenblas0 or run `make setup`"
    }
  }
}

/// Matrix products through OpenBLAS. Each call runs on the calling thread alone.
///
/// Training only: BLAS does not promise that a row's result is independent of the rows beside it.
public enum LinearAlgebra {
  /// Loads OpenBLAS; later calls cost nothing.
  public static func load() throws(ComputeError) {
    if cob_load() != 0 { throw .openBLASMissing(reason: String(cString: cob_error())) }
  }

  /// Name of the OpenBLAS kernels in use, "" before `load`.
  public static var coreName: String { String(cString: cob_core_name()) }

  /// out = alpha · a b + beta · out
  @inline(__always)
  public static func multiply(
    _ a: MatrixView, _ b: MatrixView, into out: MatrixView, alpha: Float = 1, beta: Float = 0
  ) {
    precondition(a.rows == out.rows && b.columns == out.columns && a.columns == b.rows, "shapes do not fit")
    sgemm(a, false, b, false, out, inner: a.columns, alpha, beta)
  }

  /// out = alpha · a bᵀ + beta · out
  @inline(__always)
  public static func multiply(
    _ a: MatrixView, _ b: TransposedView, into out: MatrixView, alpha: Float = 1, beta: Float = 0
  ) {
    precondition(
      a.rows == out.rows && b.original.rows == out.columns && a.columns == b.original.columns,
      "shapes do not fit")
    sgemm(a, false, b.original, true, out, inner: a.columns, alpha, beta)
  }

  /// out = alpha · aᵀ b + beta · out
  @inline(__always)
  public static func multiply(
    _ a: TransposedView, _ b: MatrixView, into out: MatrixView, alpha: Float = 1, beta: Float = 0
  ) {
    precondition(
      a.original.columns == out.rows && b.columns == out.columns && a.original.rows == b.rows,
      "shapes do not fit")
    sgemm(a.original, true, b, false, out, inner: b.rows, alpha, beta)
  }

  @inline(__always)
  private static func sgemm(
    _ a: MatrixView, _ transposeA: Bool, _ b: MatrixView, _ transposeB: Bool, _ out: MatrixView,
    inner: Int, _ alpha: Float, _ beta: Float
  ) {
    if out.rows == 0 || out.columns == 0 { return }
    cob_sgemm(
      transposeA ? 1 : 0, transposeB ? 1 : 0, Int32(out.rows), Int32(out.columns), Int32(inner), alpha,
      a.base, Int32(a.stride), b.base, Int32(b.stride), beta, out.base, Int32(out.stride))
  }
}
