import ChatEngine
import Foundation
import LLaMAStitch

/// What commands say of data that they read, and what they refuse.
extension DataFile {
  /// Names the first skipped records by line and says how many there were.
  public func report(_ note: (String) -> Void) {
    if skipped.isEmpty { return }
    for record in skipped.prefix(5) { note("\(url.path), \(record) (skipped)") }
    note("\(url.path): \(skipped.count) of \(skipped.count + records.count) records skipped")
  }

  /// Its records as examples for a family; what is left out is noted.
  /// - Parameters:
  ///   - contextLength: tokens of an example, at most.
  ///   - textLength: as for `TrainingText.examples`.
  /// - Throws: `DataError` where nothing is left, `TokenizerError`.
  func examples(
    for text: TextFamily, contextLength: Int, textLength: Int? = nil, note: (String) -> Void
  ) throws -> [TrainingExample] {
    report(note)
    let found = try TrainingText.examples(
      self, tokenizer: text.tokenizer, template: text.template, contextLength: contextLength, textLength: textLength)
    if found.toolTurns > 0 {
      note("\(url.path): \(found.toolTurns) turns of tools left out; the family's template has no place for them")
    }
    if found.tooLong > 0 {
      note("\(url.path): \(found.tooLong) examples longer than \(contextLength) tokens skipped")
    }
    guard found.examples.isEmpty else { return found.examples }
    throw found.tooLong > 0
      ? DataError.allTooLong(file: url.path, contextLength: contextLength)
      : DataError.noReplies(file: url.path, isPlain: sources.allSatisfy { $0.format == .plainText })
  }
}
