import ChatEngine

/// The turns of a conversation with what made them, safe to print.
package func plainTranscript(_ state: AppState) -> String {
  var text = ""
  for entry in state.conversation.entries {
    switch entry.kind {
    case .user(let line): text += "\(state.glyphs.prompt) \(sanitise(line))\n"
    case .reply(let reply) where !reply.text.isEmpty:
      text +=
        "\(sanitise(reply.text).trimmingWhitespace)\n[\(TranscriptLines.label(reply, glyphs: state.glyphs))]\n\n"
    case .comparison(let comparison):
      guard let column = comparison.inUse else { break }
      let reply = comparison.columns[column].reply
      text +=
        "\(sanitise(reply.text).trimmingWhitespace)\n[\(TranscriptLines.label(reply, glyphs: state.glyphs))]\n\n"
    default: break
    }
  }
  return text
}
