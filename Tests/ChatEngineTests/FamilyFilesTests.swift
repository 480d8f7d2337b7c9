import ChatEngine
import FamilyFixture
import Foundation
import LLaMAStitch
import Testing

@Suite struct FamilyFilesTests {
  /// A file that is sound, and not the one that the family was made with, is named; put back, the family opens.
  @Test(arguments: ["stitches.safetensors", "anchors/large/model.safetensors", "tokenizer.model", "esta.safetensors"])
  func alteredFiles(
    _ name: String
  ) throws {
    let root = FileManager.default.temporaryDirectory.appendingPathComponent("stitch-altered-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: root) }
    try FileManager.default.createDirectory(at: root, withIntermediateDirectories: true)
    let family = root.appendingPathComponent("family")
    let plain = root.appendingPathComponent("plain")
    try RandomFamily.make(at: plain)
    try Family(plain).writeCopy(to: family, adapter: AdapterStoreTests.adapter(try Family(plain), step: 1), stops: nil)
    let store = AdapterStore(identity: "none", root: root)
    func open() throws { _ = try TextFamily(family).adapter(.own, store: store) }
    try open()
    let file = family.appendingPathComponent(name)
    let sound = try Data(contentsOf: file)
    var altered = sound
    altered[altered.count - 1] ^= 1
    try altered.write(to: file, options: .atomic)
    #expect(throws: FamilyError.tampered(files: [file.path], family: family.path)) { try open() }
    try sound.write(to: file, options: .atomic)
    try open()
  }

  @Test func theOrderOfLooking() throws {
    let root = FileManager.default.temporaryDirectory.appendingPathComponent("stitch-locator-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: root) }
    func place(_ path: String) throws -> String {
      let directory = root.appendingPathComponent(path)
      try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
      try Data("{}".utf8).write(to: directory.appendingPathComponent("family.json"))
      return directory.standardizedFileURL.path
    }
    func locator(_ environment: [String: String] = [:], executable: String) -> FamilyLocator {
      FamilyLocator(
        environment: environment, currentDirectory: root.appendingPathComponent("here"),
        executable: root.appendingPathComponent(executable), shelf: ModelShelf(cache: root, data: root))
    }
    let installed = "app/bin/stitch"
    do {
      _ = try locator(executable: installed).locate()
      Issue.record("found a family where there is none")
    } catch {
      let message = "\(error)"
      for part in [
        "$STITCH_FAMILY", "here/weights/smollm2", "here/weights/tiny", "app/bin/weights/smollm2",
        "app/bin/weights/tiny",
        "app/share/stitch/weights/tiny", "--family",
      ] {
        #expect(message.contains(part))
      }
      #expect(!message.contains("\n"))
    }
    let shared = try place("app/share/stitch/weights/tiny")
    #expect(try locator(executable: installed).locate().path == shared)
    let beside = try place("app/bin/weights/tiny")
    #expect(try locator(executable: installed).locate().path == beside)
    let checkout = try place("checkout/weights/tiny")
    #expect(try locator(executable: "checkout/.build/x86_64/release/stitch").locate().path == checkout)
    let here = try place("here/weights/tiny")
    #expect(try locator(executable: installed).locate().path == here)
    let named = try place("named")
    #expect(try locator(["STITCH_FAMILY": named], executable: installed).locate().path == named)
    #expect(
      try locator(["STITCH_FAMILY": "/no/such"], executable: installed).locate("../named").standardizedFileURL.path
        == named)
    #expect(throws: EngineError.notAFamily(path: "/no/such", cause: "there is no such directory")) {
      try locator(["STITCH_FAMILY": "/no/such"], executable: installed).locate()
    }
    #expect(try locator(["STITCH_FAMILY": ""], executable: installed).locate().path == here)
  }

  @Test func partsThatDoNotFit() throws {
    let fixture = try EngineFixture()
    let file = fixture.family.appendingPathComponent("family.json")
    let json = try String(contentsOf: file, encoding: .utf8)
    try Data(json.replacingOccurrences(of: "\"tiny\"", with: "\"chatty\"").utf8).write(to: file)
    #expect(
      throws: EngineError.unknownTemplate(
        name: "chatty", family: fixture.family.path, known: ["alpaca", "chatml", "llama2", "tiny", "vicuna", "zephyr"])
    ) {
      try TextFamily(fixture.family)
    }
    try Data(json.utf8).write(to: file)

    let tokenizer = fixture.family.appendingPathComponent("tokenizer.model")
    try FileManager.default.removeItem(at: tokenizer)
    #expect(throws: FamilyError.self) { try TextFamily(fixture.family) }
    try Data("no model".utf8).write(to: tokenizer)
    do {
      _ = try TextFamily(fixture.family)
      Issue.record("took a tokenizer that is none")
    } catch { #expect("\(error)".contains(tokenizer.path)) }
  }

  @Test func aMissingFamilyFailsToLoadInOneLine() async throws {
    let backend = FamilyBackend(.init(family: URL(fileURLWithPath: "/no/such/family")))
    do {
      _ = try await backend.load()
      Issue.record("loaded nothing")
    } catch { #expect("\(error)".contains("/no/such/family") && !"\(error)".contains("\n")) }
  }
}
