import ArgumentParser
import Foundation
import LLaMAStitch
import Support

/// `stitch score`: how well a model predicts a text.
struct Score: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Measure how well a model predicts a text.",
    discussion: """
      Prints the number of tokens, their mean negative log-likelihood (in nats) and the perplexity. The token that \
      begins a text is put before it and not counted. A text longer than the context is scored in windows that \
      overlap by half.
      """)

  @Argument(help: "The text, taken byte for byte; - is standard input.")
  var file: String

  @OptionGroup var source: ModelArguments

  @Flag(help: "Print one JSON document with the value of every token.")
  var json = false

  func run() throws {
    let text = try read()
    let model = try ModelSource(source)
    let tokens = model.tokens(of: text)
    guard tokens.count > 1 else {
      throw CommandError.malformed(file, expected: "there is nothing to score; name a file with some text")
    }
    let session = InferenceSession(
      network: model.network, contextLength: min(4096, model.network.contextLength, tokens.count),
      cacheType: source.cacheType,
      pool: source.pool)
    let values = try Scorer.negativeLogLikelihoods(of: tokens, session: session)
    let mean = values.reduce(0, +) / Double(values.count)
    if mean.isNaN { throw InferenceError.notANumber }
    let report = Report(tokens: values.count, meanNll: mean, perplexity: exp(mean), nll: values)
    if json { return try Console.write(json: report) }
    let lines = [
      "tokens      \(report.tokens)", "mean NLL    \(ProgressMeter.fixed(report.meanNll, 6))",
      "perplexity  \(ProgressMeter.fixed(report.perplexity, 4))",
    ]
    try Console.write(text: lines.joined(separator: "\n") + "\n")
  }

  private func read() throws -> [UInt8] {
    if file == "-" { return try Console.readStandardInput() }
    return Array(try MappedFile(URL(fileURLWithPath: file)).bytes.data)
  }

  private struct Report: Encodable {
    let tokens: Int
    let meanNll: Double
    let perplexity: Double
    let nll: [Double]
  }
}
