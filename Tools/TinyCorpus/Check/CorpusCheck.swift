import Foundation

/// Verifies that nothing that validation and test ask is in a training file.
public struct CorpusCheck {
  /// What could not be checked: a file that is missing or is not what it should be.
  public enum Failure: Error, CustomStringConvertible {
    /// `file` cannot be read.
    case unreadable(file: String, cause: String)
    /// Line `line` of `file` is not a record of the corpus.
    case malformed(file: String, line: Int)

    public var description: String {
      switch self {
      case .unreadable(let file, let cause):
        "cannot read \(file): \(cause); write the corpus with tiny-corpus --output first"
      case .malformed(let file, let line):
        "\(file), line \(line) is not a record of the corpus; write it again with tiny-corpus --output"
      }
    }
  }

  /// What was found.
  public struct Report: Sendable {
    /// One line for each question that training gives away.
    public var violations: [String] = []
    /// Questions looked at.
    public var questions = 0
    /// Training records looked at.
    public var trainingRecords = 0
    /// Whether the corpus is clean.
    public var isClean: Bool { violations.isEmpty }
  }

  private struct Record: Decodable {
    struct Turn: Decodable {
      var role: String
      var content: String
    }
    var text: String?
    var messages: [Turn]?
    var answer: String?
    var kind: String?
    var key: String?
  }

  private let directory: URL

  /// A check of the corpus in `directory`.
  public init(directory: URL) { self.directory = directory }

  /// Reads all files and compares them.
  public func run() throws(Failure) -> Report {
    var report = Report()
    var reader = KeyReader()
    var asked: Set<String> = []
    for name in ["pretrain.jsonl", "joint.jsonl", "adapt.jsonl", "calibration.jsonl"] {
      for record in try read(name) {
        report.trainingRecords += 1
        if let text = record.text { reader.read(text) }
        let users = (record.messages ?? []).filter { $0.role == "user" }
        for turn in record.messages ?? [] { reader.read(turn.content) }
        for turn in users { asked.insert(Surface.normalized(turn.content)) }
        if users.count > 1 { asked.insert(Self.joined(users)) }
      }
    }
    var earlier: [String: String] = [:]
    for name in ["validation.jsonl", "test.jsonl"] {
      for record in try read(name) {
        report.questions += 1
        let users = (record.messages ?? []).filter { $0.role == "user" }
        let question = Self.joined(users)
        if asked.contains(question) {
          report.violations.append("\(name): training asks \"\(question)\"")
        }
        if let other = earlier.updateValue(name, forKey: question) {
          report.violations.append("\(name): \"\(question)\" is in \(other) too")
        }
        guard let kind = record.kind.flatMap(Kind.init), let key = record.key else {
          report.violations.append("\(name): a question without kind and key: \"\(question)\"")
          continue
        }
        let operands = key.dropFirst(kind.rawValue.count + 1)
        let shared = "\(kind.splitName):\(operands)"
        if kind.isComputed, reader.keys.contains(shared) {
          report.violations.append("\(name): training uses the operands \(shared)")
        }
      }
    }
    return report
  }

  private static func joined(_ turns: [Record.Turn]) -> String {
    turns.map { Surface.normalized($0.content) }.joined(separator: "|")
  }

  private func read(_ name: String) throws(Failure) -> [Record] {
    let url = directory.appendingPathComponent(name)
    let data: Data
    do {
      data = try Data(contentsOf: url)
    } catch {
      throw .unreadable(file: url.path, cause: error.localizedDescription)
    }
    let decoder = JSONDecoder()
    var records: [Record] = []
    for (i, line) in data.split(separator: UInt8(ascii: "\n")).enumerated() {
      do {
        let record = try decoder.decode(Record.self, from: line)
        guard record.text != nil || record.messages?.isEmpty == false else {
          throw Failure.malformed(file: url.path, line: i + 1)
        }
        records.append(record)
      } catch {
        throw .malformed(file: url.path, line: i + 1)
      }
    }
    return records
  }
}
