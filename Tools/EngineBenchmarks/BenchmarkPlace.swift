import Foundation
import LLaMAStitch

/// What can keep a benchmark from measuring. The description is one line: cause, remedy.
public enum BenchmarkError: Error, CustomStringConvertible {
  /// Training is not measured with this shape.
  case notATrainingShape(String)
  /// The family has no questions to ask.
  case noRehearsal(family: String)
  /// A stitch is to draft that the slider does not stop at.
  case notAStop(String, family: String)
  /// The program could not make a reply.
  case noReply(family: String)
  /// Nothing says where the program lies.
  case noProgram

  public var description: String {
    switch self {
    case .notATrainingShape(let shape): "\(shape) is a shape for infer; train large, 8M or 134M"
    case .noRehearsal(let family):
      "\(family) has no \(FamilyDescription.rehearsalName) to ask from; use an adapted family"
    case .notAStop(let id, let family):
      "\(id) is not a stop of \(family)'s slider; 'stitch family show' lists them"
    case .noReply(let family): "\(family): 'stitch ask' made no reply; see the line above"
    case .noProgram: "/proc/self/exe does not say which program this is; mount /proc"
    }
  }
}

/// Where random weights are written, and whether they stay.
public struct BenchmarkPlace: Sendable {
  /// The directory above; `nil` for the system's temporary one.
  public var work: URL?
  /// Whether weights stay for the next run.
  public var keeps: Bool

  public init(work: URL?, keeps: Bool) {
    self.work = work
    self.keeps = keeps
  }

  /// Calls `body` with the directory for random weights, and removes what was not there before.
  /// - Parameter note: told where it could not be removed.
  public func withDirectory<Result>(note: (String) -> Void, _ body: (URL) throws -> Result) throws -> Result {
    let above = work ?? FileManager.default.temporaryDirectory
    if keeps { return try body(above) }
    let place = above.appendingPathComponent("stitch-bench.\(getpid())")
    defer {
      if FileManager.default.fileExists(atPath: place.path) {
        do { try FileManager.default.removeItem(at: place) } catch { note("\(place.path) can be deleted") }
      }
    }
    return try body(place)
  }
}
