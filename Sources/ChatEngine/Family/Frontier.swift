import Foundation
import LLaMAStitch

/// `frontier.json`: what the stitches of a family were measured to cost and to be worth.
public struct Frontier: Sendable, Codable, Equatable {
  public struct Measurement: Sendable, Codable, Equatable {
    public var id: String
    public var route: String
    public var parameters: Int
    public var flopsPerToken: Int
    public var weightBytes: Int
    /// Share of the questions answered exactly.
    public var exactMatch: Double
    /// Mean loss of the reference answers, nats per token.
    public var loss: Double
    /// Decoding speed when measured, on one thread.
    public var tokensPerSecond: Double
    /// Exact match by kind of question.
    public var byKind: [String: Double]
    /// Whether it is one of the slider's stops.
    public var isStop: Bool
  }

  /// Name of the file the questions came from.
  public var data: String
  public var questions: Int
  /// Steps of the adapter in use; `nil` without one.
  public var adapterStep: Int?
  /// Cheapest first.
  public var stitches: [Measurement]

  /// The stops worth having: both ends, and every stop that is not beaten by a cheaper one by more than the noise of
  /// the measurement (one standard error of the difference of two shares).
  public func worthwhileStops() -> [String] {
    let stops = stitches.filter(\.isStop)
    guard let last = stops.last else { return [] }
    var kept: [Measurement] = []
    for stop in stops {
      let best = kept.map(\.exactMatch).max() ?? 0
      let p = (best + stop.exactMatch) / 2
      let noise = (2 * p * (1 - p) / Double(max(1, questions))).squareRoot()
      if kept.isEmpty || stop.id == last.id || stop.exactMatch >= best - noise { kept.append(stop) }
    }
    return kept.map(\.id)
  }

  /// Reads the measurements of a family; `nil` where there are none.
  /// - Throws: `EngineError.damagedFrontier`.
  public static func read(of family: Family) throws(EngineError) -> Frontier? {
    let file = family.directory.appendingPathComponent(FamilyDescription.frontierName)
    guard FileManager.default.fileExists(atPath: file.path) else { return nil }
    guard let data = try? Data(contentsOf: file), let frontier = try? JSONDecoder().decode(Frontier.self, from: data),
      frontier.stitches.allSatisfy({ (0...1).contains($0.exactMatch) && $0.loss.isFinite && $0.tokensPerSecond >= 0 })
    else { throw .damagedFrontier(file: file.path) }
    return frontier
  }

  /// The same measurements with other stops marked; as they are where `stops` is `nil`.
  public func marked(stops: [String]?) -> Frontier {
    guard let stops else { return self }
    var copy = self
    for index in copy.stitches.indices { copy.stitches[index].isStop = stops.contains(copy.stitches[index].id) }
    return copy
  }

  public var json: Data {
    get throws {
      let encoder = JSONEncoder()
      encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
      return try encoder.encode(self) + Data("\n".utf8)
    }
  }

  /// Writes `frontier.json` into the family.
  public func write(to family: Family) throws {
    try AtomicFile.write(json, to: family.directory.appendingPathComponent(FamilyDescription.frontierName))
  }
}
