import ChatEngine
import LLaMAStitch
import Tokenizer

extension ModelSource {
  /// A prompt with files: what was written, the files, and what else is given, empty lines in between.
  /// - Parameter cutsFiles: whether files are cut, the last first, where they are longer than the context holds.
  /// - Returns: the prompt, and the files as they are in it.
  /// - Throws: `PromptError.filesDoNotFit`, `TokenizerError`.
  public func prompt(
    _ words: [UInt8], files: [AttachedFile], rest: [UInt8], maxTokens: Int?, cutsFiles: Bool
  ) throws -> (bytes: [UInt8], files: [AttachedFile]) {
    func whole(_ files: [AttachedFile]) -> [UInt8] {
      let parts = [words] + files.map { Array($0.block.utf8) } + [rest]
      return Array(parts.filter { !$0.isEmpty }.joined(separator: Array("\n\n".utf8)))
    }
    var files = files
    for index in files.indices { files[index].tokens = TokenCount(try tokenizer.encode(files[index].block).count) }
    // A reply needs room, too.
    let room = network.contextLength - max(1, min(maxTokens ?? .max, network.contextLength / 10))
    var bytes = whole(files)
    var total = try promptTokens(bytes, isRaw: false).count
    if total > room && !cutsFiles {
      throw PromptError.filesDoNotFit(
        tokens: total, room: room, files: max(0, files.reduce(room - total) { $0 + $1.tokens.count }))
    }
    while total > room {
      guard var last = files.popLast() else { throw PromptError.filesDoNotFit(tokens: total, room: room, files: 0) }
      // What stands around the text has tokens as well.
      let kept = try tokenizer.encode(last.text).count - max(1, total - room)
      last.text = try tokenizer.beginning(of: last.text, tokens: kept)
      last.isCut = true
      last.tokens = TokenCount(try tokenizer.encode(last.block).count)
      if !last.text.isEmpty { files.append(last) }
      bytes = whole(files)
      total = try promptTokens(bytes, isRaw: false).count
    }
    return (bytes, files)
  }
}
