import ChatEngine
import Foundation
import LLaMAStitch
import Support

/// Losses measured during training, as JSON Lines: `step`, `tokens`, `seconds`, `heldOutLoss`, and, where every stitch
/// was measured, their mean `stitchLoss` and `stitches`, by id.
///
/// A run that resumes keeps the lines of the steps it does not take again; any other run starts the file anew.
final class LossLog {
  private struct Line: Codable {
    var step: Int
    var tokens: Int
    /// Training so far, without measuring.
    var seconds: Double
    var heldOutLoss: Double
    var stitchLoss: Double?
    var stitches: [String: Double]?
  }

  private let url: URL
  private var lines: [Line]
  private var isTrimmed = false

  /// - Throws: `DataError.notALog` if there is something else under this name; `FileError`.
  init(_ url: URL) throws {
    self.url = url
    lines = []
    guard FileManager.default.fileExists(atPath: url.path) else {
      // Whether it can be written is to be known before the work, not after.
      try AtomicFile.write(Data(), to: url)
      return
    }
    for text in try MappedFile(url).bytes.data.split(separator: UInt8(ascii: "\n")) {
      do { lines.append(try JSONDecoder().decode(Line.self, from: text)) } catch {
        throw DataError.notALog(file: url.path)
      }
    }
  }

  /// Writes what was measured at this step, if anything was.
  func add(_ progress: AdaptationProgress) throws {
    if !isTrimmed {
      isTrimmed = true
      lines.removeAll { $0.step >= progress.step }
      try write()
    }
    guard let loss = progress.heldOutLoss else { return }
    let stitches = progress.stitchLosses
    lines.append(
      Line(
        step: progress.step, tokens: progress.tokens, seconds: progress.trainingSeconds, heldOutLoss: loss,
        stitchLoss: stitches.map { $0.values.sorted().reduce(0, +) / Double($0.count) }, stitches: stitches))
    try write()
  }

  private func write() throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    var data = Data()
    for line in lines { data += try encoder.encode(line) + Data("\n".utf8) }
    try AtomicFile.write(data, to: url)
  }
}
