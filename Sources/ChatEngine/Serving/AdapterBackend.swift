import Foundation
import LLaMAStitch

/// What a chat needs to show the adapters of a family and to reply with a mix of two of them.
public protocol AdapterBackend: Sendable {
  /// The family without an adapter, its own, and the snapshots in the user's store, the latest first.
  /// - Throws: a one-line error.
  func adapters() async throws -> [AdapterEntry]

  /// Takes a mix into use from the next reply on. Mixed again before that, the later one counts alone.
  /// - Throws: a one-line error; nothing changes then.
  func mixAdapters(_ mix: AdapterMix) async throws -> AdapterMixed
}

/// An adapter as a chat lists it.
public struct AdapterEntry: Sendable, Equatable, Identifiable {
  /// `none`, `own`, or the SHA-256 of a snapshot: what a mix takes.
  public var name: String
  /// SHA-256 of its file; `nil` for none.
  public var hash: String?
  /// Steps of adaptation; `nil` for none.
  public var step: Int?
  /// When a snapshot was last saved.
  public var saved: Date?
  /// What it was made of, where it was made of others.
  public var origin: AdapterOrigin?

  public init(name: String, hash: String? = nil, step: Int? = nil, saved: Date? = nil, origin: AdapterOrigin? = nil) {
    self.name = name
    self.hash = hash
    self.step = step
    self.saved = saved
    self.origin = origin
  }

  public var id: String { name }
  /// Enough of the name for people.
  public var title: String { String(name.prefix(8)) }
  public var reference: AdapterReference { AdapterReference(step: step, hash: hash, origin: origin) }
}

/// Two adapters and how much each counts.
public struct AdapterMix: Sendable, Equatable {
  /// As `AdapterEntry.name`, or the beginning of a hash.
  public var left: String
  public var right: String
  /// What the right one counts, 0…100; the left one counts the rest.
  public var percent: Int

  public init(left: String, right: String, percent: Int) {
    self.left = left
    self.right = right
    self.percent = percent
  }
}

/// What a mix came to.
public struct AdapterMixed: Sendable, Equatable {
  public var left: AdapterEntry
  public var right: AdapterEntry
  /// What the next reply is made with.
  public var reference: AdapterReference

  public init(left: AdapterEntry, right: AdapterEntry, reference: AdapterReference) {
    self.left = left
    self.right = right
    self.reference = reference
  }
}

/// What an adapter was made of, as front ends know it.
public typealias AdapterOrigin = LLaMAStitch.AdapterOrigin

extension AdapterOrigin {
  /// `60% c0ffee12 + 40% 1a2b3c4d`.
  public var text: String { description }
}
