import CKernels
import COpenBLAS

/// What computes on this machine. Where it differs, the same sums end in other bytes.
public enum KernelNames {
  /// The instruction sets in use, OpenBLAS's own description of itself, and the version of the C library, which has the
  /// exponential function.
  /// - Throws: `InstructionsError`, `ComputeError`.
  public static func current() throws -> String {
    try InferenceKernels.check()
    try LinearAlgebra.load()
    return [
      InferenceKernels.best.name, String(cString: ck_training_instructions()), LinearAlgebra.coreName,
      String(cString: cob_configuration()), "C library " + String(cString: ck_library_version()),
    ].joined(separator: ", ")
  }
}
