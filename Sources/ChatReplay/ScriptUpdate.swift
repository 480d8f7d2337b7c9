import ChatEngine
import ChatScript
import ChatTUI
import Conversations
import Foundation

/// Writes into a script what its replies were, where they were not what it expects or where it expects nothing:
/// `replay --update`. Everything else in the file stays as it is, comments too.
public struct ScriptUpdate: Sendable {
  /// Lines that changed, for review: those that went begin with `-`, those that came with `+`.
  public var differences: [String] = []
  /// The file's new content.
  public private(set) var text: String
  /// Steps that stay as they are though they do not hold, and why.
  public private(set) var leftOut: [Omission] = []

  public struct Omission: Sendable, Equatable {
    public var line: Int
    public var reason: String
  }

  /// - Parameters:
  ///   - text: of the file.
  ///   - script: as read from it.
  ///   - result: of a replay of just this.
  public init(_ text: String, script: Script, result: ReplayResult) {
    self.text = text
    var lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    // From the end, so that the lines before keep their numbers.
    let starts = script.steps.map(\.line)
    for (index, step) in result.steps.enumerated().reversed() {
      let screen = script.steps[index].expectation?.screen
      if !step.isScreenExpected {
        leftOut.append(
          Omission(line: step.line, reason: "the screen is not as expected, and only you can say what it should show"))
      }
      guard let reply = step.replies.last, step.replies.count == 1, !step.isReplyExpected else { continue }
      let end = index + 1 < starts.count ? starts[index + 1] - 1 : lines.count
      let range = (step.line - 1)..<max(step.line, end)
      let isAlone = !starts.indices.contains { $0 != index && starts[$0] == step.line }
      let old = range.upperBound <= lines.count && isAlone ? Array(lines[range]) : []
      guard let new = script.format == .jsonLines ? Self.json(old, reply, screen) : Self.yaml(old, reply, screen) else {
        leftOut.append(
          Omission(
            line: step.line,
            reason: "write “user” or “regen”, and “expect”, on lines of their own, without braces around the step"))
        continue
      }
      if new == old { continue }
      lines.replaceSubrange(range, with: new)
      let same = Set(old).intersection(new)
      differences =
        ["@@ line \(step.line)"] + old.filter { !same.contains($0) }.map { "-" + $0 }
        + new.filter { !same.contains($0) }.map { "+" + $0 } + differences
    }
    leftOut.reverse()
    self.text = lines.joined(separator: "\n")
  }

  /// A step of a JSON Lines file, its `expect` replaced.
  private static func json(
    _ lines: [String], _ reply: ReplayResult.ReplayedReply, _ screen: ScreenExpectation?
  ) -> [String]? {
    guard let line = lines.first,
      var object = try? JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
    else {
      return nil
    }
    var expectation: [String: Any] = ["equals": reply.text, "stitch": reply.stitch]
    if let screen { expectation["screen"] = ["contains": screen.contains, "regex": screen.regex, "not": screen.not] }
    object["expect"] = expectation
    guard
      let data = try? JSONSerialization.data(withJSONObject: object, options: [.sortedKeys, .withoutEscapingSlashes])
    else { return nil }
    return [String(decoding: data, as: UTF8.self)] + lines.dropFirst()
  }

  /// A step of a YAML file in block style, its `expect` replaced or added behind it.
  private static func yaml(
    _ lines: [String], _ reply: ReplayResult.ReplayedReply, _ screen: ScreenExpectation?
  ) -> [String]? {
    guard let first = lines.first, let dash = first.firstIndex(of: "-"), first[..<dash].allSatisfy({ $0 == " " }) else {
      return nil
    }
    let body = first[first.index(after: dash)...]
    // Flow style is on one line and has no lines of its own to replace.
    guard body.drop(while: { $0 == " " }).first != "{" else { return nil }
    let column = first.distance(from: first.startIndex, to: dash) + 1 + body.prefix { $0 == " " }.count
    let indent = String(repeating: " ", count: column)
    var result = lines
    if let place = lines.firstIndex(where: { $0.hasPrefix(indent + "expect:") }) {
      var end = place + 1
      while end < lines.count,
        lines[end].hasPrefix(indent + " ")
          || (lines[end].allSatisfy { $0 == " " } && end + 1 < lines.count && lines[end + 1].hasPrefix(indent + " "))
      {
        end += 1
      }
      result.removeSubrange(place..<end)
      result.insert(expectation(reply, screen, indent), at: place)
      return result
    }
    // Behind the last line of the step itself: what else is there belongs to the next.
    var end = result.count
    while end > 1, isBetweenSteps(result[end - 1], column) { end -= 1 }
    // A bare word has no room for a second field.
    let action = body.drop { $0 == " " }
    if action.prefix(while: { $0 != " " && $0 != "\r" }) == "regen" {
      result[0] = first.replacing("regen", with: "regen: true", maxReplacements: 1)
    }
    result.insert(expectation(reply, screen, indent), at: end)
    return result
  }

  /// A blank line, or a comment that stands further left than the fields of the step.
  private static func isBetweenSteps(_ line: String, _ column: Int) -> Bool {
    let spaces = line.prefix { $0 == " " }.count
    let rest = line.dropFirst(spaces)
    return rest.isEmpty || rest == "\r" || (rest.first == "#" && spaces < column)
  }

  /// The screen's part stays what it was: what else stands there, only a person can say.
  private static func expectation(
    _ reply: ReplayResult.ReplayedReply, _ screen: ScreenExpectation?, _ indent: String
  ) -> String {
    var expectation = Expectation()
    (expectation.equals, expectation.stitch, expectation.screen) = (reply.text, reply.stitch, screen)
    return "\(indent)expect: \(expectation.text)"
  }
}
