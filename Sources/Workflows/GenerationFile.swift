import ChatEngine
import Foundation
import LLaMAStitch
import Support

/// JSON Lines that grow, one for each reply in its order, under the name `NAME.part` until all are there.
///
/// A line has `messages` or `text`, as training data has, and `generation`: what made it. Lines that a killed run has
/// finished are kept by the next one. Replies that are done before an earlier one wait for it.
final class GenerationFile {
  /// A reply or text.
  struct Reply: Codable {
    var text: String
    var finish: FinishReason
  }

  /// What made a line.
  struct Made: Codable, Equatable {
    var model: String
    var stitch: String?
    var seed: UInt64
    var temperature: Double
    var topK: Int
    var topP: Double
    var minP: Double
    var repetitionPenalty: Double
    var maxTokens: Int
    /// The reply's number, from 0.
    var index = 0
    var finish = FinishReason.stopToken
  }

  private struct Line: Codable {
    var messages: [ChatMessage]?
    var text: String?
    var generation: Made
  }

  private let output: URL
  private let part: URL
  private let made: Made
  /// `nil`: texts.
  private let prompts: [[ChatMessage]]?
  private let lock: FileLock
  private let descriptor: Int32
  private let file: FileAppender
  /// Done before those of smaller numbers.
  private var waiting: [Int: Reply?] = [:]
  /// The number of the reply that the file waits for.
  private(set) var next = 0
  /// Lines in the file.
  private(set) var written = 0

  /// Checks that there is nothing under this name.
  /// - Throws: `GenerationError.exists`.
  static func check(_ output: URL) throws(GenerationError) {
    var status = stat()
    // A link that leads nowhere is there too.
    if lstat(output.path, &status) == 0 { throw .exists(file: output.path) }
  }

  /// Begins the file, or goes on with what an interrupted run has left.
  /// - Parameter prompts: of each reply, in turn.
  /// - Throws: `GenerationError`, `FileError`.
  init(_ output: URL, made: Made, prompts: [[ChatMessage]]?, count: Int, note: (String) -> Void) throws {
    self.output = output
    part = output.appendingPathExtension("part")
    self.made = made
    self.prompts = prompts
    lock = try FileLock(of: output)
    descriptor = open(part.path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0o666)
    file = FileAppender(descriptor: descriptor, path: part.path)
    guard descriptor >= 0 else {
      let code = errno
      lock.remove()
      throw FileError.system(operation: "create", file: part.path, code: code)
    }
    do { try keep(count) } catch {
      lock.remove()
      throw error
    }
    if written > 0 { note("going on from \(part.path): \(written) of \(count) are there") }
  }

  deinit {
    if descriptor < 0 { return }
    // Nothing is worth keeping of a run that has made nothing.
    if written == 0, lseek(descriptor, 0, SEEK_END) == 0 {
      unlink(part.path)
      lock.remove()
    }
    close(descriptor)
  }

  /// Takes over the lines that are there; what follows the last whole one goes.
  private func keep(_ count: Int) throws {
    let data = try Data(contentsOf: part)
    let end = data.lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? 0
    // A line that was being written begins as all do.
    let rest = data[end...].prefix(9)
    guard ["{\"messages", "{\"text\":"].contains(where: { Data($0.utf8).starts(with: rest.prefix($0.utf8.count)) })
    else { throw GenerationError.foreign(file: part.path) }
    for text in data[..<end].split(separator: UInt8(ascii: "\n")) {
      let line: Line
      do { line = try Self.decoder.decode(Line.self, from: text) } catch {
        throw GenerationError.foreign(file: part.path)
      }
      try check(line, count)
      next = line.generation.index + 1
      written += 1
    }
    guard ftruncate(descriptor, off_t(end)) == 0 else {
      throw FileError.system(operation: "write", file: part.path, code: errno)
    }
  }

  private func check(_ line: Line, _ count: Int) throws(GenerationError) {
    var expected = made
    expected.index = line.generation.index
    expected.finish = line.generation.finish
    func other(_ difference: String) -> GenerationError { .otherRun(file: part.path, difference: difference) }
    if line.generation.model != made.model { throw other("the model \(line.generation.model)") }
    if line.generation.stitch != made.stitch { throw other("the stitch \(line.generation.stitch ?? "none")") }
    if line.generation.seed != made.seed { throw other("the seed \(line.generation.seed)") }
    if line.generation.maxTokens != made.maxTokens { throw other("--max-tokens \(line.generation.maxTokens)") }
    if line.generation != expected { throw other("other options of sampling") }
    guard line.generation.index >= next, line.generation.index < count else { throw other("another --count") }
    let prompt = prompts.map { $0[line.generation.index % $0.count] }
    if line.messages?.dropLast() != prompt?[...] { throw other("other prompts") }
  }

  /// Takes a reply, `nil` for one that is left out; writes all that no other has to come before.
  /// - Throws: `FileError`.
  func add(_ reply: Reply?, at index: Int) throws {
    waiting[index] = .some(reply)
    while let ready = waiting.removeValue(forKey: next) {
      if let reply = ready {
        try file.append(encoded(reply))
        written += 1
      }
      next += 1
    }
    try file.flush()
  }

  private func encoded(_ reply: Reply) throws -> Data {
    var made = made
    made.index = next
    made.finish = reply.finish
    let content: Data
    if let prompts {
      let messages = prompts[next % prompts.count] + [ChatMessage(role: .assistant, content: reply.text)]
      content = try Data("{\"messages\":".utf8) + Self.encoder.encode(messages)
    } else {
      content = try Data("{\"text\":".utf8) + Self.encoder.encode(reply.text)
    }
    return try content + Data(",\"generation\":".utf8) + Self.encoder.encode(made) + Data("}\n".utf8)
  }

  /// Gives the file its name.
  /// - Throws: `error` where there is not one line: nothing is left then; `GenerationError.exists`, `FileError`.
  func finish(orThrow error: GenerationError) throws {
    if written == 0 { throw error }
    guard fsync(descriptor) == 0 else { throw FileError.system(operation: "flush", file: part.path, code: errno) }
    try Self.check(output)
    guard rename(part.path, output.path) == 0 else {
      throw FileError.system(operation: "create", file: output.path, code: errno)
    }
    lock.remove()
    try AtomicFile.flushDirectory(output.deletingLastPathComponent())
  }

  private static let encoder: JSONEncoder = {
    let encoder = JSONEncoder()
    encoder.keyEncodingStrategy = .convertToSnakeCase
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return encoder
  }()

  private static let decoder: JSONDecoder = {
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    return decoder
  }()
}
