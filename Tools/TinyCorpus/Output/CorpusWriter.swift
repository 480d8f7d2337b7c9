import Foundation

/// Writes a corpus into a directory.
public struct CorpusWriter {
  /// Name and size in bytes of a written file, and how many records it has.
  public struct Written: Sendable {
    /// File name in the directory.
    public let name: String
    /// Records, or lines of a text file.
    public let records: Int
    /// Size of the file.
    public let bytes: Int
  }

  private let directory: URL

  /// Files go to `directory`, which is created where it is missing.
  public init(directory: URL) { self.directory = directory }

  /// Generates and writes every file. The same options give the same bytes.
  public func write(_ corpus: Corpus) throws -> [Written] {
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    var written: [Written] = []
    var pretrain = Lines()
    var tokenizer = Lines()
    corpus.pretrain { record in
      pretrain.append(JSONLine.encode(record))
      // A share of the text is plenty for SentencePiece.
      if pretrain.count % 6 == 0 {
        for text in record.contents { tokenizer.append(text + "\n") }
      }
    }
    written.append(try save(pretrain, "pretrain.jsonl"))
    var joint = Lines()
    corpus.joint { joint.append(JSONLine.encode($0)) }
    written.append(try save(joint, "joint.jsonl"))
    written.append(try save(tokenizer, "tokenizer.txt"))
    written.append(try save(Lines(corpus.adapt().map(JSONLine.encode)), "adapt.jsonl"))
    written.append(try save(Lines(corpus.validation().map(JSONLine.encode)), "validation.jsonl"))
    written.append(try save(Lines(corpus.test().map(JSONLine.encode)), "test.jsonl"))
    let calibration = corpus.calibration()
    written.append(try save(Lines(calibration.map(JSONLine.encode)), "calibration.jsonl"))
    let plain = calibration.map { $0.contents.joined(separator: "\n") + "\n" }
    written.append(try save(Lines(plain), "calibration.txt"))
    return written
  }

  private func save(_ lines: Lines, _ name: String) throws -> Written {
    try Data(lines.bytes).write(to: directory.appendingPathComponent(name), options: .atomic)
    return Written(name: name, records: lines.count, bytes: lines.bytes.count)
  }

  /// Lines that are yet to be written.
  private struct Lines {
    var bytes: [UInt8] = []
    var count = 0
    init() {}
    init(_ lines: [String]) { lines.forEach { append($0) } }
    mutating func append(_ line: String) {
      bytes.append(contentsOf: line.utf8)
      count += 1
    }
  }
}
