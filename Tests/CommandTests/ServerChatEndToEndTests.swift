import FamilyFixture
import Foundation
import LLaMAStitch
import Testing

/// `stitch chat --server` in a real terminal, and the server as users have it.
@Suite(.serialized, .enabled(if: Tmux.executable != nil, "tmux is not installed: the terminal UI is not driven"))
struct ServerChatEndToEndTests {
  /// `stitch serve` of a family, until it is let go of.
  private final class Server {
    let process = Process()
    let port: String

    init(_ stage: TerminalStage, _ options: [String] = []) throws {
      let log = stage.root.appending(path: "server-\(UUID().uuidString)")
      try Data().write(to: log)
      process.executableURL = StitchProcess.executable
      process.arguments =
        ["serve", "--family", stage.family.directory.path, "--name", stage.family.description.name, "--port", "0"]
        + options
      process.environment = StitchProcess.environment
      process.standardInput = FileHandle.nullDevice
      process.standardOutput = FileHandle.nullDevice
      process.standardError = try FileHandle(forWritingTo: log)
      try process.run()
      for _ in 0..<900 {
        let text = try String(contentsOf: log, encoding: .utf8)
        if let match = text.firstMatch(of: /127\.0\.0\.1:(\d+)\/v1/) {
          port = String(match.output.1)
          return
        }
        usleep(100_000)
      }
      throw Tmux.Failure(description: "the server did not start: \(try String(contentsOf: log, encoding: .utf8))")
    }

    func kill() {
      if process.isRunning { Foundation.kill(process.processIdentifier, SIGKILL) }
      process.waitUntilExit()
    }

    deinit { kill() }
  }

  @Test func theSliderOfAServer() throws {
    let stage = try TerminalStage(default: true)
    let tmux = stage.tmux
    let keys = stage.root.appending(path: "keys")
    try Data("open-sesame\n".utf8).write(to: keys)
    let server = try Server(stage, ["--key-file", keys.path])

    // Without the key it is not answered.
    try tmux.enter("\(StitchProcess.executable.path) chat --plain --server 127.0.0.1:\(server.port) </dev/null")
    try tmux.wait("the refusal") { $0.contains("wants a key, or another one: ") && $0.contains("--key-file FILE") }
    try stage.start("--server http://127.0.0.1:\(server.port) --key-file \(keys.path)")
    try tmux.wait("where it is") { $0.contains("sizes · at 127.0.0.1:\(server.port)") && $0.contains("Size ") }
    let stops = stage.stops
    try stage.ask("What is 12 + 7?", stitch: stops.last!)
    if stage.family.description.name == "tiny" { try tmux.wait("the sum") { $0.contains("12 + 7 = 19") } }
    try tmux.press("M-Left")
    try tmux.wait("the stop before") {
      $0.contains("Size \(stops.count - 1)/\(stops.count) · \(stops[stops.count - 2])")
    }
    try stage.ask("What is 12 + 8?", stitch: stops[stops.count - 2])
    try tmux.enter("/train facts")
    try tmux.wait("the remedy") { $0.contains("/train: that needs a model on this machine") }
    try tmux.enter("/compare 1 \(stops.count)")
    try tmux.wait("both sizes") { $0.contains("1 2 keeps that reply") || $0.contains("1-2 keeps") }
    try tmux.press("C-d")
    try stage.expectEnded(status: 0)

    // What was said goes on later.
    try tmux.enter("clear")
    try stage.start("--server http://127.0.0.1:\(server.port) --key-file \(keys.path) --resume")
    let resumed = try tmux.wait("the conversation") { $0.contains("› What is 12 + 8?") }
    #expect(!resumed.contains("not in use") && !resumed.contains("was made with"), "\(resumed)")
    try tmux.press("C-d")
    try stage.expectEnded(status: 0)
  }

  @Test func stoppedAndBrokenOff() throws {
    let stage = try TerminalStage(default: false, width: 384)
    let tmux = stage.tmux
    let server = try Server(stage)
    try stage.start("--server 127.0.0.1:\(server.port) --temperature 1 --seed 3")
    try stage.askAndStop("hello", stitch: "large")
    try tmux.enter("again")
    try tmux.wait("a reply") { $0.contains("› again") && $0.contains("large · …") && $0.contains("Esc stops") }
    server.kill()
    try tmux.wait("the end of the reply") { $0.contains("failed: ") && $0.contains("127.0.0.1:\(server.port)") }
    try tmux.enter("anybody there?")
    try tmux.wait("nobody") { $0.contains("cannot reach http://127.0.0.1:\(server.port)/v1: ") }
    try tmux.press("C-d")
    try stage.expectEnded(status: 0)
  }

  @Test func whatCannotBeIsSaidInALine() throws {
    for (arguments, cause) in [
      (["--server", "127.0.0.1:1"], "cannot reach http://127.0.0.1:1/v1: "),
      (["--server", "ftp://x"], "it begins with http:// or https://"),
      (["--server", "127.0.0.1:1", "--key-file", "/no/key"], "cannot open /no/key"),
      (["--key-file", "x"], "--key-file goes with --server"),
      (["--server", "127.0.0.1:1", "--family", "x"], "--server does not go with --family"),
    ] {
      let outcome = try StitchProcess.run(["chat", "--plain"] + arguments)
      #expect(outcome.status == 2 && outcome.complaint.contains(cause), "\(arguments): \(outcome.complaint)")
      #expect(outcome.complaint.split(separator: "\n").count == 1, "\(outcome.complaint)")
    }
  }
}
