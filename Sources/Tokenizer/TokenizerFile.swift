import Foundation
import Support

/// Loads the tokenizer of a model: of a directory that holds its files, or from its file itself.
///
/// A directory may hold both files; `tokenizer.model` is then the one that counts, which says more exactly what it means.
/// - Throws: `TokenizerError` if the file is missing, unreadable, cut short or something else.
public func loadTokenizer(from path: String) throws(TokenizerError) -> any Tokenizer {
  guard TokenizerFile.isDirectory(path) else {
    return path.hasSuffix(".json") ? try BytePairTokenizer(file: path) : try SentencePieceTokenizer(file: path)
  }
  let directory = path + (path.hasSuffix("/") ? "" : "/")
  let model = directory + SentencePieceTokenizer.fileName
  let json = directory + BytePairTokenizer.fileName
  return TokenizerFile.exists(json) && !TokenizerFile.exists(model)
    ? try BytePairTokenizer(file: json) : try SentencePieceTokenizer(file: model)
}

/// Files of tokenizers, read and written whole, with the system's own reasons for failure.
enum TokenizerFile {
  /// Larger files are no tokenizers; loading one by mistake (weights, say) must not fill the memory.
  static let limit = 256 << 20

  /// The bytes of a file of at most `limit` bytes.
  static func read(_ path: String) throws(TokenizerError) -> [UInt8] {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else {
      throw errno == ENOENT || errno == ENOTDIR
        ? .missingFile(path) : .unreadable(file: path, reason: systemReason())
    }
    defer { close(descriptor) }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 1 << 18)
    while true {
      let count = Foundation.read(descriptor, &chunk, chunk.count)
      if count == 0 { return bytes }
      guard count > 0 else {
        if errno == EINTR { continue }
        throw .unreadable(file: path, reason: systemReason())
      }
      guard bytes.count + count <= limit else {
        throw .notAModel(file: path, reason: "larger than \(limit >> 20) MB")
      }
      bytes += chunk[..<count]
    }
  }

  /// The name of the file beside a tokenizer's that says which tokens begin and end a text.
  static let configurationName = "tokenizer_config.json"

  /// That file beside another, if there is one.
  static func configuration(beside path: String) throws(TokenizerError) -> (data: Data, value: JSONValue)? {
    let file = URL(fileURLWithPath: path).deletingLastPathComponent().appendingPathComponent(configurationName).path
    guard exists(file) else { return nil }
    let bytes = try read(file)
    do { return (Data(bytes), try JSONValue(utf8: bytes)) } catch { throw .unusable(file: file, cause: "\(error)") }
  }

  static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

  /// Symbolic links are followed.
  static func isDirectory(_ path: String) -> Bool {
    let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else { return false }
    close(descriptor)
    return true
  }

  /// Replaces a file as a whole: see `AtomicFile`.
  static func writeAtomically(_ bytes: [UInt8], to path: String) throws(TokenizerError) {
    do { try AtomicFile.write(Data(bytes), to: URL(fileURLWithPath: path)) } catch {
      guard case .system(_, _, let code)? = error as? FileError else {
        throw .unwritable(file: path, reason: "\(error)")
      }
      throw .unwritable(file: path, reason: String(cString: strerror(code)))
    }
  }

  private static func systemReason() -> String { String(cString: strerror(errno)) }
}
