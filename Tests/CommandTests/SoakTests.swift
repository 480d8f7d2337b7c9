import Foundation
import Testing

/// Short forms of what runs for hours by hand, and of a terminal at the end of a slow line.
@Suite(.serialized) struct SoakTests {
  private static let checkout = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()

  private func python(_ arguments: [String]) throws -> StitchProcess.Outcome {
    try StitchProcess.run(
      shell: "exec python3 \"$@\" --program \"$0\"",
      [Self.checkout.appending(path: "Benchmarks/\(arguments[0])").path] + arguments.dropFirst())
  }

  @Test func roundsLeaveNothingOpen() throws {
    try StitchProcess.withTemporaryDirectory { directory in
      let samples = directory.appending(path: "samples.jsonl")
      let outcome = try python(["soak.py", "--cycles", "4", "--samples", samples.path])
      #expect(outcome.status == 0, "\(outcome.text)\(outcome.complaint)")
      #expect(outcome.text.contains("4 rounds, 1 lessons: flat: "))
      #expect(try String(contentsOf: samples, encoding: .utf8).split(separator: "\n").count == 4)
    }
  }

  @Test func aSlowLineIsNotFilledWithOldScreens() throws {
    let outcome = try python(["slow_terminal.py", "--baud", "9600"])
    #expect(outcome.status == 0, "\(outcome.text)\(outcome.complaint)")
    #expect(outcome.text.hasPrefix("9600 baud: "))
  }
}
