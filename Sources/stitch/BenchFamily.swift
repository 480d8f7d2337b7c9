import ArgumentParser
import ChatEngine
import EngineBenchmarks
import Foundation
import LLaMAStitch
import Tokenizer

/// The suites of families: moves of the slider, memory, and starting.
extension Bench {
  private func directory() throws -> URL { try FamilyLocator().locate(family) }

  /// Opens the family that the options name; a random one is made before `body` opens it.
  private func withFamily<Result>(
    allStitches: Bool, _ body: (_ name: String, _ open: () throws -> MeasuredFamily) throws -> Result
  ) throws -> Result {
    guard let shape = try familyShape() else {
      let directory = try directory()
      let family = try Family(directory)
      return try body(family.description.name) { try MeasuredFamily(Family(directory), allStitches: allStitches) }
    }
    let type = try Self.elementType("--type", type ?? "q8_0")
    return try withWork { place in
      func open() throws -> MeasuredFamily {
        try MeasuredFamily(random: shape, type, in: place, allStitches: allStitches)
      }
      if !FileManager.default.fileExists(atPath: place.path) || keep { _ = try open() }
      return try body("\(shape.rawValue) \(type.rawValue)", open)
    }
  }

  private struct SliderReport: Encodable {
    var suite = Suite.slider.rawValue
    var family: String
    var threads: Int
    var moves: [SliderBenchmark.Move]
  }

  func slider() throws {
    let report = try withFamily(allStitches: false) { name, open in
      SliderReport(
        family: name, threads: threads,
        moves: try SliderBenchmark.moves(
          open(), tokens: tokens ?? 1024, rounds: rounds, pool: ComputePool(threads: threads), note: note))
    }
    if json { return try Console.write(json: report) }
    var table = TextTable([
      "from", "to", "tokens", "tail's share", "whole text", "after the move", "of the tail's share", "read ahead",
      "in tokens' time",
    ])
    func milliseconds(_ seconds: Double) -> String { String(format: "%.1f ms", 1000 * seconds) }
    for move in report.moves {
      table.add([
        move.from, move.to, String(move.tokens), String(format: "%.3f", move.tail_share),
        milliseconds(move.full_seconds),
        milliseconds(move.moved_seconds), String(format: "%.2f", move.moved_by_share),
        milliseconds(move.warmed_seconds),
        String(format: "%.2f", move.warmed_steps),
      ])
    }
    try Console.write(text: table.text)
  }

  private struct SpeculationReport: Encodable {
    var suite = Suite.speculation.rawValue
    var family: String
    var threads: Int
    var results: [SpeculationBenchmark.Row]
  }

  private struct AssumedSpeculationReport: Encodable {
    var suite = Suite.speculation.rawValue
    var family: String
    var threads: Int
    var results: [SpeculationBenchmark.Assumed]
  }

  /// Guesses are as good as the networks: of random ones, which guess wrong, it is said how many are right.
  func speculation() throws {
    if shape != nil { return try assumedSpeculation() }
    let text = try TextFamily(directory())
    // Beginnings of conversations that the family knows, up to the reply.
    let prompts = try Rehearsal.examples(of: text).prefix(16).compactMap { example in
      example.predicted.firstIndex(of: true).map { example.tokens[..<$0].map(Int.init) }
    }
    // With one alone the blocks that are shared would know its reply from the round before.
    guard prompts.count > 1 else {
      throw ValidationError(
        "\(text.family.directory.path) has no \(FamilyDescription.rehearsalName) to ask from; use an adapted family")
    }
    let report = SpeculationReport(
      family: text.family.description.name, threads: threads,
      results: try SpeculationBenchmark.rows(
        MeasuredFamily(text.family, allStitches: false), prompts: prompts, reply: reply, stopTokens: text.stopTokens,
        rounds: rounds, pool: ComputePool(threads: threads), note: note))
    if json { return try Console.write(json: report) }
    var table = TextTable(["stitch", "alone, tok/s", "with guesses, tok/s", "ratio", "guessed", "right", "same text"])
    for row in report.results {
      let speeds = [row.plain_tokens_per_second, row.guessing_tokens_per_second].map { String(Int($0)) }
      let guesses = [row.guessed, row.accepted].map { String($0) }
      table.add([row.stitch] + speeds + [String(format: "%.2f", row.ratio)] + guesses + [row.same ? "yes" : "no"])
    }
    try Console.write(text: table.text)
  }

  private func assumedSpeculation() throws {
    let report = try withFamily(allStitches: false) { name, open in
      AssumedSpeculationReport(
        family: name, threads: threads,
        results: try SpeculationBenchmark.assumed(
          open(), right: right.isEmpty ? [0.6, 0.7, 0.8, 0.9] : right, prompt: tokens ?? 256, reply: reply,
          rounds: rounds,
          pool: ComputePool(threads: threads), note: note))
    }
    if json { return try Console.write(json: report) }
    var table = TextTable(["stitch", "right", "alone, tok/s", "with guesses, tok/s", "ratio"])
    for row in report.results {
      table.add([
        row.stitch, String(format: "%.2f", row.right), String(format: "%.1f", row.plain_tokens_per_second),
        String(format: "%.1f", row.guessing_tokens_per_second), String(format: "%.2f", row.ratio),
      ])
    }
    try Console.write(text: table.text)
  }

  private struct MemoryReport: Encodable {
    var suite = Suite.memory.rawValue
    var family: String
    var threads: Int
    var memory: FamilyMemoryBenchmark.Report
  }

  func familyMemory() throws {
    let report = try withFamily(allStitches: true) { name, open in
      MemoryReport(
        family: name, threads: threads,
        memory: try FamilyMemoryBenchmark.run(tokens: tokens ?? 1024, pool: ComputePool(threads: threads), open: open))
    }
    if json { return try Console.write(json: report) }
    let memory = report.memory
    try Console.write(
      text: """
        \(report.family): \(memory.stitches) stitches with \(memory.tokens) tokens each
        anchors \(Quantity.short(memory.anchor_bytes))B, keys and values \(Quantity.short(memory.cache_bytes))B
        resident \(Quantity.short(memory.resident_bytes))B, of it without a file \(Quantity.short(memory.anonymous_bytes))B: \
        \(String(format: "%.2f", memory.ratio)) of anchors, keys and values

        """)
  }

  private struct StartReport: Encodable {
    var suite = Suite.start.rawValue
    var family: String
    /// From starting the program to the first bytes of a reply, of every run; the first one fills the file cache.
    var first_token_seconds: [Double]
    /// Opening the family in a running program, and the first token of its cheapest or dearest stop after a text of one token.
    var open_seconds: [Double]
    var open_first_token_seconds: [Double]
    var open_dearest_first_token_seconds: [Double]
  }

  func start() throws {
    if shape != nil { throw ValidationError("start takes a family, not a shape; give --family or nothing") }
    let directory = try directory()
    guard let program = FamilyLocator.thisExecutable else {
      throw CommandError.unreadable("/proc/self/exe", code: errno)
    }
    var report = StartReport(
      family: try Family(directory).description.name, first_token_seconds: [], open_seconds: [],
      open_first_token_seconds: [], open_dearest_first_token_seconds: [])
    let pool = ComputePool(threads: threads)
    func open(_ route: (Family) -> Route) throws -> (opened: Double, firstToken: Double) {
      let begin = ContinuousClock.now
      let family = try Family(directory)
      let opened = (ContinuousClock.now - begin) / .seconds(1)
      let network = family.network(route(family), adapter: try family.ownAdapter())
      let session = InferenceSession(network: network, contextLength: family.contextLength, pool: pool)
      _ = try session.evaluate(family.anchors[0].configuration.bosToken ?? 0)
      return (opened, (ContinuousClock.now - begin) / .seconds(1))
    }
    let canReply = try canReply(directory)
    for _ in 0...rounds {
      if canReply { report.first_token_seconds.append(try Self.firstToken(program, directory, threads)) }
      let cheapest = try open { $0.stops.first!.route }
      report.open_seconds.append(cheapest.opened)
      report.open_first_token_seconds.append(cheapest.firstToken)
      report.open_dearest_first_token_seconds.append(try open { $0.stops.last!.route }.firstToken)
    }
    if json { return try Console.write(json: report) }
    func line(_ seconds: [Double]) -> String {
      String(format: "%.1f ms (first time %.1f ms)", 1000 * Self.median(Array(seconds.dropFirst())), 1000 * seconds[0])
    }
    let reply = canReply ? "from start to the first token \(line(report.first_token_seconds))\n" : ""
    try Console.write(
      text: """
        \(report.family): \(reply)\
        opening the family \(line(report.open_seconds)), with its cheapest stop's first token \(line(report.open_first_token_seconds)), \
        with its dearest one's \(line(report.open_dearest_first_token_seconds))

        """)
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
  private static func firstToken(_ program: URL, _ family: URL, _ threads: Int) throws -> Double {
    let process = Process()
    let output = Pipe()
    process.executableURL = program
    process.arguments = ["ask", "Hello", "--family", family.path, "--max-tokens", "8", "--threads", String(threads)]
    process.standardOutput = output
    process.standardInput = FileHandle.nullDevice
    let start = ContinuousClock.now
    try process.run()
    // Also returns where nothing comes.
    _ = output.fileHandleForReading.availableData
    let seconds = (ContinuousClock.now - start) / .seconds(1)
    _ = output.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    guard process.terminationStatus == 0 else {
      throw CommandError.malformed(family.path, expected: "'stitch ask' made no reply; see the line above")
    }
    return seconds
  }
}
