import ChatEngine
import Foundation
import LLaMAStitch
import Testing
import Workflows

/// Families that are kept without weights, with their models at hand and without.
@Suite struct FamilyModelsTests {
  private static let known = KnownModel.all[0]

  /// A folder in which a user has whatever `body` puts there.
  private final class Home {
    let root: URL

    init() throws {
      root = FileManager.default.temporaryDirectory.appendingPathComponent("stitch-models-\(UUID().uuidString)")
      for name in ["smollm2", "tiny"] {
        try FileManager.default.createDirectory(at: family(name), withIntermediateDirectories: true)
      }
      try Data("{}".utf8).write(to: family("tiny").appendingPathComponent("family.json"))
    }

    deinit { try? FileManager.default.removeItem(at: root) }

    func family(_ name: String) -> URL { root.appendingPathComponent("weights/\(name)") }
    var cache: URL { root.appendingPathComponent("cache") }
    var data: URL { root.appendingPathComponent("data") }
    var shelf: ModelShelf { ModelShelf(cache: cache, data: data) }
    var locator: FamilyLocator {
      FamilyLocator(environment: [:], currentDirectory: root, executable: nil, shelf: shelf)
    }

    /// The default family, kept without the weights of a file.
    func keep(withoutWeightsOf sha256: String) throws -> URL {
      let json = """
        {"format": 2, "name": "smollm2", "quantization": "mixed", "tokenizerFiles": [], "tokenizerSHA256": "",
        "stitchesSHA256": "", "routes": [[{"anchor": 0, "blocks": [0, 30]}]], "anchors": [{"name": "model",
        "directory": "anchors/model", "sha256": "", "model": {"name": "A model", "sha256": "\(sha256)"}}]}
        """
      try Data(json.utf8).write(to: family("smollm2").appendingPathComponent("family.json"))
      return family("smollm2")
    }

    func write(_ text: String, to file: URL) throws {
      try FileManager.default.createDirectory(at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
      try Data(text.utf8).write(to: file)
    }

    /// What a file of this content was packed to.
    func pack(_ sha256: String, name: String = "A model") throws -> URL {
      let pack = cache.appendingPathComponent("models/pack-\(sha256.prefix(6))")
      try write("{}", to: pack.appendingPathComponent("config.json"))
      try write("", to: pack.appendingPathComponent("model.safetensors"))
      let origin = ModelOrigin(name: name, file: "/m.gguf", sha256: sha256)
      try write(String(decoding: origin.json, as: UTF8.self), to: pack.appendingPathComponent(ModelOrigin.fileName))
      return pack
    }
  }

  @Test func theDefaultIsTheOneWhoseModelIsHere() throws {
    let home = try Home()
    let family = try home.keep(withoutWeightsOf: Self.known.fileSHA256)
    let found = try home.locator.find()
    #expect(found == .init(home.family("tiny").standardizedFileURL, missing: Self.known))
    #expect(found.hint?.contains(Self.known.command) == true && found.hint?.contains("93 MB") == true)
    // What was named is not passed over.
    #expect(try home.locator.find(family.path) == .init(family))
    // Pulled; packed; both.
    let file = home.shelf.file(of: Self.known)
    try home.write("x", to: file)
    #expect(try home.locator.find() == .init(family.standardizedFileURL))
    try FileManager.default.removeItem(at: file)
    let pack = try home.pack(Self.known.fileSHA256)
    #expect(try home.locator.find() == .init(family.standardizedFileURL))
    #expect(
      home.shelf.pack(of: .init(name: "", sha256: Self.known.fileSHA256))?.lastPathComponent == pack.lastPathComponent)
    // Weights in its own directory need no model.
    try FileManager.default.removeItem(at: pack)
    try home.write("", to: family.appendingPathComponent("anchors/model/config.json"))
    #expect(try home.locator.find() == .init(family.standardizedFileURL))
  }

  @Test func nothingElseIsThere() throws {
    let home = try Home()
    _ = try home.keep(withoutWeightsOf: Self.known.fileSHA256)
    try FileManager.default.removeItem(at: home.family("tiny"))
    do {
      _ = try home.locator.find()
      Issue.record("found a family whose model is not here")
    } catch { #expect("\(error)".contains(Self.known.command) && !"\(error)".contains("\n")) }
    // A model that nobody knows cannot be pulled.
    _ = try home.keep(withoutWeightsOf: String(repeating: "a", count: 64))
    do { _ = try home.locator.find() } catch { #expect(!"\(error)".contains("pull")) }
  }

  @Test func modelsThatAreNotHereOrAreOthers() throws {
    let home = try Home()
    let family = try home.keep(withoutWeightsOf: Self.known.fileSHA256)
    func refusal() -> String {
      do {
        try ModelStore(cache: home.cache, data: home.data).makeReady(family)
        _ = try Family(family, shelf: home.shelf)
        return "opened"
      } catch { return "\(error)" }
    }
    #expect(refusal().contains("without the weights of A model") && refusal().contains(Self.known.command))
    // One of its name that was packed from another file.
    let other = try home.pack(String(repeating: "b", count: 64))
    #expect(refusal().contains(other.lastPathComponent) && refusal().contains("is not the model that"))
    #expect(refusal().contains(Self.known.command) && !refusal().contains("\n"))
    // A pulled file of another content is neither packed nor opened.
    try FileManager.default.removeItem(at: other)
    let file = home.shelf.file(of: Self.known)
    try home.write("x", to: file)
    #expect(refusal().contains(file.path) && refusal().contains("is not the model that"))
    #expect(refusal().contains(Self.known.command))
    #expect(home.shelf.packed().isEmpty)
  }
}
