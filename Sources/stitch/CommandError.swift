import Foundation
import LLaMAStitch
import Support

/// Why a command could not run, beyond what the libraries report. Every description is one line.
enum CommandError: Error, CustomStringConvertible {
  /// `code` is the system's `errno`.
  case unreadable(String, code: Int32)
  case unwritable(String, code: Int32)
  /// Input that is not what the command expects; `place` is a file, or a file and a line.
  case malformed(_ place: String, expected: String)

  var description: String {
    switch self {
    case .unreadable(let file, let code): Self.text("read", file, SystemErrorText(code: code))
    case .unwritable(let file, let code): Self.text("write", file, SystemErrorText(code: code))
    case .malformed(let place, let expected): "\(place): \(expected)"
    }
  }

  /// What to say of any error. Those of Foundation describe themselves for developers.
  static func line(for error: any Error) -> String {
    guard let error = error as? CocoaError else { return "\(error)" }
    let file = error.filePath.map { "\($0): " } ?? ""
    return "\(file)\(error.localizedDescription) Check the path, its permissions and the disk."
  }

  private static func text(_ operation: String, _ file: String, _ reason: SystemErrorText) -> String {
    "cannot \(operation) \(file): \(reason); \(reason.remedy)"
  }
}
