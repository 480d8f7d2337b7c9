import Foundation

/// The processors that this process may use.
public enum SystemProcessors {
  /// How many threads it is best to compute with: the processors it may run on (`taskset`), or as many as its control groups
  /// give it time for, whole ones. Threads that wait for each other lose more by one that is stopped for using too much
  /// than another would win.
  public static let usable = usable(of: allowed, within: ControlGroups())

  /// Those it may run on; Foundation counts all that the system runs on.
  public static let allowed = allowed(status: "/proc/self/status") ?? ProcessInfo.processInfo.activeProcessorCount

  /// - Parameter status: a file with a line “Cpus_allowed:”, which has a bit for each, in hexadecimal digits.
  package static func allowed(status: String) -> Int? {
    let text: String
    do { text = try String(contentsOfFile: status, encoding: .utf8) } catch { return nil }
    guard let line = text.split(separator: "\n").first(where: { $0.hasPrefix("Cpus_allowed:") }) else { return nil }
    let bits = line.dropFirst("Cpus_allowed:".count).compactMap(\.hexDigitValue).map(\.nonzeroBitCount)
    let count = bits.reduce(0, +)
    return count > 0 ? count : nil
  }

  package static func usable(of count: Int, within groups: ControlGroups) -> Int {
    guard let limit = groups.processors else { return max(1, count) }
    return max(1, min(count, Int(limit.rounded(.down))))
  }

  /// Seconds of processor time in a second, where control groups limit them.
  public static var limit: Double? { ControlGroups().processors }
}
