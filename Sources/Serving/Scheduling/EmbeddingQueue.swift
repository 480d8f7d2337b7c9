import LLaMAStitch

/// A text that is to become a vector.
final class EmbeddingOrder: Sendable {
  let stitch: Stitch
  let tokens: [Int]
  private let continuation: CheckedContinuation<[Float], any Error>

  init(_ stitch: Stitch, _ tokens: [Int], _ continuation: CheckedContinuation<[Float], any Error>) {
    self.stitch = stitch
    self.tokens = tokens
    self.continuation = continuation
  }

  /// Called once.
  func finish(_ result: Result<[Float], any Error>) { continuation.resume(with: result) }
}

/// Texts that wait to become vectors: a piece of the first is computed between two steps of the replies under way.
///
/// Used on the scheduler's thread.
final class EmbeddingQueue {
  private let contextLength: Int
  private let backend: any ComputeBackend
  private let network: (Stitch) -> Network
  private var orders: [EmbeddingOrder] = []
  /// Whether the first is under way.
  private var hasBegun = false
  /// Those used last come last.
  private var embeddings: [(stitch: String, embedding: TextEmbedding)] = []
  /// Stops that stay ready.
  private static let mostStops = 2

  init(contextLength: Int, backend: any ComputeBackend, network: @escaping (Stitch) -> Network) {
    self.contextLength = contextLength
    self.backend = backend
    self.network = network
  }

  var isEmpty: Bool { orders.isEmpty }

  func append(_ order: EmbeddingOrder) { orders.append(order) }

  /// - Returns: whether a text is done.
  func step() -> Bool {
    guard let order = orders.first else { return false }
    do {
      if !hasBegun { begin(order) }
      hasBegun = true
      guard let vector = try embeddings[embeddings.count - 1].embedding.advance() else { return false }
      order.finish(.success(vector))
    } catch { order.finish(.failure(error)) }
    orders.removeFirst()
    hasBegun = false
    return true
  }

  private func begin(_ order: EmbeddingOrder) {
    if let known = embeddings.firstIndex(where: { $0.stitch == order.stitch.id }) {
      embeddings.append(embeddings.remove(at: known))
    } else {
      if embeddings.count == Self.mostStops { embeddings.removeFirst() }
      let session = InferenceSession(
        network: network(order.stitch).withStatesAsLogits, contextLength: contextLength, backend: backend)
      embeddings.append((order.stitch.id, TextEmbedding(session)))
    }
    embeddings[embeddings.count - 1].embedding.begin(order.tokens)
  }
}
