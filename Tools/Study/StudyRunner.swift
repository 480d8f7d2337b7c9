import Foundation
import LLaMAStitch
import Support

/// Runs what a study has not run yet, one process at a time, and keeps what each cost.
public struct StudyRunner {
  public var study: StudyFile
  /// What the study's paths are relative to.
  public var inputs: URL
  /// Where every job gets a directory.
  public var work: URL
  /// The `stitch` that is run.
  public var program: URL
  /// Run failed jobs again instead of leaving them failed.
  public var retriesFailures = false
  /// Told of every job that starts or fails.
  public var note: (String) -> Void

  public init(study: StudyFile, inputs: URL, work: URL, program: URL, note: @escaping (String) -> Void) {
    self.study = study
    self.inputs = inputs
    self.work = work
    self.program = program
    self.note = note
  }

  /// Runs everything that is missing. Failed jobs do not end it: what depends on them is left out, and the report says so.
  /// - Throws: `StudyError`, also where a signal asked to stop.
  public func run() throws {
    try checkInputs()
    try NewDirectory.makePath(work)
    let lock = try lock()
    try withExtendedLifetime(lock) { try runLocked() }
  }

  private func runLocked() throws {
    let plan = StudyPlan(study: study)
    let programHash = try Self.hash(of: program)
    try Machine.this.write(in: work)
    var session = Session(runner: self, programHash: programHash, commit: try commit(), total: plan.count)
    for family in study.families {
      if let build = plan.build(family.name) { try session.perform(build) }
    }
    for name in study.unadapted { try session.perform(plan.measurement(unadapted: name)) }
    let measurements = Measurements(study: study, work: work)
    var chosen: [(method: StudyFile.MethodPlan, setting: StudyPlan.Setting)] = []
    for method in study.methods {
      for setting in plan.grid(method) {
        for job in plan.search(method, setting) { try session.perform(job) }
      }
      guard let best = try measurements.search(method).bestOfGrid else {
        note("\(method.name): no learning rate gave a result; left out")
        continue
      }
      for setting in plan.otherSettings(method, best: best) {
        for job in plan.search(method, setting) { try session.perform(job) }
      }
      if let setting = try measurements.search(method).chosen { chosen.append((method, setting)) }
    }
    // The methods take turns, seed by seed: a machine that is slow for a while is so for all of them.
    for seed in study.seeds {
      for (method, setting) in chosen {
        for job in plan.final(method, setting, seed: seed) { try session.perform(job) }
      }
    }
    for ablation in study.ablations {
      let method = study.methods.first { $0.name == ablation.of }!
      guard let chosen = try measurements.search(method).chosen else { continue }
      try session.perform(plan.comparison(method, chosen))
      for job in plan.jobs(of: ablation, chosen) { try session.perform(job) }
    }
  }

  private func checkInputs() throws(StudyError) {
    let anchors = study.families.flatMap { ($0.anchors ?? []).map(\.path) }
    let paths = study.families.compactMap(\.path) + study.families.compactMap(\.calibration) + anchors
    for path in paths + [study.data.adaptation, study.data.validation, study.data.test] {
      let url = inputs.appendingPathComponent(path)
      guard FileManager.default.fileExists(atPath: url.path) else {
        throw .missingInput(
          path: url.path, remedy: "make it with 'make tiny-family', or name another directory with --inputs")
      }
    }
    guard FileManager.default.isExecutableFile(atPath: program.path) else {
      throw .missingInput(path: program.path, remedy: "build it with 'make build', or name it with --stitch")
    }
  }

  /// The commit the program was built from, as far as the checkout tells.
  private func commit() throws -> String {
    func git(_ arguments: [String]) throws -> String? {
      let (output, log) = (work.appendingPathComponent("git.txt"), work.appendingPathComponent("git.log"))
      defer { for file in [output, log] { unlink(file.path) } }
      let child = ChildProcess(
        executable: URL(fileURLWithPath: "/usr/bin/env"),
        arguments: ["git", "-C", program.deletingLastPathComponent().path] + arguments, output: output, log: log)
      let (outcome, wasStopped) = try child.run()
      if wasStopped { throw StudyError.stopped }
      return outcome.status == 0
        ? String(decoding: try Data(contentsOf: output), as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
        : nil
    }
    guard let head = try git(["rev-parse", "--short=12", "HEAD"]) else { return "" }
    return head + (try git(["status", "--porcelain", "--", ":/Sources"]) == "" ? "" : "+")
  }

  static func hash(of file: URL) throws -> String {
    SHA256.hexadecimal(of: Array(try Data(contentsOf: file, options: .mappedIfSafe)))
  }

  /// Keeps a second study out of the directory. The processes a study starts inherit the lock: one that outlives a
  /// killed study still holds it.
  private func lock() throws -> FileLock {
    do throws(FileError) {
      return try FileLock(on: work.appendingPathComponent("lock"), contention: .fail, isInherited: true)
    } catch .inUse {
      throw StudyError.isRunning(directory: work.path)
    }
  }
}

/// The jobs of one call.
private struct Session {
  let runner: StudyRunner
  let programHash: String
  let commit: String
  let total: Int
  private var records: [String: RunRecord] = [:]
  private var seen: Set<String> = []
  private var hashes: [String: String] = [:]

  init(runner: StudyRunner, programHash: String, commit: String, total: Int) {
    self.runner = runner
    self.programHash = programHash
    self.commit = commit
    self.total = total
  }

  /// Runs a job unless its result is there and still holds.
  mutating func perform(_ job: Job) throws {
    if !seen.insert(job.id).inserted { return }
    guard let fingerprint = try fingerprint(job) else {
      runner.note("\(job.id): left out, since what it needs failed")
      return
    }
    let directory = runner.work.appendingPathComponent(job.id)
    if let record = try RunRecord.read(in: directory), record.fingerprint == fingerprint,
      record.failure == nil || !runner.retriesFailures
    {
      records[job.id] = record
      return
    }
    try prepare(job, directory, fingerprint)
    runner.note("[\(seen.count)/\(total)] \(job.id)")
    let record = try execute(job, directory, fingerprint)
    try record.write(in: directory)
    records[job.id] = record
    if let failure = record.failure { runner.note("\(job.id) failed: \(failure)") }
  }

  /// Hash of the command and of all it reads; `nil` where something it needs failed.
  private mutating func fingerprint(_ job: Job) throws -> String? {
    var parts = job.words.map(Self.portable)
    for input in job.inputs {
      switch input {
      case .path(let path): parts.append(try hash(ofInput: path))
      case .job(let id):
        guard let record = records[id], record.failure == nil else { return nil }
        parts.append(record.fingerprint)
      }
    }
    return SHA256.hexadecimal(of: Array(parts.joined(separator: "\n").utf8))
  }

  /// A word as it is kept: without the places of this machine.
  private static func portable(_ word: Job.Word) -> String {
    switch word {
    case .text(let text): text
    case .input(let path): "$INPUTS/\(path)"
    case .work(let path): "$WORK/\(path)"
    }
  }

  private func actual(_ word: Job.Word) -> String {
    switch word {
    case .text(let text): text
    case .input(let path): runner.inputs.appendingPathComponent(path).path
    case .work(let path): runner.work.appendingPathComponent(path).path
    }
  }

  /// Of a file, or of every file below a directory.
  private mutating func hash(ofInput path: String) throws -> String {
    if let known = hashes[path] { return known }
    let url = runner.inputs.appendingPathComponent(path).resolvingSymlinksInPath()
    var isDirectory: ObjCBool = false
    _ = FileManager.default.fileExists(atPath: url.path, isDirectory: &isDirectory)
    var parts: [String] = []
    if isDirectory.boolValue {
      for name in try FileManager.default.subpathsOfDirectory(atPath: url.path).sorted() {
        let file = url.appendingPathComponent(name)
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: file.path, isDirectory: &isFolder), !isFolder.boolValue else {
          continue
        }
        parts += [name, try StudyRunner.hash(of: file)]
      }
    } else {
      parts = [try StudyRunner.hash(of: url)]
    }
    let hash = SHA256.hexadecimal(of: Array(parts.joined(separator: "\n").utf8))
    hashes[path] = hash
    return hash
  }

  /// Makes room: what an interrupted attempt at the same job left is kept, what another one left is not.
  private func prepare(_ job: Job, _ directory: URL, _ fingerprint: String) throws {
    let files = FileManager.default
    let marker = directory.appendingPathComponent("fingerprint")
    let isSame = files.contents(atPath: marker.path) == Data(fingerprint.utf8)
    let hasEnded = files.fileExists(atPath: directory.appendingPathComponent(RunRecord.fileName).path)
    if files.fileExists(atPath: directory.path) && (!isSame || hasEnded) {
      if hasEnded {
        runner.note("\(job.id): \(isSame ? "failed before, run again" : "its settings or inputs changed, run again")")
      }
      try files.removeItem(at: directory)
    }
    try NewDirectory.makePath(directory)
    try AtomicFile.write(Data(fingerprint.utf8), to: marker)
    // Written, but its end was never seen: what it cost is unknown.
    if let product = job.product {
      let url = directory.appendingPathComponent(product)
      if files.fileExists(atPath: url.path) { try files.removeItem(at: url) }
    }
    guard job.id.hasPrefix("families/") else { return }
    // An anchor is named after its directory; two may be the same one.
    let plan = StudyPlan(study: runner.study).family(String(job.id.dropFirst("families/".count)))
    let anchors = directory.appendingPathComponent("anchors")
    if files.fileExists(atPath: anchors.path) { try files.removeItem(at: anchors) }
    try NewDirectory.makePath(anchors)
    for anchor in plan.anchors ?? [] {
      try files.createSymbolicLink(
        at: anchors.appendingPathComponent(anchor.name),
        withDestinationURL: runner.inputs.appendingPathComponent(anchor.path).standardizedFileURL)
    }
  }

  private func execute(_ job: Job, _ directory: URL, _ fingerprint: String) throws -> RunRecord {
    let attemptsFile = directory.appendingPathComponent(RunAttempt.fileName)
    var attempts = try JSONFile.read([RunAttempt].self, attemptsFile) ?? []
    attempts.append(RunAttempt())
    try JSONFile.write(attempts, to: attemptsFile)
    let log = directory.appendingPathComponent(StudyPlan.logName)
    let child = ChildProcess(
      executable: runner.program, arguments: job.words.map(actual),
      output: directory.appendingPathComponent(StudyPlan.outputName), log: log, appendsLog: attempts.count > 1)
    let (outcome, wasStopped) = try child.run()
    attempts[attempts.count - 1] = RunAttempt(
      wallSeconds: outcome.wallSeconds, cpuSeconds: outcome.cpuSeconds, peakBytes: outcome.peakBytes)
    try JSONFile.write(attempts, to: attemptsFile)
    if wasStopped { throw StudyError.stopped }
    return RunRecord(
      arguments: job.words.map(Self.portable), fingerprint: fingerprint, failure: try failure(job, outcome, directory),
      wallSeconds: attempts.reduce(0) { $0 + ($1.wallSeconds ?? 0) },
      cpuSeconds: attempts.reduce(0) { $0 + ($1.cpuSeconds ?? 0) },
      peakBytes: attempts.compactMap(\.peakBytes).max() ?? 0, attempts: attempts.count,
      lostTime: attempts.contains { $0.wallSeconds == nil }, program: programHash, commit: commit)
  }

  /// What went wrong, if anything: the last line the program said, without the places of this machine.
  private func failure(_ job: Job, _ outcome: ChildProcess.Outcome, _ directory: URL) throws -> String? {
    if outcome.status != 0 {
      let log = String(
        decoding: try Data(contentsOf: directory.appendingPathComponent(StudyPlan.logName)), as: UTF8.self)
      let last = (log.split(whereSeparator: \.isNewline).last.map(String.init) ?? "it said nothing")
        .replacing(runner.work.path, with: "$WORK").replacing(runner.inputs.path, with: "$INPUTS")
      return outcome.status < 0 ? "ended by signal \(-outcome.status): \(last)" : "exit code \(outcome.status): \(last)"
    }
    if let product = job.product,
      !FileManager.default.fileExists(atPath: directory.appendingPathComponent(product).path)
    {
      return "it wrote no \(product)"
    }
    return nil
  }
}
