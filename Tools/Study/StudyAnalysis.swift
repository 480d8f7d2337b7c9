import Foundation
import LLaMAStitch

/// Works out all numbers of a study from the files its runs wrote, and from nothing else. What has not run or failed is
/// listed, not guessed.
public struct StudyAnalysis {
  let study: StudyFile
  let measurements: Measurements
  private var plan: StudyPlan { StudyPlan(study: study) }

  public init(study: StudyFile, work: URL) {
    self.study = study
    measurements = Measurements(study: study, work: work)
  }

  /// - Throws: `StudyError.damaged`.
  public func results() throws -> StudyResults {
    var jobs = JobList(measurements: measurements)
    for family in study.families { if let build = plan.build(family.name) { try jobs.add(build) } }
    let unadapted = try study.unadapted.compactMap { try self.unadapted($0, &jobs) }
    var trials: [StudyResults.Trial] = []
    var seedRuns: [(method: StudyFile.MethodPlan, setting: StudyPlan.Setting, runs: [SeedRun])] = []
    for method in study.methods {
      let search = try measurements.search(method)
      for entry in search.grid + search.others {
        for job in plan.search(method, entry.setting) { try jobs.add(job) }
        trials.append(
          .init(
            method: method.name, variant: entry.setting.variant, learningRate: entry.setting.learningRate,
            hypervolume: entry.hypervolume, isChosen: entry.setting == search.chosen))
      }
      guard let chosen = search.chosen else { continue }
      var runs: [SeedRun] = []
      for seed in study.seeds {
        for job in plan.final(method, chosen, seed: seed) { try jobs.add(job) }
        if let run = try seedRun(method, chosen, seed) { runs.append(run) }
      }
      if !runs.isEmpty { seedRuns.append((method, chosen, runs)) }
    }
    // The loss that every method reached: the highest of what they ended with, over methods and seeds.
    let finals = seedRuns.flatMap { $0.runs.compactMap { $0.curve.last?.stitchLoss } }
    let methods = seedRuns.map { method($0.method, $0.setting, $0.runs, commonLoss: finals.max()) }
    let noise = methods.first.flatMap {
      $0.hypervolume.count > 1 ? 2 * 2.0.squareRoot() * $0.hypervolume.deviation : nil
    }
    let (baseline, ablations) = try self.ablations(&jobs)
    var results = StudyResults(
      study: study.name, steps: study.steps, tokensPerStep: study.tokensPerStep, seeds: study.seeds,
      validationQuestions: study.questions.validation, testQuestions: study.questions.test,
      ablationQuestions: study.questions.ablation, referenceCost: study.referenceCost, threads: study.threads,
      machine: try Machine.read(in: measurements.work), commits: jobs.commits.sorted(), programs: jobs.programs.count,
      runs: jobs.count, totalSeconds: jobs.seconds, singleRunNoise: noise, trials: trials, methods: methods,
      ablationBaseline: baseline, ablations: ablations, unadapted: unadapted, claims: [], missing: jobs.missing)
    results.claims = Claims(results: results, sanity: try sanity()).all
    return results
  }

  /// Every job once, with what it came to.
  private struct JobList {
    let measurements: Measurements
    var seen: Set<String> = []
    var count = 0
    var seconds = 0.0
    var commits: Set<String> = []
    var programs: Set<String> = []
    var missing: [StudyResults.Missing] = []

    init(measurements: Measurements) { self.measurements = measurements }

    mutating func add(_ job: Job) throws {
      if !seen.insert(job.id).inserted { return }
      guard let record = try measurements.record(job) else {
        missing.append(.init(job: job.id, reason: "has not run"))
        return
      }
      count += 1
      seconds += record.wallSeconds
      commits.insert(record.commit.isEmpty ? "unknown" : record.commit)
      programs.insert(record.program)
      if let failure = record.failure { missing.append(.init(job: job.id, reason: failure)) }
    }
  }

  // MARK: Methods

  /// What one seed of a method came to.
  private struct SeedRun {
    var report: AdaptationReport
    var record: RunRecord
    var sweep: RunRecord
    var curve: [CurvePoint]
    var test: MeasuredFrontier
    /// Chosen with every stitch measured on the validation split.
    var swept: Set<String>
  }

  private func seedRun(_ method: StudyFile.MethodPlan, _ setting: StudyPlan.Setting, _ seed: UInt64) throws -> SeedRun?
  {
    let job = plan.adaptation(method, setting, seed: seed)
    let validation = plan.validation(job)
    guard let report = try measurements.report(job), let record = try measurements.record(job),
      let sweep = try measurements.record(validation), let chosenOn = try measurements.frontier(validation),
      let test = try measurements.frontier(plan.test(job))
    else { return nil }
    return SeedRun(
      report: report, record: record, sweep: sweep, curve: try measurements.curve(job), test: test,
      swept: measurements.nondominated(chosenOn))
  }

  private func method(
    _ method: StudyFile.MethodPlan, _ setting: StudyPlan.Setting, _ runs: [SeedRun], commonLoss: Double?
  ) -> StudyResults.Method {
    let anchorsOnly = method.anchorsOnly ?? false
    func spread(_ value: (SeedRun) -> Double) -> Spread { Spread(runs.map(value))! }
    func wall(_ run: SeedRun) -> Double { run.report.training_seconds + (method.sweeps ? run.sweep.wallSeconds : 0) }
    func volume(_ run: SeedRun, _ ids: Set<String>?) -> Double {
      measurements.hypervolume(run.test, only: ids, anchorsOnly: anchorsOnly)
    }
    func stops(_ run: SeedRun) -> Set<String> { Set(run.test.stitches.filter(\.isStop).map(\.id)) }
    let deploys = !method.sweeps && !anchorsOnly
    let reached = commonLoss.map { loss in
      runs.compactMap { run in run.curve.first { ($0.stitchLoss ?? .infinity) <= loss }?.seconds }
    }
    return StudyResults.Method(
      name: method.name, title: method.title, variant: setting.variant, learningRate: setting.learningRate,
      seeds: runs.count, trainableParameters: runs[0].report.trainable_parameters,
      storedBytes: runs[0].report.stored_bytes, tokens: runs[0].report.tokens,
      trainingWall: spread(\.report.training_seconds), processWall: spread(\.record.wallSeconds),
      sweepWall: method.sweeps ? spread(\.sweep.wallSeconds) : nil,
      totalWall: spread(wall), walls: runs.map(wall),
      totalCPU: spread { $0.record.cpuSeconds + (method.sweeps ? $0.sweep.cpuSeconds : 0) },
      peakBytes: spread { Double($0.record.peakBytes) },
      lostTime: runs.contains { $0.record.lostTime || (method.sweeps && $0.sweep.lostTime) },
      hypervolume: spread { volume($0, nil) }, sweptHypervolume: spread { volume($0, $0.swept) },
      deployedHypervolume: deploys ? spread { volume($0, stops($0)) } : nil,
      deployedShare: deploys ? spread { volume($0, stops($0)) / max(1e-12, volume($0, $0.swept)) } : nil,
      secondsToEqualLoss: reached.flatMap { $0.count == runs.count ? Spread($0) : nil },
      stitches: measurements.rows(runs[0].test, anchorsOnly: anchorsOnly).map { row in
        let all = runs.compactMap { run in run.test.stitches.first { $0.id == row.id } }
        return StudyResults.Stitch(
          id: row.id, route: row.route, flopsPerToken: row.flopsPerToken, parameters: row.parameters,
          exactMatch: Spread(all.map(\.exactMatch))!, loss: Spread(all.map(\.loss))!,
          deployed: deploys ? runs.count { stops($0).contains(row.id) } : 0)
      })
  }

  // MARK: Ablations

  private func ablations(_ jobs: inout JobList) throws -> (StudyResults.Ablation?, [StudyResults.Ablation]) {
    var rows: [StudyResults.Ablation] = []
    var baselines: [String: StudyResults.Ablation] = [:]
    for ablation in study.ablations {
      let method = study.methods.first { $0.name == ablation.of }!
      guard let chosen = try measurements.search(method).chosen else { continue }
      if baselines[method.name] == nil {
        let comparison = plan.comparison(method, chosen)
        try jobs.add(comparison)
        baselines[method.name] = try row(
          method.name, method.title, against: "", plan.adaptation(method, chosen, seed: study.seeds[0]), comparison)
      }
      let own = plan.jobs(of: ablation, chosen)
      for job in own { try jobs.add(job) }
      let against = ablation.against ?? method.name
      guard var row = try row(ablation.name, ablation.title, against: against, own[0], own[1]) else { continue }
      let other = ablation.against.map { name in rows.first { $0.name == name } } ?? baselines[method.name]
      row.hypervolumeChange = other.map { row.hypervolume - $0.hypervolume }
      row.lossChange = other.map { row.loss - $0.loss }
      rows.append(row)
    }
    return (study.methods.lazy.compactMap { baselines[$0.name] }.first, rows)
  }

  private func row(
    _ name: String, _ title: String, against: String, _ job: Job, _ measurement: Job
  ) throws -> StudyResults.Ablation? {
    guard let report = try measurements.report(job), let record = try measurements.record(job),
      let frontier = try measurements.frontier(measurement)
    else { return nil }
    let count = Double(frontier.stitches.count)
    return StudyResults.Ablation(
      name: name, title: title, against: against, trainableParameters: report.trainable_parameters,
      wallSeconds: record.wallSeconds, hypervolume: measurements.hypervolume(frontier),
      exactMatch: frontier.stitches.reduce(0) { $0 + $1.exactMatch } / count,
      loss: frontier.stitches.reduce(0) { $0 + $1.loss } / count)
  }

  // MARK: Before adaptation

  private func unadapted(_ name: String, _ jobs: inout JobList) throws -> StudyResults.Unadapted? {
    let job = plan.measurement(unadapted: name)
    try jobs.add(job)
    guard let frontier = try measurements.frontier(job) else { return nil }
    func mean(_ rows: [MeasuredFrontier.Stitch], _ value: (MeasuredFrontier.Stitch) -> Double) -> Double? {
      Spread(rows.map(value))?.mean
    }
    let anchors = frontier.stitches.filter(\.isAnchor)
    let stitched = frontier.stitches.filter { !$0.isAnchor }
    let build = try plan.build(name).flatMap { try measurements.record($0) }
    return StudyResults.Unadapted(
      name: name, title: plan.family(name).title, hypervolume: measurements.hypervolume(frontier),
      stitchedExactMatch: mean(stitched, \.exactMatch), stitchedLoss: mean(stitched, \.loss),
      anchorExactMatch: mean(anchors, \.exactMatch) ?? 0, anchorLoss: mean(anchors, \.loss) ?? 0,
      buildSeconds: build?.wallSeconds)
  }

  /// The greatest distance of a stitch's exact match from its anchor's.
  private func sanity() throws -> Claims.Sanity? {
    guard let sanity = study.sanity,
      let frontier = try measurements.frontier(plan.measurement(unadapted: sanity.family)),
      let anchor = frontier.stitches.first(where: { $0.id == sanity.anchor })
    else { return nil }
    return Claims.Sanity(
      anchor: anchor.exactMatch, distance: frontier.stitches.map { abs($0.exactMatch - anchor.exactMatch) }.max() ?? 0,
      tolerance: sanity.tolerance)
  }
}
