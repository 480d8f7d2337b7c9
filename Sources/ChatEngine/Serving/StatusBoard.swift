import Synchronization

/// The state of training, with the adapter that is in use.
final class StatusBoard: Sendable {
  private let newest = Newest(TrainingStatus())
  private let adapters: AdapterInUse

  init(adapters: AdapterInUse) { self.adapters = adapters }

  var status: TrainingStatus { newest.value }

  func publish(_ change: (inout TrainingStatus) -> Void) {
    newest.publish { status in
      change(&status)
      status.adapter = adapters.reference
    }
  }

  func stream() -> AsyncStream<TrainingStatus> { newest.stream() }
}

/// A value that changes, for all who want to know; a reader that is late finds only the newest.
final class Newest<Value: Sendable>: Sendable {
  private struct State {
    var value: Value
    var readers: [Int: AsyncStream<Value>.Continuation] = [:]
    var nextReader = 0
  }

  private let state: Mutex<State>

  init(_ value: Value) { state = Mutex(State(value: value)) }

  var value: Value { state.withLock { $0.value } }

  /// Changes the value and tells it.
  func publish(_ change: (inout Value) -> Void) {
    state.withLock { state in
      change(&state.value)
      for reader in state.readers.values { reader.yield(state.value) }
    }
  }

  /// The value as it is now, then each change.
  func stream() -> AsyncStream<Value> {
    let (stream, continuation) = AsyncStream<Value>.makeStream(bufferingPolicy: .bufferingNewest(1))
    let id = state.withLock { state in
      defer { state.nextReader += 1 }
      state.readers[state.nextReader] = continuation
      continuation.yield(state.value)
      return state.nextReader
    }
    continuation.onTermination = { [weak self] _ in
      // Not under the lock of a `publish` that is yielding: yielding never terminates a stream.
      self?.state.withLock { _ = $0.readers.removeValue(forKey: id) }
    }
    return stream
  }
}
