/// Why a command could not run, beyond what the libraries report. Every description is one line.
enum CommandError: Error, CustomStringConvertible {
  case unreadable(String, reason: String)
  case unwritable(String, reason: String)
  /// Input that is not what the command expects; `place` is a file, or a file and a line.
  case malformed(_ place: String, expected: String)

  var description: String {
    switch self {
    case .unreadable(let file, let reason): "cannot read \(file): \(reason)"
    case .unwritable(let file, let reason): "cannot write \(file): \(reason)"
    case .malformed(let place, let expected): "\(place): \(expected)"
    }
  }
}
