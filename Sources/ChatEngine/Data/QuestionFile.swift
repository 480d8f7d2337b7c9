import Foundation
import Support

/// What a family is measured on: JSON Lines, each with a `kind` if wanted.
///
/// `messages` with an `answer` are a question whose right reply is known. Conversations whose last turn is a reply, other
/// instruction data (`DataFile`) and plain texts (`text`) are in free words: how well they are predicted can be measured,
/// and they cannot be right or wrong.
public struct QuestionFile: Sendable {
  public struct Question: Sendable, Equatable {
    /// Ends in a user's turn; empty where the answer is a text by itself.
    public var messages: [ChatMessage]
    public var answer: String
    public var kind: String
    /// Whether a reply is right only if it is the answer.
    public var isCheckable = true

    /// Whether nobody asked for it.
    public var isText: Bool { messages.isEmpty }
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
    let text: String
    do { text = try TextFile.text(data) } catch { throw .unreadable(file: url.path, cause: error.cause) }
    struct Line: Decodable {
      var messages: [ChatMessage]?
      var answer: String?
      var text: String?
      var kind: String?
    }
    var questions: [Question] = []
    var skipped: [DataFile.Skipped] = []
    for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
      if line.allSatisfy(\.isWhitespace) { continue }
      guard let decoded = try? JSONDecoder().decode(Line.self, from: Data(line.utf8)),
        decoded.messages != nil || decoded.text != nil
      else {
        skipped.append(.init(line: index + 1, reason: "not a JSON object with “messages” or “text”"))
        continue
      }
      let kind = decoded.kind ?? "all"
      guard var messages = decoded.messages else {
        let text = decoded.text ?? ""
        if text.isEmpty {
          skipped.append(.init(line: index + 1, reason: "“text” is empty"))
        } else {
          questions.append(Question(messages: [], answer: text, kind: kind, isCheckable: false))
        }
        continue
      }
      var answer = decoded.answer
      if answer == nil, messages.last?.role == .assistant { answer = messages.removeLast().content }
      guard let answer, messages.last?.role == .user else {
        skipped.append(.init(line: index + 1, reason: "no question with an “answer”"))
        continue
      }
      questions.append(
        Question(messages: messages, answer: answer, kind: kind, isCheckable: decoded.answer != nil))
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
