import Support

/// What can be wrong with a safetensors file. The description is one line: cause, file, remedy.
public enum SafetensorsError: Error, Equatable, Sendable, CustomStringConvertible {
  /// The file is not the safetensors file it should be.
  case damaged(file: String, cause: String)
  /// The file has no tensor of this name.
  case missingTensor(file: String, name: String)
  /// A tensor cannot be written as asked.
  case unwritable(file: String, cause: String)

  public var description: String {
    switch self {
    case .damaged(let file, let cause):
      oneLine("\(file) is not a usable safetensors file: \(cause); download or write it again")
    case .missingTensor(let file, let name):
      oneLine("\(file) has no tensor “\(name)”; check that it belongs to this model and is complete")
    case .unwritable(let file, let cause):
      oneLine("cannot write \(file): \(cause); give every tensor its own name and all its values")
    }
  }
}
