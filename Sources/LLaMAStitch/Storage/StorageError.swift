/// What can go wrong with the bytes of a file. The description is one line: cause, file, remedy.
public enum StorageError: Error, Equatable, Sendable, CustomStringConvertible {
  /// The operating system refused: `operation` is what was tried, `code` its `errno`.
  case system(operation: String, file: String, code: Int32)
  /// The file is not the safetensors file it should be.
  case damaged(file: String, cause: String)
  /// The file has no tensor of this name.
  case missingTensor(file: String, name: String)
  /// A tensor cannot be written as asked.
  case unwritable(file: String, cause: String)
  /// A directory to be written exists already.
  case exists(directory: String)
  /// Another process works on it.
  case inUse(file: String)

  public var description: String {
    switch self {
    case .system(let operation, let file, let code):
      let reason = String(describing: SystemErrorText(code: code))
      return oneLine("cannot \(operation) \(file): \(reason); \(SystemErrorText(code: code).remedy)")
    case .damaged(let file, let cause):
      return oneLine("\(file) is not a usable safetensors file: \(cause); download or write it again")
    case .missingTensor(let file, let name):
      return oneLine(
        "\(file) has no tensor “\(name)”; check that it belongs to this model and is complete")
    case .unwritable(let file, let cause):
      return oneLine("cannot write \(file): \(cause); give every tensor its own name and all its values")
    case .exists(let directory):
      return oneLine("\(directory) exists already; remove it or name another directory")
    case .inUse(let file):
      return oneLine("\(file) is in use by another run; wait for its end, or name another file")
    }
  }
}

/// `text` on one line: control characters, line separators and invisible marks become `?`, and a very long text
/// is cut. For error messages, which quote what files contain.
package func oneLine(_ text: String, limit: Int = 1000) -> String {
  var result = ""
  var count = 0
  for scalar in text.unicodeScalars {
    if count == limit { return result + "…" }
    switch scalar.properties.generalCategory {
    case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate, .privateUse:
      result.unicodeScalars.append("?")
    default: result.unicodeScalars.append(scalar)
    }
    count += 1
  }
  return result
}
