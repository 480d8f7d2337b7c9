import Foundation

/// Where this program keeps a user's files, after the XDG base directory specification.
public enum UserDirectories {
  /// Conversations, adapters.
  public static var data: URL { directory("XDG_DATA_HOME", default: ".local/share") }
  /// What can be made again: checkpoints of training runs.
  public static var cache: URL { directory("XDG_CACHE_HOME", default: ".cache") }
  /// The configuration file.
  public static var config: URL { directory("XDG_CONFIG_HOME", default: ".config") }
  /// Logs.
  public static var state: URL { directory("XDG_STATE_HOME", default: ".local/state") }

  private static func directory(_ variable: String, default path: String) -> URL {
    let environment = ProcessInfo.processInfo.environment
    // The specification: a path that is not absolute is to be ignored.
    if let value = environment[variable], value.hasPrefix("/") {
      return URL(fileURLWithPath: value).appendingPathComponent("stitch")
    }
    let home = environment["HOME"].map { URL(fileURLWithPath: $0) } ?? FileManager.default.homeDirectoryForCurrentUser
    return home.appendingPathComponent(path).appendingPathComponent("stitch")
  }
}
