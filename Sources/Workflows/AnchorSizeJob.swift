import ChatEngine
import Foundation
import LLaMAStitch
import Support
import Tokenizer

/// `stitch anchor grow` and `shrink`: another anchor out of one, with more blocks or fewer.
public struct AnchorSizeJob {
  public enum Change: Sendable {
    case grow(GrownAnchor.Method, blocks: Int)
    case shrink(ShrunkAnchor.Method, Without)
  }

  /// Which blocks are left out.
  public enum Without: Sendable {
    /// The method finds them.
    case left(blocks: Int)
    case spans([Range<Int>])
    /// Those that a route within an anchor leaves out.
    case stitch(String?)
  }

  /// The model directory, or a family's.
  public var source: URL
  public var change: Change
  public var output: URL
  /// How weights are stored; if absent, as they are, or in BF16 where they are quantised.
  public var elementType: ElementType?
  /// Text to judge blocks and to fit maps by; `nil`: the model writes it.
  public var calibration: URL?
  public var calibrationTokens: Int
  public var seed: UInt64
  public var threads: Int

  public init(
    source: URL, change: Change, output: URL, elementType: ElementType? = nil, calibration: URL? = nil,
    calibrationTokens: Int = 20_000, seed: UInt64 = 1, threads: Int
  ) {
    self.source = source
    self.change = change
    self.output = output
    self.elementType = elementType
    self.calibration = calibration
    self.calibrationTokens = calibrationTokens
    self.seed = seed
    self.threads = threads
  }

  /// What was made.
  public struct Report: Sendable, Encodable {
    public var output: String
    public var method: String
    public var blocks: Int
    public var parameters: Int
    /// Of a grown anchor: of each block, the one it is a copy of or shares weights with; −1 for one that was predicted or combined.
    public var origins: [Int]?
    /// Of blocks that are combinations of their neighbours: what they have of the one before and of the one behind.
    public var factors: [[Float]]?
    /// Of blocks that learn: the divergence from the anchor at the first and the last step.
    public var divergences: [Double]?
    /// Of a shrunk one: the blocks that were left out, first and last of each span.
    public var leftOut: [[Int]]?
    /// What is left of the error of each map in their place, as a share of what they add.
    public var residuals: [Double]?
  }

  /// - Throws: `AnchorSizeError`, `FamilyError`, `CheckpointError`, `TokenizerError`, `FileError`: nothing is written then.
  public func run(
    note: (String) -> Void = { _ in }, progress: (_ done: Int, _ all: Int) -> Void = { _, _ in }
  ) throws -> Report {
    try NewDirectory.check(output)
    let (place, route) = try anchor()
    let directory = try ModelDirectory(place)
    let model = try LlamaModel(directory)
    let tokenizer = try loadTokenizer(from: source.path)
    try tokenizer.checkFits(model.configuration, model: source.path)
    let template = try ChatTemplate.load(directory: source.path, tokenizer: tokenizer)
    let pool = ComputePool(threads: threads)
    let type = elementType ?? directory.elementType.flatMap { $0.isQuantized ? nil : $0 } ?? .bf16
    var files = tokenizer.files
    if let text = try template?.source(tokenizer) { files["chat_template.jinja"] = Data(text.utf8) }
    files[GenerationDefaults.fileName] = try GenerationDefaults.read(in: source)?.json
    let text = CalibrationText(file: calibration, tokens: calibrationTokens, seed: seed, threads: threads)
    var batches: [PackedBatch]?
    func needed() throws -> [PackedBatch] {
      if let batches { return batches }
      let made = try text.batches(model, tokenizer: tokenizer, template: template ?? .fallback, note: note)
      batches = made
      return made
    }
    switch change {
    case .grow(let method, let blocks):
      // Before a text is written for it.
      try GrownAnchor.check(blocks: blocks, of: model.blocks.count, method)
      let grown = try GrownAnchor(
        model, blocks: blocks, method: method, batches: method.needsText ? needed() : [], seed: seed, pool: pool,
        progress: progress)
      try grown.model.write(to: output, elementType: type, files: files)
      var report = report(grown.model, method.rawValue)
      report.origins = grown.origins.map { $0 ?? -1 }
      if !grown.factors.isEmpty { report.factors = grown.factors }
      if !grown.losses.isEmpty { report.divergences = [grown.losses.first, grown.losses.last].compactMap { $0 } }
      return report
    case .shrink(let method, let without):
      let depth = model.blocks.count
      let spans: [Range<Int>]
      switch without {
      case .spans(let given): spans = given
      case .left(let blocks):
        // Before a text is written for it.
        if depth < 3 { throw AnchorSizeError.tooShallow(depth, needed: 3) }
        guard (2..<depth).contains(blocks) else {
          throw AnchorSizeError.blocks(blocks, of: depth, possible: 2...depth - 1)
        }
        spans = try ShrunkAnchor.spans(
          model, leavingOut: model.blocks.count - blocks, method: method, batches: needed(), pool: pool)
      case .stitch: spans = route!.leftOut
      }
      // What cannot be left out is said at once.
      _ = try ShrunkAnchor(model, without: spans, method: .drop, batches: [], pool: pool)
      let shrunk = try ShrunkAnchor(
        model, without: spans, method: method, batches: method == .fold ? needed() : [], pool: pool)
      try shrunk.model.write(to: output, elementType: type, files: files)
      var report = report(shrunk.model, method.rawValue)
      report.leftOut = spans.sorted { $0.lowerBound < $1.lowerBound }.map { [$0.lowerBound, $0.upperBound - 1] }
      if method == .fold { report.residuals = shrunk.residuals }
      return report
    }
  }

  private func report(_ model: LlamaModel, _ method: String) -> Report {
    Report(
      output: output.path, method: method, blocks: model.blocks.count, parameters: model.network().parameterCount)
  }

  /// Where the anchor's weights are, and the route that says which of its blocks stay.
  private func anchor() throws -> (URL, Route?) {
    guard case .shrink(_, .stitch(let id)) = change else { return (source, nil) }
    let family = try Family(source)
    let route = try id.map { try family.stitch($0) }?.route
    guard let route, route.isWithin else {
      throw AnchorSizeError.notWithin(
        id: id ?? "", known: family.stitches.filter { $0.route.isWithin }.map(\.id))
    }
    return (try family.place(ofAnchor: route.start), route)
  }
}
