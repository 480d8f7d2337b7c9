import ChatEngine
import FamilyFixture
import Foundation
import Testing

@Suite struct StopStringTests {
  /// What is delivered of a text in pieces, and whether a stop string ended it.
  private func delivered(_ pieces: [String], _ stopStrings: [String]) -> (pieces: [String], hasEnded: Bool) {
    var filter = StopStringFilter(stopStrings)
    var delivered = pieces.map { filter.next($0) }
    delivered.append(filter.finish())
    return (delivered, filter.hasEnded)
  }

  private func text(_ pieces: [String], _ stopStrings: [String]) -> String {
    delivered(pieces, stopStrings).pieces.joined()
  }

  @Test func nothingIsHeldBackWithout() {
    #expect(delivered(["one", " two"], []).pieces == ["one", " two", ""])
    #expect(delivered(["one", " two"], [""]).pieces == ["one", " two", ""])
    #expect(delivered(["one", " two"], ["x"]).pieces == ["one", " two", ""])
  }

  @Test func aStringSplitOverPieces() {
    let split = delivered(["ab", "c<", "/", "s", ">x", "y"], ["</s>"])
    #expect(split.pieces == ["ab", "c", "", "", "", "", ""] && split.hasEnded)
    // Nothing of it was delivered before it was whole, and what was none comes later.
    let other = delivered(["a<", "/", "t>"], ["</s>"])
    #expect(other.pieces == ["a", "", "</t>", ""] && !other.hasEnded)
  }

  @Test func atTheVeryBeginning() {
    #expect(text(["stop", " it"], ["stop"]) == "")
    #expect(text(["stop it"], ["stop it", "it"]) == "")
  }

  @Test func overlappingCandidates() {
    // What looked like one may end in the beginning of one.
    #expect(text(["a", "a", "a", "b", "c"], ["aab"]) == "a")
    #expect(text(["\n", "\n", "U", "ser:"], ["\nUser:"]) == "\n")
    #expect(text(["aabaa", "c"], ["aabaac"]) == "")
    // The one that begins first counts, however the text comes.
    for pieces in [["xabcdy"], ["x", "a", "b", "c", "d", "y"], ["xab", "cdy"], ["xabc", "dy"]] {
      #expect(text(pieces, ["bc", "abcd"]) == "x" && text(pieces, ["abcd", "bc"]) == "x")
    }
    // The longer one does not come: the one inside counts.
    for pieces in [["xabce"], ["x", "ab", "c", "e"], ["xabc"], ["xab", "c"]] {
      #expect(delivered(pieces, ["abcd", "bc"]).pieces.joined() == "xa")
      #expect(delivered(pieces, ["abcd", "bc"]).hasEnded)
    }
  }

  @Test func severalStringsAndPrefixes() {
    #expect(text(["one two three"], ["three", "two"]) == "one ")
    for pieces in [["x##y"], ["x", "#", "#", "y"]] {
      #expect(text(pieces, ["#", "##"]) == "x" && text(pieces, ["##", "#"]) == "x")
    }
  }

  @Test func aPartialMatchAtTheEndIsDeliveredWhole() {
    let partial = delivered(["so", " </"], ["</s>"])
    #expect(partial.pieces == ["so", " ", "</"] && !partial.hasEnded)
  }

  @Test func charactersStayWhole() {
    #expect(text(["naïve", " 👍", "🏽!"], ["🏽"]) == "naïve 👍")
    // Bytes count, not what a person calls a character.
    #expect(text(["a\r", "\nb"], ["\n"]) == "a\r")
    #expect(text(["è", "é"], ["é"]) == "è")
  }

  /// However a text is cut, the same is delivered, and it is what stands before the first stop string.
  @Test func itDependsOnTheTextAlone() throws {
    let text = "abacabadabacaba"
    for stopStrings in [
      ["ada"], ["cab", "abad"], ["bad", "acabadaX"], ["z"], ["ba", "b"], ["acabadab", "dab", "cabac"],
    ] {
      let first = stopStrings.compactMap { text.range(of: $0)?.lowerBound }.min() ?? text.endIndex
      for cuts in 0..<(1 << 8) {
        var pieces = [""]
        for (index, character) in text.enumerated() {
          if cuts >> (index % 8) & 1 == 1 { pieces.append("") }
          pieces[pieces.count - 1].append(character)
        }
        let (delivered, hasEnded) = delivered(pieces, stopStrings)
        #expect(delivered.joined() == text[..<first] && hasEnded == (first != text.endIndex))
      }
    }
  }

  @Test func aReplyEndsBeforeTheFirst() async throws {
    let fixture = try EngineFixture()
    let backend = fixture.backend()
    var options = ReplyOptions()
    (options.maxTokens, options.temperature, options.seed) = (40, 0.8, 3)
    func ask(_ options: ReplyOptions) async -> CollectedReply {
      await CollectedReply(backend.reply(to: [.user("hello")], stitch: "large", options: options))
    }
    let whole = await ask(options)
    #expect(whole.text.count > 20 && whole.stamp?.finishReason == .length)
    for place in [0, 3, whole.text.count / 2] {
      let start = whole.text.index(whole.text.startIndex, offsetBy: place)
      let stopString = String(whole.text[start...].prefix(5))
      options.stopStrings = ["not in it, surely", stopString]
      let reply = await ask(options)
      let end = try #require(whole.text.range(of: stopString)).lowerBound
      #expect(reply.text == whole.text[..<end])
      #expect(reply.stamp?.finishReason == .stopString && reply.stamp?.finish == .stop)
      #expect(reply.stamp!.tokens < whole.stamp!.tokens && reply.failure == nil)
    }
    // A stop string that is only begun at the end is no reason to leave anything out.
    options.stopStrings = [whole.text.suffix(2) + "\u{0}"]
    let unmet = await ask(options)
    #expect(unmet.text == whole.text && unmet.stamp?.finishReason == .length)
    // The next reply knows nothing of it.
    options.stopStrings = []
    #expect(await ask(options).text == whole.text)
  }

  @Test func theyAreNotKeptInFiles() throws {
    var options = ReplyOptions()
    options.stopStrings = ["x"]
    let decoded = try JSONDecoder().decode(ReplyOptions.self, from: JSONEncoder().encode(options))
    options.stopStrings = []
    #expect(decoded == options)
  }
}
