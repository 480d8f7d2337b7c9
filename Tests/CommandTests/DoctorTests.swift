import Foundation
import Testing

@Suite struct DoctorTests {
  @Test func whatIsMissingIsSaid() throws {
    try Workspace.with { workspace in
      let good = try workspace.run(["doctor", "--family", workspace.family.path])
      #expect(good.status == 0, "\(good.text)")
      for part in [
        "ok    family: \(workspace.family.path): ", "training: OpenBLAS", "terminal: ", "memory: ", "processes: ",
      ] {
        #expect(good.text.contains(part), "\(part) is missing in\n\(good.text)")
      }
      let bad = try workspace.run(["doctor", "--family", "/no/such", "--json"])
      #expect(bad.status == 1 && bad.text.contains("/no/such is not a family"))
    }
  }

  @Test func whatKilledRunsLeftIsRemoved() throws {
    try Workspace.with { workspace in
      let left = workspace.directory.appending(path: ".family.2147483647.1.tmp")
      try FileManager.default.createDirectory(at: left, withIntermediateDirectories: true)
      let kept = workspace.directory.appending(path: ".family.notes.tmp")
      try Data().write(to: kept)
      let place = workspace.directory.path
      #expect(try workspace.run(["doctor", "--clean"]).status == 0)
      #expect(FileManager.default.fileExists(atPath: left.path))
      let cleaned = try workspace.run(["doctor", "--clean", place])
      #expect(cleaned.status == 0 && cleaned.text.contains("removed \(left.path)\n"), "\(cleaned)")
      #expect(!FileManager.default.fileExists(atPath: left.path) && FileManager.default.fileExists(atPath: kept.path))
      let nothing = try workspace.run(["doctor", "--clean", place])
      #expect(nothing.text == "nothing is left of killed runs\n")
      let absent = try workspace.run(["doctor", "--clean", "/no/such"])
      #expect(absent.status == 2 && absent.complaint.contains("/no/such"), "\(absent)")
    }
  }

  @Test func instructionsCanBeChosen() throws {
    try Workspace.with { workspace in
      func doctor(_ instructions: String) throws -> StitchProcess.Outcome {
        try StitchProcess.run(
          ["doctor"], environment: workspace.environment.merging(["STITCH_INSTRUCTIONS": instructions]) { $1 })
      }
      #expect(try doctor("baseline").text.contains("inference: baseline kernels"))
      let wrong = try doctor("altivec")
      #expect(
        wrong.status == 2
          && wrong.complaint.contains("STITCH_INSTRUCTIONS: no instruction set “altivec” here; there are baseline"))
      #expect(wrong.complaint.split(separator: "\n").count == 1)
    }
  }
}
