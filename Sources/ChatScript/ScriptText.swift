import ChatEngine

/// Scripts as they are written, a step a line.

extension Script {
  /// Nothing yet.
  package init(file: String) { self.init(file: file, settings: [], steps: []) }

  /// Everything above the steps, ended by `steps:`.
  package var headerText: String {
    var lines: [String] = []
    func add(_ name: String, _ text: String?) { if let text { lines.append("\(name): \(text)") } }
    add("family", family?.doubleQuoted)
    add("adapter", adapter?.doubleQuoted)
    add("seed", seed.map(String.init))
    add("stitch", stitch?.doubleQuoted)
    add("system", system?.doubleQuoted)
    add("screen", screen?.text)
    add("set", settings.isEmpty ? nil : Self.text(settings))
    return (lines + ["steps:"]).joined(separator: "\n") + "\n"
  }

  fileprivate static func text(_ settings: [SamplingSetting]) -> String {
    "{" + settings.map { "\($0.name.rawValue): \($0.value)" }.joined(separator: ", ") + "}"
  }
}

extension Script.Action {
  /// Such as `user: "Hello"`.
  package var text: String {
    func list(_ texts: [String]) -> String { "[" + texts.map(\.doubleQuoted).joined(separator: ", ") + "]" }
    return switch self {
    case .user(let text): "user: \(text.doubleQuoted)"
    // Not its name alone, so that `expect` can follow.
    case .regenerate: "regen: true"
    case .stitch(let name): "stitch: \(name.doubleQuoted)"
    case .set(let settings): "set: \(Script.text(settings))"
    case .system(let text): "system: \(text.doubleQuoted)"
    case .train(let data, let steps, let distills):
      "train: {data: \(data.doubleQuoted)" + (steps.map { ", steps: \($0)" } ?? "")
        + (distills ? ", distill: true}" : "}")
    case .waitForTraining: "wait: training"
    case .compare(let stitches): "compare: \(list(stitches))"
    case .command(let line): "command: \(line.doubleQuoted)"
    case .screen(let size): "screen: \(size.text)"
    case .pause(let seconds): "pause: \(seconds)"
    }
  }
}

extension ScreenSize {
  fileprivate var text: String { "{width: \(width), height: \(height)}" }
}

extension Expectation {
  /// Such as `{equals: "Hello", stitch: "large"}`.
  package var text: String {
    var parts = Self.parts(contains, regex, not)
    if let equals { parts.insert("equals: \(equals.doubleQuoted)", at: 0) }
    if let maxTokens { parts.append("max_tokens: \(maxTokens)") }
    if let finish { parts.append("finish: \(finish.rawValue)") }
    if let stitch { parts.append("stitch: \(stitch.doubleQuoted)") }
    if let maxSeconds { parts.append("max_seconds: \(maxSeconds)") }
    if let form { parts.append("\(form.kind.rawValue): \(form.spelling)") }
    if let screen {
      let inner = Self.parts(screen.contains, screen.regex, screen.not)
      parts.append("screen: {" + inner.joined(separator: ", ") + "}")
    }
    return "{" + parts.joined(separator: ", ") + "}"
  }

  private static func parts(_ contains: [String], _ regex: [String], _ not: [String]) -> [String] {
    [("contains", contains), ("regex", regex), ("not", not)].filter { !$0.1.isEmpty }
      .map { name, texts in "\(name): [" + texts.map(\.doubleQuoted).joined(separator: ", ") + "]" }
  }
}
