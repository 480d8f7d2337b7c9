import ChatEngine
import Foundation
import LLaMAStitch
import Support

/// `stitch adapter search`: which blocks, which projections and which rank are worth their values. Each candidate is
/// trained for the same few steps on the same data and measured on what is held out.
///
/// What was measured is in a journal, so that a search that is killed goes on where it was, in the middle of a candidate
/// too; with more `evaluations` a finished one goes on as well.
public struct AdapterSearchJob {
  public var family: URL
  public var dataFiles: [URL]
  /// How a candidate is trained.
  public var settings: AdaptationSettings
  public var ranks: [Int]
  /// Candidates to measure, in all.
  public var evaluations: Int
  /// The configuration to write.
  public var output: URL
  /// What was measured; beside the output if absent.
  public var journal: URL?
  /// Values that the configuration written may have.
  public var mostParameters: Int?
  public var threads: Int

  public init(
    family: URL, dataFiles: [URL], settings: AdaptationSettings, ranks: [Int], evaluations: Int, output: URL,
    threads: Int
  ) {
    self.family = family
    self.dataFiles = dataFiles
    self.settings = settings
    self.ranks = ranks
    self.evaluations = evaluations
    self.output = output
    self.threads = threads
  }

  /// What came of it.
  public struct Report: Sendable, Encodable {
    public struct Row: Sendable, Encodable {
      public var rank: Int
      public var targets: [String]
      public var blocks: [String: [Int]]
      public var parameters: Int
      public var heldOutLoss: Double
    }
    public var output: String
    public var journal: String
    public var evaluated: Int
    public var best: Row
    /// Fewest values first.
    public var frontier: [Row]
    /// Everything measured, in order.
    public var all: [Row]
  }

  /// What a journal says besides what was measured.
  private struct Journal: Codable {
    var format = Self.format
    var family: String
    var data: String
    var settings: AdaptationSettings
    var space: PlacementSearch.Space
    var measured: [PlacementSearch.Measured]

    static let format = "stitch-search-1"
  }

  /// Candidates drawn at random before others are chosen by what was measured.
  public static let randomCount = 8

  private var journalFile: URL { journal ?? URL(fileURLWithPath: output.path + ".journal") }

  /// - Parameters:
  ///   - note: receives lines for people.
  ///   - progress: hears of every step, with the number of the candidate.
  public func run(note: (String) -> Void, progress: (Int, AdaptationProgress) -> Void) throws -> Report {
    if FileManager.default.fileExists(atPath: output.path) { _ = try ConfigurationDocument.read(output) }
    let text = try TextFamily(family)
    let examples = try AdaptationJob(
      family: family, dataFiles: dataFiles, settings: settings, output: nil, continues: false, threads: threads
    ).examples(text, note).examples
    let space = PlacementSearch.Space(of: text.family, ranks: ranks)
    let lock = try FileLock(of: journalFile)
    defer { lock.remove() }
    var journal = Journal(
      family: text.family.identity, data: TrainingExample.digest(examples), settings: settings, space: space,
      measured: [])
    if let old = try read() {
      for (what, isSame) in [
        ("family", old.family == journal.family), ("data", old.data == journal.data),
        ("setting", old.settings == journal.settings), ("set of ranks", old.space == space),
      ] where !isSame { throw AdapterSearchError.otherSearch(file: journalFile.path, what: what) }
      journal.measured = old.measured
      try removeCheckpoint(old.measured.count - 1)
      note("going on after \(old.measured.count) candidates in \(journalFile.path)")
    }
    let (family, options) = (text.family, settings.options)
    var search = PlacementSearch(
      space, seed: settings.seed, randomCount: Self.randomCount, measured: journal.measured
    ) {
      $0.parameterCount(of: family, options)
    }
    let pool = ComputePool(threads: threads)
    while search.measured.count < evaluations, let placement = try search.next() {
      let number = search.measured.count
      let measured = try measure(placement, number, text.family, examples, pool) { progress(number, $0) }
      search.add(measured)
      journal.measured = search.measured
      try write(journal)
      try removeCheckpoint(number)
      note("\(number + 1)/\(evaluations): \(Self.line(measured, of: text.family))")
    }
    return try report(search)
  }

  private func measure(
    _ placement: AdapterPlacement, _ number: Int, _ family: Family, _ examples: [TrainingExample], _ pool: ComputePool,
    progress: (AdaptationProgress) -> Void
  ) throws -> PlacementSearch.Measured {
    var settings = settings
    settings.options = placement.applied(to: settings.options)
    let trainer = try ESTATrainer(family: family, adapter: nil, settings: settings, examples: examples, pool: pool)
    _ = try trainer.run(
      checkpoint: checkpoint(number), interval: 10, measuring: HeldOutMeasuring(interval: .max)
    ) {
      progress($0)
      return .goOn
    }
    guard let loss = trainer.meanLoss(trainer.heldOutLosses(all: false)) else {
      throw AdapterSearchError.nothingHeldOut(examples: examples.count)
    }
    return .init(placement: placement, parameters: trainer.parameterCount, loss: loss)
  }

  private func checkpoint(_ number: Int) -> URL { URL(fileURLWithPath: journalFile.path + ".\(number)") }

  /// What training a candidate has left, if anything.
  private func removeCheckpoint(_ number: Int) throws {
    let file = checkpoint(number)
    if FileManager.default.fileExists(atPath: file.path) { try TrainingCheckpoint.remove(file) }
  }

  // MARK: Files

  private func read() throws -> Journal? {
    guard FileManager.default.fileExists(atPath: journalFile.path) else { return nil }
    let data = try MappedFile(journalFile).bytes.data
    do {
      let journal = try JSONDecoder().decode(Journal.self, from: data)
      if journal.format == Journal.format { return journal }
    } catch {}
    throw AdapterSearchError.notAJournal(file: journalFile.path)
  }

  private func write(_ journal: Journal) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    try AtomicFile.write(try encoder.encode(journal) + Data("\n".utf8), to: journalFile)
  }

  private func report(_ search: PlacementSearch) throws -> Report {
    let frontier = search.frontier
    let allowed = frontier.filter { $0.parameters <= mostParameters ?? .max }
    // Fewest values first: the last has the least loss.
    guard let best = allowed.last ?? frontier.first else {
      throw TrainingError.plan(cause: "no candidate had a loss that is a number; give a smaller --learning-rate")
    }
    try ConfigurationDocument(best).write(to: output)
    return Report(
      output: output.path, journal: journalFile.path, evaluated: search.measured.count, best: Self.row(best),
      frontier: frontier.map(Self.row), all: search.measured.map(Self.row))
  }

  private static func row(_ measured: PlacementSearch.Measured) -> Report.Row {
    let placement = measured.placement
    return Report.Row(
      rank: placement.rank, targets: placement.targets.map(\.rawValue), blocks: placement.blocks,
      parameters: measured.parameters, heldOutLoss: measured.loss)
  }

  private static func line(_ measured: PlacementSearch.Measured, of family: Family) -> String {
    let placement = measured.placement
    let blocks = placement.blocks.values.reduce(0) { $0 + $1.count }
    let all = family.anchors.reduce(0) { $0 + $1.configuration.blockCount }
    return
      "rank \(placement.rank), \(placement.targets.count) projections, \(blocks) of \(all) blocks: \(measured.parameters) values, held out \(String(format: "%.4f", measured.loss))"
  }
}
