import ArgumentParser
import ChatEngine
import ChatReplay
import ChatTUI
import ChatTerminal
import Foundation
import LLaMAStitch
import MessagePassing
import Support
import Workflows

// Commands that check something: exit code 1 where it does not hold.

// MARK: - Replay

struct Replay: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "replay", abstract: "Run scripted conversations and check what is answered.",
    discussion: """
      Scripts are YAML or JSON Lines; a saved conversation is one too. The same script, family, adapter and seed give the \
      same tokens every time. Exit code 0 if all holds, 1 if something does not, 2 if something could not run.

      Example: stitch replay tests/*.yaml --junit report.xml
      """)

  @Argument(help: "Scripts, or folders of them.") var scripts: [String]
  @OptionGroup var family: FamilyOptions
  @OptionGroup var single: ModelOption
  @OptionGroup var cache: CacheOptions
  @Option(help: ArgumentHelp("Where a script names no seed.", valueName: "n")) var seed: UInt64 = 0
  @Option(help: ArgumentHelp("Threads to compute with; results do not depend on it.", valueName: "n")) var threads: Int?
  @Option(help: ArgumentHelp("Only scripts whose path contains this.", valueName: "text")) var filter: String?
  @Option(
    name: .customLong("repeat"),
    help: ArgumentHelp("Run each so often, and check that the tokens are the same.", valueName: "n"))
  var times = 1
  @Flag(help: "End at the first script that does not pass.") var failFast = false
  @Flag(help: "Write what was answered into the scripts, as what is expected, and show what changed.") var update =
    false
  @Flag(help: "Compute every conversation from its beginning instead of going on from what is cached.") var noCache =
    false
  @Flag(name: .shortAndLong, help: "Print every reply.") var verbose = false
  @Option(help: ArgumentHelp("Write a JUnit report.", valueName: "file")) var junit: String?
  @Flag(help: "Print one JSON document.") var json = false

  func validate() throws {
    try Check.range("--repeat", times, 1...1000)
    if let threads { try Check.threads(threads) }
    if scripts.isEmpty { throw ValidationError("name at least one script") }
  }

  func run() throws {
    let adapter = try family.adapterChoice()
    let cacheType = cache.cache ?? .f32
    let threads = threads ?? SystemProcessors.usable
    var job = ReplayJob(scripts: scripts) { directory, choice in
      var options = FamilyBackend.Options(family: try FamilyOptions.ready(directory))
      options.adapter = choice ?? adapter
      options.threads = threads
      options.reusesCache = !noCache
      options.cacheType = cacheType
      options.keepsSnapshots = false
      return options
    }
    job.family = try single.directory(asFamily: true)?.path ?? family.family
    job.chat.stitch = family.stitch
    job.chat.sampling.seed = seed
    job.instructionSet = InferenceKernels.best.name + (cacheType == .f32 ? "" : ", \(cacheType.rawValue) cache")
    job.version = Stitch.configuration.version
    job.filter = filter
    job.times = times
    job.failsFast = failFast
    job.updates = update
    let report = try job.run(
      note: { Console.log(Console.harmless($0) + "\n") }, complain: { Console.complain($0) })
    if let junit { try AtomicFile.write(Data(report.junit.utf8), to: URL(fileURLWithPath: junit)) }
    if json { try Console.write(json: report) } else { try Console.write(text: report.text(verbose: verbose)) }
    if report.exitStatus != 0 { throw ExitCode(report.exitStatus) }
  }
}

// MARK: - Data

struct DataCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "data", abstract: "Look at training data before it is used.", subcommands: [Check.self])

  struct Check: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "check",
      abstract: "Count and measure the records of a data file, and name those that would be left out.",
      discussion: """
        Exit code 0 if all of it can be used, 1 if records cannot be read or are longer than the family's context.

        Example: stitch data check lessons.jsonl
        """)

    @Argument(help: "JSON Lines, a JSON array, CSV, or plain text.") var file: String
    @Option(help: ArgumentHelp("The family that is to learn it (default as for chat).", valueName: "directory"))
    var family: String?
    @Option(help: "How many lines of each kind of finding to name.") var limit = 10
    @Flag(help: "Print one JSON document.") var json = false

    func validate() throws {
      if limit < 0 { throw ValidationError("--limit must be 0 or more, not \(limit)") }
    }

    func run() throws {
      let report = try DataCheckJob(
        file: URL(fileURLWithPath: file), family: try FamilyOptions.directory(of: family)
      ).run()
      if json { try Console.write(json: report) } else { try Console.write(text: text(report)) }
      if !report.isClean { throw ExitCode(1) }
    }

    private func text(_ report: DataCheckJob.Report) -> String {
      let formats = report.formats.sorted { $0.key < $1.key }.map { "\($0.value) \($0.key)" }
      var lines = ["\(report.file): \(formats.joined(separator: ", ")); \(report.usable) to train on"]
      if let lengths = report.lengths {
        lines.append(
          "tokens: \(lengths.shortest) to \(lengths.longest), median \(lengths.median), \(lengths.total) together; the context of \(report.family) has \(report.contextLength)"
        )
      }
      if report.texts > 0 { lines.append("\(report.texts) without a reply, left out") }
      if report.toolTurns > 0 {
        lines.append(
          "\(report.toolTurns) turns of tools left out: the template of \(report.family) has no place for them")
      }
      for (title, problems) in [
        ("cannot be read", report.unreadable), ("too long, left out", report.tooLong),
        ("said twice", report.duplicates), ("answered in two ways", report.contradictions),
      ] where !problems.isEmpty {
        lines.append("\(problems.count) \(title):")
        lines += problems.prefix(limit).map { "  \($0.line): \($0.cause)" }
        if problems.count > limit { lines.append("  and \(problems.count - limit) more") }
      }
      return lines.joined(separator: "\n") + "\n"
    }
  }
}

// MARK: - Doctor

struct Doctor: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "doctor", abstract: "Say what of this machine the program can use, and what is missing.",
    discussion: """
      Exit code 1 if something cannot work.

      A run that is killed outright can leave temporary files. The next one that writes there removes them; --clean removes \
      all that are below the user's own directories, and below those that are named beside it. What a run that is still \
      there uses stays, and so do the beginnings of downloads.
      """)

  @Option(help: ArgumentHelp("The family to look at (default as for chat).", valueName: "directory"))
  var family: String?
  @Flag(help: "Print one JSON document.") var json = false
  @Flag(help: "Remove what killed runs left, and look at nothing else.") var clean = false
  @Argument(
    help: ArgumentHelp("With --clean: directories to look in besides the user's own.", valueName: "directory"))
  var places: [String] = []

  func validate() throws {
    if !clean && !places.isEmpty { throw ValidationError("directories are given with --clean alone") }
    if clean && family != nil { throw ValidationError("--clean looks at no family; leave --family out") }
  }

  func run() throws {
    if clean { return try removeLeftovers() }
    let abilities = TerminalAbilities.now
    let terminal = DoctorJob.Terminal(
      isTerminal: abilities.isTerminal, name: abilities.name, isKnown: abilities.isKnown, colors: abilities.colors,
      isUTF8: abilities.isUTF8, width: abilities.width, height: abilities.height)
    let findings = DoctorJob(family: family, terminal: terminal, hasOpenMPI: ProcessGroup.isAvailable).run()
    if json {
      try Console.write(json: findings)
    } else {
      let marks: [DoctorJob.Finding.Level: String] = [.good: "ok  ", .note: "note", .bad: "BAD "]
      try Console.write(text: findings.map { "\(marks[$0.level]!)  \($0.topic): \($0.text)\n" }.joined())
    }
    if findings.contains(where: { $0.level == .bad }) { throw ExitCode(1) }
  }

  private func removeLeftovers() throws {
    for place in places { try AtomicFile.flushDirectory(URL(fileURLWithPath: place)) }
    let leftovers = Leftovers(besides: places.map { URL(fileURLWithPath: $0).standardizedFileURL })
    let gone = try leftovers.remove(leftovers.find())
    if json {
      try Console.write(json: gone)
    } else {
      let bytes = DoctorJob.size(gone.reduce(0) { $0 + $1.bytes })
      let lines = gone.map { "removed \(oneLine($0.path))\n" }
      try Console.write(
        text: lines.joined() + (gone.isEmpty ? "nothing is left of killed runs\n" : "\(gone.count) removed, \(bytes)\n")
      )
    }
  }
}
