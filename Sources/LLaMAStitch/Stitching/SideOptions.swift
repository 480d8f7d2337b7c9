import Support

/// Which side network there is.
public enum SideKind: String, Sendable, Codable, CaseIterable {
  /// Ladder side tuning.
  case lst
  /// Universal parallel tuning: all blocks' outputs are read, and merged after the last one.
  case unipt
  /// Early blocks' outputs are merged, and the last blocks run with that.
  case sherl
}

/// The shape of a side network, which all routes of a family share.
public struct SideOptions: Sendable, Equatable, Codable {
  public var kind: SideKind
  /// r: the dearest anchor is so many times wider.
  public var reduction: Int
  /// Blocks of an anchor from one that is read to the next; the last one always is.
  public var interval: Int
  /// Of `sherl`: the last blocks, which run with what was merged.
  public var lateBlocks: Int

  /// - Parameter interval: by default 3 for a ladder, whose blocks take more time than what the others read, and 2 for those.
  public init(kind: SideKind = .lst, reduction: Int = 8, interval: Int? = nil, lateBlocks: Int = 1) {
    self.kind = kind
    self.reduction = reduction
    self.interval = interval ?? (kind == .lst ? 3 : 2)
    self.lateBlocks = lateBlocks
  }

  /// What adapters do not say was so before it could be said.
  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    reduction = try container.decode(Int.self, forKey: .reduction)
    interval = try container.decode(Int.self, forKey: .interval)
    kind = try container.decodeIfPresent(SideKind.self, forKey: .kind) ?? .lst
    lateBlocks = try container.decodeIfPresent(Int.self, forKey: .lateBlocks) ?? 1
  }

  private static let headDimension = 16

  /// What its blocks are, of the same kind as those of the anchors; `nil` where these are too narrow. Of a network without
  /// blocks the width counts.
  /// - Parameter anchors: of the family, cheapest first.
  func configuration(beside anchors: [LlamaConfiguration]) -> LlamaConfiguration? {
    guard let dearest = anchors.last else { return nil }
    func narrowed(_ width: Int) -> Int { width / reduction / Self.headDimension * Self.headDimension }
    let width = narrowed(dearest.hiddenSize)
    guard width > 0 else { return nil }
    return LlamaConfiguration(
      vocabularySize: dearest.vocabularySize, hiddenSize: width,
      intermediateSize: max(width, narrowed(dearest.intermediateSize)), blockCount: 1,
      headCount: width / Self.headDimension, contextLength: dearest.contextLength, normEpsilon: SideNetwork.epsilon,
      ropeTheta: dearest.ropeTheta, ropeScaling: dearest.ropeScaling == .unrotated ? .none : dearest.ropeScaling)
  }

  /// Whether it reads after a block of an anchor.
  func reads(_ block: Int, of anchor: LlamaConfiguration) -> Bool {
    (block + 1) % interval == 0 || block == anchor.blockCount - 1
  }
}

extension AdapterOptions {
  /// Nothing but a side network.
  public init(side: SideOptions) {
    self.init(trainsBiases: false, updatesLayers: false, targets: [], side: side)
  }

  /// Whether all routes that start in one anchor compute the same before their first stitching layer. They do not where
  /// each has biases of its own, nor where the last blocks of some run with what others have not.
  public var sharesPrefix: Bool { scope == .tail && side?.kind != .sherl }
}

extension Adapter {
  /// A side network as it is before training, which changes nothing.
  /// - Throws: `TrainingError.plan` where it does not fit the family.
  public static func untrained(_ side: SideOptions, for family: Family) throws -> Adapter {
    let layout = family.layout(AdapterOptions(side: side))
    try layout.checkSide()
    let store = ParameterStore(layout.declarations)
    var random = SeededGenerator(seed: 1)
    var tensors: [String: MatrixView] = [:]
    for (index, parameter) in store.parameters.enumerated() {
      AdapterLayout.startSide(parameter, store.value(index), &random)
      let columns = parameter.shape.last!
      tensors[parameter.name] = store.value(index).matrix(rows: parameter.count / columns, columns: columns)
    }
    return Adapter(options: layout.options, step: 0, family: family, importance: [:], tensors: tensors)
  }
}
