import ChatEngine
import Synchronization

/// Actions from other threads for the loop of the user interface, in order.
///
/// Text of a reply is merged and of training only the newest state is kept, so that a loop that is late has little
/// to catch up with and no token is lost.
package final class ActionQueue: Sendable {
  private let actions = Mutex<[Action]>([])
  private let wake: @Sendable () -> Void

  /// - Parameter wake: called after every `push`, on the thread that pushes.
  package init(wake: @escaping @Sendable () -> Void) { self.wake = wake }

  package func push(_ action: Action) {
    actions.withLock { actions in
      if let last = actions.last, let merged = Self.merge(last, action) {
        actions[actions.count - 1] = merged
      } else {
        actions.append(action)
      }
    }
    wake()
  }

  package func drain() -> [Action] {
    actions.withLock { actions in
      defer { actions = [] }
      return actions
    }
  }

  /// One action that does what two in a row would do, if there is one.
  private static func merge(_ first: Action, _ second: Action) -> Action? {
    if case .reply(id: let id, .text(let before)) = first, case .reply(id: let same, .text(let text)) = second,
      id == same
    {
      return .reply(id: id, .text(before + text))
    }
    // The beginning and the end of a run are told in the transcript: only steps within a phase are skipped.
    if case .training(let before) = first, case .training(let status) = second, before.phase == status.phase {
      return second
    }
    return nil
  }
}
