import LLaMAStitch
import Synchronization

/// The adapter that the next reply is made with, and those before it. A reply takes it once, at its beginning, so a
/// change never falls inside a reply.
package final class AdapterInUse: Sendable {
  /// An adapter and a number that no other one has: caches are good for one generation.
  package struct Current: Sendable {
    package var adapter: Adapter?
    package var generation = 0
    /// SHA-256 of the file it is kept in, if it is.
    package var hash: String?
    /// A mix that no reply was made with yet.
    package var isTrial = false

    package init(adapter: Adapter? = nil, generation: Int = 0, hash: String? = nil, isTrial: Bool = false) {
      self.adapter = adapter
      self.generation = generation
      self.hash = hash
      self.isTrial = isTrial
    }

    package var reference: AdapterReference {
      AdapterReference(step: adapter?.step, hash: hash, origin: adapter?.origin)
    }
  }

  private struct State {
    var current = Current()
    var earlier: [Current] = []
    var generations = 0
    /// The family was opened.
    var hasBegun = false
  }

  private let state = Mutex(State())
  /// Adapters are small beside the anchors, but not nothing.
  private static let remembered = 16

  package var current: Current { state.withLock { $0.current } }

  /// The name of what is in use; `nil` before the family is opened.
  package var reference: AdapterReference? { state.withLock { $0.hasBegun ? $0.current.reference : nil } }

  /// Takes an adapter into use without a way back: what a family is opened with.
  package func begin(with adapter: Adapter?, hash: String?) {
    state.withLock { state in
      state.hasBegun = true
      state.current = Current(adapter: adapter, generation: state.generations, hash: hash)
    }
  }

  /// Takes an adapter into use from the next reply on. There is no way back to a trial.
  package func take(_ adapter: Adapter?, hash: String?, isTrial: Bool = false) {
    state.withLock { state in
      if !state.current.isTrial { state.earlier.append(state.current) }
      if state.earlier.count > Self.remembered { state.earlier.removeFirst() }
      state.generations += 1
      state.current = Current(adapter: adapter, generation: state.generations, hash: hash, isTrial: isTrial)
    }
  }

  /// A reply is made with a trial, which is none then, and which is kept in a file now if it has a hash.
  package func settle(_ trial: Current) {
    state.withLock { state in
      guard state.current.generation == trial.generation else { return }
      state.current.isTrial = false
      state.current.hash = trial.hash
    }
  }

  /// Goes back to the adapter before.
  /// - Returns: what is in use now; `nil` if there was none before.
  package func undo() -> Current? {
    state.withLock { state in
      guard let previous = state.earlier.popLast() else { return nil }
      state.current = previous
      return previous
    }
  }
}
