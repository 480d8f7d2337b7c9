import Foundation
import Support

/// What can go wrong with training state on disk. The description is one line: cause, file, remedy.
public enum TrainingError: Error, Sendable, CustomStringConvertible {
  /// The checkpoint belongs to another run.
  case otherRun(file: String, what: String)
  /// The checkpoint cannot be read.
  case damagedCheckpoint(file: String, cause: String)
  /// There is nothing to train on.
  case noData(what: String)
  /// A plan that cannot work.
  case plan(cause: String)

  public var description: String {
    switch self {
    case .otherRun(let file, let what):
      "\(file) is the checkpoint of a run with another \(what); name another output, or delete the checkpoint to start over"
    case .damagedCheckpoint(let file, let cause):
      "\(file) cannot be resumed: \(cause); delete it to start over"
    case .noData(let what): "\(what); give more data, or data of another kind"
    case .plan(let cause): cause
    }
  }
}

/// Training state on disk: values, Adam moments, step counts, and whatever JSON the run keeps beside them. One
/// safetensors file, replaced atomically, so that a run killed at any moment resumes from a complete one.
public enum TrainingCheckpoint {
  private static let format = "stitch-checkpoint-1"
  private static let notOurs = "it is not a checkpoint of this program"

  /// Deletes a checkpoint, and never anything else that a path may name by mistake.
  public static func remove(_ url: URL) throws {
    guard try open(url).metadata["format"] == format else {
      throw TrainingError.damagedCheckpoint(file: url.path, cause: notOurs)
    }
    guard unlink(url.path) == 0 else {
      throw FileError.system(operation: "delete", file: url.path, code: errno)
    }
    AtomicFile.removeLeftovers(of: url)
  }

  private static func open(_ url: URL) throws -> SafetensorsFile {
    do { return try SafetensorsFile(url) } catch SafetensorsError.damaged(_, let cause) {
      throw TrainingError.damagedCheckpoint(file: url.path, cause: cause)
    }
  }

  /// Writes it, in the first of the processes that train together.
  static func write<State: Encodable>(
    _ store: ParameterStore, state: State, to url: URL, _ communicator: any Communicator
  ) throws {
    try communicator.inFirst { try write(store, state: state, to: url) }
  }

  static func write<State: Encodable>(_ store: ParameterStore, state: State, to url: URL) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    var writer = SafetensorsWriter(metadata: [
      "format": format,
      "state": String(decoding: try encoder.encode(state), as: UTF8.self),
      "steps": String(decoding: try encoder.encode(store.steps), as: UTF8.self),
    ])
    for (index, parameter) in store.parameters.enumerated() {
      let range = parameter.range
      for (kind, buffer) in [("value", store.values), ("first", store.firstMoments), ("second", store.secondMoments)]
      where kind == "value" || store.steps[index] > 0 {
        writer.add(
          "\(kind).\(parameter.name)", shape: parameter.shape,
          buffer.vector(offset: range.lowerBound, count: range.count))
      }
    }
    try writer.write(to: url)
  }

  /// What the first process tells the others of a checkpoint, besides numbers.
  private struct Message<State: Codable>: Codable {
    var state: State
    var steps: [Int]
  }

  /// Restores the store and returns the run's own state; `nil` where there is no checkpoint. The first process reads it, and
  /// the others get what it read: they need not have the file, and there may be more or fewer of them than wrote it.
  /// - Parameter check: throws if the state is that of another run; nothing is restored then.
  static func resume<State: Codable>(
    _ store: ParameterStore, state: State.Type, from url: URL, _ communicator: any Communicator,
    check: (State) throws -> Void
  ) throws -> State? {
    var own: State?
    try communicator.inFirst {
      if FileManager.default.fileExists(atPath: url.path) {
        own = try read(store, state: state, from: url, check: check)
      }
    }
    if communicator.count == 1 { return own }
    let said = try own.map { Array(try JSONEncoder().encode(Message(state: $0, steps: store.steps))) }
    guard let told = communicator.gather(said ?? []).first, !told.isEmpty else { return nil }
    let message = try JSONDecoder().decode(Message<State>.self, from: Data(told))
    store.steps = message.steps
    for buffer in [store.values, store.firstMoments, store.secondMoments] { communicator.broadcast(buffer.vector) }
    return message.state
  }

  /// Restores the store and returns the run's own state.
  /// - Parameter check: throws if the state is that of another run; nothing is restored then.
  static func read<State: Decodable>(
    _ store: ParameterStore, state: State.Type, from url: URL, check: (State) throws -> Void
  ) throws -> State {
    func damaged(_ cause: String) -> TrainingError { .damagedCheckpoint(file: url.path, cause: cause) }
    let file = try open(url)
    guard file.metadata["format"] == format, let stateText = file.metadata["state"],
      let stepsText = file.metadata["steps"]
    else { throw damaged(notOurs) }
    let decoded: State
    let steps: [Int]
    do {
      decoded = try JSONDecoder().decode(State.self, from: Data(stateText.utf8))
      steps = try JSONDecoder().decode([Int].self, from: Data(stepsText.utf8))
    } catch {
      throw damaged("its state cannot be read")
    }
    try check(decoded)
    guard steps.count == store.parameters.count else {
      throw TrainingError.otherRun(file: url.path, what: "set of trained parameters")
    }
    for (index, parameter) in store.parameters.enumerated() {
      for (kind, buffer) in [("value", store.values), ("first", store.firstMoments), ("second", store.secondMoments)]
      where kind == "value" || steps[index] > 0 {
        guard let tensor = file.tensors["\(kind).\(parameter.name)"], tensor.shape == parameter.shape else {
          throw TrainingError.otherRun(file: url.path, what: "shape of \(parameter.name)")
        }
        guard tensor.type == .f32 else { throw damaged("“\(tensor.name)” is \(tensor.type.rawValue) instead of F32") }
        buffer.vector(offset: parameter.range.lowerBound, count: parameter.count).copy(from: tensor.floats())
      }
    }
    store.steps = steps
    AtomicFile.removeLeftovers(of: url)
    return decoded
  }
}
