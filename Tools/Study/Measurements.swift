import Foundation
import LLaMAStitch

/// What `stitch adapt --json` says of a finished adaptation.
struct AdaptationReport: Decodable {
  var trainable_parameters: Int
  /// Size of the files to be kept besides the family that was adapted.
  var stored_bytes: Int
  /// Tokens trained on.
  var tokens: Int
  /// Of all attempts, without measuring and checkpoints.
  var training_seconds: Double
}

/// A line of `stitch adapt --log`: what was measured on held-out examples after a step.
struct CurvePoint: Decodable {
  var step: Int
  /// Of training so far, without measuring.
  var seconds: Double
  /// Mean over all stitches; absent where only the anchors were measured.
  var stitchLoss: Double?
}

/// What `stitch frontier --json` says.
struct MeasuredFrontier: Decodable {
  struct Stitch: Decodable {
    var id: String
    var route: String
    var parameters: Int
    var flopsPerToken: Int
    /// Share of the questions answered exactly.
    var exactMatch: Double
    /// Of the reference answers, nats per token.
    var loss: Double
    /// Whether it is one of the slider's stops.
    var isStop: Bool

    /// An anchor's route goes through no stitching layer.
    var isAnchor: Bool { !route.contains("→") }
  }

  var stitches: [Stitch]
}

/// Reads what the jobs of a study left.
struct Measurements {
  let study: StudyFile
  let work: URL

  private var plan: StudyPlan { StudyPlan(study: study) }
  private func directory(_ job: Job) -> URL { work.appendingPathComponent(job.id) }

  /// `nil` where the job has not ended.
  func record(_ job: Job) throws(StudyError) -> RunRecord? { try RunRecord.read(in: directory(job)) }

  private func succeeded(_ job: Job) throws(StudyError) -> Bool {
    guard let record = try record(job) else { return false }
    return record.failure == nil
  }

  /// What a measuring job found; `nil` where there is no result.
  func frontier(_ job: Job) throws(StudyError) -> MeasuredFrontier? {
    guard try succeeded(job) else { return nil }
    let file = directory(job).appendingPathComponent(StudyPlan.outputName)
    guard let frontier = try JSONFile.read(MeasuredFrontier.self, file) else { return nil }
    guard frontier.stitches.contains(where: \.isAnchor),
      frontier.stitches.allSatisfy({ (0...1).contains($0.exactMatch) && $0.loss.isFinite && $0.flopsPerToken > 0 })
    else { throw .damaged(file: file.path) }
    return frontier
  }

  func report(_ job: Job) throws(StudyError) -> AdaptationReport? {
    guard try succeeded(job) else { return nil }
    return try JSONFile.read(AdaptationReport.self, directory(job).appendingPathComponent(StudyPlan.outputName))
  }

  /// Held-out losses by step; empty where there are none.
  func curve(_ job: Job) throws(StudyError) -> [CurvePoint] {
    let file = directory(job).appendingPathComponent(StudyPlan.curveName)
    guard FileManager.default.fileExists(atPath: file.path) else { return [] }
    do {
      return try String(decoding: try Data(contentsOf: file), as: UTF8.self).split(separator: "\n")
        .map { try JSONDecoder().decode(CurvePoint.self, from: Data($0.utf8)) }
    } catch { throw .damaged(file: file.path) }
  }

  // MARK: Hypervolume

  /// What networks dominate, by exact match and FLOPs per token.
  /// - Parameter ids: only these; all if absent.
  func hypervolume(_ frontier: MeasuredFrontier, only ids: Set<String>? = nil, anchorsOnly: Bool = false) -> Double {
    let anchors = frontier.stitches.filter(\.isAnchor).map { Double($0.flopsPerToken) }
    guard let cheapest = anchors.min(), let mostExpensive = anchors.max() else { return 0 }
    let volume = Hypervolume(
      cheapest: cheapest, mostExpensive: mostExpensive, reference: .init(cost: study.referenceCost, quality: 0))
    return volume(
      rows(frontier, anchorsOnly: anchorsOnly).filter { ids?.contains($0.id) ?? true }
        .map { (flopsPerToken: Double($0.flopsPerToken), quality: $0.exactMatch) })
  }

  /// Ids of the networks that no other beats in cost and exact match.
  func nondominated(_ frontier: MeasuredFrontier) -> Set<String> {
    let points = frontier.stitches.map { Hypervolume.Point(cost: Double($0.flopsPerToken), quality: $0.exactMatch) }
    return Set(Hypervolume.frontier(points).map { frontier.stitches[$0].id })
  }

  /// The networks of a method, cheapest first.
  func rows(_ frontier: MeasuredFrontier, anchorsOnly: Bool) -> [MeasuredFrontier.Stitch] {
    frontier.stitches.filter { !anchorsOnly || $0.isAnchor }.sorted { $0.flopsPerToken < $1.flopsPerToken }
  }

  // MARK: Search

  /// What a method's search on the validation split found.
  struct Search {
    struct Entry {
      var setting: StudyPlan.Setting
      /// `nil` where it failed or has not run.
      var hypervolume: Double?
    }
    var grid: [Entry]
    var others: [Entry]

    /// The best learning rate; the smaller of equal ones.
    var bestOfGrid: StudyPlan.Setting? { Self.best(grid)?.setting }
    /// The best of all.
    var chosen: StudyPlan.Setting? { Self.best(grid + others)?.setting }

    private static func best(_ entries: [Entry]) -> Entry? {
      var best: Entry?
      for entry in entries where entry.hypervolume ?? -1 > best?.hypervolume ?? -1 { best = entry }
      return best
    }
  }

  func search(_ method: StudyFile.MethodPlan) throws -> Search {
    func entry(_ setting: StudyPlan.Setting) throws -> Search.Entry {
      let frontier = try frontier(plan.validation(plan.adaptation(method, setting, seed: study.seeds[0])))
      return .init(
        setting: setting, hypervolume: frontier.map { hypervolume($0, anchorsOnly: method.anchorsOnly ?? false) })
    }
    var search = Search(grid: try plan.grid(method).map(entry), others: [])
    if let best = search.bestOfGrid { search.others = try plan.otherSettings(method, best: best).map(entry) }
    return search
  }
}
