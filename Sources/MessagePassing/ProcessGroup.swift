import COpenMPI
import Foundation
import LLaMAStitch
import Support
import Synchronization

/// The processes that this one works with: those that the same `mpirun` has started.
public enum ProcessGroup {
  /// What has started this process.
  public static let launcher = Launcher(environment: ProcessInfo.processInfo.environment)
  private static let joined = Mutex<OpenMPI?>(nil)

  /// Whether Open MPI is on this machine: what several processes would need.
  public static var isAvailable: Bool { com_is_there() != 0 }

  /// Joins the others, where there are any, and makes sure that all run the same program on the same kernels: with others
  /// they would end in other bytes, and drift apart.
  /// - Parameter fail: says why the job cannot go on, and ends the process.
  /// - Throws: `MessagePassingError`, `JointFailure`.
  public static func join(onFailure fail: @escaping @Sendable (String) -> Never) throws -> any Communicator {
    switch launcher {
    case .none: return SingleProcess()
    case .other(let name, _): throw MessagePassingError.otherLauncher(name: name)
    case .openMPI: break
    }
    let processes = try OpenMPI(onFailure: fail)
    joined.withLock { $0 = processes }
    try processes.compare([
      (
        "program", try processes.together { try program() },
        "install the same build on every machine"
      ),
      (
        "processor", try processes.together { try KernelNames.current() },
        "set STITCH_INSTRUCTIONS and STITCH_OPENBLAS_CORETYPE alike everywhere, to what the oldest one has"
      ),
    ])
    return processes
  }

  /// Leaves the others, when all have come to do so.
  public static func leave() {
    let processes = joined.withLock { joined in
      defer { joined = nil }
      return joined
    }
    processes?.end()
  }

  /// The digest of the program's file.
  private static func program() throws -> String {
    try ContentDigest.sha256(of: URL(fileURLWithPath: "/proc/self/exe"))
  }
}
