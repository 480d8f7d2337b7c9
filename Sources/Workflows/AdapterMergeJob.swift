import ChatEngine
import Foundation
import LLaMAStitch
import Support

/// `stitch adapter merge`: several adapters of one family as one.
public struct AdapterMergeJob {
  public enum Method: String, Sendable, CaseIterable {
    /// As much of each as its weight says, exactly (task arithmetic, averages).
    case sum
    /// The average, each value weighted by what it matters to the adapter's own data.
    case fisher
    /// Scales of what each output adds, learned on data.
    case scalearn
    /// The same with one scale for a block.
    case scalearnUniform = "scalearn-uniform"
  }

  public var method: Method
  /// As for chat: `own`, `latest`, or the beginning of a snapshot's hash.
  public var adapters: [String]
  /// One for each; without any the method's own.
  public var weights: [Float]
  /// What is kept of each before, by depth.
  public var scale: AdapterScale?
  /// Of `fisher` a file for each adapter, of `scalearn` what the result is for.
  public var data: [URL]
  /// Examples of a file that `fisher` looks at, at most.
  public var examples: Int
  /// Steps in which `scalearn` learns.
  public var steps: Int
  public var threads: Int

  public static let defaultSteps = 400

  public init(
    method: Method, adapters: [String], weights: [Float] = [], scale: AdapterScale? = nil, data: [URL] = [],
    examples: Int = 256, steps: Int = defaultSteps, threads: Int
  ) {
    self.method = method
    self.adapters = adapters
    self.weights = weights
    self.scale = scale
    self.data = data
    self.examples = examples
    self.steps = steps
    self.threads = threads
  }

  /// What happens meanwhile.
  public enum Progress: Sendable {
    case example(_ file: String, _ done: Int, of: Int)
    case step(Int, of: Int, loss: Double)
  }

  /// - Returns: the merged adapter, which says what it was made of; nothing is written.
  /// - Throws: `EngineError`, `FamilyError`, `DataError`, `TrainingError`, `FileError`.
  public func run(
    _ text: TextFamily, store: AdapterStore, note: (String) -> Void = { _ in }, progress: (Progress) -> Void = { _ in }
  ) throws -> Adapter {
    let family = text.family
    var found: [(adapter: Adapter, hash: String)] = []
    for name in adapters {
      let (adapter, hash) = try text.adapter(named: name, store: store)
      found.append((scale.map { adapter.scaled(by: $0, in: family) } ?? adapter, hash))
    }
    let counts = weights.isEmpty ? found.map { _ in 1 / Float(found.count) } : weights
    let parts = zip(found, counts).map { AdapterOrigin.Part($0.hash, weight: $1) }
    let pool = ComputePool(threads: threads)
    func examples(_ file: URL) throws -> [TrainingExample] {
      try DataFile(file).examples(for: text, contextLength: text.contextLength, note: note)
    }
    do {
      switch method {
      case .sum:
        return try Adapter.merged(zip(found, counts).map { ($0.adapter, $1) }, in: family)
          .made(of: AdapterOrigin(.sum, parts, scale: scale))
      case .fisher:
        try FisherMerging.check(found.map(\.adapter))
        let merged = try zip(zip(found, counts), data).map { part, file in
          let chosen = Array(try examples(file).prefix(self.examples))
          let fisher = try FisherMerging.fisher(of: part.0.adapter, in: family, examples: chosen, pool: pool) {
            progress(.example(file.path, $0, of: chosen.count))
          }
          return (part.0.adapter, fisher, part.1)
        }
        return try FisherMerging.merged(merged, in: family).made(of: AdapterOrigin(.fisher, parts, scale: scale))
      case .scalearn, .scalearnUniform:
        let learning = try ScaleLearning(
          found.map(\.adapter), weights: weights.isEmpty ? nil : weights, in: family,
          settings: .init(shape: method == .scalearn ? .vectors : .numbers, steps: steps),
          examples: Self.balanced(try data.map(examples)), pool: pool)
        learning.run { progress(.step($0, of: steps, loss: $1)) }
        return learning.merged().made(
          of: AdapterOrigin(.scalearn, found.map { .init($0.hash) }, scale: scale))
      }
    } catch let error as AdapterMergeError {
      throw EngineError.cannotMix(adapter: adapters[error.index], cause: "\(error)")
    }
  }

  /// Examples of several files, of each as many as of the largest: those of smaller ones come again. What is merged counts
  /// alike, however much each was taught with.
  package static func balanced(_ files: [[TrainingExample]]) -> [TrainingExample] {
    let most = files.map(\.count).max() ?? 0
    return files.filter { !$0.isEmpty }.flatMap { file in (0..<most).map { file[$0 % file.count] } }
  }
}
