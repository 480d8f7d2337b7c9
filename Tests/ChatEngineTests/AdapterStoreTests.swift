import ChatEngine
import FamilyFixture
import Foundation
import LLaMAStitch
import Testing

@Suite struct AdapterStoreTests {
  let fixture: EngineFixture

  init() throws { fixture = try EngineFixture() }

  static func adapter(_ family: Family, step: Int) -> Adapter {
    var tensors: [String: MatrixView] = [:]
    for declaration in family.layout(AdapterOptions(rank: 2)).declarations {
      let count = declaration.shape.reduce(1, *)
      let columns = declaration.shape.last!
      tensors[declaration.name] = FloatBuffer([Float](repeating: Float(step), count: count))
        .matrix(rows: count / columns, columns: columns)
    }
    return Adapter(
      options: AdapterOptions(rank: 2), step: step, family: family, importance: ["small": 0.5], tensors: tensors)
  }

  @Test func savesListsAndOpens() throws {
    let text = try TextFamily(fixture.family)
    let store = text.adapterStore(root: fixture.data)
    #expect(try store.list() == [])
    #expect(throws: EngineError.noSnapshot(prefix: nil, store: store.directory.path)) { try store.latest() }
    let one = try store.save(Self.adapter(text.family, step: 1))
    let two = try store.save(Self.adapter(text.family, step: 2))
    #expect(one.hash.count == 64 && one.hash != two.hash)
    #expect(Set(try store.list().map(\.hash)) == [one.hash, two.hash])
    // Equal content is one file.
    #expect(try store.save(Self.adapter(text.family, step: 1)).hash == one.hash)
    #expect(try store.list().count == 2)
    #expect(try store.open(store.find(String(two.hash.prefix(6))), for: text.family).step == 2)
    #expect(try text.adapter(AdapterChoice(one.shortHash), store: store)?.step == 1)
    #expect(throws: EngineError.noSnapshot(prefix: "zz", store: store.directory.path)) { try store.find("zz") }
    #expect(throws: EngineError.self) { try store.find("") }

    // A snapshot that was changed is not used.
    var bytes = try Data(contentsOf: two.file)
    bytes[bytes.count - 1] ^= 1
    try bytes.write(to: two.file)
    #expect(throws: EngineError.damagedSnapshot(file: two.file.path)) { try store.open(two, for: text.family) }
  }

  /// Name and content are of the same bytes, even where another file takes the place of the one that was opened.
  @Test func aFileReplacedMeanwhileIsNotReadUnderTheNameOfTheOther() throws {
    let text = try TextFamily(fixture.family)
    let store = text.adapterStore(root: fixture.data)
    let one = try store.save(Self.adapter(text.family, step: 1))
    let two = try store.save(Self.adapter(text.family, step: 2))
    let opened = try AdapterFile(one.file)
    #expect(rename(two.file.path, one.file.path) == 0)
    #expect(opened.hash == one.hash)
    #expect(try opened.read(for: text.family).step == 1)
    // Opened anew it is the other, and not what its name says.
    #expect(try AdapterFile(one.file).hash == two.hash)
    #expect(throws: EngineError.damagedSnapshot(file: one.file.path)) { try store.open(one, for: text.family) }
    // The family's own one, too.
    let own = fixture.family.appendingPathComponent(FamilyDescription.adapterName)
    try FileManager.default.copyItem(at: one.file, to: own)
    #expect(try text.adapter(AdapterReference(step: 2, hash: two.hash), store: store)?.step == 2)
  }

  @Test func twoWritersTakeTurns() async throws {
    let text = try TextFamily(fixture.family)
    let adapters = (1...6).map { Self.adapter(text.family, step: $0) }
    let data = fixture.data
    let hashes = try await withThrowingTaskGroup(of: [String].self) { group in
      for _ in 0..<2 {
        group.addTask { try adapters.map { try text.adapterStore(root: data).save($0).hash } }
      }
      return try await group.reduce(into: [[String]]()) { $0.append($1) }
    }
    #expect(hashes[0] == hashes[1])
    let store = text.adapterStore(root: data)
    let steps = try store.list().map { try store.open($0, for: text.family).step }
    #expect(steps.sorted() == Array(1...6))
    // Nothing half-written is left.
    #expect(try FileManager.default.contentsOfDirectory(atPath: store.directory.path).count == 7)
  }

  @Test func aStoreThatCannotBeMade() throws {
    let text = try TextFamily(fixture.family)
    let blocked = try fixture.file("blocked", "x")
    #expect(throws: EngineError.self) { try text.adapterStore(root: blocked).save(Self.adapter(text.family, step: 1)) }
  }

  @Test func namesOfAdapters() throws {
    #expect(try AdapterChoice("latest") == .latest && AdapterChoice("none") == .none && AdapterChoice("own") == .own)
    #expect(try AdapterChoice("ABCD12") == .snapshot("abcd12"))
    for wrong in ["", "abc", "newest", "abcdx", String(repeating: "a", count: 65)] {
      #expect(throws: EngineError.notAnAdapter(name: wrong)) { try AdapterChoice(wrong) }
    }
  }
}
