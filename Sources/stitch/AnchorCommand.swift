import ArgumentParser
import Foundation
import LLaMAStitch
import Workflows

extension GrownAnchor.Method: ExpressibleByArgument {}
extension ShrunkAnchor.Method: ExpressibleByArgument {}

/// `stitch anchor`: more anchors out of one.
struct AnchorCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "anchor", abstract: "Make a deeper or a shallower anchor out of a model, so that one makes a family.",
    discussion: """
      What comes out is a model directory like any other: chat with it, train it further, give it to \
      `stitch family build --anchor`. It is meant to be healed: `stitch adapt --distill` over a family of both.
      """,
    subcommands: [Grow.self, Shrink.self])

  /// What both have in common.
  struct Common: ParsableArguments {
    @Option(help: "The model directory to write; it must not exist.") var output: String
    @Option(help: "How to store weights: f32, f16 or bf16 (default: as they are; bf16 where they are quantised).")
    var type: String?
    @Option(help: "Seed of what is drawn at random.") var seed: UInt64 = 1
    @Option(help: "Threads; the result does not depend on their number.") var threads = 2
    @Flag(help: "One JSON document on standard output.") var json = false

    func validate() throws {
      try Check.threads(threads)
      _ = try elementType()
    }

    func elementType() throws -> ElementType? {
      guard let type else { return nil }
      guard ["f32", "f16", "bf16"].contains(type), let found = ElementType(rawValue: type.uppercased()) else {
        throw ValidationError("--type must be f32, f16 or bf16, not \(type)")
      }
      return found
    }

    func run(_ job: AnchorSizeJob) throws {
      let meter = ProgressMeter()
      let report = try job.run(note: meter.note) { meter.share("learning from the blocks", $0, of: $1) }
      meter.end()
      if json { return try Console.write(json: report) }
      var text = "wrote \(report.blocks) blocks, \(Quantity.short(report.parameters)) parameters, to \(report.output)"
      if let leftOut = report.leftOut {
        text +=
          "; left out: " + leftOut.map { $0[0] == $0[1] ? "\($0[0])" : "\($0[0])-\($0[1])" }.joined(separator: ", ")
      }
      try Console.write(text: text + "\n")
    }
  }

  struct Grow: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "grow", abstract: "Make a deeper anchor.",
      discussion: """
        zero adds copies that change nothing at first: the model answers as before. copy has the blocks in the middle twice \
        (depth up-scaling). lesa predicts blocks between the last ones from the pattern of all. replace puts blocks between \
        neighbours that are a combination of both, by two numbers each, learned on a text from what the model itself says \
        (Replacement Learning). share puts blocks behind others whose attention and MLP they share, with norms of their own, \
        learned likewise (WideNet).
        """)
    @Option(help: "The model: a directory, a GGUF file, or a name from 'stitch models list'.") var model: String
    @Option(help: "How many blocks it is to have.") var blocks: Int
    @Option(help: "How: zero, copy, lesa, replace or share.") var method = GrownAnchor.Method.zero
    @Option(help: "replace, share: text to learn on, JSON Lines or plain text (default: the model writes it).")
    var calibration: String?
    @Option(help: "replace, share: tokens of calibration, at most (default: 20000).") var calibrationTokens: Int?
    @OptionGroup var common: Common

    func validate() throws {
      try Check.range("--calibration-tokens", calibrationTokens ?? 1, 1...Int.max)
      for (option, isGiven) in [
        ("--calibration", calibration != nil), ("--calibration-tokens", calibrationTokens != nil),
      ] where isGiven && !method.needsText {
        throw ValidationError("\(option) does not go with --method \(method.rawValue): it reads no text")
      }
    }

    func run() throws {
      let source = try ModelOption.directory(of: model, asFamily: false)!
      try common.run(
        AnchorSizeJob(
          source: source, change: .grow(method, blocks: blocks), output: URL(fileURLWithPath: common.output),
          elementType: common.elementType(), calibration: calibration.map { URL(fileURLWithPath: $0) },
          calibrationTokens: calibrationTokens ?? 20_000, seed: common.seed, threads: common.threads))
    }
  }

  struct Shrink: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "shrink", abstract: "Make a shallower anchor.",
      discussion: """
        Which blocks are left out, say --without, --blocks (the method finds them), or a --stitch of a --family that leaves out \
        blocks of one anchor. fold fits a linear map in their place and multiplies it into the MLP before them; drop has \
        nothing in their place. The stitching layer of a family's stitch acts on all of the hidden state, which no plain model \
        can, so that fold fits a map of its own, on the anchor's own weights.
        """)
    @Option(help: "The model: a directory, a GGUF file, or a name from 'stitch models list'.") var model: String?
    @Option(help: "A family, of which --stitch names the blocks that stay.") var family: String?
    @Option(help: "A stitch of the family within one anchor.") var stitch: String?
    @Option(help: "How many blocks are to stay.") var blocks: Int?
    @Option(parsing: .upToNextOption, help: "Blocks to leave out, from 0: 4-7 12.") var without: [String] = []
    @Option(help: "How: fold or drop.") var method = ShrunkAnchor.Method.fold
    @Option(help: "Text to fit and to judge by: JSON Lines or plain text (default: the model writes it).")
    var calibration: String?
    @Option(help: "Tokens of calibration, at most.") var calibrationTokens = 20_000
    @OptionGroup var common: Common

    func validate() throws {
      if (model == nil) == (family == nil) { throw ValidationError("give --model, or --family with --stitch") }
      if (family == nil) != (stitch == nil) { throw ValidationError("--family goes with --stitch") }
      let named = [stitch != nil, blocks != nil, !without.isEmpty].count { $0 }
      if named != 1 { throw ValidationError("say which blocks stay, once: --blocks, --without or --stitch") }
      try Check.range("--calibration-tokens", calibrationTokens, 1...Int.max)
      _ = try spans()
    }

    private func spans() throws -> [Range<Int>] {
      try without.map { text in
        let ends = text.split(separator: "-", omittingEmptySubsequences: false).map { Int($0) }
        guard (1...2).contains(ends.count), let first = ends[0], let last = ends[ends.count - 1], first >= 0,
          last >= first, last < 1 << 20
        else { throw ValidationError("--without takes blocks such as 4-7, not “\(text)”") }
        return first..<last + 1
      }
    }

    func run() throws {
      let change: AnchorSizeJob.Without =
        if let stitch { .stitch(stitch) } else if let blocks { .left(blocks: blocks) } else { .spans(try spans()) }
      let source =
        try family.map { try FamilyOptions.directory(of: $0) } ?? ModelOption.directory(of: model, asFamily: false)!
      try common.run(
        AnchorSizeJob(
          source: source, change: .shrink(method, change), output: URL(fileURLWithPath: common.output),
          elementType: common.elementType(), calibration: calibration.map { URL(fileURLWithPath: $0) },
          calibrationTokens: calibrationTokens, seed: common.seed, threads: common.threads))
    }
  }
}
