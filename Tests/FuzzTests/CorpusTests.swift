import Foundation
import FuzzTargets
import Testing

/// Every input of the corpus, seeds and what fuzzers once found, through the target it is for. An input that crashes ends
/// the whole run; its name is the last that was written down.
@Suite(.serialized) struct CorpusTests {
  static let corpus = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("Corpus")

  @Test(arguments: FuzzTarget.all.map(\.name)) func holds(_ name: String) throws {
    let target = try #require(FuzzTarget.named(name))
    let folder = Self.corpus.appendingPathComponent(name)
    let inputs = try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
    #expect(!inputs.isEmpty, "there are seeds for \(name)")
    for input in inputs {
      let bytes = Array(try Data(contentsOf: folder.appendingPathComponent(input)))
      target.run(bytes)
      // Cut short, and with one byte changed: what a corpus stands for is more than itself.
      target.run(Array(bytes.prefix(bytes.count * 2 / 3)))
      if !bytes.isEmpty {
        var changed = bytes
        changed[bytes.count / 2] ^= 0x55
        target.run(changed)
      }
    }
  }

  /// Parts of families, which no script can make: `STITCH_WRITE_SEEDS=1 swift test -c release --filter CorpusTests`.
  @Test(.enabled(if: ProcessInfo.processInfo.environment["STITCH_WRITE_SEEDS"] != nil)) func writesSeeds() throws {
    try FamilySeeds.write(to: Self.corpus)
  }

  @Test func everyFolderHasATarget() throws {
    for name in try FileManager.default.contentsOfDirectory(atPath: Self.corpus.path) {
      #expect(FuzzTarget.named(name) != nil, "Corpus/\(name) is for no target")
    }
  }
}
