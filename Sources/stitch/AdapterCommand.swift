import ArgumentParser
import ChatEngine
import Foundation
import LLaMAStitch

/// `stitch adapter`: what was taught to a family, after it was trained.
struct AdapterCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "adapter",
    abstract: "List, show, weaken, merge or move what a family was taught, and find where to teach it.",
    discussion: """
      An adapter is named as for chat: own (the family's), latest (the snapshot that training made last), or the beginning \
      of a snapshot's hash. What is made of adapters is a new snapshot; those it is made of stay as they are.
      """,
    subcommands: [List.self, Show.self, Scale.self, Merge.self, Transfer.self, Search.self],
    defaultSubcommand: List.self)

  /// A family whose adapters are kept.
  struct Place: ParsableArguments {
    @Option(help: ArgumentHelp("The family (default as for chat).", valueName: "directory")) var family: String?

    func open() throws -> (text: TextFamily, store: AdapterStore) {
      let text = try TextFamily(FamilyOptions.directory(of: family))
      return (text, text.adapterStore())
    }
  }

  /// How much is kept, by depth.
  struct Depths: ParsableArguments {
    @Option(help: "What is kept of the updates of an anchor's first block (LiNeS; default: as much as of the last).")
    var first: Float?
    @Option(help: "What is kept of the updates of its last block, and linearly more or less between them.")
    var last: Float?

    func validate() throws {
      for (option, value) in [("--first", first), ("--last", last)] {
        if let value, !(-10...10).contains(value) {
          throw ValidationError("\(option) must be between -10 and 10, not \(value)")
        }
      }
    }

    var scale: AdapterScale? {
      if first == nil && last == nil { return nil }
      return AdapterScale(first: first ?? last ?? 1, last: last ?? 1)
    }
  }

  static func save(_ adapter: Adapter, in store: AdapterStore, json: Bool) throws {
    let snapshot = try store.save(adapter)
    if json { return try Console.write(json: ["adapter": snapshot.hash, "file": snapshot.file.path]) }
    let origin = adapter.origin.map { "\($0), " } ?? ""
    try Console.write(
      text: "\(origin)saved as \(snapshot.shortHash); chat with it by --adapter \(snapshot.shortHash)\n")
  }

  // MARK: What there is

  /// An adapter as it is listed.
  private struct Row: Encodable {
    var adapter: String
    /// ISO 8601.
    var saved: String?
    var step: Int
    var rank: Int
    var alpha: Float
    var scope: String
    var targets: [String]
    var parameters: Int
    var isHealing: Bool
    /// What it was made of, where it was made of others.
    var origin: AdapterOrigin?

    init(_ name: String, _ adapter: Adapter, saved: Date? = nil) {
      let options = adapter.options
      self.adapter = name
      self.saved = saved?.formatted(.iso8601)
      step = adapter.step
      rank = options.rank
      alpha = options.alpha
      scope = options.scope.rawValue
      targets =
        options.targets.map(\.rawValue) + (options.hasScales ? ["scales"] : [])
        + (options.side.map { ["side network (\($0.kind.rawValue))"] } ?? [])
        + (options.parallel.map { ["\($0.width) beside each MLP"] } ?? [])
        + (options.prefix.map { ["\($0.length) keys and values"] } ?? [])
        + (options.prompt.map { ["\($0.length) soft tokens"] } ?? [])
        + (options.kronecker.map { ["\($0.experts) Kronecker experts of rank \($0.rank)"] } ?? [])
      parameters = adapter.parameterCount
      isHealing = options.keepsPrefix
      origin = adapter.origin
    }
  }

  struct List: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "list", abstract: "The family's own adapter and its snapshots, the latest first.")
    @OptionGroup var place: Place
    @Flag(help: "One JSON document on standard output.") var json = false

    func run() throws {
      let (text, store) = try place.open()
      var rows = try text.adapter(.own, store: store).map { [Row("own", $0)] } ?? []
      for snapshot in try store.list() {
        do { rows.append(Row(snapshot.hash, try store.open(snapshot, for: text.family), saved: snapshot.date)) } catch {
          Console.complain("\(error)")
        }
      }
      if json { return try Console.write(json: ["adapters": rows]) }
      if rows.isEmpty { return Console.log("no adapters; teach the family with /train or `stitch adapt`\n") }
      var table = TextTable(["adapter", "saved", "steps", "rank", "on", "parameters", "made of"])
      for row in rows {
        table.add([
          String(row.adapter.prefix(8)), String(row.saved?.prefix(10) ?? ""), String(row.step), String(row.rank),
          row.targets.joined(separator: ","),
          Quantity.short(row.parameters), row.origin?.description ?? "",
        ])
      }
      try Console.write(text: table.text)
    }
  }

  struct Show: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "show", abstract: "What an adapter changes, and how much in each block.")
    @Argument(help: "The adapter.") var adapter: String
    @OptionGroup var place: Place
    @Flag(help: "One JSON document on standard output.") var json = false

    private struct Report: Encodable {
      var adapter: Row
      /// By anchor: of each block the Frobenius norm of what is added to its weights.
      var updateNorms: [String: [Double]]
    }

    func run() throws {
      let (text, store) = try place.open()
      let found = try text.adapter(named: adapter, store: store).adapter
      let names = text.family.description.anchors.map(\.name)
      let norms = found.updateNorms(in: text.family)
      let row = Row(adapter, found)
      if json {
        return try Console.write(
          json: Report(adapter: row, updateNorms: Dictionary(uniqueKeysWithValues: zip(names, norms))))
      }
      var lines = [
        "\(row.step) steps, rank \(row.rank), α \(row.alpha), on \(row.targets.joined(separator: ", ")); "
          + "\(Quantity.short(row.parameters)) parameters, biases of the \(row.scope == "tail" ? "tail" : "whole route")"
      ]
      if let origin = row.origin { lines.append("made of \(origin)") }
      for (name, blocks) in zip(names, norms) {
        lines.append(
          "\(name), norm of the update by block: " + blocks.map { String(format: "%.2f", $0) }.joined(separator: " "))
      }
      try Console.write(text: lines.joined(separator: "\n") + "\n")
    }
  }

  // MARK: What is made of them

  struct Scale: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "scale", abstract: "Keep a part of what was taught, less of it in early blocks if wanted (LiNeS).")
    @Argument(help: "The adapter.") var adapter: String
    @OptionGroup var depths: Depths
    @OptionGroup var place: Place
    @Flag(help: "One JSON document on standard output.") var json = false

    func validate() throws {
      if depths.scale == nil { throw ValidationError("say what is kept: --first 0.2 --last 1, or --last 0.5 of all") }
    }

    func run() throws {
      let (text, store) = try place.open()
      let (found, hash) = try text.adapter(named: adapter, store: store)
      if let what = found.options.unscalable {
        throw CommandError.malformed(
          adapter, expected: "it has \(what), of which no part can be kept; train it for fewer steps")
      }
      let scaled = found.scaled(by: depths.scale!, in: text.family)
        .made(of: AdapterOrigin(.lines, [.init(hash)], scale: depths.scale))
      try AdapterCommand.save(scaled, in: store, json: json)
    }
  }
}
