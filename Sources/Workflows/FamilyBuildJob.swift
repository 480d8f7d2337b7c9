import ChatEngine
import Foundation
import LLaMAStitch
import Support
import Tokenizer

/// `stitch family build`: model directories and a calibration text in, a family out.
public struct FamilyBuildJob {
  /// Model directories or GGUF files, cheapest first; each is named after its last path component.
  public var anchors: [URL]
  /// What they are to be called, where that is not as their directories or files are.
  public var givenNames: [Int: String] = [:]
  /// Text to fit the stitching layers on; without one the largest anchor writes it.
  public var calibration: URL?
  public var output: URL
  /// `nil`: the one that the anchors bring, of the last that brings one, or Alpaca's.
  public var template: ChatTemplate?
  /// A `generation_config.json` for the family; `nil`: that of the last anchor that brings one.
  public var generationDefaults: URL?
  public var options: FamilyBuilder.Options
  public var threads: Int
  /// At most so many tokens of calibration.
  public var calibrationTokens = 200_000
  /// Which kinds of routes the family has; `nil`: those that make sense.
  public var routes: Set<RouteKind>?
  /// How routes within an anchor are looked for.
  public var search = RouteSearch.Options()
  /// Numbers of blocks that routes of the kind `dropped` leave out; `nil`: about ten, up to half.
  public var droppedBlocks: [Int]?
  /// Text of the joint phase; only needed if `options.jointSteps` is not 0.
  public var jointText: [URL] = []

  public init(
    anchors: [URL], calibration: URL?, output: URL, template: ChatTemplate?, options: FamilyBuilder.Options,
    threads: Int
  ) {
    self.anchors = anchors
    self.calibration = calibration
    self.output = output
    self.template = template
    self.options = options
    self.threads = threads
  }

  /// - Parameter note: receives lines for people.
  public func run(note: (String) -> Void, progress: (FamilyBuilder.Progress) -> Void) throws -> Family {
    try NewDirectory.check(output)
    guard Set(anchors.map(\.standardizedFileURL.path)).count == anchors.count else {
      throw FamilyError.unstitchable(cause: "one of them stands there twice; give each anchor once")
    }
    guard anchors.contains(where: ImportJob.isGGUF) else { return try build(anchors, note: note, progress: progress) }
    // GGUF files become model directories first, quantised as the family will be.
    return try NewDirectory.withScratch(beside: output, note: note) { scratch in
      let names = FamilyDescription.anchorNames(
        from: try anchors.enumerated().map { index, anchor in
          if let name = givenNames[index] { return name }
          return ImportJob.isGGUF(anchor)
            ? try GGUFParts(of: anchor).name : anchor.standardizedFileURL.lastPathComponent
        })
      let directories = try zip(anchors, names).map { anchor, name in
        if !ImportJob.isGGUF(anchor) { return anchor }
        note("reading \(anchor.path)")
        let directory = scratch.appendingPathComponent(name)
        try ImportJob(file: anchor, output: directory, elementType: options.elementType).run()
        return directory
      }
      return try build(directories, note: note, progress: progress)
    }
  }

  /// The chat template that the anchors bring.
  private func ownTemplate(_ anchors: [URL], _ tokenizer: any Tokenizer) throws -> ChatTemplate {
    for anchor in anchors.reversed() {
      if let template = try ChatTemplate.load(directory: anchor.path, tokenizer: tokenizer) { return template }
    }
    return .fallback
  }

  /// How the anchors' makers would have them write: as the last says that says anything.
  private func defaults(_ anchors: [URL]) throws -> GenerationDefaults? {
    if let generationDefaults { return try GenerationDefaults.read(generationDefaults) }
    for anchor in anchors.reversed() {
      if let own = try GenerationDefaults.read(in: anchor) { return own }
    }
    return nil
  }

  /// Texts that an anchor writes from nothing.
  private func writtenText(
    by anchor: LlamaModel, _ tokenizer: any Tokenizer, texts: Int
  ) throws -> [[Int32]] {
    try CalibrationText(file: nil, tokens: calibrationTokens, seed: options.seed, threads: threads)
      .written(by: anchor, tokenizer, atMost: texts)
  }

  private static let writtenTexts = 64
  /// Where only routes within an anchor are fitted: who has one model does not wait long for a slider.
  private static let writtenTextsWithin = 26

  /// Whether layers are to be fitted within an anchor.
  private func fitsWithin(_ anchor: ModelDirectory, _ options: FamilyBuilder.Options) -> Bool {
    (options.selfRoutes != nil || !options.droppedBlocks.isEmpty)
      && RouteSearch.canLeaveOut(depth: anchor.configuration.blockCount)
  }

  private func build(
    _ anchors: [URL], note: (String) -> Void, progress: (FamilyBuilder.Progress) -> Void
  ) throws -> Family {
    let directories = try anchors.map { try ModelDirectory($0) }
    var tokenizers: [any Tokenizer] = []
    for (url, directory) in zip(anchors, directories) {
      let tokenizer = try loadTokenizer(from: url.path)
      try tokenizer.checkFits(directory.configuration, model: url.path)
      tokenizers.append(tokenizer)
    }
    for (index, tokenizer) in tokenizers.enumerated() where !tokenizer.isSame(as: tokenizers[0]) {
      throw FamilyError.unstitchable(
        cause:
          "\(anchors[index].path) and \(anchors[0].path) have different tokenizers; use anchors that share one \(tokenizers[0].fileNames)"
      )
    }
    let tokenizer = tokenizers[0]
    let template = try self.template ?? ownTemplate(anchors, tokenizer)
    // Markers the template needs must be there before hours of work, not after.
    _ = try template.stopTokens(tokenizer)
    var options = options
    options.chatTemplate = try JSONDecoder().decode(JSONValue.self, from: JSONEncoder().encode(template))
    if options.jointSteps > 0 {
      let name = SHA256.hexadecimal(of: Array(output.standardizedFileURL.path.utf8)).prefix(16)
      options.checkpoint = UserDirectories.cache.appendingPathComponent("joint/\(name).safetensors")
    }
    var files = tokenizer.files
    files[GenerationDefaults.fileName] = try defaults(anchors)?.json
    let names = FamilyDescription.anchorNames(
      from: try anchors.enumerated().map { index, anchor in
        try givenNames[index] ?? ModelOrigin.read(in: anchor)?.name ?? anchor.standardizedFileURL.lastPathComponent
      })
    let named = zip(names, directories).map { FamilyBuilder.Anchor(name: $0, directory: $1) }
    try add(
      routes ?? RouteKind.usual(anchors: anchors.count), depths: directories.map(\.configuration.blockCount),
      to: &options)
    let builder = try FamilyBuilder(named, options: options, pool: ComputePool(threads: threads))
    var sequences: [[Int32]] = []
    var tokens = 0
    if let calibration {
      let data = try DataFile(calibration)
      data.report(note)
      for document in try TrainingText.documents(data.records, tokenizer: tokenizer, template: template) {
        if tokens >= calibrationTokens { break }
        sequences.append(document.tokens)
        tokens += document.tokens.count
      }
    } else if anchors.count > 1 || directories.contains(where: { fitsWithin($0, options) }) {
      note("\(named[named.count - 1].name) writes the calibration text itself")
      sequences = try writtenText(
        by: LlamaModel(directories[directories.count - 1]), tokenizer,
        texts: anchors.count > 1 ? Self.writtenTexts : Self.writtenTextsWithin)
      tokens = sequences.reduce(0) { $0 + $1.count }
    }
    note("calibration: \(sequences.count) texts, \(tokens) tokens")
    var jointText: [TrainingExample] = []
    if options.jointSteps > 0 {
      for file in self.jointText {
        let data = try DataFile(file)
        data.report(note)
        jointText += try TrainingText.documents(data.records, tokenizer: tokenizer, template: template)
      }
      note("joint phase: \(jointText.count) texts, \(jointText.reduce(0) { $0 + $1.tokens.count }) tokens")
    }
    let lock = try options.checkpoint.map { checkpoint in
      try NewDirectory.makePath(checkpoint.deletingLastPathComponent())
      return try FileLock(of: checkpoint)
    }
    let family = try builder.build(
      calibration: sequences, jointText: jointText, tokenizer: files, output: output,
      listener: {
        progress($0)
        return true
      })
    if let checkpoint = options.checkpoint, FileManager.default.fileExists(atPath: checkpoint.path) {
      do { try TrainingCheckpoint.remove(checkpoint) } catch { note("\(checkpoint.path) can be deleted") }
    }
    lock?.remove()
    return family!  // the listener never stops it
  }
}

/// Kinds of routes.
public enum RouteKind: String, Sendable, CaseIterable {
  /// From an anchor into the next larger one.
  case across
  /// Within an anchor, without some of its blocks.
  case within = "self"
  /// Into the next larger anchor and back.
  case twoWay = "two-way"
  /// Within an anchor, without the blocks that change least, and with nothing in their place: to compare with.
  case dropped

  /// Whether it needs another anchor.
  var needsAnother: Bool { self == .across || self == .twoWay }

  /// Those that make sense where nobody asks for others.
  static func usual(anchors: Int) -> Set<RouteKind> { anchors == 1 ? [.within] : [.across] }
}

extension FamilyBuildJob {
  /// Asks a builder for routes of some kinds.
  fileprivate func add(_ kinds: Set<RouteKind>, depths: [Int], to options: inout FamilyBuilder.Options) throws {
    if let kind = kinds.first(where: \.needsAnother), depths.count == 1 {
      throw FamilyError.unstitchable(
        cause: "routes of the kind “\(kind.rawValue)” need two anchors; give another one, or ask for self")
    }
    if kinds.contains(.dropped) {
      options.droppedBlocks =
        droppedBlocks ?? Set(depths.flatMap { BlockInfluence.usualCounts(depth: $0) }).sorted()
    }
    options.joinsNeighbours = kinds.contains(.across)
    if kinds.contains(.within) { options.selfRoutes = search }
    if kinds.contains(.twoWay) { options.moreRoutes += Route.twoWay(depths: depths) }
  }
}
