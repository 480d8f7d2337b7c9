import Foundation

/// What the system, and this process's control groups, have of memory.
public enum SystemMemory {
  /// Bytes that could be used without swapping; `nil` where the system does not say.
  public static var available: Int? {
    [free, ControlGroups().memoryLeft].compactMap { $0 }.min()
  }

  /// Bytes of memory in all.
  public static var physical: Int {
    let all = Int(ProcessInfo.processInfo.physicalMemory)
    return min(all, ControlGroups().memory ?? all)
  }

  private static var free: Int? {
    let text: String
    do { text = try String(contentsOfFile: "/proc/meminfo", encoding: .utf8) } catch { return nil }
    let lines = text.split(separator: "\n")
    guard let line = lines.first(where: { $0.hasPrefix("MemAvailable:") }) else { return nil }
    return line.split(separator: " ").dropFirst().first.flatMap { Int($0) }.map { $0 << 10 }
  }
}
