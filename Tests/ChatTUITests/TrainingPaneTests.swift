import ChatEngine
import ChatTUI
import Testing

@Suite struct TrainingPaneTests {
  @Test func foldsToOneLine() {
    var state = busyState(width: 80, height: 24)
    #expect(!state.layout.training.isEmpty && state.layout.trainingLine.isEmpty)
    state.apply(.key(.alt("t")))
    #expect(state.layout.training.isEmpty && state.layout.trainingLine.height == 1)
    #expect(state.screen().contains { $0.contains(" training running 50/100 · loss") })
    state.apply(.key(.alt("t")))
    #expect(!state.layout.training.isEmpty)
    // Where there is no room it says so.
    var narrow = busyState(width: 60, height: 24)
    narrow.apply(.key(.alt("t")))
    #expect(narrow.hint?.text.contains("76x18") == true)
  }

  @Test func lossesDifferWithoutColour() {
    for glyphs in [GlyphSet.unicode, .ascii] {
      let state = busyState(width: 120, height: 40, glyphs: glyphs)
      let mark = glyphs.isASCII ? "x" : "×"
      let pane = state.layout.training
      let marks = state.screen()[(pane.y + 6)..<pane.maxY].filter { $0.contains(mark) }
      #expect(marks.count > 2)
      #expect(state.screen().contains { $0.contains("\(mark) held-out 0.") })
    }
  }

  @Test func barsStandInTheOrderOfTheStops() {
    var state = busyState(width: 120, height: 30)
    var status = state.training
    status.drawn = ["small": 8, "large": 4, "elsewhere": 3]
    status.importance = ["small-large@7": 1, "large": 0.5]
    state.apply(.training(status))
    #expect(state.screen().contains { $0.contains("drawn      █       ▄ +3 others") })
    #expect(state.screen().contains { $0.contains("importance  █      ▄") })
  }

  @Test func theFrontierShowsTheLesson() {
    var state = busyState(width: 120, height: 30)
    var status = state.training
    status.stitchLosses = ["small": 1.5, "small-large@4": 1.2, "large": 0.9]
    status.stitchLossesStep = 40
    state.apply(.training(status))
    #expect(state.screen().contains { $0.contains("Lesson loss at 40") })
    // Over, and the weights of before in use again: what was measured of them counts.
    status.phase = .idle
    state.apply(.training(status))
    #expect(state.screen().contains { $0.contains("Quality by cost") })
    var summary = ScriptedBackend.summary
    summary.adapterStep = 450
    state.apply(.described(summary))
    #expect(state.screen().contains { $0.contains("Lesson loss at 40") })
  }

  @Test func lessonsAreListed() {
    var state = readyState()
    #expect(state.apply(.submit("/train")) == [.listLessons])
    #expect(state.pendingAnswers == 1)
    state.apply(.lessons([LessonFile(name: "facts", file: "weights/lessons/facts.jsonl")]))
    #expect(state.lastNotice?.contains("facts · weights/lessons/facts.jsonl") == true && state.pendingAnswers == 0)
    state.apply(.submit("/train"), .lessons([]))
    #expect(state.lastNotice?.contains("No lessons") == true)
  }

  @Test func aSnapshotTakenIntoUseIsSaid() {
    var state = busyState(width: 120, height: 30)
    var status = state.training
    status.message = "step 50 in use from the next reply on"
    #expect(state.apply(.training(status)) == [.describe])
    #expect(state.lastNotice == "Training: step 50 in use from the next reply on")
    #expect(state.conversation.entries.last?.isKept == true)
    // Once: the next steps say the same.
    let count = state.conversation.entries.count
    status.step += 1
    state.apply(.training(status))
    #expect(state.conversation.entries.count == count)
  }

  @Test func keysOfThePane() {
    var state = busyState(width: 120, height: 30)
    #expect(state.screen().contains { $0.contains("Training") && $0.contains("F9 pauses") })
    var status = state.training
    status.phase = .paused
    state.apply(.training(status))
    #expect(state.screen().contains { $0.contains("F9 resumes") })
    status.phase = .finished
    state.apply(.training(status))
    #expect(state.screen().contains { $0.contains("/undo") && !$0.contains("F9") })
  }
}

@Suite struct PathCompletionTests {
  private func list(_ directory: String) -> [String] {
    switch directory {
    case ".": ["data/", "facts.jsonl", "fables.jsonl", ".hidden", "two words.json"]
    case "data/": ["one.json"]
    case "/home/me/": ["lesson.jsonl"]
    default: []
    }
  }

  private func complete(_ line: String) -> (line: String, choices: [String]) {
    PathCompletion.complete(line, lessons: ["pirate", "facts.jsonl"], home: "/home/me", list: list)
  }

  @Test func completes() {
    #expect(complete("/train d").line == "/train data/")
    #expect(complete("/train data/").line == "/train data/one.json")
    #expect(complete("/train fa").line == "/train fa")
    #expect(complete("/train fa").choices == ["fables.jsonl", "facts.jsonl"])
    #expect(complete("/train fac").line == "/train facts.jsonl")
    #expect(complete("/train two w").line == "/train two words.json")
    #expect(complete("/train p").line == "/train pirate")
    #expect(complete("/train ~/le").line == "/train ~/lesson.jsonl")
    #expect(complete("/train ~").line == "/train ~/")
    #expect(complete("/train .").line == "/train .hidden")
    #expect(complete("/train none").line == "/train none" && complete("/train none").choices.isEmpty)
    // What is written is a file, not a lesson.
    #expect(complete("/export d").line == "/export data/")
    #expect(complete("/export p").line == "/export p")
    for usage in Command.usages {
      #expect(PathCompletion.applies(to: "/\(usage.name) f") == usage.arguments.contains("FILE"), "\(usage.name)")
    }
    #expect(!PathCompletion.applies(to: "/system fa") && !PathCompletion.applies(to: "train fa"))
  }

  @Test func onlyWhereNothingWasTypedMeanwhile() {
    var state = readyState()
    state.type("/train fa")
    #expect(state.press(.tab) == [.completePath(line: "/train fa")])
    state.apply(.completed(line: "/train f", to: "/train f1", choices: []))
    #expect(state.editor.text == "/train fa")
    state.apply(.completed(line: "/train fa", to: "/train fac", choices: ["fact", "face"]))
    #expect(state.editor.text == "/train fac" && state.hint?.text == "fact  face")
  }
}
