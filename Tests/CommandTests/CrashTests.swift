import Foundation
import Testing

/// Commands that are killed, and whose calls fail: a few of what `make crashes` does at length.
@Suite struct CrashTests {
  private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()

  static var hasCompiler: Bool {
    ["clang", "cc", "gcc"].contains { name in
      (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":").contains {
        FileManager.default.isExecutableFile(atPath: "\($0)/\(name)")
      }
    }
  }

  @Test(.enabled(if: hasCompiler, "there is no C compiler for the library that is preloaded"))
  func whatWasFinishedStays() throws {
    let process = Process()
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.arguments = [
      "python3", Self.root.appending(path: "Tests/Crashes/crashes.py").path, "--stitch",
      StitchProcess.executable.path, "--runs", "2", "--seconds", "20",
    ]
    let output = Pipe()
    (process.standardOutput, process.standardError) = (output, output)
    try process.run()
    let said = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    #expect(process.terminationStatus == 0, "\(said)")
    #expect(said.contains("chat, kill: ") && said.contains("family build, kill: "), "\(said)")
  }

  /// Every dependency is in the document, with a licence.
  @Test func theBillOfMaterialsIsWhole() throws {
    let process = Process()
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.arguments = ["python3", Self.root.appending(path: "scripts/sbom.py").path]
    let output = Pipe()
    process.standardOutput = output
    try process.run()
    let data = output.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    try #require(process.terminationStatus == 0)
    let document = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
    let packages = try #require(document["packages"] as? [[String: Any]])
    let pins = try #require(
      try JSONSerialization.jsonObject(with: Data(contentsOf: Self.root.appending(path: "Package.resolved")))
        as? [String: Any])
    for pin in try #require(pins["pins"] as? [[String: Any]]) {
      let package = packages.first { $0["name"] as? String == pin["identity"] as? String }
      #expect(package?["versionInfo"] as? String == (pin["state"] as? [String: Any])?["version"] as? String)
      #expect(package?["licenseDeclared"] as? String != "NOASSERTION")
    }
  }
}
