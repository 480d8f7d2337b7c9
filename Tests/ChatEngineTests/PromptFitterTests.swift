import ChatEngine
import FamilyFixture
import Testing
import Tokenizer

/// With a token a byte, lengths can be counted by hand.
@Suite struct PromptFitterTests {
  /// `<s>`, then a marker and a text for each message, then the marker of the reply: 1 + (1 + 10) + … + 1.
  static let conversation: [ChatMessage] = [
    ChatMessage(role: .system, content: "0123456789"), ChatMessage(role: .user, content: "first ask."),
    ChatMessage(role: .assistant, content: "first says"), ChatMessage(role: .user, content: "second ask"),
    ChatMessage(role: .assistant, content: "second say"), ChatMessage(role: .user, content: "third asks"),
  ]

  static func fit(_ messages: [ChatMessage], contextLength: Int, maxTokens: Int = 5) throws -> PromptFitter.Prompt {
    let tokenizer = ByteTokenizer()
    return try PromptFitter(tokenizer: tokenizer, template: ChatTemplate(.tiny), contextLength: contextLength)
      .fit(messages, maxTokens: maxTokens)
  }

  @Test func theOldestTurnsGoFirst() throws {
    // Two replies end in </s>: 70 tokens.
    let whole = try Self.fit(Self.conversation, contextLength: 75)
    #expect(whole.tokens.count == 70 && whole.dropped == 0 && !whole.continues)
    let second = try Self.fit(Self.conversation, contextLength: 74)
    #expect(second.tokens.count == 47 && second.dropped == 2)
    #expect(
      try ByteTokenizer().decode(second.tokens) == "0123456789second asksecond saythird asks")
    #expect(second.tokens.starts(with: [256, 258]) && second.tokens.last == 260)
    let last = try Self.fit(Self.conversation, contextLength: 40)
    #expect(last.tokens.count == 24 && last.dropped == 4)
    // Without room for what was asked for, the last question may still have a reply of one token.
    #expect(try Self.fit(Self.conversation, contextLength: 25).tokens == last.tokens)
    #expect(throws: EngineError.promptTooLong(tokens: 24, contextLength: 24)) {
      try Self.fit(Self.conversation, contextLength: 24)
    }
  }

  @Test func aReplyIsContinued() throws {
    let prompt = try Self.fit(Array(Self.conversation.dropLast()), contextLength: 100)
    #expect(prompt.continues && prompt.dropped == 0 && prompt.tokens.last == Int(UInt8(ascii: "y")))
  }
}
