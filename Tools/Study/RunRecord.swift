import Foundation
import LLaMAStitch
import Support

/// What is kept of a job that ended, well or not: `result.json` in its directory. While it is there the job is not run
/// again.
public struct RunRecord: Sendable, Equatable, Codable {
  static let fileName = "result.json"

  public var arguments: [String]
  /// Hash of the arguments and of everything the job reads.
  public var fingerprint: String
  /// Why it failed; `nil` where it did what it was to do.
  public var failure: String?
  /// Of all attempts together.
  public var wallSeconds: Double
  public var cpuSeconds: Double
  /// The largest of the attempts.
  public var peakBytes: Int
  /// How often it was started.
  public var attempts: Int
  /// Whether the end of an attempt was missed, so that the seconds are lower bounds.
  public var lostTime: Bool
  /// Hash of the program that ran.
  public var program: String
  /// The commit its source was at, with `+` where files differed; empty outside a checkout.
  public var commit: String

  /// - Returns: `nil` where the job has not ended yet.
  /// - Throws: `StudyError.damaged`.
  static func read(in directory: URL) throws(StudyError) -> RunRecord? {
    let file = directory.appendingPathComponent(fileName)
    return try JSONFile.read(RunRecord.self, file)
  }

  func write(in directory: URL) throws {
    try JSONFile.write(self, to: directory.appendingPathComponent(Self.fileName))
  }
}

/// An attempt at a job, noted before it begins and completed when it ends: `attempts.json`.
struct RunAttempt: Codable {
  static let fileName = "attempts.json"

  /// `nil` while it runs, and for ever where the study was killed meanwhile.
  var wallSeconds: Double?
  var cpuSeconds: Double?
  var peakBytes: Int?
}

/// JSON documents of the study: sorted, readable, the same bytes for the same values.
enum JSONFile {
  /// - Returns: `nil` where there is no such file.
  static func read<Value: Decodable>(_ type: Value.Type, _ file: URL) throws(StudyError) -> Value? {
    guard FileManager.default.fileExists(atPath: file.path) else { return nil }
    do { return try JSONDecoder().decode(type, from: Data(contentsOf: file)) } catch { throw .damaged(file: file.path) }
  }

  static func write(_ value: some Encodable, to file: URL) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    try AtomicFile.write(try encoder.encode(value) + Data("\n".utf8), to: file)
  }
}
