import Foundation
import Testing

/// `stitch anchor`.
@Suite struct AnchorCommandTests {
  /// A model becomes shallower and deeper, and all three become a family that says something.
  @Test func oneModelBecomesAFamily() throws {
    try Workspace.with { workspace in
      let large = workspace.directory.appending(path: "large")
      try workspace.makeModel("large", at: large)
      func made(_ arguments: [String], at name: String) throws -> [String: Any] {
        let output = workspace.directory.appending(path: name).path
        let outcome = try workspace.run(["anchor"] + arguments + ["--output", output, "--json"])
        #expect(outcome.status == 0, "\(outcome.complaint)")
        return try #require(try JSONSerialization.jsonObject(with: outcome.output) as? [String: Any])
      }
      let folded = try made(
        ["shrink", "--model", large.path, "--blocks", "3", "--calibration", workspace.text.path], at: "folded")
      #expect(folded["blocks"] as? Int == 3 && (folded["left_out"] as? [[Int]])?.count == 1)
      #expect((folded["residuals"] as? [Double])?.count == 1)
      let dropped = try made(["shrink", "--model", large.path, "--without", "1-2", "--method", "drop"], at: "dropped")
      #expect(dropped["blocks"] as? Int == 2 && dropped["left_out"] as? [[Int]] == [[1, 2]])
      for (method, blocks, origins) in [
        ("lesa", 5, [0, 1, 2, -1, 3]), ("copy", 6, [0, 1, 2, 1, 2, 3]), ("zero", 6, [0, 1, 1, 2, 3, 3]),
      ] {
        let grown = try made(["grow", "--model", large.path, "--blocks", "\(blocks)", "--method", method], at: method)
        #expect(grown["origins"] as? [Int] == origins, "\(method)")
      }
      for (method, origins, combined) in [("replace", [0, 1, 2, -1, 3], 1), ("share", [0, 1, 2, 3, 3], nil)] {
        let grown = try made(
          ["grow", "--model", large.path, "--blocks", "5", "--method", method, "--calibration", workspace.text.path],
          at: method)
        #expect(grown["origins"] as? [Int] == origins, "\(method)")
        #expect((grown["factors"] as? [[Double]])?.count == combined, "\(method)")
        #expect((grown["divergences"] as? [Double])?.count == 2, "\(method)")
      }
      func says(_ name: String) throws -> String {
        let outcome = try workspace.run([
          "ask", "hello", "--model", workspace.directory.appending(path: name).path, "--max-tokens", "5",
          "--temperature", "0",
        ])
        #expect(outcome.status == 0, "\(outcome.complaint)")
        return outcome.text
      }
      #expect(try says("zero") == says("large"))
      for name in ["lesa", "share"] { _ = try says(name) }
      _ = try says("folded")
      let built = try workspace.run([
        "family", "build", "--anchor", workspace.directory.appending(path: "folded").path, "--anchor", large.path,
        "--anchor", workspace.directory.appending(path: "lesa").path, "--calibration", workspace.text.path, "--output",
        workspace.output.path,
      ])
      #expect(built.status == 0, "\(built.complaint)")
      #expect(try workspace.run(["ask", "hello", "--family", workspace.output.path, "--max-tokens", "3"]).status == 0)
    }
  }

  /// A route within an anchor made permanent.
  @Test func aSelfRouteBecomesAModel() throws {
    try Workspace.with { workspace in
      let large = workspace.directory.appending(path: "large")
      try workspace.makeModel("large", at: large)
      let family = workspace.directory.appending(path: "sizes")
      let text = (0..<60).map { "the cat number \($0) sat on the mat and said hello" }.joined(separator: "\n\n")
      try Data(text.utf8).write(to: workspace.text)
      let built = try workspace.run([
        "family", "build", "--anchor", large.path, "--calibration", workspace.text.path, "--stops", "2", "--output",
        family.path,
      ])
      #expect(built.status == 0, "\(built.complaint)")
      let shown = try workspace.run(["family", "show", family.path, "--json"])
      let document = try JSONSerialization.jsonObject(with: shown.output) as? [String: Any]
      let ids = try #require(document?["stitches"] as? [[String: Any]]).compactMap { $0["id"] as? String }
      let route = try #require(ids.first { $0.contains("@") })
      let outcome = try workspace.run([
        "anchor", "shrink", "--family", family.path, "--stitch", route, "--calibration", workspace.text.path,
        "--output", workspace.output.path,
      ])
      #expect(outcome.status == 0 && outcome.text.contains("left out: "), "\(outcome.complaint)")
      #expect(try workspace.run(["ask", "hello", "--model", workspace.output.path, "--max-tokens", "3"]).status == 0)
      try workspace.expectRefusal(
        [
          "anchor", "shrink", "--family", family.path, "--stitch", "large", "--output",
          workspace.directory.appending(path: "no").path,
        ], ["large", route])
    }
  }

  @Test func refusals() throws {
    try Workspace.with { workspace in
      let model = ["--model", workspace.model.path, "--output", workspace.output.path]
      for (arguments, parts) in [
        (["grow", "--blocks", "2"] + model, ["2 blocks"]), (["grow", "--blocks", "9"] + model, ["2 blocks"]),
        (["grow", "--blocks", "3", "--method", "copy", "--type", "q8_0"] + model, ["--type"]),
        (["shrink"] + model, ["--without"]), (["shrink", "--blocks", "1"] + model, ["2 blocks"]),
        (["shrink", "--without", "0"] + model, ["2 blocks"]), (["shrink", "--without", "a-b"] + model, ["a-b"]),
        (["shrink", "--without", "1", "--blocks", "2"] + model, ["--blocks"]),
        (["grow", "--blocks", "3", "--calibration", workspace.text.path] + model, ["--calibration", "zero"]),
        (["grow", "--blocks", "4", "--method", "replace"] + model, ["2 blocks"]),
        (["grow", "--blocks", "3", "--model", "/no/such", "--output", workspace.output.path], ["/no/such"]),
      ] {
        try workspace.expectRefusal(["anchor"] + arguments, parts)
      }
    }
  }
}
