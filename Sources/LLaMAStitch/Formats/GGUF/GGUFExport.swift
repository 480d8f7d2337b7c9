import Foundation
import Support

extension MergedAnchor {
  /// Writes the anchor as a GGUF file.
  /// - Parameters:
  ///   - name: of the model, for those who open the file.
  ///   - vocabulary: the metadata of its tokenizer.
  /// - Throws: `GGUFError.unsupported` where the format cannot express the model, `FileError`, `SafetensorsError`.
  public func writeGGUF(
    to url: URL, name: String, elementType: ElementType, vocabulary: [(name: String, value: GGUFWriter.Value)]
  ) throws {
    try configuration.writeGGUF(to: url, name: name, elementType: elementType, vocabulary: vocabulary) {
      fill($0, from: $1, into: $2)
    }
  }
}

extension LlamaConfiguration {
  /// Writes a model as a GGUF file, its weights made when they are written, a piece at a time.
  /// - Parameter fill: writes the floats of a tensor from an index on into a piece.
  package func writeGGUF(
    to url: URL, name: String, elementType: ElementType, vocabulary: [(name: String, value: GGUFWriter.Value)],
    fill: @escaping (TensorShape, _ start: Int, _ piece: VectorView) -> Void
  ) throws {
    var writer = GGUFWriter()
    writer.add("general.architecture", .text("llama"))
    writer.add("general.name", .text(name))
    writer.add("general.file_type", .count(Self.fileType(elementType)))
    writer.add("llama.vocab_size", .count(vocabularySize))
    writer.add("llama.context_length", .count(contextLength))
    writer.add("llama.embedding_length", .count(hiddenSize))
    writer.add("llama.feed_forward_length", .count(intermediateSize))
    writer.add("llama.block_count", .count(blockCount))
    writer.add("llama.attention.head_count", .count(headCount))
    writer.add("llama.attention.head_count_kv", .count(keyValueHeadCount))
    writer.add("llama.attention.key_length", .count(headDimension))
    writer.add("llama.attention.value_length", .count(headDimension))
    writer.add("llama.attention.layer_norm_rms_epsilon", .number(normEpsilon))
    writer.add("llama.rope.dimension_count", .count(headDimension))
    writer.add("llama.rope.freq_base", .number(Float(ropeTheta)))
    switch ropeScaling {
    case .none: break
    case .linear(let factor):
      writer.add("llama.rope.scaling.type", .text("linear"))
      writer.add("llama.rope.scaling.factor", .number(Float(factor)))
    case .llama3:
      throw GGUFError.unsupported(
        file: url.path, cause: "llama3 rotary scaling is not written to GGUF", remedy: "export a Hugging Face directory"
      )
    }
    for (name, value) in vocabulary { writer.add(name, value) }
    for tensor in tensorShapes {
      // GGML computes with vectors in F32 alone.
      let type = tensor.shape.count == 1 ? .f32 : storageType(elementType, of: tensor)
      let order = rowOrder(of: tensor.name)
      let columns = tensor.shape.count == 1 ? 1 : tensor.shape[1]
      writer.add(GGUFModel.name(of: tensor.name), shape: tensor.shape, as: type) { start, piece in
        guard let order else { return fill(tensor, start, piece) }
        var done = 0
        while done < piece.count {
          let (row, column) = (start + done).quotientAndRemainder(dividingBy: columns)
          let count = min(columns - column, piece.count - done)
          fill(tensor, order(row) * columns + column, piece.slice(done..<done + count))
          done += count
        }
      }
    }
    try writer.write(to: url)
  }

  /// GGML's number of how most of a file is stored.
  private static func fileType(_ type: ElementType) -> Int {
    switch type {
    case .f16: 1
    case .q4_0: 2
    case .q8_0: 7
    case .bf16: 32
    default: 0
    }
  }

  /// The row of a tensor that stands at a place in the file: of queries and keys, elements half a head apart become
  /// neighbours. See `GGUFModel`.
  private func rowOrder(of name: String) -> ((Int) -> Int)? {
    guard name.contains(".q_proj.") || name.contains(".k_proj.") else { return nil }
    let width = headDimension
    return { row in
      let (head, place) = row.quotientAndRemainder(dividingBy: width)
      let (pair, side) = place.quotientAndRemainder(dividingBy: 2)
      return head * width + side * (width / 2) + pair
    }
  }
}
