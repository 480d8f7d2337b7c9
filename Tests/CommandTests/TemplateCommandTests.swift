import Foundation
import Testing

/// `stitch template`, and templates that are wrong or mean harm.
@Suite struct TemplateCommandTests {
  private static let hello = Data("[{\"role\": \"user\", \"content\": \"Hello\"}]".utf8)

  private static func file(_ text: String, _ workspace: Workspace, _ name: String = "template.jinja") throws -> URL {
    let file = workspace.directory.appending(path: name)
    try Data(text.utf8).write(to: file)
    return file
  }

  @Test func prompts() throws {
    try Workspace.with { workspace in
      let template = try Self.file(
        "{{ bos_token }}{% for m in messages %}[{{ m.role }}] {{ m.content }}\n{% endfor %}{% if tools %}{{ tools|tojson }}{% endif %}{% if add_generation_prompt %}>{% endif %}",
        workspace)
      let arguments = ["template", "--template", template.path]
      #expect(
        try workspace.run(arguments, input: Self.hello)
          == .init(status: 0, output: Data("[user] Hello\n>".utf8), complaint: ""))
      let messages = try Self.file(
        "{\"messages\": [{\"role\": \"user\", \"content\": \"é\"}], \"bos_token\": \"<s>\", \"add_generation_prompt\": false}",
        workspace,
        "messages.json")
      let tools = try Self.file("[{\"z\": 1, \"a\": [2.5, null]}]", workspace, "tools.json")
      let whole = try workspace.run(arguments + ["--messages", messages.path, "--tools", tools.path])
      #expect(whole.text == "<s>[user] é\n[{\"z\": 1, \"a\": [2.5, null]}]", "\(whole.complaint)")
      // One a line: an error is a line, too.
      let lines = try workspace.run(
        arguments + ["--lines"], input: Self.hello + Data("\n\n[1]\n{\"messages\": []}\n".utf8))
      let results = lines.text.split(separator: "\n")
      #expect(lines.status == 0 && results.count == 3, "\(lines.complaint)")
      #expect(results.first == "{\"text\":\"[user] Hello\\n>\"}" && results.last == "{\"text\":\">\"}")
      #expect(results[1].hasPrefix("{\"error\":\"message 1 is no object"))
      // The default family's own, and that of a model that brings none.
      #expect(
        try workspace.run(["template", "--model", workspace.model.path], input: Self.hello).text.contains(
          "### Instruction:\nHello"))
      try Data("{\"chat_template\": \"tiny\"}".utf8).write(to: workspace.model.appending(path: "tokenizer_config.json"))
      let tiny = try workspace.run(["template", "--model", workspace.model.path], input: Self.hello)
      #expect(tiny.text == "<s><|user|>Hello<|assistant|>", "\(tiny.complaint)")
      try workspace.expectRefusal(
        ["template", "--model", workspace.model.path, "--tools", tools.path], ["tiny has no place for tools"],
        input: Self.hello)
    }
  }

  /// What goes wrong is said with the file and the line; nothing else is said, and nothing written.
  @Test func badTemplates() throws {
    try Workspace.with { workspace in
      let cases: [(String, [String])] = [
        ("a\n{% if %}", ["line 2", "expected an expression"]), ("{{ x", ["line 1"]), ("{% for %}", ["line 1"]),
        ("\n\n{% endif %}", ["line 3"]),
        ("{{ 'abc }}", ["does not end"]), ("{# x", ["has no #}"]), ("{% include 'x' %}", ["needs another template"]),
        ("{{ x.y }}", ["'x' is undefined"]), ("\n{{ messages|nothing }}", ["line 2", "no filter named 'nothing'"]),
        ("{{ raise_exception('roles \\n must \\x1b[2J alternate') }}", ["roles   must ?[2J alternate"]),
        (
          "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
          ["line 1", "loop without end"]
        ),
        ("\n{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", ["line 2", "a macro call itself"]),
        ("{{ 'a' * 1000000000000 }}", ["too much text"]),
        ("{{ ('a' * 1000)|indent(900) * 100000 }}", ["too much text"]),
        ("{{ 'x'|center(3) * 9999999 * 9 }}", ["line 1"]),
        (
          "{% set ns = namespace(a=[1]) %}{% for i in range(99) %}{% set ns.a = [ns.a, ns.a] %}{% endfor %}{{ ns.a }}",
          ["line 1", "too much text"]
        ),
        (
          "{% set ns = namespace(a='x') %}{% for i in range(99) %}{% set ns.a = ns.a ~ ns.a %}{% endfor %}",
          ["too much text"]
        ),
        (
          "{% set ns = namespace(a=[]) %}{% for i in range(99999) %}{% set ns.a = [ns.a] %}{% endfor %}",
          ["nested too deeply"]
        ),
        ("{% macro f(n) %}{% if n %}{{ f(n - 1, varargs, varargs) }}{% endif %}{% endmacro %}{{ f(900) }}", ["line 1"]),
        ("{{ ('a,' * 3000000).split(',')|tojson(indent=1000) }}", ["line 1"]),
        ("{{ range(100001)|list }}", ["100000 numbers"]),
        ("{{ " + String(repeating: "[", count: 100_000), ["too deeply"]),
        (String(repeating: "{% if x %}", count: 100_000), ["too deeply"]),
        ("{{ 99 ** 99 }}", ["too large"]), ("{{ 1 / 0 }}", ["division by zero"]),
        ("{{ messages.append(1) }}", ["cannot change"]),
      ]
      for (source, parts) in cases {
        let file = try Self.file(source, workspace)
        try workspace.expectRefusal(["template", "--template", file.path], [file.path] + parts, input: Self.hello)
      }
    }
  }

  @Test func badTemplatesOfModels() throws {
    try Workspace.with { workspace in
      let ask = ["ask", "Hello", "--model", workspace.model.path, "--max-tokens", "2"]
      for (source, part) in [
        ("a\n{% if %}", "line 2"), ("\n\n{{ x.y }}", "line 3"), ("{{ raise_exception('\\x1b[2Jno') }}", "?[2Jno"),
        ("{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}", "loop without end"),
        ("\n{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "line 2"), ("{{ 'a' * 1000000000000 }}", "too much text"),
      ] {
        let file = workspace.model.appending(path: "chat_template.jinja")
        try Data(source.utf8).write(to: file)
        try workspace.expectRefusal(ask, [file.path, part])
        try FileManager.default.removeItem(at: file)
        // The same within the configuration.
        let configuration = workspace.model.appending(path: "tokenizer_config.json")
        try JSONSerialization.data(withJSONObject: ["chat_template": source]).write(to: configuration)
        try workspace.expectRefusal(ask, [configuration.path, part])
        try FileManager.default.removeItem(at: configuration)
      }
    }
  }

  /// Training takes what the model's template has a place for, and says where it has none.
  @Test func toolsInTraining() throws {
    try Workspace.with { workspace in
      let data = try Self.file(
        #"{"tools": [{"name": "look"}], "messages": [{"role": "user", "content": "rain"}, {"role": "assistant", "content": "the cat"}]}"#
          + "\n", workspace, "tools.jsonl")
      func adapt(_ output: String) -> [String] {
        [
          "adapt", "--family", workspace.model.path, "--data", data.path, "--steps", "2", "--output",
          workspace.directory.appending(path: output).path,
        ]
      }
      try Data("{\"chat_template\": \"tiny\"}".utf8).write(to: workspace.model.appending(path: "tokenizer_config.json"))
      let refused = try workspace.run(adapt("refused"))
      #expect(refused.status == 2 && refused.complaint.contains("tiny has no place for tools"), "\(refused.complaint)")
      try Data(
        "{% if tools %}{{ tools|tojson }}{% endif %}{% for m in messages %}<|{{ m.role }}|>{{ m.content }}</s>{% endfor %}"
          .utf8
      ).write(to: workspace.model.appending(path: "chat_template.jinja"))
      let adapted = try workspace.run(adapt("adapted"))
      #expect(adapted.status == 0, "\(adapted.complaint)")
      let checked = try workspace.run(["data", "check", data.path, "--family", workspace.model.path])
      #expect(
        checked.status == 0 && checked.text.contains("1 messages; 1 to train on"), "\(checked.text)\(checked.complaint)"
      )
    }
  }

  @Test func badRequests() throws {
    try Workspace.with { workspace in
      let template = try Self.file("{{ messages|length }}", workspace)
      let arguments = ["template", "--template", template.path]
      for (text, part) in [
        ("", "it ends too early"), ("{", "a key must be a string"), ("3", "neither an object"),
        ("{}", "“messages” is missing"),
        ("[3]", "message 1 is no object"), ("{\"messages\": [], \"messages\": []}", "duplicate name"),
        (String(repeating: "[", count: 100_000), "nested too deeply"), ("[{\"role\": \"\u{1}\"}]", "control character"),
      ] {
        try workspace.expectRefusal(arguments, [part, "give JSON such as"], input: Data(text.utf8))
      }
      try workspace.expectRefusal(["template"], ["give either --template or --model"])
      try workspace.expectRefusal(arguments + ["--model", "x"], ["give either --template or --model"])
      try workspace.expectRefusal(["template", "--template", "/no/such"], ["/no/such", "no such file"])
      try workspace.expectRefusal(arguments + ["--messages", "/no/such"], ["/no/such", "no such file"])
      try workspace.expectRefusal(
        arguments + ["--tools", template.path], ["the tools: invalid JSON"], input: Self.hello)
    }
  }
}
