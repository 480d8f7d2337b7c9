import ChatEngine

/// Files that go with the next message: named by `/file`, or mentioned in what is written.
package struct Attachments: Sendable, Equatable {
  /// What is known of a mention.
  package enum Mention: Sendable, Equatable {
    /// Nobody has looked yet.
    case asked
    case file(AttachedFile)
    /// No file, or none that can go with a message.
    case nothing
  }

  /// More than fits.
  package struct Question: Sendable, Equatable {
    /// All that were named together.
    package var files: [AttachedFile]
    /// Tokens that there is room for.
    package var room: Int
    /// The message that they were mentioned in, as it is written.
    package var message: String?
  }

  /// Named by `/file`.
  package var files: [AttachedFile] = []
  /// Whether `@` in a message means a file. A script says itself what it sends.
  package var takesMentions = true
  /// What is mentioned in the composer, in order.
  var words: [String] = []
  var mentions: [String: Mention] = [:]
  /// What the composer was when it was looked at.
  var seen = 0
  package var question: Question?

  package init() {}

  /// All that would go with what is written now.
  package var all: [AttachedFile] {
    files
      + words.compactMap { word in
        guard case .file(let file)? = mentions[word], !files.contains(where: { $0.path == file.path }) else {
          return nil
        }
        return file
      }
  }

  /// Takes a file in; one of the same path gives way.
  mutating func take(_ file: AttachedFile) {
    if let index = files.firstIndex(where: { $0.path == file.path }) { files[index] = file } else { files.append(file) }
  }
}

/// What files are read for.
package enum FilePurpose: Sendable, Equatable {
  /// `/file`.
  case attach
  /// To show what would be sent.
  case look
  /// They are mentioned in this line, which is being sent.
  case send(String)
}

/// What came of reading a file.
package struct FileReading: Sendable, Equatable {
  package enum Outcome: Sendable, Equatable {
    case file(AttachedFile)
    /// There is no such file; why, in a line.
    case missing(String)
    case refused(String)
  }

  /// The path, or the mention, as it was written.
  package var word: String
  package var outcome: Outcome

  package init(word: String, outcome: Outcome) {
    self.word = word
    self.outcome = outcome
  }
}

extension Collection<AttachedFile> {
  /// Tokens of all.
  package var tokens: TokenCount {
    TokenCount(reduce(0) { $0 + $1.tokens.count }, isEstimate: contains(where: \.tokens.isEstimate))
  }
}
