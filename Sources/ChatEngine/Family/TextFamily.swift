import Foundation
import LLaMAStitch
import Support
import Tokenizer

/// A family that can be talked to: the networks with the tokenizer and the chat template they were made with.
public struct TextFamily: Sendable {
  public let family: Family
  public let tokenizer: any Tokenizer
  public let template: ChatTemplate
  /// Tokens that end a reply.
  public let stopTokens: Set<Int>

  /// Longest context that is used, in tokens: what every cache, every prompt and every lesson goes by. That of the model,
  /// unless a full cache would take more than a quarter of this machine's memory.
  public let contextLength: Int

  /// Opens a family directory and checks that its parts fit together and are those that the family was made of.
  /// - Throws: `FamilyError`, `CheckpointError`, `FileError`, `TokenizerError`, `EngineError`.
  public init(_ directory: URL) throws {
    let family = try Family(directory)
    let tokenizer = try loadTokenizer(from: family.directory.path)
    try tokenizer.checkFits(family.anchors[0].configuration, model: directory.path)
    self.family = family
    self.tokenizer = tokenizer
    contextLength = Self.contextLength(of: family)
    template = try Self.template(of: family, tokenizer)
    stopTokens = Set(try template.stopTokens(tokenizer)).union(family.anchors.flatMap(\.configuration.eosTokens))
    // Last: what is wrong with a file says more than that it is another one.
    try family.checkDigests()
  }

  private static func contextLength(of family: Family) -> Int {
    let usual = InferenceSession.longestUsualContext
    // A configuration that claims more says nothing.
    if family.contextLength > longestContext { return usual }
    guard family.contextLength > usual, let largest = family.stitches.last else { return family.contextLength }
    let bytes = family.network(largest.route, adapter: nil).cacheBytes(positions: usual) / usual
    let fitting = Int(ProcessInfo.processInfo.physicalMemory / 4) / max(1, bytes)
    return min(family.contextLength, max(usual, fitting))
  }

  /// Nobody has made a model for more; configurations claim a billion.
  private static let longestContext = 1 << 22

  /// The template that the family's description has; without one, the model's own.
  private static func template(of family: Family, _ tokenizer: any Tokenizer) throws -> ChatTemplate {
    guard let described = family.description.chatTemplate else {
      return try ChatTemplate.load(directory: family.directory.path, tokenizer: tokenizer) ?? .fallback
    }
    do {
      return try JSONDecoder().decode(ChatTemplate.self, from: JSONEncoder().encode(described))
    } catch let error as TokenizerError {
      throw error
    } catch {
      throw EngineError.unknownTemplate(
        name: described.string ?? described.kind, family: family.directory.path,
        known: ChatTemplate.Kind.allCases.map(\.rawValue))
    }
  }

  /// The most expensive stop of the slider, which is the best one to begin with.
  public var bestStop: Stitch { family.stops.last ?? family.stitches[family.stitches.count - 1] }

  /// The stitch of a name; the best stop without one.
  /// - Throws: `FamilyError.unknownStitch`.
  public func stitch(_ id: String?) throws -> Stitch { try id.map(family.stitch) ?? bestStop }

  /// The adapter that a choice means, `nil` for none.
  /// - Parameter store: where snapshots are.
  public func adapter(_ choice: AdapterChoice, store: AdapterStore) throws -> Adapter? {
    try namedAdapter(choice, store: store).adapter
  }

  /// The same with the SHA-256 of its file.
  package func namedAdapter(_ choice: AdapterChoice, store: AdapterStore) throws -> (adapter: Adapter?, hash: String?) {
    switch choice {
    case .none: return (nil, nil)
    case .own:
      guard let own = try family.ownAdapterFile().map(AdapterFile.init) else { return (nil, nil) }
      let adapter = try own.read(for: family)
      try family.checkOwnAdapter(sha256: own.hash)
      return (adapter, own.hash)
    case .latest:
      let snapshot = try store.latest()
      return (try store.open(snapshot, for: family), snapshot.hash)
    case .snapshot(let prefix):
      let snapshot = try store.find(prefix)
      return (try store.open(snapshot, for: family), snapshot.hash)
    }
  }

  /// The one that is named as for chat, and the SHA-256 of its file.
  /// - Throws: `EngineError.notAnAdapter` where the name is that of none, or the family has none of its own.
  package func adapter(named name: String, store: AdapterStore) throws -> (adapter: Adapter, hash: String) {
    guard case (let adapter?, let hash?) = try namedAdapter(AdapterChoice(name), store: store) else {
      throw EngineError.notAnAdapter(name: name)
    }
    return (adapter, hash)
  }

  /// The adapter that a reply was made with, `nil` if it was made without: a snapshot, the family's own, or a mix that was
  /// never kept, of adapters that are.
  /// - Throws: `EngineError.noSnapshot`, `EngineError.adapterNotKept`, and what opening throws.
  public func adapter(_ reference: AdapterReference, store: AdapterStore) throws -> Adapter? {
    guard let step = reference.step else { return nil }
    guard let hash = reference.hash else {
      guard let origin = reference.origin, origin.method == .sum else { throw EngineError.adapterNotKept(step: step) }
      return try AdapterShelf(text: self, store: store).mix(origin.parts)
    }
    if let own = try family.ownAdapterFile().map(AdapterFile.init), own.hash == hash {
      return try own.read(for: family)
    }
    let snapshot = try store.find(hash)
    guard snapshot.hash == hash else { throw EngineError.noSnapshot(prefix: hash, store: store.directory.path) }
    return try store.open(snapshot, for: family)
  }

  /// The store for this family's snapshots.
  public func adapterStore(root: URL = UserDirectories.data) -> AdapterStore {
    AdapterStore(identity: family.identity, root: root)
  }
}

/// Which adapter to use with a family.
public enum AdapterChoice: Sendable, Equatable {
  /// The one in the family's directory, if it has one.
  case own
  /// The newest snapshot in the store.
  case latest
  /// The snapshot whose hash begins like this.
  case snapshot(String)
  /// The family as it was built.
  case none

  /// Reads `own`, `latest`, `none` or the beginning of a hash.
  /// - Throws: `EngineError.notAnAdapter`.
  public init(_ name: String) throws(EngineError) {
    switch name {
    case "own": self = .own
    case "latest": self = .latest
    case "none": self = .none
    default:
      let prefix = name.lowercased()
      guard (4...64).contains(prefix.count), prefix.allSatisfy({ $0.isASCII && $0.isHexDigit }) else {
        throw .notAnAdapter(name: name)
      }
      self = .snapshot(prefix)
    }
  }
}

extension Tokenizer {
  /// Every token must have a row in the embedding. Embeddings are often padded, so there may be more rows.
  /// - Throws: `EngineError.tokenizerDoesNotFit`.
  public func checkFits(_ configuration: LlamaConfiguration, model: String) throws(EngineError) {
    if vocabularySize > configuration.vocabularySize {
      throw .tokenizerDoesNotFit(
        tokenizer: source, files: fileNames, pieces: vocabularySize, model: model, rows: configuration.vocabularySize)
    }
  }
}
