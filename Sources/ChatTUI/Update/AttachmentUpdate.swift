import ChatEngine

/// Files that go with a message: named, mentioned, read, asked about, sent.
extension AppState {
  // MARK: Commands

  /// `/file`.
  mutating func file(_ command: Command.FileCommand) -> [Effect] {
    switch command {
    case .list: notice(listOfFiles)
    case .add(let paths):
      if case .failed = family {
        say("no family is loaded, so nothing can be sent", isWarning: true)
        return []
      }
      attachments.question = nil
      pendingAnswers += 1
      return [.readFiles(paths, for: .attach)]
    case .remove(let names): remove(names)
    case .cut:
      guard attachments.question != nil else {
        say("no file waits to be cut", isWarning: true)
        return []
      }
      return cutToFit()
    }
    return []
  }

  private var listOfFiles: String {
    if attachments.files.isEmpty {
      return "No file goes with the next message: /file PATH, or @PATH in it, attaches one."
    }
    return "With the next message go (/file - N takes one away, /file - alone all):\n"
      + attachments.files.enumerated().map { "\($0 + 1) \(Format.file($1))" }.joined(separator: "\n")
  }

  /// - Parameter names: numbers from 1, or paths; none for all.
  private mutating func remove(_ names: [String]) {
    if attachments.question != nil {
      attachments.question = nil
      if names.isEmpty { return say("left out") }
    }
    if attachments.files.isEmpty { return say("no file is attached") }
    if names.isEmpty {
      attachments.files = []
      return say("no file goes with the next message")
    }
    var left: [AttachedFile] = attachments.files
    for name in names {
      let number = Int(name).map { $0 - 1 }
      let index = attachments.files.indices.first { attachments.files[$0].path == name || $0 == number }
      guard let index else {
        return say("no file \(sanitiseLine(name)) is attached; /file lists them", isWarning: true)
      }
      left.removeAll { $0.path == attachments.files[index].path }
    }
    let count = attachments.files.count - left.count
    attachments.files = left
    say("\(count == 1 ? "a file" : "\(count) files") taken away, \(left.isEmpty ? "none" : "\(left.count)") left")
  }

  // MARK: Mentions

  /// Has those files looked at that are mentioned in the composer and were not before.
  mutating func noticeMentions() -> [Effect] {
    guard attachments.takesMentions, !isPlain, editor.revision != attachments.seen else { return [] }
    attachments.seen = editor.revision
    let isCommand = editor.characters.first == "/" && Command.isCommand(editor.text)
    attachments.words = isCommand ? [] : PathWords.mentions(in: editor.characters)
    let words = attachments.words
    attachments.mentions = attachments.mentions.filter { words.contains($0.key) }
    let new = words.filter { attachments.mentions[$0] == nil }
    for word in new { attachments.mentions[word] = .asked }
    return new.isEmpty ? [] : [.readFiles(new, for: .look)]
  }

  /// Files that a line mentions and that have to be read before it can be sent.
  func wordsToRead(_ line: String) -> [String] {
    guard attachments.takesMentions else { return [] }
    let attached = Set(attachments.files.map(\.path))
    return PathWords.mentions(in: Array(line)).filter { attached.isDisjoint(with: PathWords.candidates($0)) }
  }

  // MARK: What was read

  mutating func filesRead(_ purpose: FilePurpose, _ readings: [FileReading]) -> [Effect] {
    switch purpose {
    case .look:
      for reading in readings where attachments.mentions[reading.word] != nil {
        if case .file(let file) = reading.outcome {
          attachments.mentions[reading.word] = .file(file)
        } else {
          attachments.mentions[reading.word] = .nothing
        }
      }
    case .attach:
      pendingAnswers -= 1
      var files: [AttachedFile] = []
      for reading in readings {
        switch reading.outcome {
        case .file(let file): files.append(file)
        case .missing(let why), .refused(let why): notice(why, isWarning: true)
        }
      }
      if !files.isEmpty && !asksAbout(files, message: nil) { attach(files) }
    case .send(let line):
      pendingAnswers -= 1
      return send(line, readings)
    }
    return []
  }

  private mutating func attach(_ files: [AttachedFile]) {
    for file in files {
      attachments.take(file)
      notice("Attached to the next message: \(Format.file(file)).")
    }
  }

  /// A message can be sent once what it mentions is there. What is no file is only a word.
  private mutating func send(_ line: String, _ readings: [FileReading]) -> [Effect] {
    var files: [AttachedFile] = []
    for reading in readings {
      switch reading.outcome {
      case .file(let file): if !files.contains(where: { $0.path == file.path }) { files.append(file) }
      case .missing: break
      case .refused(let why):
        let remedy = "not sent: \(why)"
        if isPlain { notice(remedy, isWarning: true) } else { say(remedy, isWarning: true) }
        return []
      }
    }
    // It was changed meanwhile.
    if editor.text.trimmingWhitespace != line {
      if !isPlain { return [] }
      editor.replace(with: line)
    }
    if asksAbout(files, message: line) { return [] }
    // Without a screen nothing else has said so.
    if isPlain { for file in files { notice("With \(Format.file(file)).") } }
    return send(line, with: files)
  }

  // MARK: What does not fit

  /// Tokens that more files may have beside what was said, with room for a reply; `nil` where the context's length is not
  /// known.
  func room(beside message: String?) -> Int? {
    guard let length = summary?.contextLength, length > 0 else { return nil }
    let reply = max(1, min(sampling.maxTokens, length / 10))
    // What is written is not counted: a token has three bytes at least, as a rule. Roles have markers.
    let written = ((message ?? "").utf8.count + (contextTokens == 0 ? conversation.system.utf8.count : 0)) / 3 + 32
    return length - reply - contextTokens - written - attachments.files.tokens.count
  }

  /// Asks what to do where files are longer than what is left of the context.
  /// - Returns: whether it does.
  private mutating func asksAbout(_ files: [AttachedFile], message: String?) -> Bool {
    // Those of the same path give way.
    let again = attachments.files.filter { old in files.contains { $0.path == old.path } }
    guard !files.isEmpty, let left = room(beside: message), case let room = left + again.tokens.count,
      files.tokens.count > room
    else {
      return false
    }
    let names = files.count == 1 ? files[0].name : "\(files.count) files"
    let verb = files.count == 1 ? "has" : "have"
    let count = Format.tokens(files.tokens)
    let notSent = message == nil ? "Not attached" : "Not sent"
    guard room >= 32 else {
      notice(
        "\(notSent): \(sanitiseLine(names)) \(verb) \(count), and nothing more fits beside what was said; /clear begins anew, /drop N makes room.",
        isWarning: true)
      return true
    }
    attachments.question = Attachments.Question(files: files, room: room, message: message)
    let does = message == nil ? "attaches" : "sends it with"
    let leaves = message == nil ? "leaves it out" : "sends nothing"
    notice(
      "\(notSent): \(sanitiseLine(names)) \(verb) \(count), and \(room) fit. \(isPlain ? "/file cut" : "Enter") \(does) as much from the beginning as fits, \(isPlain ? "/file -" : "Esc") \(leaves).",
      isWarning: true)
    if message != nil && !isPlain { say("\(room) tokens fit: Enter cuts, Esc does not send", isWarning: true) }
    return true
  }

  /// Enter: the answer to the question, if it is that.
  /// - Returns: `nil` if it is not.
  mutating func answerByEnter() -> [Effect]? {
    guard let question = attachments.question else { return nil }
    if editor.text.trimmingWhitespace == question.message ?? "" { return cutToFit() }
    attachments.question = nil
    return nil
  }

  private mutating func cutToFit() -> [Effect] {
    guard let question = attachments.question else { return [] }
    attachments.question = nil
    pendingAnswers += 1
    return [.cutFiles(question.files, tokens: question.room, message: question.message)]
  }

  /// The beginnings that fit.
  mutating func filesCut(_ files: [AttachedFile], message: String?) -> [Effect] {
    pendingAnswers -= 1
    if files.isEmpty {
      notice("Nothing of it fits; /clear begins anew, /drop N makes room.", isWarning: true)
      return []
    }
    guard let message else {
      attach(files)
      return []
    }
    if editor.text.trimmingWhitespace != message {
      if !isPlain { return [] }
      editor.replace(with: message)
    }
    return send(message, with: files)
  }
}
