import Foundation
import LLaMAStitch
import Testing

/// `generation_config.json`, and what it changes.
@Suite struct GenerationDefaultsTests {
  private func read(_ json: String) throws -> GenerationDefaults? {
    try withScratchDirectory { directory in
      try Data(json.utf8).write(to: directory.appending(path: GenerationDefaults.fileName))
      return try GenerationDefaults.read(in: directory, vocabularySize: 64)
    }
  }

  @Test func samplingIsThatOfTransformers() throws {
    #expect(try read("{}") == GenerationDefaults(sampling: SamplingOptions()))
    // As Llama 3.2 has it.
    #expect(
      try read("{\"do_sample\": true, \"temperature\": 0.6, \"top_p\": 0.9, \"eos_token_id\": [3, 5]}")
        == GenerationDefaults(sampling: SamplingOptions(temperature: 0.6, topK: 50, topP: 0.9), endTokens: [3, 5]))
    #expect(
      try read(
        "{\"do_sample\": true, \"top_k\": 20, \"top_p\": null, \"min_p\": 0.05, \"repetition_penalty\": 1.1, \"eos_token_id\": 7}"
      )
        == GenerationDefaults(
          sampling: SamplingOptions(temperature: 1, topK: 20, minP: 0.05, repetitionPenalty: 1.1), endTokens: [7]))
    // Nothing is drawn without do_sample, but penalised.
    #expect(
      try read("{\"temperature\": 0.6, \"top_p\": 0.9, \"repetition_penalty\": 1.2}")?.sampling
        == SamplingOptions(repetitionPenalty: 1.2))
    try withScratchDirectory { directory in
      let none = try GenerationDefaults.read(in: directory)
      #expect(none == nil)
    }
  }

  @Test func whatIsWrittenIsRead() throws {
    for defaults in [
      GenerationDefaults(sampling: SamplingOptions(), endTokens: []),
      GenerationDefaults(
        sampling: SamplingOptions(temperature: 0.5, topK: 0, topP: 0.25, minP: 0.5, repetitionPenalty: 1.5),
        endTokens: [1, 9]),
    ] {
      let text = String(decoding: try defaults.json, as: UTF8.self)
      #expect(try read(text) == defaults)
    }
  }

  @Test(arguments: [
    ("{", "JSON"), ("[]", "a list"), ("{\"do_sample\": 1}", "do_sample is a number"),
    ("{\"do_sample\": true, \"temperature\": \"hot\"}", "temperature is a string"),
    ("{\"do_sample\": true, \"temperature\": -1}", "temperature is -1"),
    ("{\"do_sample\": true, \"top_k\": 1.5}", "top_k is 1.5"),
    ("{\"do_sample\": true, \"top_k\": 1e300}", "top_k is 1e+300"),
    ("{\"do_sample\": true, \"top_p\": 0}", "top-p is 0"), ("{\"repetition_penalty\": 0}", "repetition-penalty is 0"),
    ("{\"eos_token_id\": [3, 64]}", "eos_token_id is 64"), ("{\"eos_token_id\": \"</s>\"}", "eos_token_id is a string"),
  ])
  func whatCannotBe(_ json: String, _ cause: String) {
    expectOneLine(["generation_config.json", cause, "; "]) { _ = try read(json) }
  }

  @Test func itsEndTokensEndTexts() throws {
    try withScratchDirectory { directory in
      let copy = directory.appending(path: "model")
      try FileManager.default.copyItem(at: Fixtures.model("tied"), to: copy)
      #expect(try ModelDirectory(copy).configuration.eosTokens == [2])
      let file = copy.appending(path: GenerationDefaults.fileName)
      try Data("{\"eos_token_id\": [5, 2]}".utf8).write(to: file)
      #expect(try ModelDirectory(copy).configuration.eosTokens == [2, 5])
      try Data("{\"eos_token_id\": 64}".utf8).write(to: file)
      expectOneLine([file.path, "outside the vocabulary of 64"]) { _ = try ModelDirectory(copy) }
    }
  }

  @Test(arguments: [0, 1.0]) func rowsBeyondTheTokensAreNeverChosen(temperature: Double) {
    let logits = FloatBuffer([0, 1, 2, 50, .infinity, .nan]).vector
    var sampler = Sampler(SamplingOptions(temperature: temperature, topK: temperature > 0 ? 3 : 0), vocabularySize: 3)
    for _ in 0..<100 { #expect((0..<3).contains(sampler.sample(logits)!)) }
    var whole = Sampler(SamplingOptions(temperature: temperature), vocabularySize: 6)
    #expect(whole.sample(logits) == 4)
  }
}
