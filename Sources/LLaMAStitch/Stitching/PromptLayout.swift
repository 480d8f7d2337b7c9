import Support

/// The shape of soft prompts and of the updates of embeddings (see `SoftPrompt`).
public struct PromptOptions: Sendable, Equatable, Codable {
  /// Vectors before a text: positions of the context that they take.
  public var length: Int
  /// Positions of a text from its first on whose embeddings are updated.
  public var positions: Int
  /// Of the update.
  public var rank: Int

  public init(length: Int = 20, positions: Int = 256, rank: Int = 16) {
    self.length = length
    self.positions = positions
    self.rank = rank
  }
}

extension PromptOptions {
  /// The highest learning rate of the update of embeddings where nobody says otherwise, and what it is multiplied by for the
  /// vectors, which are read as they are (the paper's 0.3).
  public static let learningRate: Float = 0.01
  public static let vectorRateFactor: Float = 30
}

extension Adapter {
  /// The same without a soft prompt; `nil` where there is nothing else.
  package func withoutPrompt(in family: Family) -> Adapter? {
    let rest = tensors.filter { !AdapterLayout.isPrompt($0.key) }
    if rest.isEmpty { return nil }
    var options = options
    options.prompt = nil
    return Adapter(options: options, step: step, family: family, importance: importance, tensors: rest)
  }
}

/// The tensors of soft prompts, which all routes that start in an anchor share: `anchors.NAME.prompt.embeddings` `[length ×
/// hidden]`, `.prompt.positions` `[positions × rank]`, `.prompt.update` `[hidden × rank]`.
extension AdapterLayout {
  private func promptName(_ anchor: Int, _ part: String) -> String { "anchors.\(names[anchor]).prompt.\(part)" }

  /// Everything of one anchor, by name and shape.
  func promptShapes(_ anchor: Int) -> [(name: String, shape: [Int])] {
    guard let prompt = options.prompt else { return [] }
    let hidden = configurations[anchor].hiddenSize
    return [
      ("embeddings", [prompt.length, hidden]), ("positions", [prompt.positions, prompt.rank]),
      ("update", [hidden, prompt.rank]),
    ].map { (promptName(anchor, $0), $1) }
  }

  static func isPrompt(_ name: String) -> Bool { name.split(separator: ".").dropLast().last == "prompt" }

  /// Whether a tensor is the vectors themselves, which are learned at a rate of their own.
  static func isSoftPrompt(_ name: String) -> Bool { name.hasSuffix(".prompt.embeddings") }

  /// What a route reads besides tokens; `nil` where the adapter has nothing.
  func prompt(_ route: Route, from tensors: some DeltaTensors) -> SoftPrompt? {
    guard options.prompt != nil, let embeddings = tensors.matrix(promptName(route.start, "embeddings")),
      let positions = tensors.matrix(promptName(route.start, "positions")),
      let update = tensors.matrix(promptName(route.start, "update"))
    else { return nil }
    return SoftPrompt(embeddings: embeddings, positions: positions, update: update)
  }

  /// What a tensor is before training: embeddings of tokens drawn at random, as the paper's; A random and B zero, so that
  /// no embedding is changed.
  func startPrompt(_ parameter: Parameter, _ values: VectorView, anchors: [LlamaModel], _ random: inout SeededGenerator)
  {
    if parameter.name.hasSuffix(".update") { return values.fill(0) }
    guard Self.isSoftPrompt(parameter.name),
      let anchor = names.indices.first(where: { promptName($0, "embeddings") == parameter.name })
    else { return values.fillUniformly(within: 1 / Float(parameter.shape[1]).squareRoot(), &random) }
    let table = anchors[anchor].embedding
    for row in 0..<parameter.shape[0] {
      let token = random.index(below: table.rows)
      table.dequantize(token..<token + 1, into: values.slice(row * table.columns..<(row + 1) * table.columns))
    }
  }
}
