import ChatEngine
import Support

/// Slash commands.
extension AppState {
  /// Does what a line commands. A line that is no command stays in the composer, to be corrected.
  mutating func command(_ line: String) -> [Effect] {
    let command: Command
    do {
      command = try Command.parse(line)
    } catch {
      say(error.message, isWarning: true)
      return []
    }
    _ = editor.take()
    if isPlain, let usage = Command.usage(of: line), usage.needsScreen {
      say("/\(usage.name) needs the terminal UI")
      return []
    }
    if command.needsLocalModel, summary?.learns == false {
      notice("/\(Command.usage(of: line)?.name ?? "train"): \(EngineError.needsLocalModel)", isWarning: true)
      return []
    }
    return perform(command)
  }

  private mutating func perform(_ command: Command) -> [Effect] {
    switch command {
    case .stitch(let name): stitch(name)
    case .auto(let target): startAuto(target)
    case .autoOff: endAuto(because: "as you wish")
    case .compare(let names, let text): return compare(names, text)
    case .keep(let number): keepAsAsked(number)
    case .train(let file, let steps, let distills): return train(file: file, steps: steps, distills: distills)
    case .lessons: return askFor(.listLessons)
    case .pause: return whileTraining([.running, .preparing], .pauseTraining)
    case .resume: return whileTraining([.paused], .resumeTraining)
    case .save: return whileTraining([.running, .paused], .saveTraining)
    case .stop: return endTraining()
    case .undo: return askFor(.undoAdapter)
    case .adapters(let what): return adapters(what)
    case .set(let name, let value): return set(name, value)
    case .showSettings: notice(settings)
    case .file(let what): return file(what)
    case .system(let text): setSystem(text)
    case .regen: return regenerate()
    case .continueReply: return continueReply()
    case .edit(let what): return edit(what)
    case .drop(let what): drop(what)
    case .search(let text): openSearch(text)
    case .copy(let what): return copy(what)
    case .clear: return clear()
    case .chats(let query): return showConversations(query)
    case .open(nil): return showConversations("")
    case .open(let id?): return openConversation(id)
    case .branch(let turns): branch(turns)
    case .title(let text): setTitle(text)
    case .export(let file): return export(file)
    case .help: overlay = .help(firstLine: 0)
    case .quit: return quit(status: 0)
    }
    return []
  }

  // MARK: Settings

  /// What `/set` knows beside sampling.
  private static let screenSettings = ["theme", "mouse", "ascii"]

  /// `/set`.
  private mutating func set(_ name: String, _ value: String) -> [Effect] {
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

  private var settings: String {
    func join(_ parts: [String]) -> String { parts.joined(separator: " · ") }
    return join(SamplingSetting.Name.allCases.map { "\($0.rawValue) \(SamplingSetting.text(of: $0, in: sampling))" })
      + "\n"
      + join([
        "theme \(screen.theme.rawValue)", "mouse \(screen.mouse ? "on" : "off")",
        "ascii \(glyphs.isASCII ? "on" : "off")",
      ])
  }
}
