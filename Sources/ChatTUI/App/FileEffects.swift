import ChatEngine

extension FileReading {
  /// Reads a file and counts its tokens.
  init(of word: String, _ purpose: FilePurpose, backend: any ReplyBackend) async {
    let paths = purpose == .attach ? [word] : PathWords.candidates(word)
    var missing: AttachmentError?
    for path in paths {
      do throws(AttachmentError) {
        var file = try AttachedFile(reading: path)
        file.tokens = await file.counted(by: backend)
        self.init(word: word, outcome: .file(file))
        return
      } catch {
        if !error.isMissing {
          self.init(word: word, outcome: .refused(error.description))
          return
        }
        missing = missing ?? error
      }
    }
    self.init(word: word, outcome: .missing(missing?.description ?? ""))
  }
}

extension AttachedFile {
  fileprivate func counted(by backend: any ReplyBackend) async -> TokenCount {
    // Where nobody can count them, about so many; whoever makes the reply says what is wrong.
    do { return try await backend.tokens(of: block) } catch { return TokenCount(estimating: block) }
  }

  /// As many files, from the first, as have no more tokens together, the last of them cut.
  static func fitting(_ files: [AttachedFile], tokens: Int, backend: any ReplyBackend) async -> [AttachedFile] {
    var fitting: [AttachedFile] = []
    for file in files {
      let left = tokens - fitting.tokens.count
      if file.tokens.count <= left {
        fitting.append(file)
      } else {
        if let cut = await file.cut(to: left, backend: backend) { fitting.append(cut) }
        break
      }
    }
    return fitting
  }

  /// The beginning that has no more tokens; `nil` if none is worth sending.
  private func cut(to tokens: Int, backend: any ReplyBackend) async -> AttachedFile? {
    var wanted = tokens
    // What stands around the text is counted as well, so that a second try is the rule, and a third an exception.
    for _ in 0..<8 where wanted > 0 {
      var cut = self
      cut.isCut = true
      do { cut.text = try await backend.beginning(of: text, tokens: wanted) } catch { return nil }
      if cut.text.isEmpty { return nil }
      cut.tokens = await cut.counted(by: backend)
      if cut.tokens.count <= tokens { return cut }
      wanted -= max(1, cut.tokens.count - tokens)
    }
    return nil
  }
}
