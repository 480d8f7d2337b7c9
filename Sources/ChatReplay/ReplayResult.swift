import ChatEngine
import ChatScript
import ChatTUI
import Conversations

/// What came of replaying one script once.
public struct ReplayResult: Sendable, Equatable, Encodable {
  /// What it ran on: with the same of all this, the same tokens come.
  public struct Ground: Sendable, Equatable, Encodable {
    public var family: String
    /// Hash of anchors and stitching layers.
    public var identity: String
    /// Steps of the adapter at the start; `nil` without one.
    public var adapterStep: Int?
    /// SHA-256 of the adapter's file, where it has one.
    public var adapterHash: String?
    public var threads: Int
    /// The kernels that computed.
    public var instructionSet: String
    public var seed: UInt64
    public var version: String

    public init(
      family: String, identity: String, adapterStep: Int?, adapterHash: String?, threads: Int, instructionSet: String,
      seed: UInt64, version: String
    ) {
      self.family = family
      self.identity = identity
      self.adapterStep = adapterStep
      self.adapterHash = adapterHash
      self.threads = threads
      self.instructionSet = instructionSet
      self.seed = seed
      self.version = version
    }
  }

  public struct ReplayedReply: Sendable, Equatable, Encodable {
    public var text: String
    /// The stitch that really made it.
    public var stitch: String
    public var adapterStep: Int?
    public var tokens: Int
    public var finish: ReplyStamp.Finish
    public var tokensPerSecond: Double
    /// From sending to the last token.
    public var seconds: Double
  }

  public struct Step: Sendable, Equatable, Encodable {
    /// Of the step in its file, from 1.
    public var line: Int
    /// What was done, as one would type it.
    public var input: String
    public var replies: [ReplayedReply] = []
    /// Whether something was expected, of the reply or of the screen.
    public var isChecked = false
    /// What did not hold; empty if all did.
    public var failures: [String] = []
    /// The lines of the screen, where something was expected of it.
    public var screen: [String]?
    /// Something was expected of the reply, and it is so.
    var isReplyExpected = false
    /// Nothing that was expected of the screen is missing.
    var isScreenExpected = true

    private enum CodingKeys: String, CodingKey { case line, input, replies, isChecked, failures, screen }
  }

  /// The script's file.
  public var script: String
  public var ground: Ground?
  public var steps: [Step] = []
  /// Why it could not be run to its end; one line.
  public var error: String?
  public var seconds = 0.0

  public init(script: String) { self.script = script }

  /// A script that could not be run, and why.
  public init(script: String, error: any Error) {
    self.script = script
    self.error = "\(error)"
  }

  public var failures: Int { steps.count { !$0.failures.isEmpty } }
  public var checks: Int { steps.count(where: \.isChecked) }
  public var status: Status { error != nil ? .error : failures > 0 ? .failed : .passed }

  public enum Status: String, Sendable, Encodable { case passed, failed, error }

  private enum CodingKeys: String, CodingKey { case script, ground, steps, error, seconds, status }

  public func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: CodingKeys.self)
    try values.encode(script, forKey: .script)
    try values.encodeIfPresent(ground, forKey: .ground)
    try values.encode(steps, forKey: .steps)
    try values.encodeIfPresent(error, forKey: .error)
    try values.encode(seconds, forKey: .seconds)
    try values.encode(status, forKey: .status)
  }

  /// Where the tokens of two runs of one script differ first; `nil` if they are the same.
  public func firstDifference(from other: ReplayResult) -> String? {
    for (mine, theirs) in zip(steps, other.steps) {
      guard
        mine.replies.map(\.text) != theirs.replies.map(\.text)
          || mine.replies.map(\.tokens) != theirs.replies.map(\.tokens)
      else { continue }
      return "line \(mine.line): “\(oneLineText(mine))” now, “\(oneLineText(theirs))” before"
    }
    return steps.count == other.steps.count ? nil : "\(steps.count) steps now, \(other.steps.count) before"
  }

  private func oneLineText(_ step: Step) -> String {
    String(sanitiseLine(step.replies.map(\.text).joined(separator: " | ")).prefix(200))
  }
}
