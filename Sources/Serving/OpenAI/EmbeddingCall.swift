import Foundation
import LLaMAStitch
import Support

/// What a request for embeddings asks, read and checked.
struct EmbeddingCall: Sendable {
  var model: String
  var texts: [[Int]]
  var isBase64: Bool

  private static let mostTexts = 2048

  /// - Throws: `APIError`.
  init(_ fields: RequestFields, reader: PromptReader) throws(APIError) {
    guard let model = try fields.string("model") else {
      throw .invalid("model", "the model is missing; GET /v1/models lists those there are")
    }
    self.model = model
    switch try fields.string("encoding_format") {
    case nil, "float": isBase64 = false
    case "base64": isBase64 = true
    case let other?:
      throw .invalid("encoding_format", "encoding_format is “\(oneLine(other, limit: 40))”; float and base64 are known")
    }
    texts = try reader.texts(fields, "input", atMost: Self.mostTexts).map(\.tokens)
  }

  /// Refuses a number of dimensions that is not the model's own.
  /// - Throws: `APIError`.
  static func check(_ fields: RequestFields, width: Int) throws(APIError) {
    if let wanted = try fields.integer("dimensions", 1...Int.max), wanted != width {
      throw .invalid(
        "dimensions", "embeddings of this model have \(width) dimensions; leave dimensions out, or choose another size",
        code: "unsupported_parameter")
    }
  }

  /// OpenAI's list.
  func document(_ vectors: [[Float]]) -> JSONValue {
    let tokens = texts.reduce(0) { $0 + $1.count }
    return .object([
      "object": "list", "model": .string(model),
      "data": .array(
        vectors.enumerated().map { index, vector in
          .object(["object": "embedding", "index": .integer(index), "embedding": value(vector)])
        }), "usage": .object(["prompt_tokens": .integer(tokens), "total_tokens": .integer(tokens)]),
    ])
  }

  private func value(_ vector: [Float]) -> JSONValue {
    if !isBase64 { return .array(vector.map { .number(Double($0)) }) }
    // Little-endian, four bytes each.
    let bytes = vector.flatMap { number in (0..<4).map { UInt8(truncatingIfNeeded: number.bitPattern >> (8 * $0)) } }
    return .string(Data(bytes).base64EncodedString())
  }
}
