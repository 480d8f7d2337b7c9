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
}
