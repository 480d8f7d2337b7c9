import FamilyFixture
import Foundation
import LLaMAStitch
import Support
import Testing

/// Texts as vectors: the mean of their last hidden states.
@Suite struct EmbeddingTests {
  private static let server = Task { try await ServerFixture("--embeddings") }

  private static func ask(_ members: String) async throws -> Answer {
    try await server.value.post("/v1/embeddings", "{\(members)}")
  }

  private static func vectors(_ answer: Answer) throws -> [[Double]] {
    try (answer.json["data"].array ?? []).map { ($0["embedding"].array ?? []).compactMap(\.double) }
  }

  /// The mean of what the network leaves of every token, computed one by one.
  @Test(arguments: ["small", "small-large@2", "large"]) func theVectorIsTheFormula(id: String) async throws {
    let family = try Family(ServerFixture.family)
    let tokens = [1] + (0..<150).map { 3 + $0 * 7 % 300 }
    let network = family.network(try family.stitch(id).route, adapter: nil).withStatesAsLogits
    var sums = [Double](repeating: 0, count: network.vocabularySize)
    let session = InferenceSession(
      network: network, contextLength: 256, chunkSize: 16, cacheType: .f16, pool: ComputePool(threads: 1))
    for token in tokens {
      let state = try session.evaluate(token)
      for index in sums.indices { sums[index] += Double(state[index]) }
    }
    let length = sums.reduce(0) { $0 + $1 * $1 }.squareRoot()
    let answer = try await Self.ask(#""model": "random/\#(id)", "input": \#(tokens)"#)
    #expect(answer.status == 200)
    let found = try #require(try Self.vectors(answer).first)
    #expect(found.count == sums.count)
    // Alone, in pieces, beside others: the same bits.
    #expect(zip(found, sums).allSatisfy { Float($0) == Float($1 / length) })
    #expect(try answer.json["usage"]["prompt_tokens"].integer == tokens.count)
  }

  @Test func allKindsOfInput() async throws {
    let one = try await Self.ask(#""model": "large", "input": "hello there""#)
    let many = try await Self.ask(#""model": "large", "input": ["one two", "hello there"]"#)
    let (alone, beside) = (try Self.vectors(one), try Self.vectors(many))
    #expect(alone.count == 1 && beside.count == 2 && beside[1] == alone[0] && beside[0] != alone[0])
    #expect(try many.json["data"][1]["index"].integer == 1 && many.json["object"].string == "list")
    #expect(abs(alone[0].reduce(0) { $0 + $1 * $1 } - 1) < 1e-5)
    let tokens = try await Self.ask(#""model": "large", "input": [[1, 5, 9], [1, 5]]"#)
    #expect(try Self.vectors(tokens).count == 2 && tokens.json["usage"]["total_tokens"].integer == 5)
  }

  @Test func base64HoldsTheSameNumbers() async throws {
    let floats = try Self.vectors(try await Self.ask(#""model": "small", "input": "one two""#))
    let answer = try await Self.ask(#""model": "small", "input": "one two", "encoding_format": "base64""#)
    let text = try #require(try answer.json["data"][0]["embedding"].string)
    let bytes = try #require(Data(base64Encoded: text))
    let numbers = stride(from: 0, to: bytes.count, by: 4).map { start in
      Float(bitPattern: (0..<4).reduce(0) { $0 | UInt32(bytes[start + $1]) << (8 * UInt32($1)) })
    }
    #expect(numbers == floats.first?.map { Float($0) })
  }

  @Test func whatCannotBeIsRefused() async throws {
    func refused(_ members: String, _ status: Int, _ code: String?, _ words: String) async throws {
      let answer = try await Self.ask(members)
      let error = try answer.json["error"]
      #expect(answer.status == status && error["code"].string == code, "\(members): \(answer.text)")
      #expect(error["message"].string?.contains(words) == true, "\(answer.text)")
    }
    try await refused(
      #""model": "large", "input": "x", "dimensions": 8"#, 400, "unsupported_parameter", "48 dimensions")
    try await refused(#""model": "random/auto", "input": "x""#, 400, nil, "name a size")
    try await refused(#""model": "gpt-9", "input": "x""#, 404, "model_not_found", "random/large")
    try await refused(#""model": "large", "input": []"#, 400, nil, "input is to be")
    try await refused(#""model": "large", "input": [7, "x"]"#, 400, nil, "input")
    try await refused(#""model": "large", "input": "x", "encoding_format": "binary""#, 400, nil, "base64")
    let long = String(repeating: "one two three ", count: 300)
    try await refused(#""model": "large", "input": "\#(long)""#, 400, "context_length_exceeded", "256 tokens")
    #expect(try await Self.ask(#""model": "large", "input": "x", "dimensions": 48"#).status == 200)
    let without = try await ServerFixture.shared.value.post("/v1/embeddings", #"{"model": "large", "input": "x"}"#)
    #expect(without.status == 404 && without.text.contains("--embeddings"))
  }
}
