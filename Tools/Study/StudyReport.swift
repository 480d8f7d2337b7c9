import Figures
import Foundation
import LLaMAStitch
import Support

/// Writes a study's results as Markdown, SVG and JSON. The same results give the same bytes.
public struct StudyReport {
  let results: StudyResults

  public init(_ results: StudyResults) { self.results = results }

  /// Writes `results.md` and, below `results/`, the plots and `results.json`.
  /// - Returns: what was written.
  public func write(to directory: URL) throws -> [URL] {
    let figures = directory.appendingPathComponent("results")
    try NewDirectory.makePath(figures)
    var files: [URL] = []
    func put(_ text: String, _ url: URL) throws {
      try AtomicFile.write(Data(text.utf8), to: url)
      files.append(url)
    }
    for (name, chart) in charts { try put(chart.svg, figures.appendingPathComponent(name)) }
    let json = figures.appendingPathComponent("results.json")
    try JSONFile.write(results, to: json)
    files.append(json)
    try put(markdown, directory.appendingPathComponent("results.md"))
    return files
  }

  // MARK: Charts

  /// By file name.
  var charts: [(name: String, chart: Chart)] {
    var charts: [(String, Chart)] = []
    if !results.methods.isEmpty {
      charts.append(("frontier.svg", frontier("Exact match by cost", "exact match, %") { ($0.exactMatch, 100) }))
      charts.append(("loss.svg", frontier("Loss of the answers by cost", "nats per token") { ($0.loss, 1) }))
    }
    if let baseline = results.ablationBaseline, !results.ablations.isEmpty {
      let rows = [baseline] + results.ablations
      let noise = results.singleRunNoise ?? 0
      charts.append(
        (
          "ablations.svg",
          Chart(
            title: "Ablations", x: Axis("trained parameters, millions"), y: Axis("hypervolume"),
            series: rows.enumerated().map { index, row in
              Series(
                row.title,
                [
                  .init(
                    Double(row.trainableParameters) / 1e6, row.hypervolume,
                    interval: index == 0 && noise > 0 ? row.hypervolume - noise...row.hypervolume + noise : nil)
                ], marker: Series.Marker.allCases[index % (Series.Marker.allCases.count - 1)])
            }, height: 520)
        ))
    }
    return charts
  }

  private func frontier(_ title: String, _ unit: String, _ value: (StudyResults.Stitch) -> (Spread, Double)) -> Chart {
    Chart(
      title: title, x: Axis("FLOPs per token"), y: Axis(unit),
      series: results.methods.map { method in
        Series(
          method.title,
          method.stitches.map { stitch in
            let (spread, scale) = value(stitch)
            let (middle, reach) = (scale * spread.mean, scale * spread.deviation)
            return .init(
              Double(stitch.flopsPerToken), middle, interval: spread.count > 1 ? middle - reach...middle + reach : nil)
          }, line: .solid)
      })
  }

  // MARK: Text

  var markdown: String {
    var out = """
      # Results

      ESTA against SN-Net and a LoRA for each anchor, and ESTA without its parts. Everything here was written by
      `make results` from files that its runs wrote; [protocol.md](protocol.md) says what is compared and how, and
      was there before the runs. All numbers: [results.json](results/results.json).


      """
    out += setting + claims
    if !results.methods.isEmpty { out += methods + stitches }
    out += search
    if !results.ablations.isEmpty { out += ablations }
    if !results.unadapted.isEmpty { out += unadapted }
    return out + failures
  }

  private var setting: String {
    var lines: [String] = []
    if let machine = results.machine {
      lines.append(
        "Machine: \(machine.processor), \(machine.cores) cores, \(String(format: "%.0f", Double(machine.memoryBytes) / Double(1 << 30))) GiB, \(machine.system), kernel \(machine.kernel)."
      )
    }
    lines.append("Source: commit \(results.commits.joined(separator: ", ")) (`+`: with changes).")
    if results.programs > 1 {
      lines.append(
        "The runs were made by \(results.programs) different builds of `stitch`: compare with care, or run the study anew."
      )
    }
    lines.append(
      "\(results.runs) runs, \(String(format: "%.1f", results.totalSeconds / 60)) minutes. Every adaptation: \(results.steps) steps of about \(results.tokensPerStep) tokens, \(results.threads) threads. Methods: seeds \(results.seeds.map(String.init).joined(separator: ", ")), mean ± standard deviation."
    )
    lines.append(
      "Choices on \(results.validationQuestions) validation questions, figures on \(results.testQuestions) test questions (ablations: \(results.ablationQuestions)). Hypervolume: of exact match and FLOPs per token, cost as log₁₀, 0 at the cheapest anchor and 1 at the most expensive; the reference point is exact match 0 at cost \(StudyPlan.text(results.referenceCost))."
    )
    return lines.joined(separator: "\n") + "\n\n"
  }

  private var claims: String {
    table(
      "## What was expected", ["expected", "measured", ""],
      results.claims.map { [$0.claim, $0.measured, "**\($0.verdict.rawValue)**"] })
  }

  private var methods: String {
    let reference = results.methods.first { $0.name == "sn-net" }
    func row(_ title: String, _ value: (StudyResults.Method) -> String) -> [String] {
      [title] + results.methods.map(value)
    }
    let rows = [
      row("trained parameters") { method in
        let share = reference.map {
          " (\(Format.percent(Double(method.trainableParameters) / Double($0.trainableParameters))) of SN-Net's)"
        }
        return "\(method.trainableParameters)\(share ?? "")"
      },
      row("bytes to store") { "\($0.storedBytes)" },
      row("tokens trained on") { "\($0.tokens)" },
      row("wall time, training steps") { Format.seconds($0.trainingWall) },
      row("wall time, evaluating every stitch") { $0.sweepWall.map(Format.seconds) ?? "not needed" },
      row("wall time, together") { Format.seconds($0.totalWall) },
      row("wall time, whole training process") { ($0.lostTime ? "at least " : "") + Format.seconds($0.processWall) },
      row("processor time, whole processes together") {
        ($0.lostTime ? "at least " : "") + Format.seconds($0.totalCPU)
      },
      row("wall time of training to equal held-out loss") { $0.secondsToEqualLoss.map(Format.seconds) ?? "–" },
      row("peak memory, training") { Format.bytes($0.peakBytes) },
      row("hypervolume, all its networks") { Format.volume($0.hypervolume) },
      row("hypervolume, stops of a full sweep") { Format.volume($0.sweptHypervolume) },
      row("hypervolume, stops picked while training") { $0.deployedHypervolume.map { Format.volume($0) } ?? "–" },
      row("the latter's share") { $0.deployedShare.map { Format.percent($0) } ?? "–" },
      row("learning rate") { StudyPlan.text($0.learningRate) },
      row("variant") { $0.variant },
      row("seeds") { "\($0.seeds)" },
    ]
    return table("## Methods", [""] + results.methods.map(\.title), rows)
      + "Training steps: without measuring and checkpoints. Equal held-out loss: the mean over all stitches, the highest that any method and seed ended with.\n\n"
  }

  private var stitches: String {
    var out =
      "## Quality of every stitch\n\n![Exact match by cost](results/frontier.svg)\n\n![Loss by cost](results/loss.svg)\n\n"
    var seen: Set<String> = []
    let all = results.methods.flatMap(\.stitches).filter { seen.insert($0.id).inserted }
      .sorted { ($0.flopsPerToken, $0.id) < ($1.flopsPerToken, $1.id) }
    func cell(_ method: StudyResults.Method, _ id: String, _ text: (StudyResults.Stitch) -> String) -> String {
      method.stitches.first { $0.id == id }.map(text) ?? ""
    }
    let header = ["stitch", "FLOPs/token"] + results.methods.flatMap { ["\($0.title): exact match", "loss"] }
    out += table(
      nil, header,
      all.map { stitch in
        [stitch.id, "\(stitch.flopsPerToken)"]
          + results.methods.flatMap { method in
            [
              cell(method, stitch.id) {
                Format.percent($0.exactMatch) + ($0.deployed > 0 ? " (stop: \($0.deployed)/\(method.seeds))" : "")
              },
              cell(method, stitch.id) { Format.loss($0.loss) },
            ]
          }
      })
    return out + "Stop: how many of the seeds picked it as a stop of the slider, with no sweep.\n\n"
  }

  private var search: String {
    table(
      "## Search", ["method", "variant", "learning rate", "hypervolume (validation, first seed)", ""],
      results.trials.map {
        [
          $0.method, $0.variant, StudyPlan.text($0.learningRate),
          $0.hypervolume.map { Format.volume($0) } ?? "no result", $0.isChosen ? "chosen" : "",
        ]
      })
  }

  private var ablations: String {
    var rows = results.ablations
    if let baseline = results.ablationBaseline { rows.insert(baseline, at: 0) }
    var out = table(
      "## Ablations",
      [
        "what is changed", "compared with", "trained parameters", "hypervolume", "change", "mean exact match",
        "mean loss", "change",
      ],
      rows.map {
        [
          $0.title, $0.against, "\($0.trainableParameters)", Format.volume($0.hypervolume),
          $0.hypervolumeChange.map(Format.change) ?? "", Format.percent($0.exactMatch), Format.loss($0.loss),
          $0.lossChange.map(Format.change) ?? "",
        ]
      })
    if let noise = results.singleRunNoise {
      out +=
        "One run each. A change of hypervolume below \(Format.volume(noise)) is within the noise of seeds (2 √2 standard deviations of ESTA's). Single runs on a machine that drifts: their times say nothing and are left out.\n\n"
    }
    return out + "![Ablations](results/ablations.svg)\n\n"
  }

  private var unadapted: String {
    table(
      "## Before adaptation",
      ["family", "hypervolume", "exact match of stitches", "loss", "exact match of anchors", "loss", "time to build"],
      results.unadapted.map {
        [
          $0.title, Format.volume($0.hypervolume), $0.stitchedExactMatch.map { Format.percent($0) } ?? "",
          $0.stitchedLoss.map { Format.loss($0) } ?? "", Format.percent($0.anchorExactMatch),
          Format.loss($0.anchorLoss),
          $0.buildSeconds.map { Format.seconds($0) } ?? "",
        ]
      })
  }

  private var failures: String {
    if results.missing.isEmpty { return "## Failures\n\nNone: every run of the study gave a result.\n" }
    return table("## Failures and missing runs", ["run", "why"], results.missing.map { [$0.job, $0.reason] })
  }

  private func table(_ title: String?, _ header: [String], _ rows: [[String]]) -> String {
    func line(_ cells: [String]) -> String { "| " + cells.map(Self.cell).joined(separator: " | ") + " |\n" }
    return (title.map { $0 + "\n\n" } ?? "") + line(header) + "|" + header.map { _ in "---|" }.joined() + "\n"
      + rows.map(line).joined() + "\n"
  }

  /// Text that stays within its cell.
  private static func cell(_ text: String) -> String {
    text.split(whereSeparator: \.isNewline).joined(separator: " ").replacing("|", with: "\\|")
  }
}
