import Foundation
import LLaMAStitch
import Support
import Tokenizer
import Workflows

/// Files of models: GGUF, safetensors, `config.json`, `generation_config.json`.
extension FuzzTarget {
  static let modelFiles = [
    FuzzTarget("gguf") { bytes in Scratch.file("model.gguf", bytes, readGGUF) },
    FuzzTarget("gguf-built") { bytes in
      var choices = Choices(bytes)
      Scratch.file("model.gguf", GGUFMaker.file(&choices), readGGUF)
    },
    FuzzTarget("safetensors") { bytes in
      Scratch.file("model.safetensors", bytes) { url in
        refusing {
          let file = try SafetensorsFile(url)
          for tensor in file.tensors.values {
            expect(tensor.bytes.count <= bytes.count, "a tensor within its file")
            if [.f32, .f16, .bf16].contains(tensor.type) || tensor.type.isQuantized {
              expect(tensor.floats().count == tensor.elementCount, "as many floats as elements")
            }
          }
        }
      }
    },
    FuzzTarget("model-config") { bytes in
      refusing { _ = try LlamaConfiguration(json: Data(bytes), file: "config.json") }
      Scratch.file("generation_config.json", bytes) { url in
        refusing { _ = try GenerationDefaults.read(url, vocabularySize: 1000) }
      }
    },
  ]

  private static func readGGUF(_ url: URL) {
    refusing {
      let file = try GGUFFile(url)
      var floats = 0
      for tensor in file.tensors.values where floats < 1 << 20 {
        let values = tensor.floats()
        expect(values.count == tensor.shape.reduce(1, *), "as many floats as elements")
        floats += values.count
      }
      refusing {
        let tokenizer = try GGUFTokenizer.read(from: file)
        exercise(tokenizer)
      }
    }
    refusing {
      let model = try GGUFModel(url)
      _ = try model.generationDefaults()
    }
  }
}

/// Makes GGUF files that are sound but for what its bytes break: a reader gets past the header.
enum GGUFMaker {
  static func file(_ choices: inout Choices) -> [UInt8] {
    let architecture = choices.pick(["llama", "qwen2", "smollm3", "mistral"])
    let hidden = 4 << choices.number(below: 3)
    let blocks = 1 + choices.number(below: 2)
    let vocabulary = 4 + choices.number(below: 12)
    var values = metadata(&choices, architecture, hidden: hidden, blocks: blocks, vocabulary: vocabulary)
    for _ in 0..<choices.number(below: 4) {
      values.append(Bytes(text: "x.\(choices.byte())") + anyValue(&choices))
    }
    if choices.seldom(), !values.isEmpty { values.remove(at: choices.number(below: values.count)) }
    var tensors: [Bytes] = []
    var data = 0
    let alignment = 32
    for (name, shape) in shapes(hidden: hidden, blocks: blocks, vocabulary: vocabulary) where !choices.seldom() {
      var shape = shape
      if choices.seldom() { shape[choices.number(below: shape.count)] = choices.number(below: 70) }
      let type = choices.seldom() ? UInt32(choices.number(below: 42)) : 0
      var start = UInt64(data)
      if choices.seldom() { start = choices.wide() }
      var tensor = Bytes(text: name)
      tensor.put(UInt32(shape.count))
      for size in shape.reversed() { tensor.put(UInt64(size)) }
      tensor.put(type)
      tensor.put(start)
      tensors.append(tensor)
      data += (shape.reduce(4, *) + alignment - 1) / alignment * alignment
    }
    var file = Bytes(text: nil)
    file.values += Array("GGUF".utf8)
    file.put(UInt32(choices.seldom() ? Int(choices.byte()) : 3))
    file.put(choices.seldom() ? choices.wide() : UInt64(tensors.count))
    file.put(choices.seldom() ? choices.wide() : UInt64(values.count))
    for part in values + tensors { file.values += part.values }
    while file.values.count % alignment != 0 { file.values.append(0) }
    let end = file.values.count + (choices.seldom() ? data / 2 : data)
    while !choices.isOver && file.values.count < end { file.values.append(choices.byte()) }
    return file.values + Array(repeating: 0, count: max(0, end - file.values.count))
  }

  /// Little-endian bytes, a text with its length before it.
  struct Bytes {
    var values: [UInt8] = []

    init(text: String?) { if let text { put(text: Array(text.utf8)) } }

    mutating func put<Number: FixedWidthInteger>(_ number: Number) {
      withUnsafeBytes(of: number.littleEndian) { values += $0 }
    }

    mutating func put(text: [UInt8]) {
      put(UInt64(text.count))
      values += text
    }

    static func + (left: Bytes, right: Bytes) -> Bytes {
      var sum = left
      sum.values += right.values
      return sum
    }
  }

  private static func metadata(
    _ choices: inout Choices, _ architecture: String, hidden: Int, blocks: Int, vocabulary: Int
  ) -> [Bytes] {
    func number(_ value: Int) -> Bytes {
      var bytes = Bytes(text: nil)
      bytes.put(UInt32(4))
      bytes.put(UInt32(truncatingIfNeeded: value))
      return bytes
    }
    func float(_ value: Float) -> Bytes {
      var bytes = Bytes(text: nil)
      bytes.put(UInt32(6))
      bytes.put(value.bitPattern)
      return bytes
    }
    func string(_ text: String) -> Bytes {
      var bytes = Bytes(text: nil)
      bytes.put(UInt32(8))
      bytes.put(text: Array(text.utf8))
      return bytes
    }
    func list(_ type: UInt32, _ count: Int, _ element: (Int, inout Bytes) -> Void) -> Bytes {
      var bytes = Bytes(text: nil)
      bytes.put(UInt32(9))
      bytes.put(type)
      bytes.put(UInt64(count))
      for index in 0..<count { element(index, &bytes) }
      return bytes
    }
    let isGPT = choices.byte() & 1 == 1
    let alphabet = [
      "<unk>", "<s>", "</s>", "a", "b", "ab", "\u{2581}", "<0x41>", "Ġ", "é", "\u{2581}a", "ba", "c", "abc",
    ]
    var pairs: [(String, Bytes)] = [
      ("general.architecture", string(architecture)), ("general.name", string("fuzz")),
      ("\(architecture).block_count", number(blocks)), ("\(architecture).embedding_length", number(hidden)),
      ("\(architecture).feed_forward_length", number(2 * hidden)), ("\(architecture).context_length", number(64)),
      ("\(architecture).attention.head_count", number(2)), ("\(architecture).attention.head_count_kv", number(1)),
      ("\(architecture).attention.layer_norm_rms_epsilon", float(1e-5)),
      ("\(architecture).rope.freq_base", float(10000)), ("\(architecture).rope.dimension_count", number(hidden / 2)),
      ("\(architecture).rope.scaling.type", string(choices.pick(["none", "linear", "yarn"]))),
      ("\(architecture).rope.scaling.factor", float(Float(choices.number(below: 9)))),
      ("tokenizer.ggml.model", string(isGPT ? "gpt2" : "llama")),
      ("tokenizer.ggml.pre", string(choices.pick(["smollm", "llama-bpe", "qwen2", "default", "x"]))),
      ("tokenizer.ggml.tokens", list(8, vocabulary) { $1.put(text: Array((alphabet + alphabet)[$0].utf8)) }),
      ("tokenizer.ggml.scores", list(6, vocabulary) { $1.put(Float(-$0).bitPattern) }),
      ("tokenizer.ggml.token_type", list(5, vocabulary) { $1.put(Int32($0 == 0 ? 2 : $0 < 3 ? 3 : 1)) }),
      ("tokenizer.ggml.merges", list(8, 2) { $1.put(text: Array(["a b", "ab c"][$0].utf8)) }),
      ("tokenizer.ggml.unknown_token_id", number(0)), ("tokenizer.ggml.bos_token_id", number(1)),
      ("tokenizer.ggml.eos_token_id", number(2)),
      ("tokenizer.chat_template", string("{% for m in messages %}{{ m.content }}{% endfor %}")),
    ]
    for _ in 0..<choices.number(below: 3) {
      pairs[choices.number(below: pairs.count)].1 = anyValue(&choices)
    }
    return pairs.map { Bytes(text: $0.0) + $0.1 }
  }

  private static func anyValue(_ choices: inout Choices) -> Bytes {
    var bytes = Bytes(text: nil)
    let type = UInt32(choices.number(below: 14))
    bytes.put(type)
    switch type {
    case 8: bytes.put(text: choices.bytes(choices.number(below: 9)))
    case 9:
      let sizes = [1, 1, 2, 2, 4, 4, 4, 1, 8, 8, 8, 8, 8, 1]
      let element = choices.number(below: 14)
      bytes.put(UInt32(element))
      let count = choices.number(below: 5)
      bytes.put(choices.seldom() ? choices.wide() : UInt64(count))
      for _ in 0..<count {
        bytes.values += element == 8 ? Array(repeating: 0, count: 8) : choices.bytes(sizes[element])
      }
    default: bytes.values += choices.bytes([1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8, 0][Int(type)])
    }
    return bytes
  }

  private static func shapes(hidden: Int, blocks: Int, vocabulary: Int) -> [(String, [Int])] {
    let ends = [("token_embd.weight", [vocabulary, hidden]), ("output_norm.weight", [hidden])]
    return ends
      + (0..<blocks).flatMap { block in
        [
          ("attn_norm", [hidden]), ("attn_q", [hidden, hidden]), ("attn_k", [hidden / 2, hidden]),
          ("attn_v", [hidden / 2, hidden]), ("attn_output", [hidden, hidden]), ("ffn_norm", [hidden]),
          ("ffn_gate", [2 * hidden, hidden]), ("ffn_up", [2 * hidden, hidden]), ("ffn_down", [hidden, 2 * hidden]),
        ].map { ("blk.\(block).\($0.0).weight", $0.1) }
      }
  }
}
