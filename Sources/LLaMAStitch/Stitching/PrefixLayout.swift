import Support

/// The shape of prefixes (see `PrefixVectors`).
public struct PrefixOptions: Sendable, Equatable, Codable {
  /// Keys and values of a block: positions of the context that they take.
  public var length: Int

  public init(length: Int = 16) { self.length = length }
}

/// The tensors of prefixes, which all stitches that pass through a block share: `anchors.NAME.layers.N.prefix.keys` and
/// `.prefix.values` `[length × keyValueHeads · headDimension]`.
extension AdapterLayout {
  /// - Throws: `TrainingError.plan` where a prefix, or a soft prompt, leaves no room for a text.
  func checkVirtualTokens() throws {
    let context = configurations.map(\.contextLength).min() ?? 0
    func check(_ length: Int, _ what: String, _ option: String) throws {
      guard length >= context else { return }
      throw TrainingError.plan(
        cause:
          "\(what) of \(length) positions leaves no room for a text in the context of \(context) tokens; give a smaller \(option)"
      )
    }
    if let prefix = options.prefix { try check(prefix.length, "a prefix", "--prefix-length") }
    if let prompt = options.prompt { try check(prompt.length, "a soft prompt", "--prompt-length") }
    guard [options.side != nil, options.prefix != nil, options.prompt != nil].count(where: { $0 }) < 2 else {
      throw TrainingError.plan(
        cause:
          "a side network, a prefix and a soft prompt do not go together, and the adapter to go on from has one; go on with what it has, or begin without --continue"
      )
    }
  }

  /// Everything of one block, by name and shape.
  func prefixShapes(_ anchor: Int, _ block: Int) -> [(name: String, shape: [Int])] {
    guard let prefix = options.prefix else { return [] }
    return Self.prefixParts.map {
      (prefixName(anchor, block, $0), [prefix.length, configurations[anchor].keyValueWidth])
    }
  }

  private static let prefixParts = ["keys", "values"]

  private func prefixName(_ anchor: Int, _ block: Int, _ part: String) -> String {
    "anchors.\(names[anchor]).layers.\(block).prefix.\(part)"
  }

  static func isPrefix(_ name: String) -> Bool { name.split(separator: ".").dropLast().last == "prefix" }

  /// The prefix of a block; `nil` where it has none.
  func prefix(_ anchor: Int, _ block: Int, from tensors: some DeltaTensors) -> PrefixVectors? {
    guard options.prefix != nil, let keys = tensors.matrix(prefixName(anchor, block, "keys")),
      let values = tensors.matrix(prefixName(anchor, block, "values"))
    else { return nil }
    return PrefixVectors(keys: keys, values: values)
  }

  /// What a tensor is before training: normal, of deviation 0.02, as the paper's code has it without the network that it
  /// may make prefixes by.
  static func startPrefix(_ values: VectorView, _ random: inout SeededGenerator) {
    values.copy(from: (0..<values.count).map { _ in Float(0.02 * random.normal()) })
  }
}
