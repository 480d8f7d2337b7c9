import Foundation

/// A terminal to run the program in: a shell in a detached tmux session on a socket of its own. Ends with its last
/// reference.
final class Tmux: Sendable {
  struct Failure: Error, CustomStringConvertible { var description: String }

  static let executable: String? = ["/usr/bin/tmux", "/usr/local/bin/tmux", "/bin/tmux"].first {
    FileManager.default.isExecutableFile(atPath: $0)
  }

  private let socket = "stitch-test-\(UUID().uuidString.prefix(8))"

  /// - Parameter environment: added to the shell's.
  init(width: Int, height: Int, environment: [String: String]) throws {
    let variables = environment.flatMap { ["-e", "\($0.key)=\($0.value)"] }
    try command(
      ["-f", "/dev/null", "new-session", "-d", "-s", "t", "-x", "\(width)", "-y", "\(height)"] + variables
        + ["env", "-u", "NO_COLOR", "-u", "COLORFGBG", "PS1=$ ", "ENV=", "/bin/sh"])
  }

  /// Without a session the server ends. (It would not obey `kill-server`, which signals itself: threads of a test block
  /// signals, and the server inherits that.)
  deinit { _ = try? command(["kill-session", "-t", "t"]) }

  /// Runs `tmux` and returns what it prints.
  @discardableResult
  func command(_ arguments: [String]) throws -> String {
    let process = Process()
    // The server that the first command starts would keep open whatever it inherits, and both a pipe and Foundation's
    // own watch over the process would wait for its end: output goes to a file, and all else is closed.
    // (dash cannot close descriptors above 9.)
    process.executableURL = URL(fileURLWithPath: "/bin/bash")
    let close = #"for f in /proc/$$/fd/*; do n=${f##*/}; [ "$n" -gt 2 ] && eval "exec $n>&-"; done; exec "$@""#
    process.arguments = ["-c", close, "bash", Self.executable!, "-u", "-L", socket] + arguments
    let file = FileManager.default.temporaryDirectory.appendingPathComponent("\(socket)-\(UUID().uuidString)")
    try Data().write(to: file)
    defer { try? FileManager.default.removeItem(at: file) }
    let output = try FileHandle(forWritingTo: file)
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = output
    process.standardError = output
    try process.run()
    process.waitUntilExit()
    let text = String(decoding: try Data(contentsOf: file), as: UTF8.self)
    guard process.terminationStatus == 0 else {
      throw Failure(description: "tmux \(arguments.joined(separator: " ")): \(text)")
    }
    return text
  }

  /// What the screen shows.
  func screen() throws -> String { try command(["capture-pane", "-p", "-t", "t"]) }

  /// What the screen shows, and where the cursor is, as one text.
  func look() throws -> String {
    try command(["capture-pane", "-p", "-t", "t", ";", "display-message", "-p", "-t", "t", "#{cursor_x},#{cursor_y}"])
  }

  /// Pastes a file as a terminal does, between markers.
  func paste(_ file: URL) throws {
    try command(["load-buffer", file.path])
    try command(["paste-buffer", "-p", "-t", "t"])
  }

  /// Ends the session: to the program, its terminal is closed.
  func close() throws { try command(["kill-session", "-t", "t"]) }

  /// Types text.
  func type(_ text: String) throws { try command(["send-keys", "-t", "t", "-l", text]) }

  /// Presses keys by tmux's names: `Enter`, `M-Left`, `C-d`.
  func press(_ keys: String...) throws { try command(["send-keys", "-t", "t"] + keys) }

  /// Types a line.
  func enter(_ text: String) throws {
    try type(text)
    try press("Enter")
  }

  func resize(width: Int, height: Int) throws {
    try command(["resize-window", "-t", "t", "-x", "\(width)", "-y", "\(height)"])
  }

  /// A format of tmux, such as `cursor_flag`.
  func value(_ name: String) throws -> String {
    try command(["display-message", "-p", "-t", "t", "#{\(name)}"]).trimmingCharacters(in: .whitespacesAndNewlines)
  }

  /// The process that the shell runs.
  func child() throws -> Int32? {
    let shell = try value("pane_pid")
    let children = try String(contentsOfFile: "/proc/\(shell)/task/\(shell)/children", encoding: .utf8)
    return children.split(separator: " ").first.flatMap { Int32($0) }
  }

  /// Looks until the screen is as wanted, at most a minute and a half.
  /// - Returns: that screen.
  @discardableResult
  func wait(_ what: String, until isWanted: (String) throws -> Bool) throws -> String {
    let deadline = ContinuousClock.now + .seconds(90)
    while true {
      let screen = try screen()
      if try isWanted(screen) { return screen }
      if ContinuousClock.now > deadline {
        throw Failure(description: "waited in vain for \(what); the screen:\n\(screen)")
      }
      usleep(30_000)
    }
  }
}
