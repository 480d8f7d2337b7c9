import Foundation
import LLaMAStitch
import Testing

@Suite struct ConfigurationFileTests {
  static let base: [String: String] = [
    "model_type": "\"llama\"", "vocab_size": "64", "hidden_size": "24", "intermediate_size": "40",
    "num_hidden_layers": "2", "num_attention_heads": "4",
  ]

  private func json(_ changes: [String: String]) -> Data {
    let members = Self.base.merging(changes) { $1 }.filter { !$0.value.isEmpty }
    return Data("{\(members.map { "\"\($0)\":\($1)" }.joined(separator: ","))}".utf8)
  }

  private func read(_ changes: [String: String] = [:]) throws -> LlamaConfiguration {
    try LlamaConfiguration(json: json(changes), file: "here/config.json")
  }

  @Test func whatMayBeAbsentHasTransformersDefaults() throws {
    let c = try read()
    #expect(c.keyValueHeadCount == 4 && c.headDimension == 6 && c.contextLength == 2048)
    #expect(c.normEpsilon == 1e-6 && c.ropeTheta == 10_000 && c.ropeScaling == .none)
    #expect(!c.tiedEmbeddings && c.attentionBias == .none && !c.mlpBias && c.bosToken == 1 && c.eosTokens == [2])
    #expect(try read(["num_key_value_heads": "null", "head_dim": "null", "rope_scaling": "null"]) == c)
  }

  @Test func bothSpellingsOfRotarySettings() throws {
    let scaling = "{\"rope_type\":\"linear\",\"factor\":2}"
    #expect(
      try read(["rope_theta": "500", "rope_scaling": scaling])
        == read(["rope_parameters": "{\"rope_type\":\"linear\",\"factor\":2.0,\"rope_theta\":500.0}"]))
    #expect(try read(["rope_scaling": "{\"type\":\"linear\",\"factor\":2}"]).ropeScaling == .linear(factor: 2))
    #expect(try read(["rope_parameters": "{\"rope_theta\":7}"]).ropeTheta == 7)
  }

  @Test func tokensThatEndAText() throws {
    #expect(try read(["eos_token_id": "[3, 5]"]).eosTokens == [3, 5])
    #expect(try read(["eos_token_id": "null", "bos_token_id": "null"]).eosTokens == [])
    #expect(try read(["bos_token_id": "null"]).bosToken == nil)
  }

  @Test func aSlidingWindowLimitsTheContext() throws {
    func context(_ changes: [String: String]) throws -> Int {
      try read(changes.merging(["num_key_value_heads": "2"]) { $1 }).contextLength
    }
    let (mistral, qwen2) = (["model_type": "\"mistral\""], ["model_type": "\"qwen2\""])
    #expect(try context(mistral) == 4096)
    #expect(try context(mistral.merging(["sliding_window": "null"]) { $1 }) == 131_072)
    #expect(try context(mistral.merging(["sliding_window": "512", "max_position_embeddings": "300"]) { $1 }) == 300)
    #expect(try context(qwen2.merging(["sliding_window": "512"]) { $1 }) == 32768)
    #expect(try context(qwen2.merging(["sliding_window": "512", "use_sliding_window": "true"]) { $1 }) == 512)
    // Two tables of frequencies: texts are no longer than the first is for.
    let tables =
      "{\"type\":\"longrope\",\"short_factor\":[1,1,1],\"long_factor\":[1,2,3],\"original_max_position_embeddings\":64}"
    #expect(try context(["rope_scaling": tables]) == 64)
  }

  @Test func modelsDifferInWhatIsNotSaid() throws {
    let qwen2 = try read(["model_type": "\"qwen2\"", "num_key_value_heads": "2"])
    #expect(qwen2.attentionBias == .queryKeyValue && qwen2.bosToken == nil && qwen2.eosTokens == [])
    let smollm3 = try read(["model_type": "\"smollm3\"", "num_hidden_layers": "9"])
    #expect(smollm3.unrotatedBlocks == [3, 7] && smollm3.tiedEmbeddings && smollm3.ropeTheta == 2_000_000)
    #expect(smollm3.eosTokens == [] && smollm3.keyValueHeadCount == 4)
    #expect(try read(["model_type": "\"smollm3\"", "no_rope_layers": "[0, 1, 1]"]).unrotatedBlocks == [0])
  }

  @Test func whatIsWrittenIsRead() throws {
    var yarn = LlamaConfiguration.YaRN(factor: 4, originalContextLength: 32, magnitude: 1.25)
    (yarn.betaFast, yarn.truncates) = (20, false)
    for scaling: LlamaConfiguration.RopeScaling in [
      .yarn(yarn), .table(factors: [1, 2, 3, 4.5, 1e3], magnitude: 1.5),
      .none, .linear(factor: 2.5),
      .llama3(factor: 8, lowFrequencyFactor: 1, highFrequencyFactor: 4, originalContextLength: 16),
    ] {
      let c = LlamaConfiguration(
        vocabularySize: 64, hiddenSize: 24, intermediateSize: 40, blockCount: 2, headCount: 4,
        keyValueHeadCount: 2, headDimension: 10, contextLength: 99, normEpsilon: 1e-6, ropeTheta: 500_000,
        ropeScaling: scaling, tiedEmbeddings: true, attentionBias: .all, mlpBias: true, bosToken: nil,
        eosTokens: [4, 5])
      #expect(try LlamaConfiguration(json: c.json(elementType: .bf16), file: "x") == c)
      var other = c
      other.unrotatedBlocks = [1]
      #expect(try LlamaConfiguration(json: other.json(elementType: .bf16), file: "x") == other)
      other = c
      (other.attentionBias, other.mlpBias) = (.queryKeyValue, false)
      #expect(try LlamaConfiguration(json: other.json(elementType: .bf16), file: "x") == other)
    }
  }

  static let bad: [([String: String], String)] = [
    (["model_type": "\"qwen3\""], "model_type “qwen3”"), (["model_type": ""], "model_type is missing"),
    (["model_type": "5"], "model_type a number"), (["hidden_act": "\"gelu\""], "hidden_act “gelu”"),
    (["quantization_config": "{}"], "quantised"),
    (["hidden_size": ""], "hidden_size is missing"), (["hidden_size": "0"], "hidden_size is 0"),
    (["hidden_size": "-24"], "hidden_size is -24"), (["hidden_size": "24.5"], "hidden_size is 24.5"),
    (["hidden_size": "\"24\""], "hidden_size is a string"), (["hidden_size": "1e300"], "hidden_size is 1e+300"),
    (["hidden_size": "25"], "not a multiple of num_attention_heads"),
    (["num_attention_heads": "8"], "head_dim 3 is odd"), (["head_dim": "5"], "head_dim 5 is odd"),
    (["num_key_value_heads": "3"], "not a multiple of num_key_value_heads 3"),
    (["num_hidden_layers": "100000000"], "num_hidden_layers"), (["vocab_size": "9223372036854775807"], "vocab_size"),
    (["max_position_embeddings": "0"], "max_position_embeddings is 0"),
    (["rms_norm_eps": "0"], "rms_norm_eps"), (["rms_norm_eps": "-1"], "rms_norm_eps"),
    (["rms_norm_eps": "1e-99"], "rms_norm_eps"), (["rope_theta": "\"x\""], "rope_theta is a string"),
    (["rope_theta": "-1"], "rope_theta"), (["tie_word_embeddings": "1"], "tie_word_embeddings is a number"),
    (["attention_bias": "\"yes\""], "attention_bias is a string"),
    (["rope_scaling": "[]"], "rope_scaling is a list"),
    (["rope_scaling": "{\"rope_type\":\"proportional\",\"factor\":2}"], "rope type “proportional”"),
    (["rope_scaling": "{\"type\":\"dynamic\"}"], "factor is missing"),
    (["rope_scaling": "{\"type\":\"yarn\",\"factor\":-1}"], "factor is -1"),
    (["rope_scaling": "{\"type\":\"yarn\",\"factor\":2,\"beta_fast\":1,\"beta_slow\":4}"], "beta_fast 1.0 is below"),
    (["rope_scaling": "{\"type\":\"yarn\",\"factor\":2}", "rope_theta": "1"], "rope_theta 1.0"),
    (["rope_scaling": "{\"type\":\"longrope\",\"short_factor\":[1,1,1]}"], "long_factor is not a list of 3"),
    (
      ["rope_scaling": "{\"type\":\"longrope\",\"short_factor\":[1,0,1],\"long_factor\":[1,1,1]}"],
      "short_factor is not a list of 3 positive"
    ),
    (
      ["model_type": "\"mistral\"", "num_key_value_heads": "2", "attention_bias": "true"], "mistral with attention_bias"
    ),
    (["model_type": "\"qwen2\"", "num_key_value_heads": "2", "mlp_bias": "true"], "qwen2 with mlp_bias"),
    (["model_type": "\"smollm3\"", "no_rope_layers": "[1]"], "no_rope_layers is not a list of 2"),
    (["model_type": "\"smollm3\"", "no_rope_layers": "[1, 2]"], "no_rope_layers is not a list of 2"),
    (["model_type": "\"mistral\"", "num_key_value_heads": "2", "sliding_window": "0"], "sliding_window is 0"),
    (["rope_scaling": "{\"type\":\"linear\"}"], "factor is missing"),
    (["rope_parameters": "{\"rope_type\":\"linear\",\"factor\":0}"], "factor is 0"),
    (
      [
        "rope_parameters":
          "{\"rope_type\":\"llama3\",\"factor\":8,\"low_freq_factor\":4,\"high_freq_factor\":1,\"original_max_position_embeddings\":9}"
      ],
      "high_freq_factor"
    ),
    (["eos_token_id": "64"], "eos_token_id is 64"), (["bos_token_id": "-5"], "bos_token_id is -5"),
    (["eos_token_id": "[\"x\"]"], "eos_token_id is a string"),
  ]

  @Test(arguments: bad) func whatCannotBe(_ changes: [String: String], _ cause: String) {
    expectOneLine([cause, "here/config.json", "; "]) { _ = try read(changes) }
  }

  @Test func whatIsNotAConfiguration() {
    for text in ["", "[]", "{\"a\":1", "{\"hidden_size\":1,\"hidden_size\":2}"] {
      expectOneLine(["x/config.json", "; "]) {
        _ = try LlamaConfiguration(json: Data(text.utf8), file: "x/config.json")
      }
    }
  }
}

@Suite struct ModelDirectoryTests {
  /// A copy of a fixture to damage.
  private func withCopy(_ name: String, _ body: (URL) throws -> Void) throws {
    try withScratchDirectory { directory in
      let copy = directory.appending(path: name)
      try FileManager.default.copyItem(at: Fixtures.model(name), to: copy)
      try body(copy)
    }
  }

  private func replace(_ old: String, by new: String, in file: URL) throws {
    let text = try String(contentsOf: file, encoding: .utf8)
    #expect(text.contains(old))
    try Data(text.replacingOccurrences(of: old, with: new).utf8).write(to: file)
  }

  @Test func damagedDirectories() throws {
    try withCopy("tied") { directory in
      let config = directory.appending(path: "config.json")
      let weights = directory.appending(path: "model.safetensors")
      try replace("\"tie_word_embeddings\": true", by: "\"tie_word_embeddings\": false", in: config)
      expectOneLine(["no tensor “lm_head.weight”", directory.path, "belong together"]) {
        _ = try ModelDirectory(directory)
      }
      try replace("\"tie_word_embeddings\": false", by: "\"tie_word_embeddings\": true", in: config)
      try replace("\"vocab_size\": 64", by: "\"vocab_size\": 65", in: config)
      expectOneLine(["“model.embed_tokens.weight”", "[64, 24]", "[65, 24]", weights.path, "belong together"]) {
        _ = try ModelDirectory(directory)
      }
      try FileManager.default.removeItem(at: weights)
      expectOneLine(["neither model.safetensors nor", directory.path]) { _ = try ModelDirectory(directory) }
      try FileManager.default.removeItem(at: config)
      expectOneLine([config.path, "check the path"]) { _ = try ModelDirectory(directory) }
    }
  }

  @Test func damagedShards() throws {
    try withCopy("sharded") { directory in
      let index = directory.appending(path: "model.safetensors.index.json")
      let good = try String(contentsOf: index, encoding: .utf8)
      func expect(_ old: String, _ new: String, _ parts: String...) throws {
        try replace(old, by: new, in: index)
        expectOneLine(parts + [index.path, "again"]) { _ = try ModelDirectory(directory) }
        try Data(good.utf8).write(to: index)
      }
      try expect("model-00002-of-00003", "model-00009-of-00003", "shard “model-00009-of-00003.safetensors” is missing")
      try expect("\"model-00002-of-00003", "\"../sharded/model-00002-of-00003", "not the name of a file")
      try expect("\"model-00002-of-00003", "\"/etc/model-00002-of-00003", "not the name of a file")
      try expect("model.norm.weight", "model.norm.height", "no tensor “model.norm.height”")
      try expect("weight_map", "weight_nap", "no object “weight_map”")
      try expect("{", "[", "invalid JSON")
      // The index is right about what it names, but names too little.
      let line = good.split(separator: "\n").first { $0.contains("model.layers.1.mlp.up_proj.weight") }!
      try replace(line + "\n", by: "", in: index)
      expectOneLine(["no tensor “model.layers.1.mlp.up_proj.weight”", directory.path]) {
        _ = try ModelDirectory(directory)
      }
      try Data(good.utf8).write(to: index)
      let shard = directory.appending(path: "model-00001-of-00003.safetensors")
      try (try Data(contentsOf: shard)).dropLast(5).write(to: shard)
      expectOneLine([shard.path, "cut short"]) { _ = try ModelDirectory(directory) }
    }
  }

  @Test func aTypeThatCannotBeComputedWith() throws {
    try withCopy("tied") { directory in
      let weights = directory.appending(path: "model.safetensors")
      let file = try SafetensorsFile(weights)
      var writer = SafetensorsWriter()
      for tensor in file.tensors.values {
        let isNorm = tensor.name == "model.norm.weight"
        writer.add(tensor.name, shape: tensor.shape, type: isNorm ? .i32 : tensor.type, bytes: tensor.bytes)
      }
      try writer.write(to: weights)
      expectOneLine(["“model.norm.weight” is I32", weights.path, "convert"]) { _ = try ModelDirectory(directory) }
    }
  }

  @Test(arguments: [ElementType.f32, .bf16, .f16])
  func aWrittenDirectoryOpens(_ type: ElementType) throws {
    try withScratchDirectory { directory in
      let source = try ModelDirectory(Fixtures.model("mlp-bias"))
      var weights: [String: VectorView] = [:]
      for (name, tensor) in source.tensors { weights[name] = FloatBuffer(tensor.floats()).vector }
      let output = directory.appending(path: "model")
      try ModelDirectory.write(
        to: output, configuration: source.configuration, elementType: type,
        files: ["tokenizer.model": Data("pieces".utf8)]
      ) { weights[$0.huggingFaceName] }
      let written = try ModelDirectory(output)
      #expect(written.configuration == source.configuration)
      for (name, tensor) in source.tensors {
        let found = try #require(written.tensors[name])
        #expect(found.type == type && found.shape == tensor.shape)
        if type == .f32 { #expect(found.floats() == tensor.floats()) }
      }
      #expect(try Data(contentsOf: output.appending(path: "tokenizer.model")) == Data("pieces".utf8))
      expectOneLine([output.path, "exists already", "another directory"]) {
        try ModelDirectory.write(to: output, configuration: source.configuration) { weights[$0.huggingFaceName] }
      }
      weights["model.norm.weight"] = nil
      expectOneLine(["“model.norm.weight”"]) {
        try ModelDirectory.write(
          to: directory.appending(path: "other"), configuration: source.configuration
        ) { weights[$0.huggingFaceName] }
      }
      #expect(try FileManager.default.contentsOfDirectory(atPath: directory.path) == ["model"])
    }
  }
}
