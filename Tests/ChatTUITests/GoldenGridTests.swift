import ChatEngine
import ChatTUI
import Foundation
import Testing

/// Whole screens as they were approved, in `Golden/`. To write them anew, look at the difference, and commit:
/// `STITCH_WRITE_GOLDEN=1 swift test --filter Golden`.
@Suite struct GoldenGridTests {
  static let sizes: [(width: Int, height: Int)] = [(40, 15), (80, 24), (120, 30), (200, 50)]
  static let views: [(name: String, state: @Sendable (Int, Int, GlyphSet) -> AppState)] = [
    ("welcome", { readyState(width: $0, height: $1, glyphs: $2) }),
    ("busy", { busyState(width: $0, height: $1, glyphs: $2) }),
    (
      "help",
      { width, height, glyphs in
        var state = busyState(width: width, height: height, glyphs: glyphs)
        state.press(.function(1))
        return state
      }
    ),
    (
      "search",
      { width, height, glyphs in
        var state = busyState(width: width, height: height, glyphs: glyphs)
        state.type("draft")
        state.apply(.key(.control("f")))
        state.type("7")
        return state
      }
    ),
    (
      "scripts",
      { width, height, glyphs in
        var state = readyState(width: width, height: height, glyphs: glyphs)
        state.exchange(
          "漢字 😀 e\u{301}?",
          "日本語の長い文章も、正しい位置で折り返されるべきです。한국어 문장도 마찬가지입니다. Emoji: 👩‍👩‍👧 👍🏽 🇩🇪 ❤️ and marks: e\u{301} a\u{308}\u{323} \u{301}.\n\nעברית ועוד מילים, العربية وكلمات أخرى, and back to Latin letters.\n\nไทยไม่มีช่องว่างระหว่างคำ"
        )
        return state
      }
    ),
    (
      "markdown",
      { width, height, glyphs in
        var state = readyState(width: width, height: height, glyphs: glyphs)
        state.exchange(
          "a table, please",
          "| Name | Size | What it is |\n|:--|--:|:--|\n| small | 0.4M | the *fast* one |\n| 大 large | 4M | the **good** one, with more to say |\n\n> Two sizes,\n> one family.\n\n1. First `take` it\n   - then ***look***\n```swift\nlet answer = compute(everything: true, including: \"a long line that has to be broken\")\n```"
        )
        return state
      }
    ),
    (
      "composer",
      { width, height, glyphs in
        var state = busyState(width: width, height: height, glyphs: glyphs)
        state.apply(.submit("/edit"))
        state.apply(.key(.control("j")))
        state.type("and a second line 漢字")
        return state
      }
    ),
    (
      "files",
      { width, height, glyphs in
        var state = readyState(width: width, height: height, glyphs: glyphs)
        func file(_ path: String, _ bytes: Int, _ tokens: Int, isCut: Bool = false) -> FileReading {
          var file = AttachedFile(path: path, bytes: bytes, text: "some text\n")
          (file.tokens, file.isCut) = (TokenCount(tokens), isCut)
          return FileReading(word: path, outcome: .file(file))
        }
        state.apply(.filesRead(.attach, [file("notes/sea.txt", 1234, 31), file("book.md", 98_765, 210, isCut: true)]))
        state.exchange("what is in them?", "The sea is *wet*.")
        state.apply(.filesRead(.attach, [file("evil\u{1B}[31m.txt", 350, 90)]))
        state.type("and in @漢字.txt")
        state.apply(.filesRead(.look, [file("漢字.txt", 2_345_678, 40)]))
        return state
      }
    ),
    (
      "server",
      { width, height, glyphs in
        var state = AppState()
        state.glyphs = glyphs
        state.apply(.resize(width: width, height: height))
        var summary = ScriptedBackend.summary
        (summary.server, summary.learns) = ("models.example.org:8080", false)
        state.apply(.loaded(summary))
        return state
      }
    ),
    (
      "other-server",
      { width, height, glyphs in
        var state = AppState()
        state.glyphs = glyphs
        state.apply(.resize(width: width, height: height))
        var summary = FamilySummary(
          name: "localhost:11434",
          stops: ["qwen3:8b", "gemma3\u{1B}[31m:27b", "llama3.2:1b"].map {
            Stop(id: $0, route: "library", parameters: 0, flopsPerToken: 0, weightBytes: 0)
          }, contextLength: 0, adapterStep: nil)
        (summary.server, summary.learns) = (summary.name, false)
        state.apply(.loaded(summary))
        state.exchange("hello", "Hi.")
        state.apply(.submit("/train facts"))
        return state
      }
    ),
  ]

  @Test(arguments: GoldenGridTests.views.map { $0.name }) func screens(name: String) throws {
    let make = Self.views.first { $0.name == name }!.state
    for size in Self.sizes {
      for glyphs in [GlyphSet.unicode, .ascii] {
        let file = "\(name)-\(size.width)\(glyphs.isASCII ? "-ascii" : "").txt"
        let rows = make(size.width, size.height, glyphs).screen()
        for row in rows { #expect(Glyphs.width(of: row) <= size.width, "\(file): \(row)") }
        try Golden.compare(rows, with: file)
      }
    }
  }
}

/// Files of approved screens.
enum Golden {
  private static let directory = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent(
    "Golden")
  private static let isWriting = ProcessInfo.processInfo.environment["STITCH_WRITE_GOLDEN"] == "1"

  static func compare(_ rows: [String], with name: String, sourceLocation: SourceLocation = #_sourceLocation) throws {
    let file = directory.appendingPathComponent(name)
    if isWriting {
      try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
      try Data((rows.joined(separator: "\n") + "\n").utf8).write(to: file)
      return
    }
    guard let data = FileManager.default.contents(atPath: file.path) else {
      Issue.record("no \(name) yet: write it with STITCH_WRITE_GOLDEN=1", sourceLocation: sourceLocation)
      return
    }
    let approved = String(decoding: data, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false)
      .dropLast().map(String.init)
    if approved == rows { return }
    let difference = (0..<max(rows.count, approved.count)).compactMap { row -> String? in
      let was = row < approved.count ? approved[row] : "(no row)"
      let now = row < rows.count ? rows[row] : "(no row)"
      return was == now ? nil : "row \(row)\n  was: \(was)\n  now: \(now)"
    }
    Issue.record("\(name)\n\(difference.joined(separator: "\n"))", sourceLocation: sourceLocation)
  }
}
