import Foundation

/// Prompts to be answered: a line of plain text each, or what `DataFile` reads, where of a conversation everything up to
/// the user's last turn is the prompt.
public struct PromptFile: Sendable {
  public let url: URL
  /// Each ends in a user's turn.
  public let prompts: [[ChatMessage]]
  public let skipped: [DataFile.Skipped]

  /// - Throws: `DataError`, also if not one prompt can be used.
  public init(_ url: URL) throws(DataError) {
    let file = try DataFile(url, for: .prompts)
    var prompts: [[ChatMessage]] = []
    var skipped = file.skipped
    for (record, source) in zip(file.records, file.sources) {
      func skip(_ reason: String) { skipped.append(DataFile.Skipped(line: source.line, reason: reason)) }
      switch record {
      case .text(let text): prompts.append([ChatMessage(role: .user, content: text)])
      case .request: skip("tools, calls of them or content in parts, which only training takes")
      case .conversation(let messages):
        guard let last = messages.lastIndex(where: { $0.role == .user }) else {
          skip("no turn of the user to answer")
          continue
        }
        prompts.append(Array(messages[...last]))
      }
    }
    guard !prompts.isEmpty else { throw .nothingUsable(file: url.path, first: skipped.first?.description) }
    self.url = url
    self.prompts = prompts
    self.skipped = skipped
  }
}
