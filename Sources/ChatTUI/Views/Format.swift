import ChatEngine
import Foundation

/// Numbers for people.
package enum Format {
  /// `1.7M`, `350`, `13B`.
  package static func count(_ value: Int) -> String { scaled(Double(value)) }
  /// `3.4 MFLOPs`.
  package static func flops(_ value: Double) -> String {
    let text = scaled(value)
    guard let unit = text.last, unit.isLetter else { return "\(text) FLOPs" }
    return "\(text.dropLast()) \(unit == "B" ? "G" : String(unit))FLOPs"
  }

  private static func scaled(_ value: Double) -> String {
    for (limit, unit) in [(1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k")] where value >= limit * 0.9995 {
      let part = value / limit
      return (part < 9.95 ? String(format: "%.1f", part) : String(format: "%.0f", part)) + unit
    }
    return String(format: "%.0f", value)
  }

  /// `52.1`, `520`.
  package static func rate(_ value: Double) -> String {
    value < 99.95 ? String(format: "%.1f", value) : String(format: "%.0f", value)
  }

  /// `0.08 ms`, `19 ms`, `1.2 s`.
  package static func brief(seconds: Double) -> String {
    let milliseconds = seconds * 1000
    if milliseconds < 0.995 { return String(format: "%.2f ms", milliseconds) }
    if milliseconds < 9.95 { return String(format: "%.1f ms", milliseconds) }
    if milliseconds < 999.5 { return String(format: "%.0f ms", milliseconds) }
    return String(format: "%.1f s", seconds)
  }

  /// `98 MB`.
  package static func megabytes(_ bytes: Int) -> String { String(format: "%.0f MB", Double(bytes) / 1e6) }

  /// `350 bytes`, `1.2 kB`, `3.4 MB`.
  package static func bytes(_ count: Int) -> String {
    if count < 1000 { return count == 1 ? "1 byte" : "\(count) bytes" }
    return count < 999_950
      ? String(format: "%.1f kB", Double(count) / 1e3) : String(format: "%.1f MB", Double(count) / 1e6)
  }

  /// `310 tokens`, `≈310 tokens`.
  package static func tokens(_ count: TokenCount) -> String {
    "\(count.isEstimate ? "≈" : "")\(count.count) token\(count.count == 1 ? "" : "s")"
  }

  /// `notes.txt, 1.2 kB, 310 tokens`.
  package static func file(_ file: AttachedFile) -> String { self.file(MessageFile(file)) }

  package static func file(_ file: MessageFile) -> String {
    let count = TokenCount(file.tokens, isEstimate: file.isEstimate ?? false)
    return
      "\(sanitiseLine(file.path)), \(file.isCut == true ? "the beginning of " : "")\(bytes(file.bytes)), \(tokens(count))"
  }

  /// What a single model is, and takes.
  package static func facts(of summary: FamilySummary) -> String {
    guard let model = summary.model else { return stops(of: summary) }
    return
      "Template \(sanitiseLine(model.template)), context of \(summary.contextLength) tokens; \(megabytes(model.weightBytes)) of weights, and \(megabytes(model.cacheBytes)) of cache where the context is full."
  }

  package static func percent(_ value: Double) -> String { String(format: "%.0f%%", value * 100) }
  package static func loss(_ value: Double) -> String { String(format: "%.3f", value) }

  /// `9 sizes`; of a server without families `3 models`.
  package static func stops(of summary: FamilySummary) -> String {
    let count = summary.stops.count
    let noun = summary.server == summary.name ? "model" : "size"
    return "\(count) \(noun)\(count == 1 ? "" : "s")"
  }

  /// The server that a family is on; `nil` where it is here, or the name says it.
  package static func place(of summary: FamilySummary) -> String? {
    summary.server.flatMap { $0 == summary.name ? nil : sanitiseLine($0) }
  }

  /// At most four significant digits, no trailing zeros.
  package static func short(_ value: Double) -> String { String(format: "%.4g", value) }

  /// `quality 81%`, `agreement 74%` or `loss 1.234`, whichever was measured.
  package static func quality(of stop: Stop) -> String? {
    if let quality = stop.quality { return "quality \(percent(quality))" }
    if let agreement = stop.agreement { return "agreement \(percent(agreement))" }
    return stop.loss.map { "loss \(loss($0))" }
  }

  /// `2m 05s`.
  package static func duration(_ seconds: Double) -> String {
    guard seconds.isFinite, seconds >= 0, seconds < 1e7 else { return "?" }
    let whole = Int(seconds.rounded())
    if whole < 60 { return "\(whole)s" }
    if whole < 3600 { return String(format: "%dm %02ds", whole / 60, whole % 60) }
    return String(format: "%dh %02dm", whole / 3600, whole / 60 % 60)
  }
}
