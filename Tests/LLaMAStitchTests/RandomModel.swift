import Foundation
import LLaMAStitch
import Support

/// Small models with random weights, and directories for them that go away with the test.
enum RandomModel {
  static func configuration(
    hidden: Int = 16, blocks: Int = 3, heads: Int = 2, keyValueHeads: Int = 1, headDimension: Int = 8,
    intermediate: Int = 24, vocabulary: Int = 32, tied: Bool = false
  ) -> LlamaConfiguration {
    LlamaConfiguration(
      vocabularySize: vocabulary, hiddenSize: hidden, intermediateSize: intermediate, blockCount: blocks,
      headCount: heads, keyValueHeadCount: keyValueHeads, headDimension: headDimension, contextLength: 64,
      tiedEmbeddings: tied)
  }

  /// Normal weights of standard deviation `scale`/√in, norms around 1.
  static func weights(
    _ configuration: LlamaConfiguration, seed: UInt64, scale: Double = 1
  ) -> (LlamaTensor) -> VectorView {
    var random = SeededGenerator(seed: seed)
    var all: [LlamaTensor: VectorView] = [:]
    for tensor in configuration.tensorShapes {
      let count = tensor.shape.reduce(1, *)
      let values = (0..<count).map { _ -> Float in
        tensor.shape.count == 1
          ? Float(1 + 0.2 * random.normal()) : Float(scale * random.normal() / Double(tensor.shape[1]).squareRoot())
      }
      all[tensor.tensor] = FloatBuffer(values).vector
    }
    return { [all] in all[$0]! }
  }

  @discardableResult
  static func write(
    _ configuration: LlamaConfiguration, weights: (LlamaTensor) -> VectorView, to url: URL
  ) throws -> ModelDirectory {
    try ModelDirectory.write(to: url, configuration: configuration, weights: weights)
    return try ModelDirectory(url)
  }

  /// Random token sequences.
  static func tokens(_ sequences: Int, length: Int, vocabulary: Int = 32, seed: UInt64 = 9) -> [[Int32]] {
    var random = SeededGenerator(seed: seed)
    return (0..<sequences).map { _ in (0..<length).map { _ in Int32(random.index(below: vocabulary)) } }
  }

  /// A family of random anchors of the given depths and widths.
  static func family(
    in folder: TemporaryFolder, depths: [Int] = [2, 3], widths: [Int] = [16, 24], tied: Bool = false
  ) throws -> Family {
    let names = ["small", "medium", "large", "huge"]
    let anchors = try zip(depths, widths).enumerated().map { index, shape in
      let configuration = configuration(hidden: shape.1, blocks: shape.0, tied: tied)
      let directory = try write(
        configuration, weights: weights(configuration, seed: UInt64(index + 1)),
        to: folder.url.appendingPathComponent(names[index]))
      return FamilyBuilder.Anchor(name: names[index], directory: directory)
    }
    let builder = try FamilyBuilder(
      anchors, options: .init(name: "random", chatTemplate: "tiny"), pool: ComputePool(threads: 2))
    return try builder.build(
      calibration: tokens(40, length: 20), tokenizer: ["tokenizer": Data("not a tokenizer".utf8)],
      output: folder.url.appendingPathComponent("family"))!
  }
}

/// A folder that is removed with its last reference.
final class TemporaryFolder {
  let url: URL

  init() throws {
    url = FileManager.default.temporaryDirectory.appendingPathComponent("stitch-test-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(at: url) }
}

extension RandomModel {
  /// An adapter with random values in every tensor.
  static func adapter(_ family: Family, _ options: AdapterOptions, seed: UInt64, step: Int = 1) -> Adapter {
    var random = SeededGenerator(seed: seed)
    let tensors = family.layout(options).declarations.map { declaration -> (String, MatrixView) in
      let columns = declaration.shape[declaration.shape.count - 1]
      let rows = declaration.shape.reduce(1, *) / columns
      let values = (0..<rows * columns).map { _ in Float(0.1 * random.normal()) }
      return (declaration.name, FloatBuffer(values).matrix(rows: rows, columns: columns))
    }
    return Adapter(
      options: options, step: step, family: family, importance: [:], tensors: Dictionary(uniqueKeysWithValues: tensors))
  }
}

extension Projection {
  /// Its low-rank delta, if it has one.
  var lowRank: LowRank? {
    for case .lowRank(let update) in deltas { return update }
    return nil
  }

  /// The bias that an adapter adds, if it does.
  var addedBias: VectorView? {
    for case .bias(let bias) in deltas { return bias.values }
    return nil
  }
}

/// ‖a − b‖ / ‖b‖
func relativeDifference(_ a: [Float], _ b: [Float]) -> Double {
  let difference = zip(a, b).reduce(0.0) { $0 + Double(($1.0 - $1.1) * ($1.0 - $1.1)) }
  return (difference / b.reduce(0.0) { $0 + Double($1 * $1) }).squareRoot()
}
