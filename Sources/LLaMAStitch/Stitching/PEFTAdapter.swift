import Foundation
import Support

/// What an adapter adds to one anchor, in the files of Hugging Face's PEFT: `adapter_config.json` and
/// `adapter_model.safetensors`.
///
/// Biases become those of the second low-rank factor (`lora_bias`), which PEFT scales like the product: they are stored
/// divided by α / rank.
public struct PEFTAdapter {
  private let anchor: String
  private let base: String
  private let targets: [AdapterTarget]
  /// Of each projection the low-rank update, several as one, and the biases.
  private let blocks: [(index: Int, projections: [(target: AdapterTarget, update: LowRank, biases: [WeightVector])])]

  /// - Parameter base: where the anchor's own weights are, for the configuration.
  /// - Throws: `FamilyError.unknownStitch`, `.notAnAnchor`, `.runsBeside`, `.notLowRank`.
  public init(_ family: Family, stitch id: String, adapter: Adapter, base: String) throws {
    let route = try family.stitch(id).route
    guard route.isAnchor else { throw FamilyError.notAnAnchor(id: id, anchors: family.names) }
    if let what = adapter.options.unmergeable { throw FamilyError.runsBeside(stitch: id, what: what) }
    if adapter.options.hasScales { throw FamilyError.notLowRank(stitch: id) }
    anchor = id
    self.base = base
    targets = adapter.options.targets
    blocks = family.network(route, adapter: adapter).blocks.enumerated().map { index, block in
      (
        index,
        adapter.options.targets.compactMap { target in
          let projection = block[keyPath: target.path]
          guard !projection.lowRanks.isEmpty else { return nil }
          return (target, LowRank.combined(projection.lowRanks), projection.addedBiases)
        }
      )
    }
  }

  private struct Configuration: Encodable {
    var peft_type = "LORA"
    var task_type = "CAUSAL_LM"
    var base_model_name_or_path: String
    var r: Int
    var lora_alpha: Float
    var lora_dropout = 0.0
    var lora_bias: Bool
    var bias = "none"
    var target_modules: [String]
    /// Left out where all blocks are adapted.
    var layers_to_transform: [Int]?
    var inference_mode = true
    var fan_in_fan_out = false
  }

  /// Writes a directory that does not exist yet.
  /// - Throws: `FileError`, `SafetensorsError`.
  public func write(to url: URL) throws {
    let projections = blocks.flatMap(\.projections)
    let hasBiases = projections.contains { !$0.biases.isEmpty }
    var writer = SafetensorsWriter()
    for (index, projections) in blocks {
      for (target, update, biases) in projections {
        let prefix = "base_model.model.model.layers.\(index).\(target.placeInBlock)"
        writer.add("\(prefix).lora_A.weight", shape: [update.rank, update.a.columns], update.a.floats())
        writer.add("\(prefix).lora_B.weight", shape: [update.b.rows, update.rank], update.b.floats())
        guard hasBiases else { continue }
        var bias = [Float](repeating: 0, count: update.b.rows)
        for added in biases { bias = zip(bias, added.values.array).map { $0 + $1 } }
        writer.add("\(prefix).lora_B.bias", shape: [bias.count], bias.map { $0 / update.scale })
      }
    }
    // All have the same.
    let (rank, scale) = projections.first.map { ($0.update.rank, $0.update.scale) } ?? (1, 1)
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    let configuration = try encoder.encode(
      Configuration(
        base_model_name_or_path: base, r: rank, lora_alpha: Float(rank) * scale, lora_bias: hasBiases,
        target_modules: targets.map(\.rawValue),
        layers_to_transform: blocks.contains { $0.projections.isEmpty }
          ? blocks.filter { !$0.projections.isEmpty }.map(\.index) : nil))
    try NewDirectory.write(url) { directory in
      try AtomicFile.write(configuration, to: directory.appendingPathComponent("adapter_config.json"))
      try writer.write(to: directory.appendingPathComponent("adapter_model.safetensors"))
    }
  }
}

extension Projection {
  fileprivate var addedBiases: [WeightVector] {
    deltas.compactMap { delta in if case .bias(let bias) = delta { bias } else { nil } }
  }
}
