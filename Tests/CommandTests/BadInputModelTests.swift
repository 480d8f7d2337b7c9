import Foundation
import Testing
import Tokenizer

/// Configurations and tokenizers that are damaged or do not fit.
@Suite struct BadInputModelTests {
  @Test func configuration() throws {
    try Workspace.with { workspace in
      let file = workspace.model.appending(path: "config.json")
      let whole = try JSONSerialization.jsonObject(with: Data(contentsOf: file)) as? [String: Any] ?? [:]
      let score = ["score", workspace.text.path, "--model", workspace.model.path]
      let cases: [(String, Any?, [String])] = [
        ("num_attention_heads", 0, ["num_attention_heads", "from 1 to"]),
        ("num_attention_heads", 3, ["num_attention_heads 3", "multiple of num_key_value_heads"]),
        ("head_dim", nil, ["hidden_size 32 is not a multiple of num_attention_heads 6"]),
        ("num_key_value_heads", 0, ["num_key_value_heads"]),
        ("num_hidden_layers", -2, ["num_hidden_layers", "-2"]),
        ("num_hidden_layers", 2.5, ["num_hidden_layers", "2.5", "whole number"]),
        ("num_hidden_layers", "2", ["num_hidden_layers", "a string"]),
        ("num_hidden_layers", 1 << 40, ["num_hidden_layers", "whole number"]),
        ("hidden_size", 1e300, ["hidden_size", "whole number"]),
        ("hidden_size", 1 << 28, ["shape", "[320, 268435456]"]),
        ("vocab_size", nil, ["vocab_size is missing"]),
        ("vocab_size", 0, ["vocab_size"]),
        ("intermediate_size", 1 << 27, ["shape"]),
        ("head_dim", 7, ["head_dim", "odd"]),
        ("head_dim", 1 << 16, ["shape"]),
        ("max_position_embeddings", 0, ["max_position_embeddings"]),
        ("rms_norm_eps", -1, ["rms_norm_eps", "positive"]),
        ("rope_theta", 0, ["rope_theta", "positive"]),
        ("model_type", "qwen3", ["model_type “qwen3” is not supported", "llama, mistral, qwen2 or smollm3"]),
        // What a qwen2 has, and this one has not.
        ("model_type", "qwen2", ["q_proj.bias"]),
        ("model_type", nil, ["model_type is missing"]),
        ("hidden_act", "gelu", ["hidden_act “gelu”"]),
        ("quantization_config", ["bits": 4], ["quantised"]),
        (
          "rope_scaling", ["rope_type": "su", "factor": 4],
          ["rope type “su”", "linear, dynamic, llama3, yarn or longrope"]
        ),
        ("rope_scaling", ["rope_type": "yarn", "factor": 0], ["factor is 0"]),
        ("rope_scaling", ["rope_type": "longrope", "short_factor": [1, 2]], ["short_factor is not a list"]),
        ("rope_scaling", ["rope_type": "linear"], ["factor is missing"]),
        (
          "rope_scaling", ["rope_type": "llama3", "factor": 8, "low_freq_factor": 4, "high_freq_factor": 1],
          ["high_freq_factor"]
        ),
        ("rope_scaling", 7, ["rope_scaling", "a number"]),
        ("tie_word_embeddings", "yes", ["tie_word_embeddings", "true or false"]),
        ("tie_word_embeddings", false, ["lm_head.weight"]),
        ("attention_bias", true, ["q_proj.bias"]),
        ("bos_token_id", 5000, ["bos_token_id", "outside the vocabulary"]),
        ("eos_token_id", [-1], ["eos_token_id"]),
      ]
      for (name, value, parts) in cases {
        try workspace.restoring(file) {
          var members = whole
          members[name] = value
          // An absent head_dim follows from the others.
          if name == "head_dim", value == nil { members["num_attention_heads"] = 6 }
          try JSONSerialization.data(withJSONObject: members).write(to: file)
          try workspace.expectRefusal(score, [workspace.model.path, "; "] + parts)
        }
      }
      for text in ["", "hello", "[]", "{\"model_type\": \"llama\"", "{}", String(repeating: "[", count: 200_000)] {
        try workspace.restoring(file) {
          try Data(text.utf8).write(to: file)
          try workspace.expectRefusal(score, [file.path, "; "])
        }
      }
      try workspace.restoring(file) {
        try FileManager.default.removeItem(at: file)
        try workspace.expectRefusal(score, [file.path, "no such file", "check the path"])
        try FileManager.default.createDirectory(at: file, withIntermediateDirectories: false)
        try workspace.expectRefusal(score, [file.path, "is a directory", "name a file"])
      }
    }
  }

  @Test func tokenizer() throws {
    try Workspace.with { workspace in
      let file = workspace.model.appending(path: "tokenizer.model")
      let whole = try Data(contentsOf: file)
      let commands = [
        ["score", workspace.text.path, "--model", workspace.model.path], ["ask", "x", "--model", workspace.model.path],
        ["tokenize", "x", "--model", workspace.model.path],
      ]
      let bad: [(Data?, String)] = [
        (nil, "no tokenizer at"), (Data(), "it is empty"),
        (Data("hello, this is no model".utf8), "use the tokenizer.model"),
        (Data(repeating: 0xFF, count: 5000), "use the tokenizer.model"),
        (whole.prefix(whole.count / 2), "damaged or cut short"),
        (whole.dropLast(1), "damaged or cut short"), (Data(repeating: 0, count: 4096), "use the tokenizer.model"),
      ]
      for (content, part) in bad {
        try workspace.restoring(file) {
          if let content { try content.write(to: file) } else { try FileManager.default.removeItem(at: file) }
          for command in commands { try workspace.expectRefusal(command, [file.path, part]) }
        }
      }
      // Every cut is either noticed or harmless, and never a crash.
      for cut in stride(from: 1, to: whole.count, by: whole.count / 12) {
        try workspace.restoring(file) {
          try whole.prefix(cut).write(to: file)
          try workspace.expectRefusal(commands[2], [file.path])
        }
      }
      try workspace.restoring(file) {
        let larger = try SentencePieceTrainer(vocabularySize: 330).train([
          "a longer text with more words than there were before, so that more pieces can be made of it",
          "quick brown foxes jump over lazy dogs while seventeen zebras watch from behind",
        ])
        try Data(larger).write(to: file)
        for command in commands.dropLast() {
          try workspace.expectRefusal(command, [file.path, "330 pieces", "320 rows", "use the tokenizer.model"])
        }
      }
    }
  }

  /// A `tokenizer.json` of a few tokens, with parts that are wrong.
  private func tokenizerJSON(
    vocabulary: String = #""Ġ":0,"a":1,"b":2,"ab":3"#, merges: String = #"["a","b"]"#, added: String = "",
    cut: String = #"{"type":"ByteLevel","add_prefix_space":false}"#
  ) -> Data {
    Data(
      #"""
      {"added_tokens":[\#(added)],"normalizer":null,"pre_tokenizer":\#(cut),"decoder":{"type":"ByteLevel"},
      "model":{"type":"BPE","vocab":{\#(vocabulary)},"merges":[\#(merges)]}}
      """#.utf8)
  }

  @Test func tokenizerInJSON() throws {
    try Workspace.with { workspace in
      try FileManager.default.removeItem(at: workspace.model.appending(path: "tokenizer.model"))
      let file = workspace.model.appending(path: "tokenizer.json")
      let tokenize = ["tokenize", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab", "--model", workspace.model.path]
      try tokenizerJSON().write(to: file)
      #expect(try workspace.run(["tokenize", "ab a", "--model", workspace.model.path]).text == "3 0 1\n")
      func split(_ pattern: String) -> String {
        #"{"type":"Sequence","pretokenizers":[{"type":"Split","pattern":{"Regex":"\#(pattern)"},"behavior":"Isolated"},"#
          + #"{"type":"ByteLevel","add_prefix_space":false,"use_regex":false}]}"#
      }
      let many = (0..<1_000_000).map { #"{"id":\#($0 + 4),"content":"<\#($0)>"}"# }.joined(separator: ",")
      let bad: [(Data, String)] = [
        (tokenizerJSON(merges: #"["a","x"]"#), "its merge 0 (“a x”) names no token"),
        (tokenizerJSON(merges: #"["b","a"]"#), "its merge 0 (“b a”) names no token"),
        (tokenizerJSON(merges: #""a b c""#), "merge 0 is no pair of tokens"),
        (tokenizerJSON(vocabulary: #""Ġ":0,"a":1,"b":1,"ab":3"#), "two of its tokens have the id 1"),
        (tokenizerJSON(vocabulary: #""Ġ":0,"a":1,"b":2,"ab":4000000000"#), "the id of “ab” is outside the vocabulary"),
        (tokenizerJSON(added: #"{"id":4,"content":"a"}"#), "two of its tokens are “a”"),
        (tokenizerJSON(added: many), "more added tokens than any model"),
        (tokenizerJSON(cut: split("(a+)+$")), "pattern (a+)+$ goes back over the text without end"),
        (tokenizerJSON(cut: split("[a")), "its pattern [a cannot be used"),
        (
          tokenizerJSON(cut: #"{"type":"BertPreTokenizer"}"#),
          "it cuts text by “BertPreTokenizer”, which is not supported"
        ),
        (Data("{}".utf8), "it has no “model”"), (Data(), "invalid JSON"),
      ]
      for (content, part) in bad {
        try content.write(to: file)
        try workspace.expectRefusal(tokenize, [part])
      }
      // More tokens than the embedding has rows.
      let more = (4..<400).map { #","t\#($0)":\#($0)"# }.joined()
      try tokenizerJSON(vocabulary: #""Ġ":0,"a":1,"b":2,"ab":3"# + more).write(to: file)
      for command in [["score", workspace.text.path], ["ask", "x"]] {
        try workspace.expectRefusal(command + ["--model", workspace.model.path], ["400 pieces", "320 rows"])
      }
    }
  }
}
