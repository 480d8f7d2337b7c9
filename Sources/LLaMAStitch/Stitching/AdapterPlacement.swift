import Support

/// Where an adapter changes something, and by which rank: what a search looks for (AutoPEFT: Zhou et al. 2024, arXiv
/// 2301.12132) and `adapt --configuration` takes.
public struct AdapterPlacement: Sendable, Hashable, Codable {
  /// Of all low-rank updates.
  public var rank: Int
  /// The projections of a block.
  public var targets: [AdapterTarget]
  /// The blocks of each anchor, by its name.
  public var blocks: [String: [Int]]

  public init(rank: Int, targets: [AdapterTarget], blocks: [String: [Int]]) {
    self.rank = rank
    self.targets = targets
    self.blocks = blocks
  }

  /// What an adapter of a family has where it says nothing of blocks.
  public init(_ options: AdapterOptions, of family: Family) {
    rank = options.rank
    targets = options.targets
    blocks = options.blocks ?? Self.allBlocks(of: family)
  }

  static func allBlocks(of family: Family) -> [String: [Int]] {
    Dictionary(
      uniqueKeysWithValues: zip(family.names, family.anchors).map { ($0, Array(0..<$1.configuration.blockCount)) })
  }

  /// The same with what it says.
  public func applied(to options: AdapterOptions) -> AdapterOptions {
    var options = options
    options.rank = rank
    options.alpha = Float(rank)
    options.targets = targets
    options.blocks = blocks
    return options
  }

  /// Floats that an adapter of it has, over all sizes.
  public func parameterCount(of family: Family, _ options: AdapterOptions) -> Int {
    family.layout(applied(to: options)).declarations.reduce(0) { $0 + $1.shape.reduce(1, *) }
  }

  /// Why it does not fit a family; `nil` where it does.
  public func problem(with family: Family) -> String? {
    if !(1...4096).contains(rank) { return "its rank is \(rank); it must be 1 to 4096" }
    if targets.isEmpty || Set(targets).count != targets.count { return "its targets are none, or one twice" }
    for (name, some) in blocks.sorted(by: { $0.key < $1.key }) {
      guard let anchor = family.names.firstIndex(of: name) else {
        return "the family has no anchor “\(name)”; its anchors are \(family.names.joined(separator: ", "))"
      }
      let count = family.anchors[anchor].configuration.blockCount
      if let wrong = some.first(where: { !(0..<count).contains($0) }) {
        return "\(name) has no block \(wrong); its blocks are 0 to \(count - 1)"
      }
    }
    return blocks.values.allSatisfy(\.isEmpty) ? "it names no block" : nil
  }
}
