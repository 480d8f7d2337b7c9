import FamilyFixture
import Foundation
import LLaMAStitch
import Testing

/// Models in and out: GGUF, Hugging Face, PEFT, through the program.
@Suite struct InterchangeTests {
  /// A family of the workspace, adapted for two steps, so that its anchors have low-rank updates and biases.
  private func adapted(_ workspace: Workspace) throws -> URL {
    let url = workspace.directory.appending(path: "adapted")
    let run = try workspace.run([
      "adapt", "--family", workspace.family.path, "--data", workspace.lesson.path, "--steps", "4", "--learning-rate",
      "0.01",
      "--output", url.path,
    ])
    #expect(run.status == 0, "\(run.complaint)")
    return url
  }

  private func score(_ workspace: Workspace, _ arguments: [String]) throws -> [Double] {
    struct Report: Decodable { var nll: [Double] }
    let outcome = try workspace.run(["score", workspace.text.path, "--json"] + arguments)
    #expect(outcome.status == 0, "\(outcome.complaint)")
    return try JSONDecoder().decode(Report.self, from: outcome.output).nll
  }

  @Test(arguments: ["hf", "gguf"]) func anAdaptedAnchorIsTheSameElsewhere(format: String) throws {
    try Workspace.with { workspace in
      let family = try adapted(workspace)
      let expected = try score(workspace, ["--family", family.path, "--stitch", "large"])
      let plain = try score(workspace, ["--family", family.path, "--stitch", "large", "--adapter", "none"])
      #expect(zip(expected, plain).contains { abs($0 - $1) > 1e-3 })
      let written = try workspace.run([
        "export", "--family", family.path, "--stitch", "large", "--format", format, "--output", workspace.output.path,
      ])
      #expect(
        written.status == 0 && written.text.contains("large, adapter of step 4 merged, in F32"), "\(written.complaint)")
      var model = workspace.output
      if format == "gguf" {
        let file = workspace.directory.appending(path: "large.gguf")
        try FileManager.default.moveItem(at: model, to: file)
        model = workspace.directory.appending(path: "imported")
        let imported = try workspace.run(["import", file.path, "--output", model.path])
        #expect(imported.status == 0, "\(imported.complaint)")
      }
      let found = try score(workspace, ["--model", model.path])
      #expect(found.count == expected.count)
      for (a, b) in zip(found, expected) { #expect(abs(a - b) < 1e-4) }
      // The vocabulary encodes the same, spaces, digits and bytes included.
      for text in ["hello there, how are you?", "  two  spaces ", "12 + 7 = 19", "naïve 日本 🦀", "\nline"] {
        let mine = try workspace.run(["tokenize", text, "--model", model.path])
        #expect(try mine == workspace.run(["tokenize", text, "--model", workspace.model.path]))
      }
    }
  }

  @Test func aPEFTAdapterHoldsWhatTheAnchorGot() throws {
    try Workspace.with { workspace in
      let family = try adapted(workspace)
      let written = try workspace.run([
        "export", "--family", family.path, "--stitch", "small", "--format", "peft", "--output", workspace.output.path,
      ])
      #expect(written.status == 0, "\(written.complaint)")
      let file = try SafetensorsFile(workspace.output.appending(path: "adapter_model.safetensors"))
      // Two blocks, four projections, A, B and bias.
      #expect(file.tensors.count == 2 * 4 * 3)
      #expect(file.tensors["base_model.model.model.layers.1.self_attn.o_proj.lora_B.bias"] != nil)
      let configuration = try String(
        contentsOf: workspace.output.appending(path: "adapter_config.json"), encoding: .utf8)
      #expect(configuration.contains("\"peft_type\" : \"LORA\"") && configuration.contains("\"lora_bias\" : true"))
    }
  }

  @Test func aFamilyIsBuiltFromGGUFFiles() throws {
    try Workspace.with { workspace in
      var anchors: [String] = []
      for name in ["small", "large"] {
        let file = workspace.directory.appending(path: "\(name).gguf")
        let run = try workspace.run([
          "export", "--family", workspace.family.path, "--stitch", name, "--adapter", "none", "--format", "gguf",
          "--output", file.path,
        ])
        #expect(run.status == 0, "\(run.complaint)")
        anchors += ["--anchor", file.path]
      }
      let calibration = workspace.directory.appending(path: "calibration.txt")
      try Data((0..<60).map { "the cat number \($0) sat on the mat and said hello" }.joined(separator: "\n\n").utf8)
        .write(to: calibration)
      let built = try workspace.run(
        [
          "family", "build", "--calibration", calibration.path, "--template", "tiny", "--quantize", "q8_0", "--output",
          workspace.output.path,
        ]
          + anchors)
      #expect(built.status == 0, "\(built.complaint)")
      let shown = try workspace.run(["family", "show", workspace.output.path])
      #expect(shown.text.contains("small-large@2") && shown.text.hasSuffix("base weights: q8_0\n"))
      let left = try FileManager.default.contentsOfDirectory(atPath: workspace.directory.path).filter {
        $0.hasSuffix(".tmp")
      }
      #expect(left.isEmpty)
    }
  }

  @Test func whatCannotBeIsRefused() throws {
    try Workspace.with { workspace in
      let family = ["--family", workspace.family.path]
      let output = ["--output", workspace.output.path]
      try workspace.expectRefusal(
        ["export", "--stitch", "small-large@1"] + family + output, ["two models", "small, large"])
      try workspace.expectRefusal(["export", "--stitch", "smal"] + family + output, ["did you mean small"])
      try workspace.expectRefusal(["export", "--format", "onnx"] + family + output, ["hf, gguf or peft"])
      try workspace.expectRefusal(["export", "--format", "peft"] + family + output, ["no adapter"])
      try workspace.expectRefusal(
        ["export", "--output", workspace.model.path] + family, [workspace.model.path, "exists already"])
      try workspace.expectRefusal(["import", workspace.text.path] + output, [workspace.text.path, "GGUF"])
      try workspace.expectRefusal(["import", "/no/such.gguf"] + output, ["/no/such.gguf"])
      let file = workspace.directory.appending(path: "small.gguf")
      #expect(
        try workspace.run(["export", "--stitch", "small", "--format", "gguf", "--output", file.path] + family).status
          == 0)
      // Another vocabulary, another architecture: named.
      let bytes = try Data(contentsOf: file)
      for (old, new, parts) in [
        (
          "tokenizer.ggml.model\u{8}\0\0\0\u{5}\0\0\0\0\0\0\0llama",
          "tokenizer.ggml.model\u{8}\0\0\0\u{5}\0\0\0\0\0\0\0other", ["vocabulary", "“other”"]
        ),
        (
          "general.architecture\u{8}\0\0\0\u{5}\0\0\0\0\0\0\0llama",
          "general.architecture\u{8}\0\0\0\u{5}\0\0\0\0\0\0\0gemma", ["architecture", "“gemma”"]
        ),
      ] {
        let place = try #require(bytes.range(of: Data(old.utf8)))
        try bytes.replacing(place, with: Data(new.utf8)).write(to: file)
        try workspace.expectRefusal(["import", file.path] + output, parts)
      }
    }
  }
}

extension Data {
  fileprivate func replacing(_ range: Range<Index>, with other: Data) -> Data {
    var copy = self
    copy.replaceSubrange(range, with: other)
    return copy
  }
}
