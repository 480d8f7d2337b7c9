import Tokenizer

extension Tokenizer {
  /// As much of the beginning of a text as so many of its tokens hold, whole lines where it has them.
  /// - Throws: `TokenizerError`.
  package func beginning(of text: String, tokens: Int) throws(TokenizerError) -> String {
    let all = try encode(text)
    if all.count <= tokens { return text }
    var bytes: [UInt8] = []
    var isAtStart = true
    for token in all.prefix(max(0, tokens)) { bytes += try self.bytes(of: token, isAtStart: &isAtStart) ?? [] }
    return TokenCount.wholeLines(bytes)
  }
}
