import Support

/// Why a tokenizer could not be loaded, used or trained. Every description is one line: cause, file, remedy.
public enum TokenizerError: Error, Equatable, Sendable, CustomStringConvertible {
  /// There is no such file.
  case missingFile(String)
  /// The file is there but cannot be read.
  case unreadable(file: String, reason: String)
  /// The file holds something else than a SentencePiece model.
  case notAModel(file: String, reason: String)
  /// The file begins like a SentencePiece model and ends too early.
  case truncated(file: String)
  /// A tokenizer of another kind than SentencePiece's that contradicts itself, or needs what there is not.
  case unusable(file: String, cause: String)
  /// A pattern by which a tokenizer cuts text has too many ways to match it.
  case patternGaveUp(String)
  /// A token id outside the vocabulary.
  case tokenOutOfRange(Int, vocabularySize: Int)
  /// A chat template needs a piece that the tokenizer does not have.
  case missingMarker(String, template: String)
  /// A model's own template cannot be read, or refuses a conversation.
  case templateFailed(reason: String)
  /// What a template is to be given is not in the form for it.
  case badRequest(reason: String)
  /// A final message was to be continued, but the conversation does not end in an assistant's message.
  case nothingToContinue
  /// A tokenizer cannot be trained like that.
  case untrainable(reason: String)
  /// The file cannot be written.
  case unwritable(file: String, reason: String)

  public var description: String {
    switch self {
    case .missingFile(let file):
      "no tokenizer at \(file): give a directory that holds \(SentencePieceTokenizer.fileName) or \(BytePairTokenizer.fileName), or the file itself"
    case .unreadable(let file, let reason):
      "cannot read \(file): \(reason): check the path and its permissions"
    case .notAModel(let file, let reason):
      "\(file) is not a SentencePiece model (\(reason)): use the \(SentencePieceTokenizer.fileName) that came with the weights"
    case .truncated(let file):
      "\(file) is damaged or cut short: download or copy it again"
    case .unusable(let file, let cause):
      oneLine(
        "\(file) cannot be used as a tokenizer: \(cause); download it again, or use a model with another tokenizer")
    case .patternGaveUp(let pattern):
      oneLine(
        "the tokenizer's pattern \(pattern.prefix(60)) goes back over the text without end; use a model with another tokenizer, or another text"
      )
    case .tokenOutOfRange(let token, let size):
      "token \(token) is outside the vocabulary (0 to \(size - 1)): use the tokenizer the ids were made with"
    case .missingMarker(let marker, let template):
      "the tokenizer has no \(marker), which the chat template '\(template)' needs: choose another template"
    case .templateFailed(let reason):
      oneLine("the chat template, \(reason); choose another template, or another order of messages")
    case .badRequest(let reason):
      oneLine(
        "\(reason); give JSON such as {\"messages\": [{\"role\": \"user\", \"content\": \"Hello\"}], \"tools\": []}")
    case .nothingToContinue:
      "nothing to continue: the conversation does not end in a reply"
    case .untrainable(let reason):
      "cannot train a tokenizer: \(reason)"
    case .unwritable(let file, let reason):
      "cannot write \(file): \(reason): check the path, its permissions and the disk"
    }
  }
}
