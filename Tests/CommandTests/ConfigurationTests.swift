import Foundation
import Testing

/// `~/.config/stitch/config.yaml` and what overrules it.
@Suite struct ConfigurationTests {
  private func with(
    _ text: String?, _ body: (Workspace, ([String]) throws -> StitchProcess.Outcome) throws -> Void
  ) throws {
    try Workspace.with { workspace in
      let home = workspace.directory.appending(path: "config")
      let folder = home.appending(path: "stitch")
      try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
      if let text { try Data(text.utf8).write(to: folder.appending(path: "config.yaml")) }
      try body(workspace) { arguments in
        try StitchProcess.run(
          arguments, environment: workspace.environment.merging(["XDG_CONFIG_HOME": home.path]) { $1 })
      }
    }
  }

  @Test func whatIsPrintedSaysTheSameWhenItIsRead() throws {
    let texts = [
      nil, "# nothing yet\n",
      """
      family: ../../family
      adapter: none
      stitch: small
      temperature: 0.7
      top_p: 0.9
      top_k: 40
      min_p: 0.05
      repeat: 1.1
      max_tokens: 33
      seed: 12345678901234567890
      system: "Say \\"yes\\" — or\\nno\\t… \\u0007"
      ascii: yes
      mouse: off
      color: false
      theme: light
      keep_transcript: no
      training_steps: 77
      auto: 35.5
      cache: f16
      editor: nano -w
      """,
    ]
    for text in texts {
      try with(text) { workspace, run in
        let first = try run(["chat", "--print-config"])
        #expect(first.status == 0 && first.complaint.isEmpty, "\(first.complaint)")
        try first.output.write(to: workspace.directory.appending(path: "config/stitch/config.yaml"))
        #expect(try run(["chat", "--print-config"]).text == first.text)
        if text?.contains("nano") == true {
          for part in [
            "/family\"\n", "temperature: 0.7\n", "max_tokens: 33\n", "seed: 12345678901234567890\n", "theme: light\n",
            "auto: 35.5\n", "cache: f16\n", "mouse: false\n", "editor: \"nano -w\"\n",
          ] {
            #expect(first.text.contains(part), "\(part)")
          }
        }
      }
    }
  }

  @Test func theCommandLineOverrulesIt() throws {
    try with("temperature: 0.5\ntheme: light\nascii: true\nstitch: small\n") { _, run in
      let text = try run([
        "chat", "--print-config", "--temperature", "1", "--theme", "dark", "--no-ascii", "--no-color",
      ]).text
      for part in ["temperature: 1\n", "theme: dark\n", "ascii: false\n", "color: false\n", "stitch: \"small\"\n"] {
        #expect(text.contains(part), "\(part)")
      }
    }
  }

  @Test func itIsWhatTheChatRunsWith() throws {
    try with("family: ../../family\nstitch: small\nmax_tokens: 3\n") { workspace, run in
      let script = workspace.directory.appending(path: "demo.yaml")
      try Data("- user: Hello\n".utf8).write(to: script)
      let outcome = try run(["chat", "--script", script.path])
      #expect(outcome.status == 0 && outcome.text.contains("[small · "), "\(outcome.complaint)")
    }
  }

  @Test(arguments: [
    ("temprature: 1", "config.yaml:1:1: unknown setting “temprature”; did you mean “temperature”?"),
    ("seed: 1\ntemperature: hot", "config.yaml:2:14: temperature is a number from 0 to 5"),
    ("theme: pink", "config.yaml:1:8: theme is auto, light, dark, mono, not “pink”"),
    ("cache: q8", "config.yaml:1:8: cache is f32, f16, not “q8”"),
    ("mouse: perhaps", "config.yaml:1:8: mouse is true or false"),
    ("training_steps: 0", "config.yaml:1:17: training_steps is a whole number from 1"),
    ("adapter: newest", "config.yaml:1:10: “newest” is no adapter"),
    ("- a", "config.yaml:1:1: fields such as “family: …” expected, not a list"),
    ("family: [", "config.yaml:"),
    ("family: /no/such", "/no/such is not a family"),
  ])
  func mistakesAreNamedWithTheirPlace(_ text: String, _ message: String) throws {
    try with(text) { _, run in
      let outcome = try run(["chat", "--plain"])
      #expect(outcome.status == 2 && outcome.output.isEmpty)
      #expect(outcome.complaint.hasPrefix("stitch: ") && outcome.complaint.contains(message), "\(outcome.complaint)")
      #expect(outcome.complaint.filter { $0 == "\n" }.count == 1)
    }
  }
}
