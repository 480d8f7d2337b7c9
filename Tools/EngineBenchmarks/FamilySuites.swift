import ChatEngine
import Foundation
import LLaMAStitch
import Tokenizer

/// The suites of families: moves of the slider, drafting, memory, and starting.
public struct FamilySuites {
  /// What is measured: a family on disk, or random anchors of a shape.
  public enum Subject: Sendable {
    case family(URL)
    case random(LargeFamilyBenchmark.Shape, ElementType)
  }

  public var subject: Subject
  public var rounds = 5
  /// Tokens of the text that is measured with; `nil`: as the suite says.
  public var tokens: Int?
  /// Tokens of a reply.
  public var reply = 64
  public var threads: Int
  public var place: BenchmarkPlace
  private let note: (String) -> Void

  /// - Parameter note: receives lines for people.
  public init(_ subject: Subject, threads: Int, place: BenchmarkPlace, note: @escaping (String) -> Void) {
    self.subject = subject
    self.threads = threads
    self.place = place
    self.note = note
  }

  private var pool: ComputePool { ComputePool(threads: threads) }

  /// Opens the family; a random one is made before `body` opens it.
  private func withFamily<Result>(
    allStitches: Bool, _ body: (_ name: String, _ open: () throws -> MeasuredFamily) throws -> Result
  ) throws -> Result {
    switch subject {
    case .family(let directory):
      return try body(Family(directory).description.name) {
        try MeasuredFamily(Family(directory), allStitches: allStitches)
      }
    case .random(let shape, let type):
      return try place.withDirectory(note: note) { place in
        func open() throws -> MeasuredFamily {
          try MeasuredFamily(random: shape, type, in: place, allStitches: allStitches)
        }
        if !FileManager.default.fileExists(atPath: place.path) || self.place.keeps { _ = try open() }
        return try body("\(shape.rawValue) \(type.rawValue)", open)
      }
    }
  }

  // MARK: Slider

  public struct SliderReport: Sendable, Encodable {
    public var suite = "slider"
    public var family: String
    public var threads: Int
    public var moves: [SliderBenchmark.Move]
  }

  public func slider() throws -> SliderReport {
    try withFamily(allStitches: false) { name, open in
      SliderReport(
        family: name, threads: threads,
        moves: try SliderBenchmark.moves(open(), tokens: tokens ?? 1024, rounds: rounds, pool: pool, note: note))
    }
  }

  // MARK: Speculation

  public struct SpeculationReport<Result: Encodable & Sendable>: Sendable, Encodable {
    public var suite = "speculation"
    public var family: String
    public var threads: Int
    public var results: [Result]
  }

  /// Drafts are as good as the networks of a trained family: it is said how many are accepted.
  /// - Parameter drafter: the stop that drafts; without, the cheapest anchor, and in a family of one anchor the cheapest stop.
  /// - Throws: `BenchmarkError.noRehearsal`, `BenchmarkError.notAStop`, and what the family throws.
  public func speculation(
    of family: URL, drafter: String? = nil
  ) throws -> SpeculationReport<SpeculationBenchmark.Row> {
    let text = try TextFamily(family)
    if let drafter, !text.family.stops.contains(where: { $0.id == drafter }) {
      throw BenchmarkError.notAStop(try text.family.stitch(drafter).id, family: text.family.directory.path)
    }
    let drafter = drafter ?? (text.family.anchors.count == 1 ? text.family.stops.first?.id : nil)
    // Beginnings of conversations that the family knows, up to the reply.
    let prompts = try Rehearsal.examples(of: text).prefix(16).compactMap { example in
      example.lossMask.firstIndex(of: true).map { example.tokens[..<$0].map(Int.init) }
    }
    // With one alone the blocks that are shared would know its reply from the round before.
    guard prompts.count > 1 else { throw BenchmarkError.noRehearsal(family: text.family.directory.path) }
    return SpeculationReport(
      family: text.family.description.name, threads: threads,
      results: try SpeculationBenchmark.rows(
        MeasuredFamily(text.family, allStitches: false), drafter: drafter, prompts: prompts, reply: reply,
        stopTokens: text.stopTokens, rounds: rounds, pool: pool, note: note))
  }

  /// The same of random anchors, where chance accepts drafts.
  /// - Parameter accepted: probabilities.
  public func assumedSpeculativeDecoding(
    accepted: [Double]
  ) throws -> SpeculationReport<SpeculationBenchmark.Assumed> {
    try withFamily(allStitches: false) { name, open in
      SpeculationReport(
        family: name, threads: threads,
        results: try SpeculationBenchmark.assumed(
          open(), accepted: accepted, prompt: tokens ?? 256, reply: reply, rounds: rounds, pool: pool, note: note))
    }
  }

  // MARK: Side networks

  public struct SideReport: Sendable, Encodable {
    public var suite = "side"
    public var family: String
    public var threads: Int
    public var results: [SideBenchmark.Row]
  }

  /// - Parameter prompt: tokens before those that are decoded.
  public func side(of family: URL, prompt: Int) throws -> SideReport {
    let family = try Family(family)
    return SideReport(
      family: family.description.name, threads: threads,
      results: try SideBenchmark.rows(
        family, prompt: prompt, reply: reply, rounds: rounds, pool: pool, note: note))
  }

  // MARK: Memory

  public struct MemoryReport: Sendable, Encodable {
    public var suite = "memory"
    public var family: String
    public var threads: Int
    public var memory: FamilyMemoryBenchmark.Report
  }

  public func memory() throws -> MemoryReport {
    try withFamily(allStitches: true) { name, open in
      MemoryReport(
        family: name, threads: threads,
        memory: try FamilyMemoryBenchmark.run(tokens: tokens ?? 1024, pool: pool, open: open))
    }
  }

  // MARK: Start

  public struct StartReport: Sendable, Encodable {
    public var suite = "start"
    public var family: String
    /// From starting the program to the first bytes of a reply, of every run; the first one fills the file cache. Empty for a
    /// family without a tokenizer.
    public var first_token_seconds: [Double] = []
    /// Opening the family in a running program, and the first token of its cheapest or most expensive stop after a text of
    /// one token.
    public var open_seconds: [Double] = []
    public var open_first_token_seconds: [Double] = []
    public var open_dearest_first_token_seconds: [Double] = []
  }

  /// - Parameter model: what `--model` is to name when the program starts; `nil` for `--family` and the directory.
  /// - Throws: `BenchmarkError.noReply`, and what the family throws.
  public func start(of directory: URL, model: String? = nil) throws -> StartReport {
    guard let program = FamilyLocator.thisExecutable else { throw BenchmarkError.noProgram }
    var report = StartReport(family: try Family(directory).description.name)
    let pool = pool
    func open(_ route: (Family) -> Route) throws -> (opened: Double, firstToken: Double) {
      let begin = ContinuousClock.now
      let family = try Family(directory)
      let opened = (ContinuousClock.now - begin) / .seconds(1)
      let network = family.network(route(family), adapter: try family.ownAdapter())
      let session = InferenceSession(network: network, pool: pool)
      _ = try session.evaluate(family.anchors[0].configuration.bosToken ?? 0)
      return (opened, (ContinuousClock.now - begin) / .seconds(1))
    }
    let canReply = try canReply(directory)
    for _ in 0...rounds {
      if canReply {
        report.first_token_seconds.append(
          try firstToken(program, model.map { ["--model", $0] } ?? ["--family", directory.path]))
      }
      let cheapest = try open { $0.stops.first!.route }
      report.open_seconds.append(cheapest.opened)
      report.open_first_token_seconds.append(cheapest.firstToken)
      report.open_dearest_first_token_seconds.append(try open { $0.stops.last!.route }.firstToken)
    }
    return report
  }

  /// Whether a family has a tokenizer; one of random weights has none.
  private func canReply(_ directory: URL) throws -> Bool {
    do { _ = try TextFamily(directory) } catch let error as TokenizerError {
      note("\(error); measuring only how long it takes to open the family")
      return false
    }
    return true
  }

  /// From starting `program` until it prints something of a reply.
  private func firstToken(_ program: URL, _ named: [String]) throws -> Double {
    let process = Process()
    let output = Pipe()
    process.executableURL = program
    process.arguments = ["ask", "Hello"] + named + ["--max-tokens", "8", "--threads", String(threads)]
    process.standardOutput = output
    process.standardInput = FileHandle.nullDevice
    let start = ContinuousClock.now
    try process.run()
    // Also returns where nothing comes.
    _ = output.fileHandleForReading.availableData
    let seconds = (ContinuousClock.now - start) / .seconds(1)
    _ = output.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    guard process.terminationStatus == 0 else { throw BenchmarkError.noReply(family: named[1]) }
    return seconds
  }
}
