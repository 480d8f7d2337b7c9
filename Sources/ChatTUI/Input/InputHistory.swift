import Foundation
import Support

/// What was sent, kept for the next time: a file with one JSON string in a line, readable by its owner alone. A chat
/// works as well without it, so what cannot be read or written is let be.
package struct InputHistory: Sendable {
  package static let mostLines = 1000
  /// Longer ones are pastes.
  private static let longest = 20_000

  private let file: URL

  package init(_ file: URL) { self.file = file }

  /// The lines, oldest first. A file that has grown too long is shortened.
  package func load() -> [String] {
    guard let data = FileManager.default.contents(atPath: file.path) else { return [] }
    let decoder = JSONDecoder()
    let lines = data.split(separator: 0x0A)
    // A line that was not written to its end says nothing.
    let texts = lines.suffix(Self.mostLines).compactMap { try? decoder.decode(String.self, from: $0) }
    if lines.count > Self.mostLines {
      replace(by: Data(lines.suffix(Self.mostLines).joined(separator: [0x0A])) + [0x0A])
    }
    return texts.map(sanitise)
  }

  private func replace(by data: Data) {
    // One that cannot be shortened is as good as it was.
    do { try AtomicFile.write(data, to: file, permissions: 0o600) } catch {}
  }

  package func append(_ line: String) {
    let encoder = JSONEncoder()
    encoder.outputFormatting = .withoutEscapingSlashes
    guard line.utf8.count <= Self.longest, let data = try? encoder.encode(line) + Data("\n".utf8) else { return }
    do {
      try FileManager.default.createDirectory(at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
    } catch { return }
    // Whole lines, one write each, at the end: two chats may do so at the same time.
    let descriptor = open(file.path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { return }
    let bytes = Array(data)
    _ = write(descriptor, bytes, bytes.count)
    close(descriptor)
  }
}
