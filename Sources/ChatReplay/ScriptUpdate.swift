import ChatEngine
import ChatScript
import ChatTUI
import Conversations
import Forms
import Foundation
import Support

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
    // A line of a file from Windows ends in a carriage return here: to split at characters would not find its end, as
    // Swift takes CR LF for one.
    var lines = text.unicodeScalars.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    let lineEnd = lines[0].hasSuffix("\r") ? "\r" : ""
    // From the end, so that the lines before keep their numbers.
    let starts = script.steps.map(\.line)
    for (index, step) in result.steps.enumerated().reversed() {
      let expected = script.steps[index].expectation
      if !step.isScreenExpected {
        leftOut.append(
          Omission(line: step.line, reason: "the screen is not as expected, and only you can say what it should show"))
      }
      guard let reply = step.replies.last, step.replies.count == 1, !step.isReplyExpected else { continue }
      let end = index + 1 < starts.count ? starts[index + 1] - 1 : lines.count
      let range = (step.line - 1)..<max(step.line, end)
      let isAlone = !starts.indices.contains { $0 != index && starts[$0] == step.line }
      let old = range.upperBound <= lines.count && isAlone ? lines[range].map(Self.withoutReturn) : []
      guard let new = script.format == .jsonLines ? Self.json(old, reply, expected) : Self.yaml(old, reply, expected)
      else {
        leftOut.append(
          Omission(
            line: step.line,
            reason: "write “user” or “regen”, and “expect”, on lines of their own, without braces around the step"))
        continue
      }
      if new == old { continue }
      // The file's last line has no end.
      let last = range.upperBound == lines.count ? new.count - 1 : -1
      lines.replaceSubrange(range, with: new.enumerated().map { $0.offset == last ? $0.element : $0.element + lineEnd })
      let same = Set(old).intersection(new)
      differences =
        ["@@ line \(step.line)"] + old.filter { !same.contains($0) }.map { "-" + $0 }
        + new.filter { !same.contains($0) }.map { "+" + $0 } + differences
    }
    leftOut.reverse()
    self.text = lines.joined(separator: "\n")
  }

  private static func withoutReturn(_ line: String) -> String { line.hasSuffix("\r") ? String(line.dropLast()) : line }

  /// A step of a JSON Lines file, its `expect` replaced.
  private static func json(
    _ lines: [String], _ reply: ReplayResult.ReplayedReply, _ old: Expectation?
  ) -> [String]? {
    guard let line = lines.first, case .object(var members)? = try? OrderedJSON(utf8: line.utf8) else { return nil }
    var expectation: [(key: String, value: OrderedJSON)] = [
      ("equals", .string(reply.text)), ("stitch", .string(reply.stitch)),
    ]
    func list(_ texts: [String]) -> OrderedJSON { .array(texts.map { .string($0) }) }
    if let screen = old?.screen {
      let shown = [("contains", list(screen.contains)), ("regex", list(screen.regex)), ("not", list(screen.not))]
      expectation.append(("screen", .object(shown.map { (key: $0.0, value: $0.1) })))
    }
    let place = members.firstIndex { $0.key == "expect" } ?? members.count
    if place == members.count { members.append(("expect", .null)) }
    // As it is written: a schema's properties have an order.
    for kind in ["schema", "grammar"] {
      if let form = members[place].value[kind] { expectation.append((kind, form)) }
    }
    members[place].value = .object(expectation)
    return [OrderedJSON.object(members).text] + lines.dropFirst()
  }

  /// A step of a YAML file in block style, its `expect` replaced or added behind it.
  private static func yaml(
    _ lines: [String], _ reply: ReplayResult.ReplayedReply, _ old: Expectation?
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
      result.insert(expectation(reply, old, indent), at: place)
      return result
    }
    // Behind the last line of the step itself: what else is there belongs to the next.
    var end = result.count
    while end > 1, isBetweenSteps(result[end - 1], column) { end -= 1 }
    // A bare word has no room for a second field.
    let action = body.drop { $0 == " " }
    if action.prefix(while: { $0 != " " }) == "regen" {
      result[0] = first.replacing("regen", with: "regen: true", maxReplacements: 1)
    }
    result.insert(expectation(reply, old, indent), at: end)
    return result
  }

  /// A blank line, or a comment that stands further left than the fields of the step.
  private static func isBetweenSteps(_ line: String, _ column: Int) -> Bool {
    let spaces = line.prefix { $0 == " " }.count
    let rest = line.dropFirst(spaces)
    return rest.isEmpty || (rest.first == "#" && spaces < column)
  }

  /// The screen's part and the form stay what they were: what else stands there, only a person can say.
  private static func expectation(
    _ reply: ReplayResult.ReplayedReply, _ old: Expectation?, _ indent: String
  ) -> String {
    var expectation = Expectation()
    (expectation.equals, expectation.stitch) = (reply.text, reply.stitch)
    (expectation.form, expectation.screen) = (old?.form, old?.screen)
    return "\(indent)expect: \(expectation.text)"
  }
}
