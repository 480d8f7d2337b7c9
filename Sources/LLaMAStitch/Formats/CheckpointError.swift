import Support

/// What can be wrong with a model directory. The description is one line: cause, file, remedy.
public enum CheckpointError: Error, Equatable, Sendable, CustomStringConvertible {
  /// `config.json` does not describe a LLaMA this program can run.
  case configuration(file: String, cause: String, remedy: String)
  /// `model.safetensors.index.json` does not fit its shards.
  case index(file: String, cause: String)
  /// The directory has neither `model.safetensors` nor an index.
  case noWeights(directory: String)
  /// A tensor the configuration asks for is missing.
  case missingTensor(name: String, file: String)
  /// A tensor has another shape than the configuration asks for.
  case wrongShape(name: String, file: String, found: [Int], expected: [Int])
  /// A tensor is stored in a type that cannot be computed with.
  case unusableType(name: String, file: String, type: String)

  public var description: String {
    switch self {
    case .configuration(let file, let cause, let remedy):
      oneLine("\(file): \(cause); \(remedy)")
    case .index(let file, let cause):
      oneLine("\(file): \(cause); download or export the model again")
    case .noWeights(let directory):
      oneLine(
        "\(directory) has neither model.safetensors nor model.safetensors.index.json; name a Hugging Face model directory with safetensors weights"
      )
    case .missingTensor(let name, let file):
      oneLine(
        "\(file) has no tensor “\(name)”, which config.json asks for; check that weights and config.json belong together"
      )
    case .wrongShape(let name, let file, let found, let expected):
      oneLine(
        "\(file): tensor “\(name)” has shape \(found), config.json asks for \(expected); check that weights and config.json belong together"
      )
    case .unusableType(let name, let file, let type):
      oneLine("\(file): tensor “\(name)” is \(type); convert the weights to F32, F16 or BF16")
    }
  }
}
