import Foundation

/// Questions whose right reply is known: JSON Lines with `messages`, `answer` and, if wanted, `kind`; of a
/// conversation without `answer` the last reply is the answer. Other instruction data (`DataFile`) has replies too, but
/// in free words: their loss can be measured, and they cannot be right or wrong.
public struct QuestionFile: Sendable {
  public struct Question: Sendable, Equatable {
    /// Ends in a user's turn.
    public var messages: [ChatMessage]
    public var answer: String
    public var kind: String
    /// Whether a reply is right only if it is the answer.
    public var isCheckable = true
  }

  public let url: URL
  public let questions: [Question]
  public let skipped: [DataFile.Skipped]

  /// - Throws: `DataError`.
  public init(_ url: URL) throws(DataError) {
    self.url = url
    guard let data = try? Data(contentsOf: url) else {
      throw .unreadable(
        file: url.path,
        cause: FileManager.default.fileExists(atPath: url.path) ? "it cannot be read" : "there is no such file")
    }
    guard let text = String(validating: data, as: UTF8.self) else {
      throw .unreadable(file: url.path, cause: "it is not UTF-8 text")
    }
    struct Line: Decodable {
      var messages: [ChatMessage]
      var answer: String?
      var kind: String?
    }
    var questions: [Question] = []
    var skipped: [DataFile.Skipped] = []
    for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
      if line.allSatisfy(\.isWhitespace) { continue }
      guard var decoded = try? JSONDecoder().decode(Line.self, from: Data(line.utf8)) else {
        skipped.append(.init(line: index + 1, reason: "not a JSON object with “messages”"))
        continue
      }
      if decoded.answer == nil, decoded.messages.last?.role == .assistant {
        decoded.answer = decoded.messages.removeLast().content
      }
      guard let answer = decoded.answer, decoded.messages.last?.role == .user else {
        skipped.append(.init(line: index + 1, reason: "no question with an “answer”"))
        continue
      }
      questions.append(Question(messages: decoded.messages, answer: answer, kind: decoded.kind ?? "all"))
    }
    if questions.isEmpty, let file = try? DataFile(url) {
      questions = file.conversations.compactMap { messages in
        guard let answer = messages.last, answer.role == .assistant, messages.count > 1 else { return nil }
        return Question(messages: messages.dropLast(), answer: answer.content, kind: "all", isCheckable: false)
      }
      if !questions.isEmpty { skipped = file.skipped }
    }
    guard !questions.isEmpty else { throw .nothingUsable(file: url.path, first: skipped.first?.description) }
    self.questions = questions
    self.skipped = skipped
  }
}
