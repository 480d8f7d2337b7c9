import Foundation
import Support

/// A Hugging Face model directory: `config.json` with `model.safetensors`, or with shards and their index.
///
/// Opening it checks that every tensor the configuration asks for is there, with its shape and a usable type; no
/// weight is read before it is used.
public struct ModelDirectory: Sendable {
  public let url: URL
  /// That of `config.json`, with the end tokens of `generation_config.json` too.
  public let configuration: LlamaConfiguration
  /// Every tensor of every file, by name; those a LLaMA does not have are kept too.
  public let tensors: [String: SafetensorsFile.Tensor]
  /// Which file a tensor comes from, for messages.
  private let files: [String: String]

  static let configurationName = "config.json"
  static let weightsName = "model.safetensors"
  static let indexName = "model.safetensors.index.json"

  /// - Throws: `CheckpointError`, `FileError`, `SafetensorsError`.
  public init(_ url: URL) throws {
    self.url = url
    var configuration = try LlamaConfiguration(file: url.appendingPathComponent(Self.configurationName))
    // A chat model often ends its turns with a token that only this file names.
    let defaults = try GenerationDefaults.read(in: url, vocabularySize: configuration.vocabularySize)
    for token in defaults?.endTokens ?? [] where !configuration.eosTokens.contains(token) {
      configuration.eosTokens.append(token)
    }
    self.configuration = configuration
    let weights = url.appendingPathComponent(Self.weightsName)
    let index = url.appendingPathComponent(Self.indexName)
    if FileManager.default.fileExists(atPath: weights.path) {
      tensors = try SafetensorsFile(weights).tensors
      files = tensors.mapValues { _ in weights.path }
    } else if FileManager.default.fileExists(atPath: index.path) {
      (tensors, files) = try Self.readShards(index: index)
    } else {
      throw CheckpointError.noWeights(directory: url.path)
    }
    for expected in configuration.tensors { _ = try tensor(expected) }
  }

  /// A tensor of the model, with the shape that the configuration asks for and a type to compute with.
  public func tensor(_ tensor: LlamaTensor) throws(CheckpointError) -> SafetensorsFile.Tensor {
    try self.tensor(tensor.huggingFaceName, shape: configuration.shape(of: tensor))
  }

  /// The tensor of this name, with this shape and a type to compute with.
  public func tensor(_ name: String, shape: [Int]) throws(CheckpointError) -> SafetensorsFile.Tensor {
    guard let tensor = tensors[name], let file = files[name] else {
      throw .missingTensor(name: name, file: url.path)
    }
    guard tensor.shape == shape else {
      throw .wrongShape(name: name, file: file, found: tensor.shape, expected: shape)
    }
    guard tensor.type.isUsable || (tensor.type.isQuantized && shape.count == 2) else {
      throw .unusableType(name: name, file: file, type: tensor.type.rawValue)
    }
    return tensor
  }

  /// The files of weights in a directory, in order of their names, with the index where they are shards. Nothing is read
  /// but that index.
  /// - Throws: `CheckpointError`, `FileError`.
  package static func files(in directory: URL) throws -> [URL] {
    let weights = directory.appendingPathComponent(weightsName)
    if FileManager.default.fileExists(atPath: weights.path) { return [weights] }
    let index = directory.appendingPathComponent(indexName)
    guard FileManager.default.fileExists(atPath: index.path) else {
      throw CheckpointError.noWeights(directory: directory.path)
    }
    return [index] + Set(try shardNames(index: index).values).sorted().map { directory.appendingPathComponent($0) }
  }

  /// The shard of each tensor, by an index.
  private static func shardNames(index url: URL) throws -> [String: String] {
    func wrong(_ cause: String) -> CheckpointError { .index(file: url.path, cause: cause) }
    let document: JSONValue
    do {
      document = try JSONValue(utf8: MappedFile(url).bytes.data)
    } catch let error as JSONValue.SyntaxError {
      throw wrong("\(error)")
    }
    guard let map = document.object?["weight_map"]?.object else {
      throw wrong("it has no object “weight_map”")
    }
    var names: [String: String] = [:]
    for (name, value) in map.sorted(by: { $0.key < $1.key }) {
      guard let shardName = value.string else { throw wrong("the shard of “\(name)” is \(value.kind)") }
      guard !shardName.isEmpty, shardName != ".", shardName != "..", !shardName.contains("/"),
        !shardName.contains("\0")
      else { throw wrong("shard “\(shardName)” is not the name of a file beside it") }
      names[name] = shardName
    }
    return names
  }

  /// Opens every shard that an index names.
  private static func readShards(
    index url: URL
  ) throws -> (tensors: [String: SafetensorsFile.Tensor], files: [String: String]) {
    func wrong(_ cause: String) -> CheckpointError { .index(file: url.path, cause: cause) }
    var shards: [String: SafetensorsFile] = [:]
    var tensors: [String: SafetensorsFile.Tensor] = [:]
    var files: [String: String] = [:]
    for (name, shardName) in try shardNames(index: url).sorted(by: { $0.key < $1.key }) {
      let shardURL = url.deletingLastPathComponent().appendingPathComponent(shardName)
      let shard: SafetensorsFile
      if let open = shards[shardName] {
        shard = open
      } else {
        guard FileManager.default.fileExists(atPath: shardURL.path) else {
          throw wrong("shard “\(shardName)” is missing")
        }
        shard = try SafetensorsFile(shardURL)
        shards[shardName] = shard
      }
      guard let tensor = shard.tensors[name] else {
        throw wrong("shard “\(shardName)” has no tensor “\(name)”")
      }
      tensors[name] = tensor
      files[name] = shardURL.path
    }
    return (tensors, files)
  }

  /// Writes a model directory that does not exist yet: `config.json`, `model.safetensors` and copies of `files`.
  ///
  /// It appears as a whole: see `NewDirectory`.
  /// - Parameters:
  ///   - weights: the values of a tensor, row-major.
  ///   - elementType: how tensors are stored; see `LlamaConfiguration.storageType`.
  ///   - files: more files by name, for example the tokenizer's file.
  /// - Throws: `CheckpointError.missingTensor`, `FileError`, `SafetensorsError`.
  public static func write(
    to url: URL, configuration: LlamaConfiguration, elementType: ElementType = .f32, files: [String: Data] = [:],
    weights: (LlamaTensor) -> VectorView?
  ) throws {
    try NewDirectory.check(url)
    var writer = SafetensorsWriter()
    for expected in configuration.tensorShapes {
      guard let values = weights(expected.tensor) else {
        throw CheckpointError.missingTensor(name: expected.name, file: url.path)
      }
      writer.add(
        expected.name, shape: expected.shape, as: configuration.storageType(elementType, of: expected), values)
    }
    try write(to: url, configuration, writer, elementType, files)
  }

  /// Writes a model directory that does not exist yet, whose weights are made when they are written, a piece at a time.
  /// - Parameters:
  ///   - files: more files by name, for example the tokenizer's file.
  ///   - fill: writes the floats of a tensor from an index on into a piece.
  public static func write(
    to url: URL, configuration: LlamaConfiguration, elementType: ElementType, files: [String: Data] = [:],
    fill: @escaping (LlamaConfiguration.TensorShape, _ start: Int, _ piece: VectorView) -> Void
  ) throws {
    var writer = SafetensorsWriter()
    for tensor in configuration.tensorShapes {
      writer.add(tensor.name, shape: tensor.shape, as: configuration.storageType(elementType, of: tensor)) {
        fill(tensor, $0, $1)
      }
    }
    try write(to: url, configuration, writer, elementType, files)
  }

  /// Writes a copy of configuration and weights, tensor by tensor, to a directory that does not exist yet.
  /// - Parameter elementType: how tensors are stored, see `LlamaConfiguration.storageType`; if absent, as they are.
  public func writeCopy(to url: URL, elementType: ElementType?) throws {
    var writer = SafetensorsWriter()
    for expected in configuration.tensorShapes {
      let tensor = try tensor(expected.tensor)
      let type = elementType.map { configuration.storageType($0, of: expected) } ?? tensor.type
      writer.add(tensor, as: type)
    }
    try Self.write(to: url, configuration, writer, elementType ?? self.elementType ?? .f32, [:])
  }

  /// Writes a directory with the same weights, links to these files where the file system can; shards are copied into one
  /// file, as a family wants them.
  func writeLinks(to url: URL) throws {
    let weights = self.url.appendingPathComponent(Self.weightsName)
    guard FileManager.default.fileExists(atPath: weights.path) else { return try writeCopy(to: url, elementType: nil) }
    try NewDirectory.write(url) { directory in
      try NewDirectory.link(weights, to: directory.appendingPathComponent(Self.weightsName))
      try NewDirectory.copy(
        self.url.appendingPathComponent(Self.configurationName),
        to: directory.appendingPathComponent(Self.configurationName))
    }
  }

  /// The one type that all tensors have; `nil` where there are several.
  public var elementType: ElementType? {
    let types = Set(configuration.tensorShapes.compactMap { tensors[$0.name]?.type })
    return types.count == 1 ? types.first : nil
  }

  /// Whether any of its weights are quantised.
  public var isQuantized: Bool {
    configuration.tensorShapes.contains { tensors[$0.name]?.type.isQuantized ?? false }
  }

  /// Writes what `writer` holds as a directory that does not exist yet.
  static func write(
    to url: URL, _ configuration: LlamaConfiguration, _ writer: SafetensorsWriter, _ elementType: ElementType,
    _ files: [String: Data], progress: (_ done: Int, _ all: Int) -> Void = { _, _ in }
  ) throws {
    try NewDirectory.write(url) { directory in
      for (name, data) in files.sorted(by: { $0.key < $1.key }) {
        try AtomicFile.write(data, to: directory.appendingPathComponent(name))
      }
      try AtomicFile.write(
        configuration.json(elementType: elementType), to: directory.appendingPathComponent(configurationName))
      try writer.write(to: directory.appendingPathComponent(weightsName), progress: progress)
    }
  }
}

// MARK: - Errors

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
