import Foundation

/// One small layer that reads the outputs of all blocks at once, merges them, and adds what it makes of them to the hidden
/// state: after the last block (UniPT), or before the last few (SHERL), which then compute with it.
///
/// x̂ is a hidden state over its root mean square, D a projection down to the width of this network, w, and x the hidden
/// state where it speaks. Of an input over its root mean square times trained weights is written norm(·). In what is read,
/// the embedding counts as a block's output. The last thing that is read is the guide, g; the others are z₁ … z_L.
///
/// **UniPT** (universal parallel tuning: Diao et al., CVPR 2024, arXiv 2308.14316; code: Paranioar/UniPT). Of token t
///
/// > z_l = norm(D_l x̂_l)
/// > m_l = Σ_u a_lu z_lu + z_l, a_lu = relu(g · z_lu) / Σ_v relu(g · z_lv) *(parallel interaction layers)*
/// > m = Σ_l c_l m_l, c = softmax_l(v · (mean(g) ∘ mean(z_l))) *(confidence aggregation layer)*
/// > x ← x + U relu(g + norm(P m))
///
/// as `Our_tuning_for_transformer` of the authors has it. What is otherwise here: tokens see earlier ones alone, so u and v
/// run to t, and a mean is that of the tokens up to t; norms are of root mean squares, without biases, as in LLaMAs; hidden
/// states, which in LLaMAs grow by thousands at the first token, are divided by their root mean squares; and the result is
/// added to the hidden state, as the authors do with CLIP, with U = 0 at first, so that training begins with the replies as
/// they are.
///
/// **SHERL** (Diao et al., ECCV 2024, arXiv 2407.07523; code: Paranioar/SHERL). Of every token by itself
///
/// > z_l = (F_l r_l + r_l) ∘ σ(G_l r_l), r_l = relu(D_l x̂_l)
/// > q_l ∝ relu(v · (z_l ∘ g)) / Σ_k relu(cos(z_l, z_k)), Σ q = 1 *(anti-redundancy)*
/// > x ← (1 + tanh(α / T)) x + U relu(Σ_l q_l z_l + g), T = 0.1
///
/// as `MTSAdapter` of the authors' T5 has it, and then the last blocks run with it (the late route), through which the
/// gradient flows. What is otherwise here: no biases; hidden states are divided by their root mean squares; and where the
/// authors have tanh(α / T), which is 0 at first, here is 1 + tanh(α / T), with U = 0 at first, so that training begins
/// with the replies as they are. Where a network has fewer blocks behind its last stitching layer than the late route is to
/// have, it speaks behind that layer.
///
/// - *Of a family:* all z are equally wide, so that a route may pass any anchors; what is read behind a block is shared by
///   all routes that pass through it, and what merges belongs to the anchor in which a route ends.
public struct ParallelNetwork: Sendable {
  /// Of the embedding first, then one a stage; `nil` where nothing is read.
  public let readers: [Reader?]
  /// It speaks before the stage of this number, or after the last one.
  public let insertion: Int
  public let merge: Merge
  /// U, `[hidden × width]`.
  public let exit: WeightMatrix

  /// How a hidden state becomes z.
  public enum Reader: Sendable {
    /// D `[width × hidden]`, and the weights of the norm `[width]`.
    case normed(down: WeightMatrix, norm: WeightVector)
    /// D `[width × hidden]`, F and G `[width × width]`.
    case gated(down: WeightMatrix, mixing: WeightMatrix, opening: WeightMatrix)

    var down: WeightMatrix {
      switch self {
      case .normed(let down, _), .gated(let down, _, _): down
      }
    }
  }

  /// How all z become one.
  public enum Merge: Sendable {
    /// UniPT: v `[width]`, P `[width × width]`, the weights of the norm `[width]`.
    case attention(confidence: WeightVector, projection: WeightMatrix, norm: WeightVector)
    /// SHERL: v `[width]`, α `[1]`.
    case antiRedundancy(weighing: WeightVector, keep: WeightVector)
  }

  /// Of z.
  public var width: Int { exit.columns }

  /// T of SHERL.
  static let temperature: Float = 0.1
  /// What is added to the sums by which the authors divide.
  static let least: Float = 1e-6

  /// What the hidden state is multiplied by where it speaks.
  var keptShare: Float {
    guard case .antiRedundancy(_, let keep) = merge else { return 1 }
    return 1 + tanh(keep.values[0] / Self.temperature)
  }

  /// Those that read before it speaks, with their places: the guide is the last one.
  var reading: [(place: Int, reader: Reader)] {
    readers.enumerated().compactMap { place, reader in reader.map { (place, $0) } }
  }

  /// UniPT attends to z of earlier tokens, and has their means.
  var kept: [Int: KeptShape] {
    guard case .attention = merge else { return [:] }
    let shape = KeptShape(
      configuration: LlamaConfiguration(
        vocabularySize: 1, hiddenSize: width, intermediateSize: width, blockCount: 1, headCount: 1,
        contextLength: 1),
      sums: width)
    return Dictionary(uniqueKeysWithValues: reading.map { ($0.place, shape) })
  }

  var matrices: [WeightMatrix] {
    var all = [exit]
    for (_, reader) in reading {
      switch reader {
      case .normed(let down, _): all.append(down)
      case .gated(let down, let mixing, let opening): all += [down, mixing, opening]
      }
    }
    if case .attention(_, let projection, _) = merge { all.append(projection) }
    return all
  }

  var vectors: [WeightVector] {
    let norms = reading.compactMap { _, reader in if case .normed(_, let norm) = reader { norm } else { nil } }
    switch merge {
    case .attention(let confidence, _, let norm): return norms + [confidence, norm]
    case .antiRedundancy(let weighing, let keep): return norms + [weighing, keep]
    }
  }
}
