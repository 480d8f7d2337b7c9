import ChatEngine
import ChatTUI
import Foundation

/// Whether standard input and output are a terminal, so that `runChatUI` can be used.
public func canRunChatUI() -> Bool {
  Terminal.isAvailable && ProcessInfo.processInfo.environment["TERM"] != "dumb"
}

/// Runs the terminal UI until the user leaves. Call it on the main thread; it blocks. The screen is up at once, the
/// family loads meanwhile.
/// - Returns: the exit status: 0; 2 if the family could not be loaded (one line on standard error says why); 128 + n
///   after signal n.
/// - Throws: `TerminalError` if there is no terminal that can be used.
public func runChatUI(backend: any ChatBackend, options: ChatUIOptions) throws -> Int32 {
  let (status, state) = try runUntilLeft(backend: backend, options: options)
  // The terminal is its own again from here on.
  if options.keepsTranscript && status < 128 { print(plainTranscript(state), terminator: "") }
  if case .failed(let message) = state.family {
    let line = Array("stitch: \(sanitiseLine(message))\n".utf8)
    _ = write(STDERR_FILENO, line, line.count)  // where that fails there is nobody to tell
    return status == 0 ? 2 : status
  }
  return status
}

private func runUntilLeft(backend: any ChatBackend, options: ChatUIOptions) throws(TerminalError) -> (Int32, AppState) {
  var runner = try AppRunner(backend: backend, options: options)
  let status = runner.run()
  return (status, runner.state)
}
