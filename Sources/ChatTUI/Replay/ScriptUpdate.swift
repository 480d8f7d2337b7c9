import ChatEngine
import ChatScript
import Foundation

/// Writes into a script what its replies were, where they were not what it expects or where it expects nothing:
/// `replay --update`. Everything else in the file stays as it is, comments too.
public struct ScriptUpdate: Sendable {
  /// Lines that changed, for review: those that went begin with `-`, those that came with `+`.
  public var differences: [String] = []
  /// The file's new content.
  public private(set) var text: String
  /// Steps whose spelling leaves no room for that: several in a line.
  public private(set) var leftOut: [Int] = []

  /// - Parameters:
  ///   - text: of the file.
  ///   - result: of a replay of just this text.
  public init(_ text: String, isJSONLines: Bool, result: ReplayResult) {
    self.text = text
    var lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    // From the end, so that the lines before keep their numbers.
    let starts = result.steps.map(\.line)
    for (index, step) in result.steps.enumerated().reversed() {
      guard let reply = step.replies.last, step.replies.count == 1, !step.isChecked || !step.failures.isEmpty else { continue }
      let end = index + 1 < starts.count ? starts[index + 1] - 1 : lines.count
      let range = (step.line - 1)..<max(step.line, end)
      guard range.upperBound <= lines.count, index + 1 == starts.count || starts[index + 1] > step.line else {
        leftOut.append(step.line)
        continue
      }
      let old = Array(lines[range])
      let new = isJSONLines ? Self.json(old, reply) : Self.yaml(old, reply)
      guard let new else {
        leftOut.append(step.line)
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
  private static func json(_ lines: [String], _ reply: ReplayResult.Reply) -> [String]? {
    guard let line = lines.first, var object = try? JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any] else {
      return nil
    }
    object["expect"] = ["equals": reply.text, "stitch": reply.stitch]
    guard
      let data = try? JSONSerialization.data(withJSONObject: object, options: [.sortedKeys, .withoutEscapingSlashes])
    else { return nil }
    return [String(decoding: data, as: UTF8.self)] + lines.dropFirst()
  }

  /// A step of a YAML file in block style, its `expect` replaced or added behind it.
  private static func yaml(_ lines: [String], _ reply: ReplayResult.Reply) -> [String]? {
    guard let first = lines.first, let dash = first.firstIndex(of: "-"), first[..<dash].allSatisfy({ $0 == " " }) else { return nil }
    let body = first[first.index(after: dash)...]
    // Flow style is on one line and has no lines of its own to replace.
    guard body.drop(while: { $0 == " " }).first != "{" else { return nil }
    let column = first.distance(from: first.startIndex, to: dash) + 1 + body.prefix { $0 == " " }.count
    let indent = String(repeating: " ", count: column)
    var result = lines
    if let place = lines.firstIndex(where: { $0.hasPrefix(indent + "expect:") }) {
      var end = place + 1
      while end < lines.count, lines[end].hasPrefix(indent + " ") || (lines[end].allSatisfy { $0 == " " } && end + 1 < lines.count && lines[end + 1].hasPrefix(indent + " ")) {
        end += 1
      }
      result.removeSubrange(place..<end)
      result.insert(expectation(reply, indent), at: place)
      return result
    }
    var end = result.count
    while end > 1, result[end - 1].drop(while: { $0 == " " }).isEmpty || result[end - 1].drop(while: { $0 == " " }).first == "#" { end -= 1 }
    if body.drop(while: { $0 == " " }) == "regen" {
      // A bare word has no room for a second field.
      result[0] = first.replacing("regen", with: "regen: true")
    }
    result.insert(expectation(reply, indent), at: end)
    return result
  }

  /// JSON's strings are YAML's double-quoted ones.
  private static func expectation(_ reply: ReplayResult.Reply, _ indent: String) -> String {
    func quoted(_ text: String) -> String {
      let data = try? JSONSerialization.data(withJSONObject: text, options: [.fragmentsAllowed, .withoutEscapingSlashes])
      return data.map { String(decoding: $0, as: UTF8.self) } ?? "\"\""
    }
    return "\(indent)expect: {equals: \(quoted(reply.text)), stitch: \(quoted(reply.stitch))}"
  }
}
