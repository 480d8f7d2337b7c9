import ChatEngine
import ChatScript
import Support

/// A script for the chat to play, and how.
public struct ScriptPlayback: Sendable {
  public var script: Script
  /// 1 is a person's speed, 2 twice that.
  public var speed: Double
  public var quitsAtEnd: Bool

  public init(_ script: Script, speed: Double = 1, quitsAtEnd: Bool = false) {
    self.script = script
    self.speed = speed
    self.quitsAtEnd = quitsAtEnd
  }
}

/// Plays a script in the terminal UI as a person would: types, sends, reads the reply, moves the slider.
///
/// Pure: the loop asks it what to do, gives it the time and the state, and does that. Delays vary by a seed, so every
/// showing is the same.
package struct ScriptPlayer {
  package enum Move: Equatable {
    case act(Action)
    /// Nothing to do before so much time has passed.
    case wait(Duration)
    /// Nothing to do before something happens.
    case waitForEvent
    case over
  }

  private var beats: ArraySlice<ScriptBeat>
  private let speed: Double
  /// When the next beat may begin.
  private var due: Duration = .zero
  private var random: SeededGenerator
  /// The reply that has been read.
  private var readReply: Int?

  package init(_ playback: ScriptPlayback, shortening: (String) -> String = { $0 }) {
    beats = ScriptBeat.beats(playback.script, shortening: shortening)[...]
    speed = max(0.01, playback.speed)
    random = SeededGenerator(seed: (playback.script.seed ?? 0) &+ 1)
  }

  /// What to do at `now`, counted from any fixed moment.
  package mutating func next(_ state: AppState, at now: Duration) -> Move {
    while true {
      if now < due { return .wait(due - now) }
      guard let beat = beats.first else { return .over }
      switch beat {
      case .family:
        switch state.family {
        case .loading: return .waitForEvent
        case .failed: beats = []
        case .ready: advance(now, 0.6)
        }
      case .reply:
        if state.activeReply != nil { return .waitForEvent }
        let length = state.activeLength(after: readReply)
        readReply = state.conversation.entries.last?.id
        advance(now, min(4, 0.7 + Double(length) / 60))
      case .training:
        if state.isTraining { return .waitForEvent }
        advance(now, 0.8)
      case .rest(let seconds): advance(now, seconds)
      case .emptyComposer:
        // Ctrl-C would leave the editing of an old message too.
        if !state.editor.isEmpty { return act(state.editing == nil ? .key(.control("c")) : .draftEdited(""), now, 0.3) }
        advance(now, 0)
      case .key(let key):
        // People type in bursts: mostly quick, slower after a word.
        let isPause = key.key == .character(" ") || key.key == .character(",")
        return act(.key(key), now, 0.035 + 0.055 * random.unit() + (isPause ? 0.06 * random.unit() : 0))
      case .send: return act(.key(KeyPress(.enter)), now, 0.5)
      case .paste(let text): return act(.paste(text), now, 0.8)
      case .form(let form):
        beats = beats.dropFirst()
        return .act(.holdReplies(to: form))
      case .slide(let name):
        guard let target = state.stopIndex(name) else {
          // The chat will say that there is no such stitch.
          beats = ScriptBeat.typed("/stitch \(name)")[...] + beats.dropFirst()
          continue
        }
        if state.slider.stop == target {
          advance(now, 0.7)
        } else {
          let key = KeyPress(target < state.slider.stop ? .left : .right, .alt)
          due = now + scaled(0.22)
          return .act(.key(key))
        }
      }
    }
  }

  private mutating func act(_ action: Action, _ now: Duration, _ seconds: Double) -> Move {
    advance(now, seconds)
    return .act(action)
  }

  private mutating func advance(_ now: Duration, _ seconds: Double) {
    beats = beats.dropFirst()
    due = now + scaled(seconds)
  }

  private func scaled(_ seconds: Double) -> Duration { .seconds(seconds / speed) }
}

extension AppState {
  /// Characters of the replies after an entry: what there is to read.
  fileprivate func activeLength(after entry: Int?) -> Int {
    conversation.entries.filter { $0.id > (entry ?? 0) }.reduce(0) { count, entry in
      if case .reply(let reply) = entry.kind { count + reply.text.count } else { count }
    }
  }
}
