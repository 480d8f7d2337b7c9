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
  private let options: AdapterOptions
  private let blocks: [(index: Int, projections: [(target: AdapterTarget, deltas: [Delta])])]

  /// - Parameter base: where the anchor's own weights are, for the configuration.
  /// - Throws: `FamilyError.unknownStitch`, `.notAnAnchor`, `.runsBeside`, `.notLowRank`.
  public init(_ family: Family, stitch id: String, adapter: Adapter, base: String) throws {
    let route = try family.stitch(id).route
    guard route.isAnchor else { throw FamilyError.notAnAnchor(id: id, anchors: family.names) }
    if adapter.options.side != nil { throw FamilyError.runsBeside(stitch: id) }
    if adapter.options.hasScales { throw FamilyError.notLowRank(stitch: id) }
    anchor = id
    self.base = base
    options = adapter.options
    blocks = family.network(route, adapter: adapter).blocks.enumerated().map { index, block in
      (index, adapter.options.targets.map { ($0, block[keyPath: $0.path].deltas) })
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
    var inference_mode = true
    var fan_in_fan_out = false
  }

  /// Writes a directory that does not exist yet.
  /// - Throws: `FileError`, `SafetensorsError`.
  public func write(to url: URL) throws {
    let hasBiases = blocks.contains { $0.projections.contains { $0.deltas.contains(where: \.isBias) } }
    var writer = SafetensorsWriter()
    for (index, projections) in blocks {
      for (target, deltas) in projections {
        for case .lowRank(let update) in deltas {
          let prefix = "base_model.model.model.layers.\(index).\(target.placeInBlock)"
          writer.add("\(prefix).lora_A.weight", shape: [update.rank, update.a.columns], update.a.floats())
          writer.add("\(prefix).lora_B.weight", shape: [update.b.rows, update.rank], update.b.floats())
          guard hasBiases else { continue }
          var bias = [Float](repeating: 0, count: update.b.rows)
          for case .bias(let added) in deltas { bias = zip(bias, added.values.array).map { $0 + $1 } }
          writer.add("\(prefix).lora_B.bias", shape: [bias.count], bias.map { $0 / update.scale })
        }
      }
    }
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    let configuration = try encoder.encode(
      Configuration(
        base_model_name_or_path: base, r: options.rank, lora_alpha: options.alpha, lora_bias: hasBiases,
        target_modules: options.targets.map(\.rawValue)))
    try NewDirectory.write(url) { directory in
      try AtomicFile.write(configuration, to: directory.appendingPathComponent("adapter_config.json"))
      try writer.write(to: directory.appendingPathComponent("adapter_model.safetensors"))
    }
  }
}

extension Delta {
  fileprivate var isBias: Bool { if case .bias = self { true } else { false } }
}
