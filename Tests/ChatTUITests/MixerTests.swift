import ChatEngine
import ChatTUI
import Foundation
import Testing

/// `/adapters`, and the second slider.
@Suite struct MixerTests {
  private static let lesson = String(repeating: "1a2b3c4d", count: 8)
  private static let own = AdapterEntry(name: "own", hash: "c0ffee12" + String(repeating: "0", count: 56), step: 400)
  private static let entries = [
    AdapterEntry(name: "none"), own,
    AdapterEntry(
      name: lesson, hash: lesson, step: 1300, saved: Date(timeIntervalSince1970: 1_795_000_000)),
  ]

  private static func mixed(_ percent: Int, right: AdapterEntry = entries[2]) -> AdapterMixed {
    AdapterMixed(
      left: own, right: right,
      reference: AdapterReference(step: 1300, hash: percent == 100 ? right.hash : nil))
  }

  private func mixing(_ width: Int, _ height: Int, glyphs: GlyphSet = .unicode) -> AppState {
    var state = readyState(width: width, height: height, glyphs: glyphs)
    state.apply(.submit("/adapters own 1a2b3c4d 30"))
    let mix = AdapterMix(left: "own", right: "1a2b3c4d", percent: 30)
    state.apply(.mixed(mix, Self.mixed(30)))
    return state
  }

  @Test func whatIsWritten() throws {
    for (line, command) in [
      ("/adapters", .list), ("/adapters own", .use("own")), ("/mix a b", .mix(left: "a", right: "b", percent: nil)),
      ("/adapters own 1a2b 40", .mix(left: "own", right: "1a2b", percent: 40)),
      ("/adapters own 1a2b 40%", .mix(left: "own", right: "1a2b", percent: 40)),
    ] as [(String, Command.AdapterCommand)] {
      #expect(try Command.parse(line) == .adapters(command), "\(line)")
    }
    for line in ["/adapters a b c", "/adapters a b 101", "/adapters a b -1", "/adapters a b 40 50"] {
      #expect(throws: CommandError.self, "\(line)") { try Command.parse(line) }
    }
  }

  /// A list to choose from; what is chosen is mixed in with what is in use.
  @Test func aRowIsMixedIn() {
    var state = readyState()
    state.apply(
      .training(
        {
          var status = TrainingStatus(); status.adapter = Self.own.reference; return status
        }()))
    #expect(state.apply(.submit("/adapters")) == [.listAdapters])
    #expect(state.isAwaitingAnswer)
    state.apply(.adapters(Self.entries))
    #expect(state.picker?.rows.count == 3 && !state.isAwaitingAnswer)
    state.type("1a2b")
    #expect(state.picker?.rows.map(\.id) == [Self.lesson])
    let mix = AdapterMix(left: Self.own.hash!, right: Self.lesson, percent: 50)
    #expect(state.press(.enter) == [.mixAdapters(mix)])
    #expect(state.picker == nil)
    #expect(state.apply(.mixed(mix, Self.mixed(50))) == [.describe])
    #expect(state.mixer.percent == 50 && state.mixer.ends?.right.name == Self.lesson)
  }

  /// Between replies: one that is running goes on, one that is asked for waits until the mix is there.
  @Test func aReplyWaitsForTheMix() {
    var state = mixing(80, 24)
    let asked = AdapterMix(left: "own", right: Self.lesson, percent: 40)
    #expect(state.press(.up, .alt) == [.mixAdapters(asked)])
    #expect(state.apply(.submit("hi")) == [])
    // Moved on before the engine has answered: only where it comes to counts.
    #expect(state.press(.up, .alt) == [] && state.press(.up, .alt) == [])
    let wanted = AdapterMix(left: "own", right: Self.lesson, percent: 60)
    #expect(state.apply(.mixed(asked, Self.mixed(40))) == [.mixAdapters(wanted)])
    let effects = state.apply(.mixed(wanted, Self.mixed(60)))
    guard effects.count == 2, case .startReply = effects[1] else {
      Issue.record("\(effects)")
      return
    }
    // It moves while the reply runs, for the next one.
    #expect(state.press(.down, .alt) == [.mixAdapters(AdapterMix(left: "own", right: Self.lesson, percent: 50))])
  }

  @Test func endsAndRefusals() {
    var state = mixing(80, 24)
    for _ in 0..<20 { state.press(.up, .alt) }
    #expect(state.mixer.percent == 100)
    state = mixing(80, 24)
    state.press(.down, .alt)
    state.apply(.mixRefused("they do not fit"))
    #expect(state.mixer.percent == 30 && state.lastNotice?.contains("they do not fit") == true)
    state = readyState()
    #expect(state.press(.up, .alt) == [] && state.hint?.text.contains("/adapters") == true)
    // An undo, or a lesson that was learned meanwhile, takes the slider away.
    state = mixing(80, 24)
    state.apply(.adapterUndone("the adapter of step 400"))
    #expect(state.mixer.ends == nil)
    state = mixing(80, 24)
    var status = TrainingStatus()
    status.adapter = AdapterReference(step: 1301, hash: "ff")
    state.apply(.training(status))
    #expect(state.mixer.ends == nil && state.adapter?.step == 1301)
  }

  @Test func theMouseMovesIt() {
    var state = mixing(80, 24)
    let y = state.layout.mixer.y
    let effects = state.apply(.mouse(MouseEvent(.press, x: 79, y: y)))
    #expect(effects == [.mixAdapters(AdapterMix(left: "own", right: Self.lesson, percent: 100))])
    state.apply(.mouse(MouseEvent(.move, x: 0, y: 3)))
    #expect(state.mixer.percent == 0)
    state.apply(.mouse(MouseEvent(.release, x: 0, y: 3)), .mouse(MouseEvent(.move, x: 79, y: 3)))
    #expect(state.mixer.percent == 0)
  }

  @Test func inWords() {
    var state = readyState()
    state.isPlain = true
    state.apply(.submit("/adapters"))
    state.apply(.adapters(Self.entries))
    #expect(state.picker == nil && state.lastNotice?.contains("  1a2b3c4d · step 1300 · ") == true)
    state.apply(.submit("/adapters"), .adaptersRefused("no"))
    #expect(state.lastNotice?.contains("no") == true && !state.isAwaitingAnswer)
  }

  // MARK: As it should look

  @Test func looks40() throws { try expectPart(mixing(40, 15), \.mixer, "mixer-40.txt") }
  @Test func looks80() throws { try expectPart(mixing(80, 24), \.mixer, "mixer-80.txt") }
  @Test func looks120() throws { try expectPart(mixing(120, 30), \.mixer, "mixer-120.txt") }
  @Test func looksInASCII() throws { try expectPart(mixing(80, 24, glyphs: .ascii), \.mixer, "mixer-in-ascii.txt") }

  @Test func listLooks() throws {
    var state = mixing(80, 24)
    state.apply(.submit("/adapters"))
    state.apply(.adapters(Self.entries))
    try Golden.compare(state.screen(), with: "adapters-80.txt")
  }

  @Test func anySizeDraws() {
    for width in [30, 31, 40, 76, 80, 200] {
      for height in [10, 11, 17, 24, 60] {
        let state = mixing(width, height)
        #expect(state.screen().allSatisfy { Glyphs.width(of: $0) <= width })
      }
    }
  }
}
