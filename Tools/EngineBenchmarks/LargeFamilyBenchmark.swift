import Foundation
import LLaMAStitch
import Support

/// Makes large anchors with random weights, builds a family of them and takes one step of training, to see what that takes.
public enum LargeFamilyBenchmark {
  public enum Shape: String, CaseIterable, Sendable {
    case small
    /// TinyLlama's, and one of half as many blocks.
    case billion = "1.1B"
    case oneAndTwoBillion = "1B+2B"
    /// TinyLlama's and LLaMA 7B.
    case oneAndSevenBillion = "1B+7B"
    /// LLaMA 7B and 13B.
    case sevenAndThirteenBillion = "7B+13B"

    var anchors: [(name: String, configuration: LlamaConfiguration)] {
      func llama(_ hidden: Int, _ intermediate: Int, blocks: Int, heads: Int) -> LlamaConfiguration {
        LlamaConfiguration(
          vocabularySize: 32_000, hiddenSize: hidden, intermediateSize: intermediate, blockCount: blocks,
          headCount: heads, contextLength: 2048)
      }
      return switch self {
      case .small:
        [("smaller", llama(64, 192, blocks: 4, heads: 2)), ("larger", llama(96, 256, blocks: 5, heads: 3))]
      case .billion:
        [("0.6B", BenchmarkShape.billion.halfAsDeep), ("1.1B", BenchmarkShape.billion.configuration)]
      case .oneAndTwoBillion:
        [("1B", llama(2048, 5632, blocks: 22, heads: 16)), ("2B", llama(2560, 6912, blocks: 26, heads: 20))]
      case .oneAndSevenBillion:
        [("1.1B", BenchmarkShape.billion.configuration), ("7B", BenchmarkShape.sevenBillion.configuration)]
      case .sevenAndThirteenBillion:
        [("7B", llama(4096, 11_008, blocks: 32, heads: 32)), ("13B", llama(5120, 13_824, blocks: 40, heads: 40))]
      }
    }
  }

  public struct Settings: Sendable {
    public var shape: Shape
    /// How the family stores base weights; the random anchors are BF16.
    public var elementType: ElementType
    public var calibrationTokens: Int
    /// Tokens of a step of training, about.
    public var stepTokens: Int
    /// How a step is taken, one method after another.
    public var methods: [AdaptationMethod]
    /// How blocks keep what they compute for the backward pass: each method takes a step with each, where it has any.
    public var activations: [SavedActivations]

    /// What steps are taken, in order.
    fileprivate var plans: [(method: AdaptationMethod, activations: SavedActivations)] {
      methods.flatMap { method in
        (method.keepsActivations ? activations : [.exact]).map { (method, $0) }
      }
    }

    public init(
      shape: Shape, elementType: ElementType, calibrationTokens: Int, stepTokens: Int, methods: [AdaptationMethod],
      activations: [SavedActivations] = [.exact]
    ) {
      self.shape = shape
      self.elementType = elementType
      self.calibrationTokens = calibrationTokens
      self.stepTokens = stepTokens
      self.methods = methods
      self.activations = activations
    }
  }

  /// One part of the run.
  public struct Stage: Sendable, Encodable {
    public var stage: String
    public var seconds: Double
    /// Highest memory of the process that no file is behind.
    public var peakAnonymousBytes: Int
    /// Highest resident memory, pages of mapped files included, each once for every time its file is mapped: it can
    /// exceed what the machine has.
    public var peakResidentBytes: Int
  }

  /// A step of training on the dearest stitch.
  public struct Step: Sendable, Encodable {
    public var method: String
    public var activations: String
    public var stitch: String
    /// Before the update.
    public var loss: Double
    public var tokens: Int
    public var trained_parameters: Int
    public var peak_anonymous_bytes: Int
    /// That by the first method's.
    public var peak_ratio: Double
  }

  public struct Report: Sendable {
    public var stages: [Stage]
    public var stitches: [Stitch]
    /// Bytes of the family's directory.
    public var familyBytes: Int
    public var steps: [Step]
    /// The system's own high-water mark of resident memory (VmHWM), pages of mapped files included.
    public var peakResidentBytes: Int
  }

  /// A run as one JSON document.
  public struct Document: Encodable, Sendable {
    struct Row: Encodable, Sendable {
      var id: String
      var route: String
      var parameters: Int
      var flops_per_token: Int
      var weight_bytes: Int
    }

    var suite = "large-family"
    var shape: String
    var quantization: String
    var threads: Int
    var calibration_tokens: Int
    var memory_notes =
      "peak_anonymous_bytes: memory of the process without mapped files (RssAnon, sampled); peak_resident_bytes: with the pages of mapped files that were in memory (VmRSS sampled; over all, VmHWM), where a page counts once for each time its file is mapped"
    var seconds: Double
    var peak_anonymous_bytes: Int
    var peak_resident_bytes: Int
    var family_bytes: Int
    var stages: [Stage]
    var steps: [Step]
    var stitches: [Row]

    public init(_ report: Report, settings: Settings, threads: Int) {
      shape = settings.shape.rawValue
      quantization = settings.elementType.rawValue.lowercased()
      self.threads = threads
      calibration_tokens = settings.calibrationTokens
      seconds = report.stages.reduce(0) { $0 + $1.seconds }
      peak_anonymous_bytes = report.stages.map(\.peakAnonymousBytes).max() ?? 0
      peak_resident_bytes = report.peakResidentBytes
      family_bytes = report.familyBytes
      stages = report.stages
      steps = report.steps
      stitches = report.stitches.map {
        Row(
          id: $0.id, route: $0.routeText, parameters: $0.parameters, flops_per_token: $0.flopsPerToken,
          weight_bytes: $0.weightBytes)
      }
    }
  }

  /// - Parameters:
  ///   - directory: for some tens of GB, which are removed again.
  ///   - kept: where the family stays, if anywhere: a directory that does not exist yet.
  ///   - note: receives lines for people.
  /// - Throws: `FileError` where there is too little room, `FamilyError`, `ComputeError`.
  public static func run(
    _ settings: Settings, in directory: URL, keepingFamilyAt kept: URL? = nil, pool: ComputePool,
    note: @escaping (String) -> Void
  ) throws -> Report {
    if let kept { try NewDirectory.check(kept) }
    let work = directory.appendingPathComponent("large-family.\(getpid())")
    try NewDirectory.makePath(work)
    defer { do { try FileManager.default.removeItem(at: work) } catch { note("\(work.path) can be deleted") } }
    try checkRoom(for: settings, in: work)
    let meter = MemoryMeter()
    func begin(_ stage: String) {
      note(stage)
      meter.begin(stage)
    }
    begin("make anchors")
    let anchors = try settings.shape.anchors.enumerated().map { index, anchor in
      let place = work.appendingPathComponent(anchor.name)
      try ModelDirectory.write(
        to: place, configuration: anchor.configuration, elementType: .bf16,
        fill: anchor.configuration.randomWeights(seed: index))
      return FamilyBuilder.Anchor(name: anchor.name, directory: try ModelDirectory(place))
    }
    var options = FamilyBuilder.Options(name: settings.shape.rawValue, chatTemplate: "alpaca")
    options.elementType = settings.elementType
    let text = sequences(
      settings.calibrationTokens, vocabulary: anchors[0].directory.configuration.vocabularySize, seed: 1)
    let output = kept ?? work.appendingPathComponent("family")
    let family = try FamilyBuilder(anchors, options: options, pool: pool).build(
      calibration: text, tokenizer: ["tokenizer": Data("none".utf8)], output: output
    ) { progress in
      switch progress {
      case .storing(let anchor): begin("store \(anchor)")
      case .fitting(let done, let all): note("fitted \(done) of \(all) stitching layers")
      case .training, .searching, .found: break
      case .stored: begin("fit stitching layers")
      case .writing: begin("write stitching layers and hashes")
      }
      return true
    }
    guard let family else { preconditionFailure("the listener never stops a build") }

    let examples = sequences(settings.stepTokens, vocabulary: family.anchors[0].configuration.vocabularySize, seed: 2)
      .map { TrainingExample(tokens: $0, lossMask: $0.map { _ in true }) }
    guard let dearest = family.stitches.max(by: { $0.flopsPerToken < $1.flopsPerToken }) else {
      preconditionFailure("a family has stitches")
    }
    var steps: [Step] = []
    for (method, activations) in settings.plans {
      begin("open for \(method.name)")
      var adaptation = AdaptationSettings(
        steps: 1, tokensPerStep: settings.stepTokens, tokensPerMicroBatch: settings.stepTokens)
      adaptation.method = method
      adaptation.activations = activations
      adaptation.stitches = .named([dearest.id])
      if case .side(let kind) = method { adaptation.options = AdapterOptions(side: SideOptions(kind: kind)) }
      let trainer = try ESTATrainer(
        family: family, adapter: nil, settings: adaptation, examples: examples, pool: pool)
      begin(stage(of: method, activations))
      _ = try trainer.run { progress in
        steps.append(
          Step(
            method: method.name, activations: activations.rawValue, stitch: progress.stitch, loss: progress.loss,
            tokens: settings.stepTokens,
            trained_parameters: trainer.parameterCount, peak_anonymous_bytes: 0, peak_ratio: 0))
        return .goOn
      }
    }
    let stages = meter.finish().map {
      Stage(
        stage: $0.name, seconds: $0.seconds, peakAnonymousBytes: $0.anonymousBytes, peakResidentBytes: $0.residentBytes)
    }
    for (index, plan) in settings.plans.enumerated() {
      guard let stage = stages.first(where: { $0.stage == stage(of: plan.method, plan.activations) }) else { continue }
      steps[index].peak_anonymous_bytes = stage.peakAnonymousBytes
      steps[index].peak_ratio = Double(stage.peakAnonymousBytes) / Double(max(1, steps[0].peak_anonymous_bytes))
    }
    return Report(
      stages: stages, stitches: family.stitches, familyBytes: try size(of: output), steps: steps,
      // The system's mark and what was seen are both counted loosely.
      peakResidentBytes: max(MemoryMeter.status()["VmHWM"] ?? 0, stages.map(\.peakResidentBytes).max() ?? 0))
  }

  private static func stage(of method: AdaptationMethod, _ activations: SavedActivations) -> String {
    "one step of \(method.name)" + (activations == .exact ? "" : ", \(activations.rawValue)")
  }

  /// Random sequences of at most 128 tokens, `tokens` in all; two of them at least, so that two workers have one each.
  private static func sequences(_ tokens: Int, vocabulary: Int, seed: UInt64) -> [[Int32]] {
    var random = SeededGenerator(seed: seed)
    let length = max(2, min(128, (tokens + 1) / 2))
    return (0..<max(1, tokens / length)).map { _ in (0..<length).map { _ in Int32(random.index(below: vocabulary)) } }
  }

  private static func checkRoom(for settings: Settings, in directory: URL) throws {
    var needed = 0
    for (_, configuration) in settings.shape.anchors {
      needed += configuration.byteCount(.bf16) + configuration.byteCount(settings.elementType)
    }
    let shapes = settings.shape.anchors.map(\.configuration)
    let routes = Route.all(depths: shapes.map(\.blockCount)).count
    needed += 4 * routes * shapes[0].hiddenSize * shapes[1].hiddenSize
    let attributes = try FileManager.default.attributesOfFileSystem(forPath: directory.path)
    if let free = attributes[.systemFreeSize] as? Int, free < needed {
      throw FileError.system(
        operation: "make room for \(needed >> 30) GiB below", file: directory.deletingLastPathComponent().path,
        code: ENOSPC)
    }
  }

  private static func size(of directory: URL) throws -> Int {
    try FileManager.default.subpathsOfDirectory(atPath: directory.path).reduce(0) { total, name in
      let attributes = try FileManager.default.attributesOfItem(atPath: directory.appendingPathComponent(name).path)
      return total + (attributes[.type] as? FileAttributeType == .typeRegular ? attributes[.size] as? Int ?? 0 : 0)
    }
  }
}
