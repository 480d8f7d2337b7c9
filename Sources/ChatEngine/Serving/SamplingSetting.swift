import Support

/// One setting of sampling as a person writes it, in `/set`, in a script or in the configuration file:
/// `temperature 0.7`, `top_p off`.
public struct SamplingSetting: Sendable, Equatable {
  public enum Name: String, Sendable, CaseIterable {
    case temperature
    case topP = "top_p"
    case topK = "top_k"
    case minP = "min_p"
    case repetitionPenalty = "repeat"
    case maxTokens = "max_tokens"
    case seed
    /// What happens where the context is too short.
    case overflow
  }

  /// Why something is no setting; one line.
  public struct Refusal: Error, Equatable, CustomStringConvertible {
    public var description: String
    /// There is no setting of this name; otherwise the value is wrong.
    public var isUnknownName: Bool
  }

  public let name: Name
  /// In a spelling that can be read again.
  public let value: String
  private let change: Change

  private enum Change: Sendable, Equatable {
    case number(Double)
    case count(Int)
    case seed(UInt64)
    case overflow(ReplyOptions.Overflow)
    case off
  }

  /// - Parameter name: as in `Name`, or one of a few other usual spellings.
  /// - Throws: `Refusal`, which names what is allowed.
  public init(name: String, value: String) throws(Refusal) {
    let others = [
      "temp": Name.temperature, "topp": .topP, "topk": .topK, "minp": .minP, "repetition_penalty": .repetitionPenalty,
      "maxtokens": .maxTokens,
    ]
    guard let found = Name(rawValue: name) ?? others[name] else {
      let nearest = nearestName(to: name, among: Name.allCases.map(\.rawValue)) ?? ""
      throw Refusal(description: "no setting \(name.prefix(40)); did you mean \(nearest)?", isUnknownName: true)
    }
    self.name = found
    change = try Self.read(found, value)
    switch change {
    case .off: self.value = "off"
    default: self.value = value
    }
  }

  private static func read(_ name: Name, _ value: String) throws(Refusal) -> Change {
    let mayBeOff = [.topP, .topK, .minP, .maxTokens].contains(name)
    if mayBeOff && (value == "off" || value == "none") { return .off }
    let range: ClosedRange<Double>
    switch name {
    case .temperature: range = 0...5
    case .topP, .minP: range = 0...1
    case .topK: range = 1...100_000
    case .repetitionPenalty: range = 0.1...10
    case .maxTokens: range = 1...Double(ReplyOptions.unlimited)
    case .overflow:
      guard let overflow = ReplyOptions.Overflow(rawValue: value) else {
        throw Refusal(description: "overflow is “ask” or “oldest”", isUnknownName: false)
      }
      return .overflow(overflow)
    case .seed:
      guard let seed = UInt64(value) else {
        throw Refusal(description: "seed is a whole number from 0", isUnknownName: false)
      }
      return .seed(seed)
    }
    let isCount = name == .topK || name == .maxTokens
    guard let number = Double(value), range.contains(number), !isCount || number == number.rounded() else {
      func show(_ bound: Double) -> String { bound == bound.rounded() ? String(Int(bound)) : String(bound) }
      let kind = isCount ? "whole number" : "number"
      let off = mayBeOff ? ", or off" : ""
      throw Refusal(
        description: "\(name.rawValue) is a \(kind) from \(show(range.lowerBound)) to \(show(range.upperBound))\(off)",
        isUnknownName: false)
    }
    return isCount ? .count(Int(number)) : .number(number)
  }

  public func apply(to options: inout ReplyOptions) {
    switch (name, change) {
    case (.temperature, .number(let value)): options.temperature = value
    case (.repetitionPenalty, .number(let value)): options.repetitionPenalty = value
    case (.topP, .number(let value)): options.topP = value
    case (.topP, _): options.topP = nil
    case (.minP, .number(let value)): options.minP = value
    case (.minP, _): options.minP = nil
    case (.topK, .count(let value)): options.topK = value
    case (.topK, _): options.topK = nil
    case (.maxTokens, .count(let value)): options.maxTokens = value
    case (.maxTokens, _): options.maxTokens = ReplyOptions.unlimited
    case (.seed, .seed(let value)): options.seed = value
    case (.overflow, .overflow(let value)): options.overflow = value
    default: break
    }
  }

  /// The value in use, as it is written.
  public static func text(of name: Name, in options: ReplyOptions) -> String {
    func show(_ value: Double?) -> String {
      guard let value else { return "off" }
      return value == value.rounded() && abs(value) < 1e9 ? String(Int(value)) : String(value)
    }
    return switch name {
    case .temperature: show(options.temperature)
    case .topP: show(options.topP)
    case .topK: options.topK.map(String.init) ?? "off"
    case .minP: show(options.minP)
    case .repetitionPenalty: show(options.repetitionPenalty)
    case .maxTokens: options.maxTokens == ReplyOptions.unlimited ? "off" : String(options.maxTokens)
    case .seed: String(options.seed)
    case .overflow: options.overflow.rawValue
    }
  }
}
