import ChatEngine
import Foundation

/// The adapters of the family, and the second slider, which mixes two of them between replies.
extension AppState {
  // MARK: Commands

  /// `/adapters`.
  mutating func adapters(_ command: Command.AdapterCommand) -> [Effect] {
    guard summary != nil else {
      say("adapters are known once the family is loaded; try again then", isWarning: true)
      return []
    }
    switch command {
    case .list:
      if !isPlain {
        overlay = .picker(Picker(title: "Adapters", emptyText: "Nothing fits.", lists: .adapters))
      }
      return askFor(.listAdapters)
    case .use(let name): return mix(AdapterMix(left: name, right: name, percent: 0))
    case .mix(let left, let right, let percent):
      return mix(AdapterMix(left: left, right: right, percent: percent ?? Self.even))
    }
  }

  /// Where nobody says how much.
  private static let even = 50

  /// The chosen row of the list at the right end of the slider, what is in use at its left.
  mutating func mixIn(_ name: String) -> [Effect] {
    if let left = mixer.ends?.left.name { return mix(AdapterMix(left: left, right: name, percent: Self.even)) }
    guard let adapter, adapter.step == nil || adapter.hash != nil else {
      say("what is in use was never kept in a file; /adapters NAME takes another one", isWarning: true)
      return []
    }
    return mix(AdapterMix(left: adapter.hash ?? "none", right: name, percent: Self.even))
  }

  // MARK: The slider

  /// Moves it towards one of its ends.
  mutating func moveMix(by percent: Int) -> [Effect] {
    guard mixer.ends != nil else {
      say("there is no mix: /adapters chooses one")
      return []
    }
    return setMix(min(100, max(0, mixer.percent + percent)))
  }

  mutating func dragMix(to x: Int) -> [Effect] {
    let (left, right) = MixerView.track(self)
    guard right > left else { return [] }
    let part = Double(min(right, max(left, x)) - left) / Double(right - left)
    return setMix(Int((part * 20).rounded()) * 5)
  }

  private mutating func setMix(_ percent: Int) -> [Effect] {
    guard let ends = mixer.ends, percent != mixer.percent else { return [] }
    return mix(AdapterMix(left: ends.left.name, right: ends.right.name, percent: percent))
  }

  /// One mix is asked for at a time: where the slider goes on meanwhile, only where it comes to counts.
  private mutating func mix(_ mix: AdapterMix) -> [Effect] {
    mixer.percent = mix.percent
    let isAsked = mixer.asked != nil
    mixer.asked = mix
    return isAsked ? [] : [.mixAdapters(mix)]
  }

  // MARK: What the engine tells

  /// - Parameter mix: what was asked, which may not be what is wanted by now.
  mutating func mixed(_ mix: AdapterMix, _ mixed: AdapterMixed) -> [Effect] {
    adapter = mixed.reference
    mixer.mixed = mixed.reference
    let isOne = mixed.left == mixed.right
    mixer.ends = isOne ? nil : Mixer.Ends(left: mixed.left, right: mixed.right)
    if let wanted = mixer.asked, wanted != mix { return [.mixAdapters(wanted)] }
    mixer.asked = nil
    (mixer.percent, mixer.mixedPercent) = (mix.percent, mix.percent)
    let names = isOne ? mixed.left.name : "\(mixed.left.name) \(mixed.right.name) \(mix.percent)"
    mixer.command = "/adapters \(names)"
    say("\(mixText(mixed)) from the next reply on; /undo goes back")
    return [.describe] + startWaitingReply()
  }

  mutating func mixRefused(_ message: String) -> [Effect] {
    mixer.asked = nil
    mixer.percent = mixer.mixedPercent
    notice("The adapters stay as they are: \(message)", isWarning: true)
    return startWaitingReply()
  }

  private func mixText(_ mixed: AdapterMixed) -> String {
    let (left, right) = (mixed.left.title, mixed.right.title)
    switch mixer.percent {
    case _ where left == right: return left == "none" ? "no adapter" : left
    case 0: return left
    case 100: return right
    case let percent: return "\(100 - percent)% \(left) + \(percent)% \(right)"
    }
  }

  /// Something else than the mix is in use: there is nothing to slide.
  mutating func closeMixer(unless adapter: AdapterReference?) {
    guard mixer.asked == nil, let mixed = mixer.mixed, let adapter else { return }
    let isSame = adapter == mixed || (adapter.origin != nil && adapter.origin == mixed.origin)
    if !isSame { mixer = Mixer() }
  }

  // MARK: The list

  mutating func show(_ adapters: [AdapterEntry]) {
    pendingAnswers -= 1
    if isPlain {
      notice(
        "Adapters of this family:\n"
          + adapters.map { "\(isInUse($0) ? "*" : " ") \($0.title) · \(detail($0))" }
          .joined(separator: "\n")
          + "\n/adapters NAME uses one, /adapters A B 40 mixes: 60% of A and 40% of B.")
    } else if picker?.lists == .adapters {
      let rows = adapters.map { Picker.Row(id: $0.name, title: $0.title, detail: detail($0)) }
      overlay.picker?.showAll(rows)
    }
  }

  mutating func adaptersRefused(_ message: String) {
    pendingAnswers -= 1
    if picker?.lists == .adapters { overlay.picker = nil }
    notice("The adapters cannot be listed: \(message)", isWarning: true)
  }

  private func isInUse(_ entry: AdapterEntry) -> Bool {
    entry.hash == nil ? adapter != nil && adapter?.step == nil : entry.hash == adapter?.hash
  }

  private func detail(_ entry: AdapterEntry) -> String {
    var parts: [String] = []
    switch entry.name {
    case "none": parts.append("the family as it was made")
    case "own": parts.append("\(entry.hash?.prefix(8) ?? "")")
    default: break
    }
    if let origin = entry.origin {
      parts.append(origin.text)
    } else if let step = entry.step {
      parts.append("step \(step)")
    }
    if let saved = entry.saved {
      parts.append(saved.formatted(.iso8601.year().month().day().dateSeparator(.dash)))
    }
    if isInUse(entry) { parts.append("in use") }
    return parts.joined(separator: " · ")
  }
}
