extension Network {
  /// The same network with the last hidden state, after the last norm, in the place of logits: its head is the identity,
  /// which leaves every number what it is.
  public var withStatesAsLogits: Network {
    let width = finalNorm.count
    let identity = FloatBuffer(count: width * width).matrix(rows: width, columns: width)
    for index in 0..<width { identity[index, index] = 1 }
    return Network(
      embedding: embedding, stages: stages, finalNorm: finalNorm, finalNormEpsilon: finalNormEpsilon,
      head: Projection(weight: WeightMatrix(identity)), side: side, prompt: prompt)
  }
}

/// A text as one vector: the mean over its tokens of the last hidden state, after the last norm, of length 1.
public struct TextEmbedding {
  private let session: InferenceSession
  private var rest: ArraySlice<Int> = []
  private var count = 0
  private var sums: [Double]

  /// - Parameter session: of a network whose logits are its hidden states; the text is this one's from here on.
  public init(_ session: InferenceSession) {
    self.session = session
    sums = [Double](repeating: 0, count: session.network.vocabularySize)
  }

  /// Begins with another text.
  public mutating func begin(_ tokens: [Int]) {
    session.truncate(to: 0)
    rest = tokens[...]
    count = tokens.count
    for index in sums.indices { sums[index] = 0 }
  }

  /// Computes some more of the text.
  /// - Returns: the vector, once all of it is computed; a text of no length at all, of zeros, stays so.
  /// - Throws: `InferenceError`.
  public mutating func advance() throws(InferenceError) -> [Float]? {
    let piece = Array(rest.prefix(session.chunkSize))
    let states = try session.evaluate(piece, logits: .all)
    rest.removeFirst(piece.count)
    for row in 0..<states.rows {
      let state = states.row(row)
      for index in sums.indices { sums[index] += Double(state[index]) }
    }
    if !rest.isEmpty { return nil }
    let length = sums.reduce(0) { $0 + $1 * $1 }.squareRoot()
    guard length.isFinite else { throw .notANumber }
    return sums.map { Float(length > 0 ? $0 / length : 0) }
  }
}
