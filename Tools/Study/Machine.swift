import Foundation
import LLaMAStitch

/// The machine a study ran on.
public struct Machine: Sendable, Equatable, Codable {
  static let fileName = "machine.json"

  public var processor: String
  public var cores: Int
  public var memoryBytes: Int
  public var system: String
  public var kernel: String

  /// This machine, as far as it tells.
  static var this: Machine {
    func field(_ name: String, in path: String, separator: Character) -> String? {
      guard let data = FileManager.default.contents(atPath: path) else { return nil }
      let line = String(decoding: data, as: UTF8.self).split(separator: "\n").first { $0.hasPrefix(name) }
      return line?.split(separator: separator, maxSplits: 1).last.map {
        $0.trimmingCharacters(in: CharacterSet(charactersIn: " \t\""))
      }
    }
    let kernel = FileManager.default.contents(atPath: "/proc/sys/kernel/osrelease")
    return Machine(
      processor: field("model name", in: "/proc/cpuinfo", separator: ":") ?? "unknown",
      cores: ProcessInfo.processInfo.activeProcessorCount,
      memoryBytes: Int(ProcessInfo.processInfo.physicalMemory),
      system: field("PRETTY_NAME", in: "/etc/os-release", separator: "=")
        ?? ProcessInfo.processInfo.operatingSystemVersionString,
      kernel: kernel.map { String(decoding: $0, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines) }
        ?? "unknown")
  }

  /// - Returns: `nil` where nothing has run yet.
  static func read(in directory: URL) throws(StudyError) -> Machine? {
    try JSONFile.read(Machine.self, directory.appendingPathComponent(fileName))
  }

  func write(in directory: URL) throws { try JSONFile.write(self, to: directory.appendingPathComponent(Self.fileName)) }
}
