import Foundation

/// What the system has of memory.
public enum SystemMemory {
  /// Bytes that could be used without swapping; `nil` where the system does not say.
  public static var available: Int? {
    let text: String
    do { text = try String(contentsOfFile: "/proc/meminfo", encoding: .utf8) } catch { return nil }
    let lines = text.split(separator: "\n")
    guard let line = lines.first(where: { $0.hasPrefix("MemAvailable:") }) else { return nil }
    return line.split(separator: " ").dropFirst().first.flatMap { Int($0) }.map { $0 << 10 }
  }

  /// Bytes of memory in all.
  public static var physical: Int { Int(ProcessInfo.processInfo.physicalMemory) }
}
