import Foundation
import LLaMAStitch
import Support

/// A sample of the conversations a family was adapted with. Mixed into what it learns later, it keeps a small family
/// from forgetting all else.
package enum Rehearsal {
  private static let size = 10_000
  /// Of conversations that stitches are healed on: a healed family is to stay small.
  package static let healedSize = 400

  /// At most `size` conversations, evenly spaced, as JSON Lines.
  package static func sample(of conversations: [[ChatMessage]], atMost size: Int = size) throws -> Data {
    struct Line: Encodable { var messages: [ChatMessage] }
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    let count = min(size, conversations.count)
    var data = Data()
    for index in 0..<count {
      data += try encoder.encode(Line(messages: conversations[index * conversations.count / count])) + Data("\n".utf8)
    }
    return data
  }

  /// The family's file of it, if it has one.
  private static func file(of text: TextFamily) -> URL? {
    let file = text.family.directory.appendingPathComponent(FamilyDescription.rehearsalName)
    return FileManager.default.fileExists(atPath: file.path) ? file : nil
  }

  /// The family's sample as it is; empty where it has none.
  /// - Throws: `FileError`.
  package static func kept(by text: TextFamily) throws -> Data {
    try file(of: text).map { try Data(contentsOf: $0) } ?? Data()
  }

  /// The family's sample as examples; none where it has no sample.
  /// - Throws: `DataError`, `TokenizerError`.
  package static func examples(of text: TextFamily) throws -> [TrainingExample] {
    guard let file = file(of: text) else { return [] }
    return try TrainingText.examples(
      DataFile(file), tokenizer: text.tokenizer, template: text.template,
      contextLength: text.contextLength
    ).examples
  }
}
