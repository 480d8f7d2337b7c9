import Foundation
import LLaMAStitch
import Support

/// The file that says where a family is to be adapted: `stitch adapter search` writes it, `stitch adapt --configuration`
/// takes it. JSON with `format`, `rank`, `targets` and `blocks`, and what was measured of it.
public struct ConfigurationDocument: Sendable, Codable {
  public var format = Self.format
  public var rank: Int
  public var targets: [AdapterTarget]
  /// By the names of anchors.
  public var blocks: [String: [Int]]
  /// Trained values, over all sizes.
  public var parameters: Int?
  /// Held out, nats per token, after a search's short training.
  public var heldOutLoss: Double?

  static let format = "stitch-configuration-1"

  init(_ measured: PlacementSearch.Measured) {
    let placement = measured.placement
    (rank, targets, blocks) = (placement.rank, placement.targets, placement.blocks)
    (parameters, heldOutLoss) = (measured.parameters, measured.loss)
  }

  /// Where a family is adapted by it.
  /// - Parameter file: where it comes from.
  /// - Throws: `AdapterSearchError.otherFamily` where it does not fit.
  public func placement(in family: Family, file: URL) throws -> AdapterPlacement {
    let placement = AdapterPlacement(rank: rank, targets: targets, blocks: blocks)
    if let problem = placement.problem(with: family) {
      throw AdapterSearchError.otherFamily(file: file.path, cause: problem)
    }
    return placement
  }

  /// - Throws: `FileError`, `AdapterSearchError.notAConfiguration`.
  public static func read(_ url: URL) throws -> ConfigurationDocument {
    let data = try MappedFile(url).bytes.data
    do {
      let document = try JSONDecoder().decode(ConfigurationDocument.self, from: data)
      if document.format == format { return document }
    } catch {}
    throw AdapterSearchError.notAConfiguration(file: url.path)
  }

  func write(to url: URL) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    try AtomicFile.write(try encoder.encode(self) + Data("\n".utf8), to: url)
  }
}

/// What can be wrong with a search and with what it writes. The description is one line: cause, file, remedy.
public enum AdapterSearchError: Error, Equatable, Sendable, CustomStringConvertible {
  case notAConfiguration(file: String)
  case otherFamily(file: String, cause: String)
  case notAJournal(file: String)
  case otherSearch(file: String, what: String)
  case nothingHeldOut(examples: Int)

  public var description: String {
    switch self {
    case .notAConfiguration(let file):
      "\(file) is not a configuration; `stitch adapter search --output FILE` writes one"
    case .otherFamily(let file, let cause): "\(file) does not fit the family: \(cause); search for this family"
    case .notAJournal(let file): "\(file) is not the journal of a search; name another with --journal"
    case .otherSearch(let file, let what):
      "\(file) is the journal of a search with another \(what); name another with --journal, or delete it"
    case .nothingHeldOut(let examples):
      "of \(examples) examples none is held out to measure by; give 20 or more"
    }
  }
}
