import CKernels

/// A dense matrix kept at four bits a number: of each 32 of a row, the nearest of 16 numbers that are evenly spread from
/// their smallest to their largest, which are kept in BF16. 5 bits a number in all; an error of at most 1/30 of what
/// the 32 span, and of the rounding of its ends.
package struct FourBitMatrix {
  package let rows: Int
  package let columns: Int
  private let storage: VectorView

  /// A copy of a matrix in an arena.
  package init(_ matrix: MatrixView, in arena: Arena) {
    precondition(matrix.stride == matrix.columns || matrix.rows <= 1, "the matrix is not dense")
    rows = matrix.rows
    columns = matrix.columns
    storage = arena.vector((ck_nibble_bytes(rows, columns) + 3) / MemoryLayout<Float>.size)
    ck_pack_nibbles(matrix.base, storage.base, rows, columns)
  }

  /// The numbers kept, as floats.
  package func unpack(into matrix: MatrixView) {
    precondition(matrix.rows == rows && matrix.columns == columns && matrix.stride == columns)
    ck_unpack_nibbles(storage.base, matrix.base, rows, columns)
  }
}
