import Foundation

/// Greedy replies of a network to prompts, several at a time.
public enum GreedyReplies {
  /// - Parameter maxTokens: of a reply.
  /// - Returns: the replies, without stop tokens.
  public static func of(
    _ network: Network, to prompts: [[Int]], stopTokens: Set<Int>, maxTokens: Int, pool: ComputePool
  ) throws -> [[Int]] {
    let parts = max(1, min(pool.threads, prompts.count))
    let results = Results<Result<[Int], any Error>>(count: prompts.count)
    let longest = (prompts.map(\.count).max() ?? 1) + maxTokens
    pool.run(parts: parts) { part in
      let session = InferenceSession(
        network: network, contextLength: min(longest, network.contextLength), pool: ComputePool(threads: 1))
      for index in stride(from: part, to: prompts.count, by: parts) {
        session.truncate(to: 0)
        results[index] = Result {
          try session.generate(
            prompt: prompts[index], options: GenerationOptions(maxTokens: maxTokens, stopTokens: stopTokens),
            listener: { _ in .goOn }
          ).tokens
        }
      }
    }
    return try prompts.indices.map { try results[$0]!.get() }
  }
}
