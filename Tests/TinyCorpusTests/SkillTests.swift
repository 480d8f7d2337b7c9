import Foundation
import Support
import Testing
import TinyCorpus

@Suite struct SkillTests {
  @Test func splitMixMatchesItsPublishedSequence() {
    var random = SeededGenerator(seed: 1_234_567)
    #expect(random.next() == 6_457_827_717_110_365_317)
    #expect(random.next() == 3_203_168_211_198_807_973)
  }

  @Test func rangesAreCovered() {
    var random = SeededGenerator(seed: 3)
    let drawn = Set((0..<1_000).map { _ in random.int(-2...4) })
    #expect(drawn == Set(-2...4))
  }

  @Test func heldOutPhrasingsAreNotAmongTheSeenOnes() {
    var random = SeededGenerator(seed: 8)
    for (skill, _) in Curriculum.skills {
      for _ in 0..<300 {
        let problem = skill.draw(&random)
        let seen = Set(problem.phrasings.seen.map(Surface.normalized))
        let held = Set(problem.phrasings.heldOut.map(Surface.normalized))
        #expect(seen.union(problem.phrasings.common.map(Surface.normalized)).isDisjoint(with: held), "\(skill.kind)")
        #expect(seen.count >= 3 && !held.isEmpty, "\(skill.kind)")
      }
    }
  }

  @Test func noPhrasingLeavesASlotOpen() {
    var random = SeededGenerator(seed: 9)
    for (skill, _) in Curriculum.skills {
      for _ in 0..<200 {
        let problem = skill.draw(&random)
        for template in problem.phrasings.common + problem.phrasings.seen + problem.phrasings.heldOut {
          #expect(!fill(template, problem.slots).contains("{"), "\(skill.kind): \(template)")
        }
      }
    }
  }

  @Test func splitsAreRoughlyOfTheirSize() {
    var counts: [Split: Int] = [:]
    for a in 0..<100 { for b in a..<100 { counts[Split.of("addition:\(a),\(b)"), default: 0] += 1 } }
    #expect((4_300...4_600).contains(counts[.train] ?? 0))
    #expect((150...260).contains(counts[.validation] ?? 0))
    #expect((330...480).contains(counts[.test] ?? 0))
  }

  @Test func repliesAreShortASCIIInOneLine() {
    var random = SeededGenerator(seed: 10)
    for (skill, _) in Curriculum.skills where skill.kind != .story {
      for _ in 0..<300 {
        let exchange = skill.exchange(.train, otherManner: 30, &random)
        #expect(exchange.answer.utf8.count <= 96, "\(exchange.answer)")
        #expect((exchange.question + exchange.answer).utf8.allSatisfy { (32..<127).contains($0) })
      }
    }
  }

  @Test func lessonsAskNothingThatTheTestAsks() {
    let corpus = Corpus(options: CorpusOptions())
    let asked = Set(
      (corpus.test() + corpus.validation()).compactMap { $0.messages.last?.content }
        .map(Surface.normalized))
    for lesson in Lesson.all() {
      for conversation in lesson.conversations {
        #expect(!asked.contains(Surface.normalized(conversation[0].content)), "\(conversation)")
      }
      let taught = Set(lesson.conversations.map { Surface.normalized($0[0].content) })
      let validation = Set(lesson.validation.map { Surface.normalized($0.question) })
      #expect(lesson.test.count >= 80 && validation.count >= 80, "\(lesson.name)")
      #expect(validation.isDisjoint(with: taught))
      for question in lesson.test {
        let asked = Surface.normalized(question.question)
        #expect(!taught.contains(asked) && !validation.contains(asked), "\(question)")
      }
    }
  }

  @Test func lessonsAreWhatTheRepositoryHolds() throws {
    let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .deletingLastPathComponent().deletingLastPathComponent()
      .appendingPathComponent("weights/lessons")
    for lesson in Lesson.all() {
      #expect((60...1200).contains(lesson.conversations.count), "\(lesson.name)")
      for (path, content) in lesson.files {
        #expect(try String(contentsOf: folder.appendingPathComponent(path), encoding: .utf8) == content, "\(path)")
      }
    }
  }
}
