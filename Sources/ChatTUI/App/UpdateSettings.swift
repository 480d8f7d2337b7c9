import ChatEngine
import Support

/// `/set`: sampling, and how the screen looks.
extension AppState {
  /// What `/set` knows beside sampling.
  private static let screenSettings = ["theme", "mouse", "ascii"]

  mutating func set(_ name: String, _ value: String) -> [Effect] {
    if Self.screenSettings.contains(name) { return setScreen(name, value) }
    do {
      let setting = try SamplingSetting(name: name, value: value)
      setting.apply(to: &sampling)
      // The same seed begins the same row of replies.
      if setting.name == .seed { repliesStarted = 0 }
      notice("\(name) is now \(value)")
    } catch {
      let names = SamplingSetting.Name.allCases.map(\.rawValue) + Self.screenSettings
      let nearest = nearestName(to: name, among: names) ?? ""
      notice(error.isUnknownName ? "no setting \(name); did you mean \(nearest)?" : error.description, isWarning: true)
    }
    return []
  }

  private mutating func setScreen(_ name: String, _ value: String) -> [Effect] {
    if name == "theme" {
      guard let theme = Theme(rawValue: value) else {
        notice("theme is \(Theme.allCases.map(\.rawValue).joined(separator: ", "))", isWarning: true)
        return []
      }
      screen.theme = theme
    } else {
      guard let isOn = ["on": true, "off": false][value] else {
        notice("\(name) is on or off", isWarning: true)
        return []
      }
      if name == "mouse" { screen.mouse = isOn } else { glyphs = isOn ? .ascii : .unicode }
    }
    // Of the screen, not of the conversation.
    say("\(name) is now \(value)")
    return [.setScreen(screen)]
  }

  var settings: String {
    func join(_ parts: [String]) -> String { parts.joined(separator: " · ") }
    return join(SamplingSetting.Name.allCases.map { "\($0.rawValue) \(SamplingSetting.text(of: $0, in: sampling))" })
      + "\n"
      + join([
        "theme \(screen.theme.rawValue)", "mouse \(screen.mouse ? "on" : "off")",
        "ascii \(glyphs.isASCII ? "on" : "off")",
      ])
  }
}
