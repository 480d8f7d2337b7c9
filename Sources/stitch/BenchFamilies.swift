import ArgumentParser
import ChatEngine
import EngineBenchmarks
import Foundation
import LLaMAStitch
import Support

/// What `stitch bench` measures of families.
extension BenchCommand {
  func directory() throws -> URL { try single.directory() ?? FamilyOptions.directory(of: family) }

  func familySuites() throws -> FamilySuites {
    let subject: FamilySuites.Subject =
      try familyShape().map { .random($0, try Self.elementType("--type", type ?? "q8_0")) } ?? .family(directory())
    var suites = FamilySuites(subject, threads: threads, place: place, note: note)
    suites.rounds = rounds
    suites.tokens = tokens
    suites.reply = reply
    return suites
  }

  func table(_ report: FamilySuites.SliderReport) -> String {
    var table = TextTable([
      "from", "to", "tokens", "tail's share", "whole text", "after the move", "of the tail's share", "prefetched",
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
    return table.text
  }

  func speculation() throws {
    if shape == nil {
      return try show(familySuites().speculation(of: directory(), drafter: drafter)) { self.table($0) }
    }
    let shares = accepted + formerAccepted
    try show(familySuites().assumedSpeculativeDecoding(accepted: shares.isEmpty ? [0.6, 0.7, 0.8, 0.9] : shares)) {
      self.table($0)
    }
  }

  func table(_ report: FamilySuites.SpeculationReport<SpeculationBenchmark.Row>) -> String {
    var table = TextTable([
      "stitch", "drafter", "alone, tok/s", "with drafts, tok/s", "ratio", "drafted", "accepted", "same text",
    ])
    for row in report.results {
      let speeds = [row.plainSpeed, row.draftingSpeed].map { String(Int($0)) }
      let drafts = [row.drafted, row.accepted].map { String($0) }
      table.add(
        [row.stitch, row.drafter] + speeds + [String(format: "%.2f", row.ratio)] + drafts + [row.same ? "yes" : "no"])
    }
    return table.text
  }

  func table(_ report: FamilySuites.SpeculationReport<SpeculationBenchmark.Assumed>) -> String {
    var table = TextTable(["stitch", "accepted", "alone, tok/s", "with drafts, tok/s", "ratio"])
    for row in report.results {
      table.add([
        row.stitch, String(format: "%.2f", row.accepted), String(format: "%.1f", row.plainSpeed),
        String(format: "%.1f", row.draftingSpeed), String(format: "%.2f", row.ratio),
      ])
    }
    return table.text
  }

  func table(_ report: FamilySuites.SideReport) -> String {
    var table = TextTable(["method", "stitch", "time by that without", "share of the time"])
    for row in report.results {
      table.add([
        row.method, row.stitch, String(format: "%.3f", row.timeRatio), String(format: "%.1f %%", 100 * row.share),
      ])
    }
    return table.text
  }

  func text(_ report: FamilySuites.MemoryReport) -> String {
    let memory = report.memory
    return """
      \(report.family): \(memory.stitches) stitches with \(memory.tokens) tokens each
      anchors \(Quantity.short(memory.anchor_bytes))B, KV caches \(Quantity.short(memory.cache_bytes))B
      resident \(Quantity.short(memory.resident_bytes))B, of it without a file \(Quantity.short(memory.anonymous_bytes))B: \
      \(String(format: "%.2f", memory.ratio)) of anchors and KV caches

      """
  }

  func text(_ report: FamilySuites.StartReport) -> String {
    func line(_ seconds: [Double]) -> String {
      String(format: "%.1f ms (first time %.1f ms)", 1000 * median(seconds.dropFirst()), 1000 * seconds[0])
    }
    let reply =
      report.first_token_seconds.isEmpty ? "" : "from start to the first token \(line(report.first_token_seconds))\n"
    return """
      \(report.family): \(reply)\
      opening the family \(line(report.open_seconds)), with its cheapest stop's first token \(line(report.open_first_token_seconds)), \
      with its most expensive one's \(line(report.open_dearest_first_token_seconds))

      """
  }

  func largeFamily() throws {
    let shape = try familyShape() ?? .sevenAndThirteenBillion
    let type = try Self.elementType("--quantize", quantize)
    try Check.range("--calibration-tokens", calibrationTokens, 4...1_000_000)
    try Check.range("--step-tokens", stepTokens, 4...1_000_000)
    let directory = URL(fileURLWithPath: work ?? ".")
    let kept = directory.appendingPathComponent("family-\(shape.rawValue)-\(type.rawValue.lowercased())")
    let settings = LargeFamilyBenchmark.Settings(
      shape: shape, elementType: type, calibrationTokens: calibrationTokens, stepTokens: stepTokens,
      methods: try (method.isEmpty ? [.esta] : method).map { method in
        guard let method = method.ofFamilies else {
          throw ValidationError("--method \(method.rawValue) changes anchors; large-family trains families as they are")
        }
        return method
      }, activations: activations.isEmpty ? [.exact] : activations)
    let report = try LargeFamilyBenchmark.run(
      settings, in: directory, keepingFamilyAt: keep ? kept : nil, pool: ComputePool(threads: threads), note: note)
    if json {
      return try Console.write(json: LargeFamilyBenchmark.Document(report, settings: settings, threads: threads))
    }
    try Console.write(text: text(report))
  }

  func text(_ report: LargeFamilyBenchmark.Report) -> String {
    var stitches = TextTable(["stitch", "route", "parameters", "FLOPs/token", "bytes"])
    for stitch in report.stitches {
      stitches.add([
        stitch.id, stitch.routeText, Quantity.short(stitch.parameters), Quantity.short(stitch.flopsPerToken),
        Quantity.short(stitch.weightBytes),
      ])
    }
    var stages = TextTable(["stage", "seconds", "peak without mapped files", "peak with them"])
    for stage in report.stages {
      stages.add([
        stage.stage, String(format: "%.1f", stage.seconds), Quantity.short(stage.peakAnonymousBytes) + "B",
        Quantity.short(stage.peakResidentBytes) + "B",
      ])
    }
    var steps = TextTable([
      "method", "activations", "stitch", "loss", "trained parameters", "peak without mapped files", "by the first",
    ])
    for step in report.steps {
      steps.add([
        step.method, step.activations, step.stitch, String(format: "%.3f", step.loss),
        Quantity.short(step.trained_parameters),
        Quantity.short(step.peak_anonymous_bytes) + "B", String(format: "%.2f", step.peak_ratio),
      ])
    }
    return """
      \(stitches.text)
      \(stages.text)
      \(steps.text)
      \(report.stitches.count) stitches; the family has \(Quantity.short(report.familyBytes))B.

      """
  }
}
