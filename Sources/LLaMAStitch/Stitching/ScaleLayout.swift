/// What DiffFit trains besides biases (Xie et al. 2023, arXiv 2304.06648): γ, by which what attention and the MLP add to the
/// hidden state is multiplied, 1 at first, and the weights of the norms before them. All stitches that pass through a block
/// share them.
///
/// - `anchors.NAME.layers.N.self_attn.o_proj.scale`, `….mlp.down_proj.scale` `[hidden]`
/// - `anchors.NAME.layers.N.attention.norm`, `….mlp.norm` `[hidden]`, in place of the anchor's own
extension AdapterLayout {
  /// The projections whose output is added to the hidden state.
  static let scaled: [AdapterTarget] = [.output, .down]

  private static let norms = ["attention.norm", "mlp.norm"]

  private func normName(_ anchor: Int, _ block: Int, _ norm: Int) -> String {
    "anchors.\(names[anchor]).layers.\(block).\(Self.norms[norm])"
  }

  /// The vectors beside a block of an anchor, by name, with their widths.
  func scaleWidths(_ anchor: Int, _ block: Int) -> [(name: String, width: Int)] {
    guard options.hasScales else { return [] }
    let width = configurations[anchor].hiddenSize
    return Self.scaled.map { (lowRankName(anchor: anchor, block: block, $0) + ".scale", width) }
      + Self.norms.indices.map { (normName(anchor, block, $0), width) }
  }

  /// A block with the norms that there are.
  func renormed(_ block: Block, anchor: Int, number: Int, from tensors: some DeltaTensors) -> Block {
    guard options.hasScales else { return block }
    var block = block
    if let norm = tensors.bias(normName(anchor, number, 0)) { block.attentionNorm = norm }
    if let norm = tensors.bias(normName(anchor, number, 1)) { block.mlpNorm = norm }
    return block
  }

  /// What such a vector is before training; `nil` if it is none.
  func startScale(_ name: String, anchors: [LlamaModel]) -> VectorView? {
    guard options.hasScales else { return nil }
    for (anchor, model) in anchors.enumerated() {
      for (number, block) in model.blocks.enumerated() {
        if name == normName(anchor, number, 0) { return block.attentionNorm.values }
        if name == normName(anchor, number, 1) { return block.mlpNorm.values }
      }
    }
    return nil
  }

  /// Whether an adapter's tensor is one of these.
  static func isScale(_ name: String) -> Bool {
    name.hasSuffix(".scale") || norms.contains { name.hasSuffix("." + $0) }
  }
}
