import ArgumentParser
import Foundation
import LLaMAStitch
import MessagePassing
import Support

/// A command that several processes can do together: `mpirun -n 4 stitch adapt …`.
protocol DividedCommand: ParsableCommand {}

/// What commands have to do with the processes that `mpirun` has started beside this one.
enum Processes {
  private static let commands = ["adapt", "frontier", "generate", "pretrain"]

  /// Refuses what would be done as many times as there are processes.
  static func check(_ command: any ParsableCommand) throws {
    if !(command is any DividedCommand) { try refuseSeveral(type(of: command)._commandName) }
  }

  /// Refuses a command where there are several processes.
  static func refuseSeveral(_ command: String) throws {
    guard case .openMPI(_, let count) = ProcessGroup.launcher, count > 1 else { return }
    throw MessagePassingError.oneProcess(command: command, commands: commands)
  }

  /// Joins the others, where there are any.
  static func join() throws -> any Communicator {
    try ProcessGroup.join { reason in
      Console.complain("\(reason); the checkpoint is whole: the same command goes on from it")
      exit(2)
    }
  }

  /// Has the first of several say how to go on when the job is ended, as it is where one of the processes has died. The
  /// others wait for it: Open MPI gives a process a second after it has told it to end, but no longer than until the first
  /// one on the machine has ended.
  static func sayHowToGoOn(from checkpoint: URL, _ processes: any Communicator) {
    guard processes.count > 1 else { return }
    let isFirst = processes.isFirst
    TemporaryPaths.beforeEnding {
      if !isFirst {
        usleep(700_000)
        return
      }
      Console.complain(
        FileManager.default.fileExists(atPath: checkpoint.path)
          ? "stopped, or another process has died; the same command goes on from \(checkpoint.path)"
          : "stopped, or another process has died, before there was a checkpoint; the same command begins anew")
    }
  }

  /// For what is wrong before the processes know of each other, most likely in all of them: the first says it and ends,
  /// whereupon `mpirun` ends the others. One that is still there after that was alone with it.
  static func waitForFirst() {
    if ProcessGroup.launcher.rank > 0 { sleep(3) }
  }
}
