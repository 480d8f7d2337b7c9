import Foundation
import Testing

/// What is left of a command that is told to end while it works.
@Suite struct InterruptionTests {
  @Test(arguments: [SIGTERM, SIGINT]) func aFamilyThatIsNotBuiltLeavesNothing(_ number: Int32) throws {
    // A child ignores what its parent ignores, as a shell's background jobs do, and blocks what the thread blocks that
    // starts it, as those of Dispatch do.
    signal(number, SIG_DFL)
    var signals = sigset_t()
    sigemptyset(&signals)
    sigaddset(&signals, number)
    pthread_sigmask(SIG_UNBLOCK, &signals, nil)
    try Workspace.with { workspace in
      try workspace.makeModel("large", at: workspace.directory.appending(path: "large"))
      func names() throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: workspace.directory.path).sorted()
      }
      let before = try names()
      let process = workspace.process([
        "family", "build", "--anchor", workspace.model.path, "--anchor",
        workspace.directory.appending(path: "large").path, "--calibration", workspace.text.path, "--template", "tiny",
        "--output", workspace.output.path, "--fit-steps", "1000000000",
      ])
      process.standardError = FileHandle.nullDevice
      try process.run()
      // It fits layers, more or less for ever, within a directory of another name.
      while process.isRunning, try names() == before { usleep(10_000) }
      #expect(process.isRunning, "it ended by itself")
      kill(process.processIdentifier, number)
      process.waitUntilExit()
      #expect(process.terminationReason == .uncaughtSignal && process.terminationStatus == number)
      #expect(try names() == before)
    }
  }
}
