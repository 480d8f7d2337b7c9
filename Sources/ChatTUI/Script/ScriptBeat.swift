import ChatEngine
import ChatScript

/// The smallest things a player does, one after the other.
enum ScriptBeat: Equatable {
  /// Waits until the family is loaded.
  case family
  /// Waits until no reply runs, and reads what came.
  case reply
  case training
  /// Seconds.
  case rest(Double)
  /// Puts away what is left in the composer.
  case emptyComposer
  case key(KeyPress)
  case paste(String)
  case send
  /// What replies are held to from here on.
  case form(ReplyFormSource?)
  /// Moves the slider, stop by stop, to a name or number.
  case slide(String)

  /// Longer texts are pasted: nobody wants to watch them being typed.
  static let longestTyped = 300

  /// - Parameter shortening: how the path of a data file is typed.
  static func beats(_ script: Script, shortening: (String) -> String) -> [ScriptBeat] {
    let hasForms = script.steps.contains { $0.expectation?.form != nil }
    return [.family]
      + script.steps.flatMap { step in
        (hasForms ? [.reply, .form(step.expectation?.form?.source)] : []) + beats(step.action, shortening: shortening)
      } + [.reply]
  }

  private static func beats(_ action: Script.Action, shortening: (String) -> String) -> [ScriptBeat] {
    switch action {
    case .pause(let seconds): [.reply, .rest(seconds)]
    case .waitForTraining: [.reply, .training]
    case .stitch(let name) where name != "auto": [.reply, .slide(name)]
    default: ScriptLines.lines(action, shortening: shortening).flatMap { [.reply] + typed($0) }
    }
  }

  /// A line typed and sent.
  static func typed(_ line: String) -> [ScriptBeat] {
    let text: [ScriptBeat] =
      line.count > longestTyped
      ? [.paste(line)]
      : line.map { .key($0 == "\n" || $0 == "\r\n" ? .control("j") : KeyPress(.character($0))) }
    return [.emptyComposer] + text + [.rest(0.4), .send]
  }
}

/// What a step is when it is typed.
package enum ScriptLines {
  package static func lines(_ action: Script.Action, shortening: (String) -> String = { $0 }) -> [String] {
    switch action {
    // Two slashes: a message that begins with one.
    case .user(let text): [Command.isCommand(text.trimmingWhitespace) ? "/" + text.trimmingWhitespace : text]
    case .regenerate: ["/regen"]
    case .stitch("auto"): ["/auto"]
    case .stitch(let name): ["/stitch \(name)"]
    case .set(let settings): settings.map { "/set \($0.name.rawValue) \($0.value)" }
    case .system(let text): ["/system \(text.isEmpty ? "-" : text)"]
    case .train(let data, let steps, let distills):
      ["/\(distills ? "distill" : "train") \(quoted(shortening(data)))" + (steps.map { " \($0)" } ?? "")]
    case .compare(let stitches): ["/compare \(stitches.joined(separator: " "))"]
    case .command(let line): [line]
    case .waitForTraining, .pause, .screen: []
    }
  }

  private static func quoted(_ path: String) -> String { path.contains(where: \.isWhitespace) ? "\"\(path)\"" : path }
}
