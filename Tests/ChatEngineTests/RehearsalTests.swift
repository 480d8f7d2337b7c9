import ChatEngine
import Foundation
import LLaMAStitch
import Testing
import Workflows

@Suite struct RehearsalTests {
  @Test func anAdaptedFamilyKeepsASampleOfWhatItLearned() throws {
    let fixture = try EngineFixture()
    let lines = (0..<450).map {
      #"{"messages":[{"role":"user","content":"what is number \#($0)?"},{"role":"assistant","content":"it is \#($0)"}]}"#
    }
    let data = try fixture.file("data.jsonl", lines.joined(separator: "\n"))
    let output = fixture.root.appendingPathComponent("adapted")
    let job = AdaptationJob(
      family: fixture.family, dataFiles: [data],
      settings: AdaptationSettings(steps: 1, tokensPerStep: 64, options: AdapterOptions(rank: 2)), output: output,
      continues: false, checkpoint: fixture.root.appendingPathComponent("checkpoint"), threads: 1)
    _ = try job.run(note: { _ in }, progress: { _ in })
    let kept = try DataFile(output.appendingPathComponent(FamilyDescription.rehearsalName)).conversations
    let all = try DataFile(data).conversations
    #expect(kept.count == all.count && kept.first == all.first && kept.last == all.last)
    #expect(Set(kept.map(\.[0].content)).isSubset(of: Set(all.map(\.[0].content))))
    // The family as it was adapted from has none, and is as it was.
    let before = fixture.family.appendingPathComponent(FamilyDescription.rehearsalName)
    #expect(!FileManager.default.fileExists(atPath: before.path))
  }
}
