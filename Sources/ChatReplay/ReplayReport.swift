import ChatEngine
import ChatScript
import ChatTUI
import Conversations
import Foundation
import Support

/// What came of replaying scripts, for people and for machines.
public struct ReplayReport: Sendable, Encodable {
  public var results: [ReplayResult]

  public init(_ results: [ReplayResult]) { self.results = results }

  /// 2 if something could not run, 1 if something did not hold, else 0.
  public var exitStatus: Int32 {
    results.contains { $0.error != nil } ? 2 : results.contains { $0.failures > 0 } ? 1 : 0
  }

  // MARK: Text

  /// A line for each script, with what failed below it.
  /// - Parameter verbose: every reply, not only those that failed.
  public func text(verbose: Bool = false) -> String {
    var lines = results.flatMap { Self.lines($0, verbose: verbose) }
    if let ground = results.compactMap(\.ground).last { lines.append(Self.describe(ground)) }
    let count = { (status: ReplayResult.Status) in results.count { $0.status == status } }
    lines.append("\(count(.passed)) passed, \(count(.failed)) failed, \(count(.error)) could not run")
    return lines.joined(separator: "\n") + "\n"
  }

  private static func lines(_ result: ReplayResult, verbose: Bool) -> [String] {
    let marks: [ReplayResult.Status: String] = [.passed: "ok    ", .failed: "FAILED", .error: "ERROR "]
    var lines = [
      "\(marks[result.status]!) \(sanitiseLine(result.script)): \(result.checks) of \(result.steps.count) steps checked, \(String(format: "%.1f", result.seconds)) s"
    ]
    for step in result.steps where verbose || !step.failures.isEmpty {
      lines.append("  line \(step.line): \(cut(step.input))")
      for reply in step.replies { lines.append("    \(reply.stitch): \(cut(reply.text))") }
      for line in step.isScreenExpected ? [] : step.screen ?? [] { lines.append("    │\(sanitiseLine(line))") }
      for failure in step.failures { lines.append("    ✗ \(cut(failure))") }
    }
    if let error = result.error { lines.append("  \(cut(error))") }
    if result.checks == 0 && result.error == nil {
      lines.append("  warning: it expects nothing, so nothing could fail")
    }
    return lines
  }

  private static func cut(_ text: String) -> String { Wrap.truncate(sanitiseLine(text), width: 400) }

  private static func describe(_ ground: ReplayResult.Ground) -> String {
    var parts = ["\(sanitiseLine(ground.family)) \(ground.identity.prefix(8))"]
    parts.append(
      ground.adapterStep.map { "adapter step \($0)" + (ground.adapterHash.map { " \($0.prefix(8))" } ?? "") }
        ?? "no adapter")
    parts += ["\(ground.threads) threads", ground.instructionSet, "seed \(ground.seed)", "stitch \(ground.version)"]
    return "on " + parts.joined(separator: ", ")
  }

  // MARK: JUnit

  /// The report that continuous integration reads: a test suite a script, a test case a step.
  public var junit: String {
    func attribute(_ name: String, _ value: String) -> String { " \(name)=\"\(value.xmlEscaped)\"" }
    var lines = ["<?xml version=\"1.0\" encoding=\"UTF-8\"?>", "<testsuites>"]
    for result in results {
      let errors = result.error == nil ? 0 : 1
      lines.append(
        "  <testsuite" + attribute("name", result.script) + attribute("tests", "\(result.steps.count + errors)")
          + attribute("failures", "\(result.failures)") + attribute("errors", "\(errors)")
          + attribute("time", String(format: "%.3f", result.seconds)) + ">")
      if let ground = result.ground {
        lines.append("    <properties>")
        for (name, value) in [
          ("family", ground.family), ("identity", ground.identity),
          ("adapter", ground.adapterHash ?? ground.adapterStep.map { "step \($0)" } ?? "none"),
          ("threads", "\(ground.threads)"), ("instruction set", ground.instructionSet), ("seed", "\(ground.seed)"),
          ("version", ground.version),
        ] { lines.append("      <property" + attribute("name", name) + attribute("value", value) + "/>") }
        lines.append("    </properties>")
      }
      for step in result.steps {
        let seconds = step.replies.last?.seconds ?? 0
        let head =
          "    <testcase" + attribute("classname", result.script)
          + attribute("name", "line \(step.line): \(step.input.prefix(200))")
          + attribute("time", String(format: "%.3f", seconds))
        if step.failures.isEmpty {
          lines.append(head + "/>")
        } else {
          lines.append(head + ">")
          lines.append(
            "      <failure" + attribute("message", step.failures.joined(separator: "; ")) + ">"
              + (step.replies.map { "\($0.stitch): \($0.text)" } + (step.isScreenExpected ? [] : step.screen ?? []))
              .joined(separator: "\n").xmlEscaped
              + "</failure>")
          lines.append("    </testcase>")
        }
      }
      if let error = result.error {
        lines.append("    <testcase" + attribute("classname", result.script) + attribute("name", "run") + ">")
        lines.append("      <error" + attribute("message", error) + "/>")
        lines.append("    </testcase>")
      }
      lines.append("  </testsuite>")
    }
    lines.append("</testsuites>")
    return lines.joined(separator: "\n") + "\n"
  }
}
