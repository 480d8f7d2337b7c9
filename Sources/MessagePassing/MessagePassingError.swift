/// Why processes cannot work together. The description is one line: cause and remedy.
public enum MessagePassingError: Error, Sendable, Equatable, CustomStringConvertible {
  /// Open MPI is not installed.
  case missing(reason: String)
  /// The library is that of another implementation, or cannot be used.
  case notOpenMPI(reason: String)
  /// The program was started by another implementation's `mpirun`.
  case otherLauncher(name: String)
  /// The command cannot be divided.
  case oneProcess(command: String, commands: [String])

  public var description: String {
    switch self {
    case .missing(let reason):
      "several processes need Open MPI, which could not be loaded (\(reason)); install the packages openmpi-bin and libopenmpi3, or run `make setup-mpi`, on every machine"
    case .notOpenMPI(let reason):
      "several processes need Open MPI: \(reason); install the packages openmpi-bin and libopenmpi3, or run `make setup-mpi`, and use `mpirun.openmpi`"
    case .otherLauncher(let name):
      "this was started by \(name), and stitch works over Open MPI; use `mpirun.openmpi` (`make setup-mpi` installs it), or `srun --mpi=pmix`"
    case .oneProcess(let command, let commands):
      "stitch \(command) runs in one process; start it without mpirun, which is for \(commands.joined(separator: ", "))"
    }
  }
}
