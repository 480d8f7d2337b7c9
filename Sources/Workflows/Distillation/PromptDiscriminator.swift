import ChatEngine
import Foundation
import LLaMAStitch
import Tokenizer

/// Tells questions of a collection from those that a model has written like them: a low-rank update of the source's dearest
/// anchor, trained to say yes or no, as in Trans-LoRA.
struct PromptDiscriminator {
  private let text: TextFamily
  private let network: Network
  private let rule: Backpropagation

  /// - Parameter adapter: what `train` has made.
  init(_ text: TextFamily, adapter: Adapter, pool: ComputePool) throws {
    self.text = text
    let family = text.family
    network = family.network(family.dearestAnchor.route, adapter: adapter)
    rule = try Backpropagation(store: ParameterStore([]), pool: pool)
  }

  /// - Parameters:
  ///   - real: of the collection.
  ///   - written: like them, about as many.
  /// - Throws: `TokenizerError`, `TrainingError`.
  static func train(
    _ text: TextFamily, real: [String], written: [String], steps: Int, seed: UInt64, threads: Int,
    progress: (Int, Int) -> Void
  ) throws -> Adapter {
    let family = text.family
    let anchor = family.dearestAnchor
    var examples: [TrainingExample] = []
    // In turn, so that a step has both.
    for index in 0..<max(real.count, written.count) {
      if index < real.count { examples.append(try example(real[index], isReal: true, text)) }
      if index < written.count { examples.append(try example(written[index], isReal: false, text)) }
    }
    var settings = AdaptationSettings(
      stitches: .named([anchor.id]), steps: steps, tokensPerStep: 1024,
      options: AdapterOptions(rank: 8, trainsBiases: false, updatesLayers: false), seed: seed)
    settings.heldOutTokens = 0
    let trainer = try ESTATrainer(
      family: family, adapter: nil, settings: settings, examples: examples, pool: ComputePool(threads: threads))
    _ = try trainer.run { made in
      progress(made.step, steps)
      return .goOn
    }
    return trainer.snapshot()
  }

  /// How likely it is that a question is of the collection.
  func likelihood(_ question: String) throws -> Double {
    let (yes, no) = (try loss(question, isReal: true), try loss(question, isReal: false))
    return 1 / (1 + exp(yes - no))
  }

  /// The negative log-likelihood of an answer.
  private func loss(_ question: String, isReal: Bool) throws -> Double {
    let example = try Self.example(question, isReal: isReal, text)
    var batch = PackedBatch()
    batch.append(example.tokens, lossMask: example.lossMask)
    return rule.loss(network, batch, teacher: nil) * Double(batch.targetCount)
  }

  private static func example(_ question: String, isReal: Bool, _ text: TextFamily) throws -> TrainingExample {
    let asked = ChatMessage(role: .user, content: "Is this question one of the collection? \(question)")
    let record = DataFile.Record.conversation([asked, ChatMessage(role: .assistant, content: isReal ? "yes" : "no")])
    let encoded = try TrainingText.encoded(record, tokenizer: text.tokenizer, template: text.template)!.tokens
    return TrainingExample(tokens: encoded.tokens.map(Int32.init), lossMask: encoded.lossMask)
  }
}
