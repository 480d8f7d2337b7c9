import Foundation

/// What is expected of ESTA, held against what was measured.
struct Claims {
  /// How far stitches of an anchor with itself are from it in exact match, as shares.
  struct Sanity {
    var anchor: Double
    var distance: Double
    var tolerance: Double
  }

  let results: StudyResults
  let sanity: Sanity?

  private var esta: StudyResults.Method? { results.methods.first { $0.name == "esta" } }
  private var baseline: StudyResults.Method? { results.methods.first { $0.name == "sn-net" } }

  var all: [StudyResults.Claim] {
    let all = [
      hypervolume, deployedHypervolume,
      ratio("ESTA trains at most 8 % of SN-Net's parameters", 0.08, Format.integer) { Double($0.trainableParameters) },
      wall,
      shortened,
      ratio("ESTA needs at most 0.75 of SN-Net's peak memory", 0.75, Format.bytes) { $0.peakBytes.mean },
      worse("no-stitch-biases", "stitch biases help"),
      worse("uniform", "importance sampling lifts the frontier"),
      deployment, selfStitch,
    ]
    return all.compactMap { $0 }
  }

  private var hypervolume: StudyResults.Claim {
    let text = "ESTA's hypervolume is at least SN-Net's"
    guard let esta, let baseline else { return missing(text) }
    return .init(
      claim: text, measured: "\(Format.volume(esta.hypervolume)) against \(Format.volume(baseline.hypervolume))",
      verdict: esta.hypervolume.mean >= baseline.hypervolume.mean ? .holds : .fails)
  }

  private var wall: StudyResults.Claim {
    let text = "ESTA takes at most half of SN-Net's wall time"
    guard let esta, let baseline, let ratio = Self.wallRatio(esta, baseline) else { return missing(text) }
    return .init(
      claim: text, measured: Self.describe(esta, baseline, ratio), verdict: ratio <= 0.5 ? .holds : .fails)
  }

  /// Median over the seeds of the ratio within a seed, whose runs took turns on the machine.
  private static func wallRatio(_ method: StudyResults.Method, _ baseline: StudyResults.Method) -> Double? {
    let ratios = zip(method.walls, baseline.walls).filter { $1 > 0 }.map { $0 / $1 }.sorted()
    guard !ratios.isEmpty else { return nil }
    return (ratios[(ratios.count - 1) / 2] + ratios[ratios.count / 2]) / 2
  }

  private static func describe(
    _ method: StudyResults.Method, _ baseline: StudyResults.Method, _ ratio: Double
  ) -> String {
    "\(Format.seconds(method.totalWall)) of \(Format.seconds(baseline.totalWall)); median of the ratios within a seed \(String(format: "%.3f", ratio))"
  }

  /// The same quality in less time, rather than the same number of tokens; `nil` where the study does not ask.
  private var shortened: StudyResults.Claim? {
    let text = "with fewer steps, ESTA's hypervolume is at least SN-Net's in at most half of its wall time"
    guard let short = results.methods.first(where: { $0.name == "esta-short" }) else { return nil }
    guard let baseline, let ratio = Self.wallRatio(short, baseline) else { return missing(text) }
    let isAsGood = short.hypervolume.mean >= baseline.hypervolume.mean
    return .init(
      claim: text,
      measured: "\(Format.volume(short.hypervolume)) against \(Format.volume(baseline.hypervolume)); "
        + Self.describe(short, baseline, ratio),
      verdict: isAsGood && ratio <= 0.5 ? .holds : .fails)
  }

  private var deployedHypervolume: StudyResults.Claim {
    let text = "so is that of the stops ESTA picks with no sweep, against those SN-Net picks with one"
    guard let own = esta?.deployedHypervolume, let other = baseline?.sweptHypervolume else { return missing(text) }
    return .init(
      claim: text, measured: "\(Format.volume(own)) against \(Format.volume(other))",
      verdict: own.mean >= other.mean ? .holds : .fails)
  }

  private var deployment: StudyResults.Claim {
    let text = "the stops picked with no sweep reach at least 98 % of the hypervolume of those a full sweep picks"
    guard let share = esta?.deployedShare else { return missing(text) }
    return .init(claim: text, measured: "\(Format.percent(share))", verdict: share.mean >= 0.98 ? .holds : .fails)
  }

  private var selfStitch: StudyResults.Claim {
    let text = "an anchor stitched to itself answers as it did alone"
    guard let sanity else { return missing(text) }
    return .init(
      claim: text,
      measured: "exact match \(Format.percent(sanity.anchor)), at most \(Format.percent(sanity.distance)) away"
        + " (allowed: \(Format.percent(sanity.tolerance)))",
      verdict: sanity.distance <= sanity.tolerance ? .holds : .fails)
  }

  private func ratio(
    _ text: String, _ limit: Double, _ format: (Double) -> String, _ value: (StudyResults.Method) -> Double
  ) -> StudyResults.Claim {
    guard let esta, let baseline, value(baseline) > 0 else { return missing(text) }
    let ratio = value(esta) / value(baseline)
    return .init(
      claim: text, measured: "\(format(value(esta))) of \(format(value(baseline))): \(String(format: "%.3f", ratio))",
      verdict: ratio <= limit ? .holds : .fails)
  }

  /// A claim that taking something away makes the hypervolume smaller by more than the noise of single runs.
  private func worse(_ ablation: String, _ text: String) -> StudyResults.Claim {
    guard let row = results.ablations.first(where: { $0.name == ablation }), let base = results.ablationBaseline,
      let change = row.hypervolumeChange
    else { return missing(text) }
    let noise = results.singleRunNoise ?? 0
    return .init(
      claim: text,
      measured: "\(Format.volume(base.hypervolume)) against \(Format.volume(row.hypervolume)) without; loss"
        + " \(Format.loss(base.loss)) against \(Format.loss(row.loss)); noise ± \(Format.volume(noise))",
      verdict: abs(change) <= noise ? .withinNoise : change < 0 ? .holds : .fails)
  }

  private func missing(_ text: String) -> StudyResults.Claim {
    .init(claim: text, measured: "–", verdict: .notMeasured)
  }
}

/// Numbers for people.
enum Format {
  static func volume(_ value: Double) -> String { String(format: "%.4f", value) }
  static func loss(_ value: Double) -> String { String(format: "%.4f", value) }
  static func percent(_ value: Double) -> String { String(format: "%.1f %%", 100 * value) }
  static func seconds(_ value: Double) -> String { String(format: "%.1f s", value) }
  static func bytes(_ value: Double) -> String { String(format: "%.1f MB", value / 1e6) }
  static func integer(_ value: Double) -> String { String(Int(value.rounded())) }
  static func change(_ value: Double) -> String { String(format: "%+.4f", value) }

  static func volume(_ value: Spread) -> String { spread(value, volume) }
  static func loss(_ value: Spread) -> String { spread(value, loss) }
  static func percent(_ value: Spread) -> String {
    value.count > 1 ? String(format: "%.1f ± %.1f %%", 100 * value.mean, 100 * value.deviation) : percent(value.mean)
  }
  static func seconds(_ value: Spread) -> String {
    value.count > 1 ? String(format: "%.1f ± %.1f s", value.mean, value.deviation) : seconds(value.mean)
  }
  static func bytes(_ value: Spread) -> String {
    value.count > 1 ? String(format: "%.1f ± %.1f MB", value.mean / 1e6, value.deviation / 1e6) : bytes(value.mean)
  }

  private static func spread(_ value: Spread, _ format: (Double) -> String) -> String {
    value.count > 1 ? "\(format(value.mean)) ± \(format(value.deviation))" : format(value.mean)
  }
}
