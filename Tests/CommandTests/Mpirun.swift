import Foundation

/// Runs the built `stitch` in several processes, where Open MPI's `mpirun` is installed.
enum Mpirun {
  /// The program, if it is here.
  static let path: String? = {
    let folders = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":").map(String.init)
    return folders.lazy.flatMap { ["\($0)/mpirun.openmpi", "\($0)/mpirun"] }.first {
      FileManager.default.isExecutableFile(atPath: $0)
    }
  }()
  static var isHere: Bool { path != nil }

  /// More processes than processors, and whoever runs the tests; nothing but this machine's memory between them.
  static let environment = [
    "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1", "OMPI_MCA_rmaps_base_oversubscribe": "1",
    "OMPI_MCA_mpi_yield_when_idle": "1", "OMPI_MCA_btl": "self,vader",
    "OMPI_MCA_btl_vader_single_copy_mechanism": "none", "OMPI_MCA_pml": "ob1",
  ]

  /// Processes of different arguments, each as often as it says.
  static func run(
    _ groups: [(count: Int, arguments: [String])], _ workspace: Workspace
  ) throws -> StitchProcess.Outcome {
    let words = groups.map { ["-n", "\($0.count)", StitchProcess.executable.path] + $0.arguments }
    return try StitchProcess.run(
      shell: "exec '\(path ?? "mpirun")' -q \"$@\"", Array(words.joined(separator: [":"])),
      environment: workspace.environment.merging(environment) { $1 })
  }

  static func run(_ count: Int, _ arguments: [String], _ workspace: Workspace) throws -> StitchProcess.Outcome {
    try run([(count, arguments)], workspace)
  }
}

extension StitchProcess.Outcome {
  /// What the program itself complained of.
  var complaints: [Substring] { complaint.split(separator: "\n").filter { $0.hasPrefix("stitch: ") } }
}
