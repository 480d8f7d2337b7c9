import Foundation

/// What an adapter was made of, where it was made of others: it goes with it wherever it is named.
public struct AdapterOrigin: Sendable, Equatable, Codable {
  public enum Method: String, Sendable, Codable {
    /// As much of each as its weight says.
    case sum
    /// A part of one, by depth.
    case lines
    /// The average of all, each value weighted by its Fisher information.
    case fisher
    /// As much of each, block by block, as was learned.
    case scalearn
    /// Learned from what a family says with the one.
    case distilled
    /// A soft prompt, learned beside that of the one, whose weight is how alike both are.
    case panda
    /// A soft prompt that began as that of the one.
    case pot
  }

  /// One of those it was made of.
  public struct Part: Sendable, Equatable, Codable {
    /// SHA-256 of its file.
    public var adapter: String
    public var weight: Float

    public init(_ adapter: String, weight: Float = 1) {
      self.adapter = adapter
      self.weight = weight
    }
  }

  public var method: Method
  public var parts: [Part]
  /// What was kept of the first and the last block's updates of each.
  public var first: Float?
  public var last: Float?

  public init(_ method: Method, _ parts: [Part], scale: AdapterScale? = nil) {
    self.method = method
    self.parts = parts
    first = scale?.first
    last = scale?.last
  }
}

extension AdapterOrigin: CustomStringConvertible {
  /// `60% c0ffee12 + 40% 1a2b3c4d`.
  public var description: String {
    switch method {
    case .distilled: "distilled from \(names())"
    case .pot: "from the soft prompt of \(names()) on"
    case .panda:
      "taught by the soft prompt of \(names()), similarity \(String(format: "%.3f", parts.first?.weight ?? 0))"
    case .scalearn: "learned scales of \(names(between: " + "))"
    case .fisher: "Fisher average of \(weighted)"
    case .sum, .lines: weighted
    }
  }

  private func names(between: String = "") -> String {
    parts.map { String($0.adapter.prefix(8)) }.joined(separator: between)
  }

  /// Each with what it counts for, and what is kept of it by depth.
  private var weighted: String {
    var text = ""
    for (index, part) in parts.enumerated() {
      let sign = part.weight < 0 ? (index == 0 ? "-" : " - ") : (index == 0 ? "" : " + ")
      text += "\(sign)\(Self.percent(abs(part.weight))) \(part.adapter.prefix(8))"
    }
    if let first, let last { text += ", blocks \(Self.percent(first)) to \(Self.percent(last))" }
    return text
  }

  private static func percent(_ value: Float) -> String { String(format: "%.4g%%", Double(value) * 100) }
}

extension Adapter {
  /// The same, with a word about what it was made of.
  public func made(of origin: AdapterOrigin?) -> Adapter {
    var copy = self
    copy.origin = origin
    return copy
  }
}

/// What an adapter's file says of it before its values.
public struct AdapterDescription: Sendable, Codable {
  public var options: AdapterOptions
  public var step: Int
  /// `Family.identity`.
  public var family: String
  public var importance: [String: Double]
  public var origin: AdapterOrigin?
}
