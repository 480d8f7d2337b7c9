import ChatEngine
import Forms
import Foundation

extension Expectation {
  /// What does not hold of a reply; empty if all does.
  /// - Parameters:
  ///   - text: without white space at its ends.
  ///   - whole: the same with it, for a form; `nil`: there is none.
  ///   - seconds: from sending to the last token.
  public func failures(text: String, whole: String? = nil, stamp: ReplyStamp, seconds: Double) -> [String] {
    var failures: [String] = []
    if let equals, equals.trimmingCharacters(in: .whitespacesAndNewlines) != text {
      failures.append("expected “\(equals)”")
    }
    for part in contains where !text.contains(part) { failures.append("expected “\(part)” in it") }
    for pattern in regex {
      if !Self.matches(pattern, text) { failures.append("expected a match of /\(pattern)/") }
    }
    for part in not where text.contains(part) { failures.append("“\(part)” must not occur") }
    if let form, let failure = form.failure(of: whole ?? text, stamp) { failures.append(failure) }
    if let maxTokens, stamp.tokens > maxTokens {
      failures.append("\(stamp.tokens) tokens, at most \(maxTokens) expected")
    }
    if let finish, stamp.finish != finish {
      failures.append("ended by \(stamp.finish.rawValue), expected \(finish.rawValue)")
    }
    if let stitch, stamp.stitch != stitch { failures.append("made by \(stamp.stitch), expected \(stitch)") }
    if let maxSeconds, seconds > maxSeconds {
      failures.append("took \(Self.short(seconds)) s, at most \(Self.short(maxSeconds)) s expected")
    }
    return failures
  }

  /// Patterns were tried when the script was read.
  fileprivate static func matches(_ pattern: String, _ text: String) -> Bool {
    (try? Regex(pattern)).flatMap { try? $0.firstMatch(in: text) } != nil
  }

  private static func short(_ value: Double) -> String {
    let hundredths = Int((value * 100).rounded())
    return "\(hundredths / 100).\(hundredths % 100 < 10 ? "0" : "")\(hundredths % 100)"
  }
}

extension FormExpectation {
  /// What is wrong with a reply, if anything is. One that is held to a form can only have been cut off.
  fileprivate func failure(of text: String, _ stamp: ReplyStamp) -> String? {
    do {
      if try source.grammar().matches(text) { return nil }
    } catch { return "\(error)" }
    return stamp.finish == .length
      ? "cut off after \(stamp.tokens) tokens, before it was what the \(kind.rawValue) wants; let it be longer"
      : "not what the \(kind.rawValue) wants"
  }
}

extension ScreenExpectation {
  /// What does not hold of a screen; empty if all does.
  /// - Parameter lines: without the spaces at their ends.
  public func failures(lines: [String]) -> [String] {
    var failures: [String] = []
    for part in contains where !lines.contains(where: { $0.contains(part) }) {
      failures.append("expected “\(part)” in a line of the screen")
    }
    for pattern in regex where !lines.contains(where: { Expectation.matches(pattern, $0) }) {
      failures.append("expected a match of /\(pattern)/ in a line of the screen")
    }
    for part in not where lines.contains(where: { $0.contains(part) }) {
      failures.append("“\(part)” must not be on the screen")
    }
    return failures
  }
}
