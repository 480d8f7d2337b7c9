/// What has started this process as one of several.
public enum Launcher: Sendable, Equatable {
  /// Nothing: it is alone.
  case none
  /// `mpirun` of Open MPI, or `srun` in its place.
  case openMPI(rank: Int, count: Int)
  /// That of another implementation of MPI.
  case other(name: String, rank: Int)

  /// As the environment tells, before anything of MPI is loaded.
  public init(environment: [String: String]) {
    func number(_ names: String...) -> Int? { names.lazy.compactMap { environment[$0] }.compactMap { Int($0) }.first }
    if let rank = number("OMPI_COMM_WORLD_RANK"), let count = number("OMPI_COMM_WORLD_SIZE") {
      self = .openMPI(rank: rank, count: count)
    } else if let rank = number("PMIX_RANK") {
      // PMIx tells the number only to who asks it; Slurm tells how many tasks the step has.
      self = .openMPI(rank: rank, count: number("SLURM_STEP_NUM_TASKS", "SLURM_NTASKS") ?? 1)
    } else if let rank = number("MV2_COMM_WORLD_RANK") {
      self = .other(name: "MVAPICH2", rank: rank)
    } else if let rank = number("PMI_RANK") {
      let isIntel = environment.keys.contains { $0.hasPrefix("I_MPI_") }
      self = .other(name: isIntel ? "Intel MPI" : "MPICH", rank: rank)
    } else {
      self = .none
    }
  }

  /// This process's place; 0 where it is alone.
  public var rank: Int {
    switch self {
    case .none: 0
    case .openMPI(let rank, _), .other(_, let rank): rank
    }
  }
}
