import ChatEngine
import ChatScript
import Conversations
import Forms
import Foundation
import Testing

private func read(_ text: String, _ file: String = "demo.yaml") throws -> Script {
  try Script(text, file: file, folder: URL(fileURLWithPath: "/demos"))
}

@Suite struct ScriptTests {
  @Test func everythingInYAML() throws {
    let script = try read(
      """
      # A demo.
      family: ../weights/tiny
      adapter: own
      seed: 7
      stitch: large
      system: Be brief.
      set: {temperature: 0.7, top_p: off}
      steps:
        - user: What is 12 + 7?
          expect: {equals: 19, max_tokens: 8, finish: stop, stitch: large, max_seconds: 2.5}
        - stitch: 3
        - stitch: auto
        - user: |
            Two
            lines
          expect:
            contains: [a, b]
            regex: '^\\d+$'
            not: sorry
        - set: {seed: 3}
        - system:
        - train: {data: lessons/pirate.jsonl, steps: 40}
        - train: /abs/facts.jsonl
        - wait: training
        - regen
        - regen:
          expect: yes
        - compare: [small, large]
        - pause: 1.5
      """)
    #expect(script.family == "/weights/tiny" && script.adapter == "own" && script.seed == 7 && script.stitch == "large")
    #expect(script.system == "Be brief.")
    #expect(
      try script.settings == [
        SamplingSetting(name: "temperature", value: "0.7"), SamplingSetting(name: "top_p", value: "off"),
      ])
    let seed = try SamplingSetting(name: "seed", value: "3")
    #expect(
      script.steps.map(\.action) == [
        .user("What is 12 + 7?"), .stitch("3"), .stitch("auto"), .user("Two\nlines\n"), .set([seed]), .system(""),
        .train(data: "/demos/lessons/pirate.jsonl", steps: 40), .train(data: "/abs/facts.jsonl", steps: nil),
        .waitForTraining, .regenerate, .regenerate, .compare(["small", "large"]), .pause(seconds: 1.5),
      ])
    var first = Expectation()
    first.equals = "19"
    first.maxTokens = 8
    first.finish = .stop
    first.stitch = "large"
    first.maxSeconds = 2.5
    #expect(script.steps[0].expectation == first)
    var second = Expectation()
    second.contains = ["a", "b"]
    second.regex = [#"^\d+$"#]
    second.not = ["sorry"]
    #expect(script.steps[3].expectation == second)
    #expect(script.steps[10].expectation?.contains == ["yes"])
    #expect(script.steps[1].expectation == nil)
    #expect(script.steps[0].line == 9 && script.steps[0].column == 5 && script.steps[1].line == 11)
  }

  @Test func jsonLines() throws {
    let script = try read(
      """
      {"family": "/f", "seed": 1, "set": {"temperature": 0}}
      {"user": "caf\\u00e9 \\ud83d\\ude00 a/b", "expect": {"contains": ["x"]}}

      {"train": {"data": "d.jsonl", "steps": 5, "distill": true}}
      {"regen": true}
      """, "demo.jsonl")
    #expect(script.family == "/f" && script.seed == 1 && script.settings.count == 1)
    #expect(
      script.steps.map(\.action) == [
        .user("café 😀 a/b"), .train(data: "/demos/d.jsonl", steps: 5, distills: true), .regenerate,
      ])
    #expect(script.steps.map(\.line) == [2, 4, 5])
    // Without a header; the format by its first character.
    #expect(try read("{\"user\": \"hi\"}\n", "demo").steps.map(\.action) == [.user("hi")])
    #expect(try read("{\"stitch\": 2}\n{\"user\": \"hi\"}\n", "demo").steps.count == 2)
  }

  @Test func aListAloneAndAByteOrderMark() throws {
    #expect(try read("\u{FEFF}- user: a\r\n- regen\r\n").steps.map(\.action) == [.user("a"), .regenerate])
    // Texts are what stands there, whatever YAML makes of them elsewhere.
    #expect(
      try read("- user: no\n- user: 1e3\n- user: '~'").steps.map(\.action) == [.user("no"), .user("1e3"), .user("~")])
    #expect(try read("family: x\nsteps: []").steps.isEmpty)
  }

  @Test(arguments: [
    ("steps:\n  - stitch: 1\n  - user: a\n  - usr: Hello", "demo.yaml:4:5: unknown step “usr”; did you mean “user”?"),
    ("step: []", "demo.yaml:1:1: unknown field “step”; did you mean “steps”?"),
    ("family: x", "demo.yaml:1:1: “steps” must be a list"),
    ("- user: a\n  expct: b", "demo.yaml:2:3: unknown step “expct”; did you mean “expect”?"),
    ("- user: a\n  expect: {contain: b}", "demo.yaml:2:12: unknown expectation “contain”; did you mean “contains”?"),
    ("- user: a\n  stitch: b", "demo.yaml:2:3: a step does one thing"),
    ("- stitch: 1\n  expect: b", "demo.yaml:2:11: “stitch” makes no one reply; expect “screen” of it"),
    ("- set: {temprature: 1}", "demo.yaml:1:9: no setting temprature; did you mean temperature?"),
    ("- set: {temperature: hot}", "demo.yaml:1:22: temperature is a number from 0 to 5"),
    ("- set: {top_k: 1.5}", "demo.yaml:1:16: top_k is a whole number from 1 to 100000, or off"),
    ("- user:", "user needs a text, not nothing"),
    ("- user: '  '", "demo.yaml:1:9: user needs a text that is not empty"),
    ("- user: [a]", "demo.yaml:1:9: user needs a text, not a list"),
    ("- train: {steps: 3}", "demo.yaml:1:10: train needs “data”"),
    ("- train: {data: x, steps: 0}", "demo.yaml:1:27: steps is a whole number from 1 to 1000000"),
    ("- wait: reply", "demo.yaml:1:9: wait is for “training”"),
    ("- pause: -1", "demo.yaml:1:10: pause is a number of seconds"),
    ("- pause: nan", "demo.yaml:1:10: pause is a number of seconds"),
    ("- compare: [small]", "demo.yaml:1:12: compare takes a list of two"),
    ("- stitch: a b", "demo.yaml:1:11: a stitch is a name"),
    ("- user: a\n  expect: {regex: '('}", "demo.yaml:2:19: “(” is not a regular expression"),
    ("- user: a\n  expect: {finish: done}", "demo.yaml:2:20: finish is stop, length, cancelled, not “done”"),
    ("- user: a\n  user: b", "“user” is given twice"),
    ("seed: -1\nsteps: []", "demo.yaml:1:7: seed is a whole number from 0"),
    ("adapter: newest\nsteps: []", "demo.yaml:1:10: “newest” is no adapter"),
    ("- user: \"a", "demo.yaml:"),
    ("hello", "demo.yaml:1:1: a group with “steps”, or a list of steps, expected, not a text"),
    ("# nothing\n", "demo.yaml: it is empty"),
    ("- user: a\n---\n- user: b", "another document"),
    ("- &a {user: x}\n- *a", "demo.yaml:1:3: anchors and aliases"),
    ("- hello", "demo.yaml:1:3: a step such as “user: Hello” expected"),
    ("- user: a\u{7}b", "not valid YAML"),
    ("screen: 80x24\nsteps: []", "demo.yaml:1:9: fields such as “width: …” expected, not a text"),
    ("screen: {widht: 80}\nsteps: []", "demo.yaml:1:10: unknown field of screen “widht”; did you mean “width”?"),
    ("- screen: {width: 0}", "demo.yaml:1:19: width is a whole number from 1 to 500"),
    (
      "- user: a\n  expect: {screen: {contain: b}}",
      "demo.yaml:2:21: unknown expectation of the screen “contain”; did you mean “contains”?"
    ),
    ("- user: a\n  expect: {screen: {}}", "demo.yaml:2:20: screen expects nothing"),
    ("- user: a\n  expect: {screen: {regex: '['}}", "“[” is not a regular expression"),
    ("- user: a\n  expect: {screen: \"a\\nb\"}", "has more than one line"),
    (
      "- user: a\n  expect: {screen: {contains: abc, not: b}}",
      "demo.yaml:2:41: it can never hold: “contains” expects “abc”"
    ),
    (
      "- user: a\n  expect: {equals: abc, contains: x}",
      "demo.yaml:2:35: it can never hold: “equals” does not contain “x”"
    ),
    ("- user: a\n  expect: {equals: abc, not: b}", "demo.yaml:2:30: it can never hold: “equals” contains “b”"),
    ("- user: a\n  expect: {not: ''}", "demo.yaml:2:17: it can never hold: every text contains the empty one"),
    ("- command: clear", "demo.yaml:1:12: command is what is typed after a slash"),
    ("- train: a\n  expect: {stitch: b}", "“train” makes no one reply; expect “screen” of it"),
  ])
  func mistakesHaveAPlaceAndARemedy(_ text: String, _ message: String) throws {
    let error = try #require(throws: DocumentError.self) { try read(text) }
    #expect(error.description.hasPrefix("demo.yaml:") && error.description.contains(message), "\(error)")
    #expect(!error.description.contains("\n"))
  }

  @Test(arguments: [
    ("{\"user\": \"a\"}\n{\"usr\": \"a\"}", "demo.jsonl:2:2: unknown step “usr”; did you mean “user”?"),
    ("{\"user\": \"a\"", "demo.jsonl:1:13: not valid JSON: “,” or “}” expected"),
    ("{\"user\": \"a\", \"expect\": {\"not\": {}}}", "demo.jsonl:1:26: not needs a text, not a group of fields"),
    ("[1]", "demo.jsonl:1:1: a step such as “user: Hello” expected, not a list"),
    ("{\"user\": \"a\", \"user\": \"b\"}", "duplicate name “user”"),
  ])
  func mistakesInJSON(_ text: String, _ message: String) throws {
    let error = try #require(throws: DocumentError.self) { try read(text, "demo.jsonl") }
    #expect(error.description.contains(message), "\(error)")
  }

  @Test func forms() throws {
    let script = try read(
      """
      - user: a
        expect:
          schema: {type: object, properties: {z: {const: "7"}, a: {maximum: 7}}, required: [z], additionalProperties: false}
      - user: b
        expect: {schema: '{"type": "null"}', contains: "null"}
      - regen:
        expect: {grammar: 'root ::= "x"'}
      """)
    // Fields stay in their order, and what is in quotation marks is a text.
    let schema =
      ##"{"type":"object","properties":{"z":{"const":"7"},"a":{"maximum":7}},"required":["z"],"additionalProperties":false}"##
    let forms = script.steps.compactMap(\.expectation?.form)
    #expect(forms.map(\.source) == [.schema(schema), .schema(#"{"type": "null"}"#), .grammar(#"root ::= "x""#)])
    #expect(script.steps.allSatisfy { !$0.expectation!.ignoresReply })
    // What is written of it reads as the same.
    for step in script.steps {
      let again = try read("- user: x\n  expect: \(step.expectation!.text)")
      #expect(again.steps[0].expectation?.form?.source == step.expectation?.form?.source)
    }
    let line =
      ##"{"user": "a", "expect": {"schema": {"required": ["b"], "properties": {"b": {"type": "null"}, "a": {}}}}}"##
    #expect(
      try read(line, "demo.jsonl").steps[0].expectation?.form?.source
        == .schema(##"{"required":["b"],"properties":{"b":{"type":"null"},"a":{}}}"##))
  }

  @Test func formsOfFiles() throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "forms-\(UUID())")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    try Data("\u{FEFF}{\"type\": \"integer\"}\r\n".utf8).write(to: folder.appending(path: "a.json"))
    try Data("root ::= [".utf8).write(to: folder.appending(path: "b.gbnf"))
    #expect(mkfifo(folder.appending(path: "pipe").path, 0o600) == 0)
    func read(_ expectation: String) throws -> FormExpectation? {
      try Script("- user: a\n  expect: \(expectation)", file: "s.yaml", folder: folder).steps[0].expectation?.form
    }
    let form = try read("{schema: a.json}")
    #expect(form?.source == .schema("{\"type\": \"integer\"}\n") && form?.spelling == "\"a.json\"")
    for (text, message) in [
      ("{grammar: b.gbnf}", "s.yaml:2:21: \"b.gbnf\": line 1 of the grammar: "),
      ("{schema: pipe}", "s.yaml:2:20: \(folder.path)/pipe is a pipe; "),
      ("{schema: /dev/zero}", "s.yaml:2:20: /dev/zero is a device; "),
      ("{schema: .}", "s.yaml:2:20: \(folder.path) is a directory; "),
      ("{schema: gone.json}", "s.yaml:2:20: cannot open \(folder.path)/gone.json: no such file or directory; "),
    ] {
      #expect { try read(text) } throws: { "\($0)".hasPrefix(message) }
    }
  }

  @Test(arguments: [
    ("{schema: {type: objekt}}", "s.yaml:2:20: the schema, at #/type: “objekt” is no type"),
    ("{schema: [a]}", "s.yaml:2:20: schema is a JSON schema, or the path of its file, not a list"),
    ("{schema: {type: object, required: [a], properties: {a: {$ref: '#'}}}}", "no text can have this form"),
    ("{schema: '{'}", "s.yaml:2:20: the schema is no JSON"),
    ("{schema: {not: {}}}", "s.yaml:2:20: the schema, at #/not: “not” is not supported"),
    ("{schema: {type: 'null'}, grammar: 'root ::= \"x\"'}", "“schema” and “grammar” exclude one another"),
    ("{grammar: 'root ::= root \"x\" | \"y\"'}", "the rule “root” comes to itself again"),
    ("{grammar: 'a ::= \"x\"'}", "s.yaml:2:21: "),
  ]) func formsThatCannotBe(_ text: String, _ message: String) throws {
    #expect { try read("- user: a\n  expect: \(text)", "s.yaml") } throws: { "\($0)".contains(message) }
    // No more than a reply can be held to one.
    #expect(throws: DocumentError.self) { try read("- stitch: a\n  expect: {schema: {type: 'null'}}") }
  }

  @Test func theScreen() throws {
    let script = try read(
      """
      screen: {width: 100}
      steps:
        - stitch: small
          expect: {screen: [small, Size]}
        - command: /help
          expect: {contains: a, screen: {contains: b, regex: [c, d], not: e}}
        - screen: {width: 40, height: 12}
          expect: {screen: f}
      """)
    #expect(script.screen == ScreenSize(width: 100, height: 24))
    #expect(
      script.steps.map(\.action) == [.stitch("small"), .command("/help"), .screen(ScreenSize(width: 40, height: 12))])
    #expect(script.steps.map { $0.expectation?.screen?.contains } == [["small", "Size"], ["b"], ["f"]])
    let screen = try #require(script.steps[1].expectation?.screen)
    #expect(screen.failures(lines: ["a b", "xcx", "d"]).isEmpty)
    #expect(
      screen.failures(lines: ["c", "e"]) == [
        "expected “b” in a line of the screen", "expected a match of /d/ in a line of the screen",
        "“e” must not be on the screen",
      ])
    #expect(
      try read(
        "{\"screen\": {\"height\": 9}, \"seed\": 1}\n{\"regen\": true, \"expect\": {\"screen\": \"x\"}}", "d.jsonl"
      ).screen?.height == 9)
  }

  /// What is written can be read, whatever the texts are.
  @Test func writtenAndRead() throws {
    let odd = "a \u{0}\u{1B}[31m \u{7F}\u{85}\u{9F}\u{2028}\u{FEFF}\u{FFFE} \"q\" \\ \t\n - x: # y\r\n👩‍👩‍👧"
    var screen = ScreenExpectation()
    (screen.contains, screen.regex, screen.not) = (["c"], [#"\d+ "x""#], ["n: m"])
    var expectation = Expectation()
    (expectation.equals, expectation.finish, expectation.stitch, expectation.screen) = (
      odd, .length, "small-large@3", screen
    )
    var script = Script(file: "demo.yaml")
    (script.family, script.adapter, script.seed, script.stitch, script.system) = ("/a: b#c", "none", .max, "large", odd)
    script.screen = ScreenSize(width: 30, height: 9)
    script.settings = [
      try SamplingSetting(name: "top_p", value: "off"), try SamplingSetting(name: "overflow", value: "ask"),
    ]
    let actions: [Script.Action] = [
      .user(odd), .regenerate, .stitch("1"), .set(script.settings), .system(""), .train(data: "/x y.jsonl", steps: 3),
      .train(data: "/z", steps: nil),
      .waitForTraining, .compare(["small", "small-large@3"]), .command("/edit 2"),
      .screen(ScreenSize(width: 1, height: 2)), .pause(seconds: 1.5),
    ]
    let text =
      script.headerText + actions.map { "  - \($0.text)\n" }.joined()
      + "  - \(Script.Action.regenerate.text)\n    expect: \(expectation.text)\n"
    let again = try read(text)
    #expect(again.steps.map(\.action) == actions + [.regenerate])
    #expect(again.steps.last?.expectation == expectation)
    script.steps = again.steps
    #expect(again == script)
  }

  /// White space at the ends of a reply is not looked at, so it must not be expected either.
  @Test func whiteSpaceAtTheEnds() throws {
    let expectation = try #require(try read("- user: a\n  expect:\n    equals: |\n      b c\n").steps[0].expectation)
    let stamp = ReplyStamp(
      stitch: "large", adapterStep: nil, tokens: 3, tokensPerSecond: 9, finish: .stop, contextTokens: 9)
    #expect(expectation.failures(text: "b c", stamp: stamp, seconds: 1).isEmpty)
    #expect(expectation.failures(text: "b  c", stamp: stamp, seconds: 1) == ["expected “b c\n”"])
  }

  /// What could make a reader run for ever, or down its stack.
  @Test func hostileFiles() throws {
    // Nine levels of nine aliases are a billion values; as the name of a field they would all be hashed.
    var bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n"
    for level in 1..<10 {
      bomb += "a\(level): &a\(level) [\(Array(repeating: "*a\(level - 1)", count: 9).joined(separator: ", "))]\n"
    }
    bomb += "? *a9\n: x\n"
    let texts = [
      bomb, String(repeating: "[", count: 100_000), String(repeating: "{a: ", count: 100_000),
      String(repeating: "- ", count: 100_000),
      "- user: \(String(repeating: "[", count: 200))\(String(repeating: "]", count: 200))",
      "{\"user\": \(String(repeating: "[", count: 100_000))", "\0\0\0", "%YAML 9.9\n---\n- user: a",
      "- user: !!binary =",
      "*a: 1", "? [a]\n: b", "? {a: b}\n: c", String(repeating: "? ", count: 50_000), "- set: *x", "\t- user: a", "&a",
      "!<> x",
    ]
    for text in texts {
      for file in ["demo.yaml", "demo.jsonl", "demo"] {
        do { _ = try read(text, file) } catch let error as DocumentError {
          #expect(error.description.hasPrefix("demo"))
        }
      }
    }
    #expect(throws: DocumentError.self) { try read(bomb) }
    // An honest text with stars and ampersands is no bomb.
    let text = (0..<40).map { "    **\($0)** & *so* on, x = &y" }.joined(separator: "\n")
    #expect(try read("- user: |\n\(text)").steps.count == 1)
  }

  @Test func theExamplesAreScripts() throws {
    let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().appendingPathComponent("examples")
    let files = try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil).filter {
      $0.pathExtension == "yaml"
    }
    #expect(!files.isEmpty)
    for file in files {
      let script = try Script(contentsOf: file)
      #expect(!script.steps.isEmpty)
      for case .train(let data, _, _) in script.steps.map(\.action) {
        #expect(FileManager.default.fileExists(atPath: data), "\(data)")
      }
      if let family = script.family { #expect(FileManager.default.fileExists(atPath: family), "\(family)") }
    }
  }

  @Test func files() throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("script-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let file = folder.appendingPathComponent("demo.yaml")
    try Data([0x2D, 0x20, 0xFF, 0xFE]).write(to: file)
    let error = try #require(throws: DocumentError.self) { try Script(contentsOf: file, name: "demo.yaml") }
    #expect(error.description.contains("demo.yaml: it is not UTF-8 text"))
    try Data("- train: data.jsonl".utf8).write(to: file)
    #expect(try Script(contentsOf: file).steps.map(\.action) == [.train(data: folder.path + "/data.jsonl", steps: nil)])
    #expect(throws: (any Error).self) { try Script(contentsOf: folder) }
    #expect(throws: (any Error).self) { try Script(contentsOf: folder.appendingPathComponent("none")) }
  }
}

@Suite struct SavedConversationScriptTests {
  @Test func asksTheSameInTheSameWay() throws {
    let root = FileManager.default.temporaryDirectory.appendingPathComponent("script-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: root) }
    let store = ConversationStore(root: root)
    let recorder = ConversationRecorder(store: store, program: "test", report: { _ in })
    func options(_ seed: UInt64, _ temperature: Double) -> ReplyOptions {
      var options = ReplyOptions()
      options.seed = seed
      options.temperature = temperature
      return options
    }
    func exchange(
      _ question: String, _ answer: String, _ stitch: String, _ options: ReplyOptions,
      _ end: ConversationRecord.ReplyEnd
    ) -> [ConversationRecord] {
      [.user(question), .reply(.init(stitch: stitch, adapter: nil, options: options)), .text(answer), .end(end)]
    }
    func done(_ stitch: String) -> ConversationRecord.ReplyEnd {
      .finished(
        ReplyStamp(stitch: stitch, adapterStep: nil, tokens: 3, tokensPerSecond: 9, finish: .stop, contextTokens: 9))
    }
    recorder.record(
      [.begin(family: FamilyReference(name: "tiny", identity: "x", directory: "/families/tiny"), parent: nil)]
        + exchange("one", "1", "large", options(5, 0.5), done("large"))
        + exchange("two", "2", "large", options(6, 0.5), done("large"))
        + exchange("three", "3", "small", options(9, 0), .stopped))
    let script = try Script(contentsOf: store.file(try #require(store.ids().first)))
    var one = Expectation()
    (one.equals, one.finish, one.stitch) = ("1", .stop, "large")
    func set(_ settings: KeyValuePairs<String, String>) throws -> Script.Action {
      .set(try settings.map { try SamplingSetting(name: $0.key, value: $0.value) })
    }
    #expect(script.family == "/families/tiny" && script.stitch == "large")
    var sampling = ReplyOptions()
    for setting in script.settings { setting.apply(to: &sampling) }
    #expect(sampling == options(5, 0.5))
    #expect(
      try script.steps.map(\.action) == [
        .user("one"), .user("two"), .stitch("small"), set(["temperature": "0", "seed": "9"]), .user("three"),
      ])
    #expect(script.steps.map(\.expectation?.equals) == ["1", "2", nil, nil, nil] && script.steps[0].expectation == one)
  }
}

@Suite struct SamplingSettingTests {
  @Test func appliedAndShown() throws {
    var options = ReplyOptions()
    for (name, value) in [
      ("temperature", "0.7"), ("top_p", "0.9"), ("topk", "40"), ("min_p", "0.05"), ("repeat", "1.1"),
      ("max_tokens", "30"), ("seed", "18446744073709551615"),
    ] {
      try SamplingSetting(name: name, value: value).apply(to: &options)
    }
    let names: [SamplingSetting.Name] = [.temperature, .topP, .topK, .minP, .repetitionPenalty, .maxTokens, .seed]
    #expect(
      names.map { SamplingSetting.text(of: $0, in: options) } == [
        "0.7", "0.9", "40", "0.05", "1.1", "30", "18446744073709551615",
      ])
    for name in SamplingSetting.Name.allCases {
      var copy = ReplyOptions()
      try SamplingSetting(name: name.rawValue, value: SamplingSetting.text(of: name, in: options)).apply(to: &copy)
      #expect(SamplingSetting.text(of: name, in: copy) == SamplingSetting.text(of: name, in: options))
    }
    for name in ["top_p", "top_k", "min_p"] { try SamplingSetting(name: name, value: "off").apply(to: &options) }
    #expect(options.topP == nil && options.topK == nil && options.minP == nil)
  }

  @Test(arguments: [
    ("temperature", "nan"), ("temperature", "6"), ("temperature", "off"), ("max_tokens", "0"), ("seed", "-1"),
    ("top_k", "2.5"), ("temprature", "1"),
  ])
  func refused(_ name: String, _ value: String) {
    #expect(throws: SamplingSetting.Refusal.self) { try SamplingSetting(name: name, value: value) }
  }
}
