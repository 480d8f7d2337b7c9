import Foundation
import Testing

@Suite struct DoctorTests {
  @Test func whatIsMissingIsSaid() throws {
    try Workspace.with { workspace in
      let good = try workspace.run(["doctor", "--family", workspace.family.path])
      #expect(good.status == 0, "\(good.text)")
      for part in ["ok    family: \(workspace.family.path): ", "training: OpenBLAS", "terminal: ", "memory: "] {
        #expect(good.text.contains(part), "\(part) is missing in\n\(good.text)")
      }
      let bad = try workspace.run(["doctor", "--family", "/no/such", "--json"])
      #expect(bad.status == 1 && bad.text.contains("/no/such is not a family"))
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
