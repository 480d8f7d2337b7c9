import Foundation

/// Runs the built `stitch` as a user would.
enum StitchProcess {
  struct Outcome: Equatable {
    /// The exit code, or the negative number of the signal that ended it.
    var status: Int32
    var output: Data
    /// Standard error.
    var complaint: String

    var text: String { String(decoding: output, as: UTF8.self) }
  }

  /// The executable lies beside the test bundle.
  static let executable: URL = {
    let bundle = Bundle.main.executableURL ?? URL(filePath: CommandLine.arguments[0])
    return bundle.deletingLastPathComponent().appending(path: "stitch")
  }()

  /// What every process of a test begins with: no model is at hand, whatever the user has pulled, so that the default family is
  /// `weights/tiny`.
  static let environment: [String: String] = {
    let home = FileManager.default.temporaryDirectory.appending(path: "stitch-tests-home").path
    return ProcessInfo.processInfo.environment.merging(
      Dictionary(uniqueKeysWithValues: ["CACHE", "DATA", "STATE"].map { ("XDG_\($0)_HOME", "\(home)/\($0)") })
    ) { $1 }
  }()

  /// Streams are files, so that nothing waits for anything.
  /// - Parameters:
  ///   - shell: a script for bash that runs `$0` with `$@`.
  ///   - environment: added to what every process begins with.
  ///   - output: where standard output goes instead of into the outcome.
  static func run(
    shell: String? = nil, _ arguments: [String], input: Data = Data(), environment: [String: String] = [:],
    output: FileHandle? = nil
  ) throws -> Outcome {
    try withTemporaryDirectory { directory in
      let files = ["input", "output", "complaint"].map { directory.appending(path: $0) }
      try input.write(to: files[0])
      for file in files[1...] { try Data().write(to: file) }
      let process = Process()
      process.executableURL = shell == nil ? executable : URL(filePath: "/bin/bash")
      process.arguments = (shell.map { ["-c", $0, executable.path] } ?? []) + arguments
      process.environment = Self.environment.merging(environment) { $1 }
      process.standardInput = try FileHandle(forReadingFrom: files[0])
      process.standardOutput = try output ?? FileHandle(forWritingTo: files[1])
      process.standardError = try FileHandle(forWritingTo: files[2])
      try process.run()
      process.waitUntilExit()
      return Outcome(
        status: process.terminationReason == .exit ? process.terminationStatus : -process.terminationStatus,
        output: try Data(contentsOf: files[1]),
        complaint: String(decoding: try Data(contentsOf: files[2]), as: UTF8.self))
    }
  }

  static func withTemporaryDirectory<Result>(_ body: (URL) throws -> Result) throws -> Result {
    let directory = FileManager.default.temporaryDirectory.appending(path: "stitch-tests-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: directory) }
    return try body(directory)
  }
}
