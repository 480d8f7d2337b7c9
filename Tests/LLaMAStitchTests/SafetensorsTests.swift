import Foundation
import LLaMAStitch
import Support
import Testing

/// A directory that goes away with the test.
func withScratchDirectory<Result>(_ body: (URL) throws -> Result) throws -> Result {
  let directory = FileManager.default.temporaryDirectory.appending(path: "stitch-tests-\(UUID().uuidString)")
  try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
  defer { try? FileManager.default.removeItem(at: directory) }
  return try body(directory)
}

/// That `body` fails with one line that names every one of `parts`.
func expectOneLine(_ parts: [String], _ body: () throws -> Void) {
  do {
    try body()
    Issue.record("no error, expected one naming \(parts)")
  } catch {
    let text = "\(error)"
    #expect(!text.contains("\n"), "\(text)")
    for part in parts { #expect(text.contains(part), "\(text) does not name \(part)") }
  }
}

@Suite struct SafetensorsTests {
  private func file(_ header: String, data: Int = 0, length: UInt64? = nil) -> Data {
    var bytes = Data()
    withUnsafeBytes(of: (length ?? UInt64(header.utf8.count)).littleEndian) { bytes.append(contentsOf: $0) }
    return bytes + Data(header.utf8) + Data(count: data)
  }

  @Test func damagedFilesAreOneLineErrors() throws {
    func entry(_ type: String = "F32", _ shape: String = "[2]", _ offsets: String = "[0,8]") -> String {
      "{\"dtype\":\"\(type)\",\"shape\":\(shape),\"data_offsets\":\(offsets)}"
    }
    let cases: [(Data, String)] = [
      (Data(), "too few"),
      (Data([1, 2, 3]), "too few"),
      (file("{}", length: .max), "more than 100000000"),
      (file("{}", length: 100_000_001), "more than 100000000"),
      (file("{}", length: 50), "cut short"),
      (file("[]"), "not an object"),
      (file("{\"a\":"), "invalid JSON"),
      (file("{\"a\":\(String(repeating: "[", count: 100_000))"), "nested too deeply"),
      (file("{\"a\":\(entry()),\"a\":\(entry())}", data: 8), "duplicate name “a”"),
      (file("{\"a\":\(entry())}", data: 7), "ends at byte 8 of 7"),
      (file("{\"a\":\(entry())}", data: 9), "1 bytes at its end"),
      (file("{\"a\":\(entry()),\"b\":\(entry("F32", "[2]", "[4,12]"))}", data: 12), "overlaps"),
      (file("{\"a\":\(entry("F32", "[2]", "[4,12]"))}", data: 12), "4 bytes before"),
      (file("{\"a\":\(entry("F32", "[3]"))}", data: 8), "needs 12 bytes"),
      (file("{\"a\":\(entry("F33"))}", data: 8), "unknown dtype “F33”"),
      (file("{\"a\":\(entry("F32", "[-2]"))}", data: 8), "list of counts"),
      (file("{\"a\":\(entry("F32", "[2.5]"))}", data: 8), "list of counts"),
      (file("{\"a\":\(entry("F32", "[4611686018427387904, 4]"))}", data: 8), "impossibly large"),
      (file("{\"a\":\(entry("F32", "[9223372036854775807]"))}", data: 8), "impossibly large"),
      (file("{\"a\":\(entry("F32", "[99999999999999999999]"))}", data: 8), "list of counts"),
      (file("{\"a\":\(entry("F32", "[2]", "[8,0]"))}", data: 8), "range of bytes"),
      (file("{\"a\":\(entry("F32", "[2]", "[-8,0]"))}", data: 8), "range of bytes"),
      (file("{\"a\":\(entry("F32", "[2]", "[0]"))}", data: 8), "range of bytes"),
      (file("{\"a\":{\"shape\":[2],\"data_offsets\":[0,8]}}", data: 8), "no dtype"),
      (file("{\"a\":5}"), "not an object"),
      (file("{\"a\\nb\":\(entry("F\\n1"))}", data: 8), "unknown dtype"),
      (file("{\"__metadata__\":{\"x\":1}}"), "“x” is not a string"),
    ]
    try withScratchDirectory { directory in
      let url = directory.appending(path: "model.safetensors")
      for (bytes, cause) in cases {
        try bytes.write(to: url)
        expectOneLine([cause, url.path, "again"]) { _ = try SafetensorsFile(url) }
      }
      expectOneLine(["no such file", "missing.safetensors", "check the path"]) {
        _ = try SafetensorsFile(directory.appending(path: "missing.safetensors"))
      }
      expectOneLine(["directory", directory.path]) { _ = try SafetensorsFile(directory) }
    }
  }

  @Test func whatIsWrittenIsRead() throws {
    try withScratchDirectory { directory in
      let values = (0..<15).map { Float($0) * 0.1 - 0.7 }
      func write(_ name: String, reversed: Bool) throws -> URL {
        var writer = SafetensorsWriter(metadata: ["format": "pt", "note": "a \"quoted\"\nline \u{1F600}"])
        let adds: [(inout SafetensorsWriter) -> Void] = [
          { $0.add("z", shape: [3, 5], FloatBuffer(values).vector) },
          { $0.add("half", shape: [5], as: .f16, Array(values[..<5])) },
          { $0.add("brain", shape: [3], as: .bf16, Array(values[..<3])) },
          { $0.add("scalar", shape: [], [2.5]) },
          { $0.add("empty", shape: [0, 4], []) },
        ]
        for add in reversed ? adds.reversed() : adds { add(&writer) }
        let url = directory.appending(path: name)
        try writer.write(to: url)
        return url
      }
      let url = try write("a", reversed: false)
      #expect(try Data(contentsOf: url) == Data(contentsOf: write("b", reversed: true)))
      let file = try SafetensorsFile(url)
      #expect(file.metadata["note"] == "a \"quoted\"\nline \u{1F600}")
      #expect(try file.tensor("z").floats() == values && file.tensor("z").shape == [3, 5])
      #expect(try file.tensor("scalar").floats() == [2.5])
      #expect(try file.tensor("empty").elementCount == 0)
      #expect(try file.tensor("half").type == .f16)
      for (found, value) in zip(try file.tensor("half").floats(), values) { #expect(abs(found - value) < 3e-4) }
      for (found, value) in zip(try file.tensor("brain").floats(), values) { #expect(abs(found - value) < 3e-3) }
      expectOneLine(["no tensor “q”", url.path, "belongs to this model"]) { _ = try file.tensor("q") }

      // Bytes go from file to file unchanged.
      var copy = SafetensorsWriter()
      copy.add("half", shape: [5], type: .f16, bytes: try file.tensor("half").bytes)
      try copy.write(to: url)
      #expect(try SafetensorsFile(url).tensor("half").bytes.data == file.tensor("half").bytes.data)
      #expect(try FileManager.default.contentsOfDirectory(atPath: directory.path).sorted() == ["a", "b"])
    }
  }

  /// Larger than what is written at a time, with ends in the middle of it.
  @Test func largeTensorsAreWrittenWhole() throws {
    try withScratchDirectory { directory in
      let url = directory.appending(path: "large.safetensors")
      let sizes = [1, 700_001, 3, 1_900_000]
      var writer = SafetensorsWriter()
      for size in sizes { writer.add("\(size)", shape: [size], (0..<size).map { Float($0 % 65_521) - Float(size) }) }
      try writer.write(to: url)
      let file = try SafetensorsFile(url)
      for size in sizes {
        let floats = try file.tensor("\(size)").floats()
        #expect(floats.indices.allSatisfy { floats[$0] == Float($0 % 65_521) - Float(size) })
      }
    }
  }

  @Test func whatCannotBeWrittenLeavesNothing() throws {
    try withScratchDirectory { directory in
      let url = directory.appending(path: "x.safetensors")
      var twice = SafetensorsWriter()
      twice.add("a", shape: [1], [1])
      twice.add("a", shape: [1], [1])
      expectOneLine(["“a”", url.path, "own name"]) { try twice.write(to: url) }
      var short = SafetensorsWriter()
      short.add("a", shape: [2], [1])
      expectOneLine(["shape [2] but 1 values", url.path]) { try short.write(to: url) }
      expectOneLine(["no such file", "nowhere", "check the path"]) {
        try AtomicFile.write(Data(), to: directory.appending(path: "nowhere/x"))
      }
      #expect(try FileManager.default.contentsOfDirectory(atPath: directory.path).isEmpty)
      try AtomicFile.write(Data("old".utf8), to: url)
      try AtomicFile.write(Data("new".utf8), to: url)
      #expect(try Data(contentsOf: url) == Data("new".utf8))
    }
  }

  @Test func strictJSON() throws {
    func read(_ text: String) throws -> JSONValue { try JSONValue(utf8: Array(text.utf8)) }
    #expect(
      try read(" {\"a\": [1, -2.5e1, true, null, \"\\u00e9\\ud83d\\ude00\\n\"]} ")
        == .object(["a": .array([.integer(1), .number(-25), .bool(true), .null, .string("é😀\n")])]))
    for text in [
      "", "{", "[1,]", "{\"a\":1,}", "01", "1.", "nul", "\"\u{1}\"", "\"\\ud800\"", "\"\\x\"", "1 2", "NaN", "+1",
    ] {
      #expect(throws: JSONValue.SyntaxError.self, "\(text)") { _ = try read(text) }
    }
    #expect(throws: JSONValue.SyntaxError.self) { _ = try JSONValue(utf8: [0x22, 0xFF, 0x22]) }
  }
}
