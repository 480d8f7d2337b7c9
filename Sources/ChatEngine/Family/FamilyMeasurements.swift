import Foundation
import LLaMAStitch

/// What `frontier.json` says of a family's stitches. Measurements are a help, so a file that cannot be read is a note
/// and never a reason not to chat.
public struct FamilyMeasurements: Sendable, Equatable {
  /// What was measured of one stitch.
  public struct Measurement: Sendable, Equatable {
    /// Share of held-out questions that were answered exactly, 0…1.
    public var exactMatch: Double?
    /// Mean loss on held-out text, nats per token.
    public var loss: Double?
    public var tokensPerSecond: Double?

    public init(exactMatch: Double? = nil, loss: Double? = nil, tokensPerSecond: Double? = nil) {
      self.exactMatch = exactMatch
      self.loss = loss
      self.tokensPerSecond = tokensPerSecond
    }
  }

  /// By stitch id.
  public private(set) var stitches: [String: Measurement] = [:]
  /// Why the file was ignored; one line.
  public private(set) var note: String?

  /// No measurements.
  public init() {}

  /// Reads the measurements of a family directory; none where there is no file.
  public init(family directory: URL) {
    self.init()
    let file = directory.appendingPathComponent(FamilyDescription.frontierName)
    guard FileManager.default.fileExists(atPath: file.path) else { return }
    do {
      try self = FamilyMeasurements(json: Data(contentsOf: file))
    } catch {
      note = "\(file.path) is ignored: it is not a list of measured stitches; `stitch frontier` writes it anew"
    }
  }

  /// - Throws: if it is not JSON with a list “stitches”. Fields that are missing or of another kind are not there.
  init(json: Data) throws {
    struct Malformed: Error {}
    guard let document = try JSONSerialization.jsonObject(with: json) as? [String: Any],
      let entries = document["stitches"] as? [Any]
    else { throw Malformed() }
    for case let entry as [String: Any] in entries {
      guard let id = entry["id"] as? String else { continue }
      func number(_ name: String, in range: ClosedRange<Double>) -> Double? {
        (entry[name] as? Double).flatMap { range.contains($0) ? $0 : nil }
      }
      stitches[id] = Measurement(
        exactMatch: number("exactMatch", in: 0...1), loss: number("loss", in: 0...1e6),
        tokensPerSecond: number("tokensPerSecond", in: 0...1e9))
    }
  }
}
