import ChatEngine
import Foundation
import LLaMAStitch
import Support
import Tokenizer

/// `stitch adapter transfer`: what one family was taught, added to another whose anchors have the same shapes: a later version
/// of it, or one with other routes (fine-tuning transfer: Lin et al. 2025, arXiv 2503.20110: what fine-tuning added to one
/// version of a model is added to another, θ′ₜ = θₜ + (θ′ₛ − θₛ)). Here that difference is what an adapter adds already.
///
/// What belongs to stitches goes to those of the same route; others begin with what all share. Anchors go to those of the same
/// name, or of the same place where the families have equally many.
public struct AdapterTransferJob {
  public var source: TextFamily
  /// As for chat: `own`, `latest`, or the beginning of a snapshot's hash.
  public var adapter: String
  public var target: TextFamily

  public init(_ adapter: String, of source: TextFamily, to target: TextFamily) {
    self.adapter = adapter
    self.source = source
    self.target = target
  }

  /// - Parameter store: where the source's snapshots are.
  /// - Returns: the adapter of the target, and the ids of its stitches that have nothing of their own; nothing is written.
  /// - Throws: `EngineError`, `FamilyError`, `AdapterTransferError`.
  public func run(store: AdapterStore) throws -> (adapter: Adapter, bare: [String]) {
    guard source.tokenizer.isSame(as: target.tokenizer) else {
      throw EngineError.otherTokenizer(
        model: source.family.directory.path, family: target.family.directory.path)
    }
    let (found, hash) = try source.adapter(named: adapter, store: store)
    let (moved, bare) = try Self.moved(found, from: source.family, to: target.family)
    return (moved.made(of: AdapterOrigin(.sum, [.init(hash)])), bare)
  }

  static func moved(
    _ adapter: Adapter, from source: Family, to family: Family
  ) throws(AdapterTransferError) -> (adapter: Adapter, bare: [String]) {
    let names = try Names(from: source, to: family)
    var random = SeededGenerator(seed: 1, stream: 11)
    var tensors: [String: MatrixView] = [:]
    var bare: Set<String> = []
    for declaration in family.layout(adapter.options).declarations {
      let columns = declaration.shape[declaration.shape.count - 1]
      let count = declaration.shape.reduce(1, *)
      let name = names.source(of: declaration.name)
      let values: FloatBuffer
      if let found = adapter.values(name) {
        guard found.count == count else { throw .shape(tensor: name, found: found.count, expected: declaration.shape) }
        guard found.allSatisfy(\.isFinite) else { throw .notFinite(tensor: name) }
        values = FloatBuffer(found)
      } else if let stitch = Names.stitch(declaration.name) {
        bare.insert(stitch)
        values = FloatBuffer(count: count)
        // As training begins: B is zero, so that the update is, and A is not, so that it can be trained.
        if name.hasSuffix(".lora_A") {
          values.vector.fillUniformly(within: 1 / Float(columns).squareRoot(), &random)
        }
      } else {
        throw .shape(tensor: name, found: 0, expected: declaration.shape)
      }
      tensors[declaration.name] = values.matrix(rows: count / columns, columns: columns)
    }
    let importance = names.stitches.compactMapValues { adapter.importance[$0] }
    return (
      Adapter(
        options: adapter.options, step: adapter.step, family: family, importance: importance, tensors: tensors),
      bare.sorted()
    )
  }

  /// What anchors and stitches of a family are called in another one.
  private struct Names {
    private var anchors: [String: String] = [:]
    /// Ids of the other family by those of this one.
    private(set) var stitches: [String: String] = [:]

    init(from source: Family, to family: Family) throws(AdapterTransferError) {
      let known = source.names
      for (index, name) in family.names.enumerated() {
        if known.contains(name) {
          anchors[name] = name
        } else if known.count == family.names.count {
          anchors[name] = known[index]
        } else {
          throw .noCounterpart(anchor: name, known: known)
        }
      }
      let depths = family.anchors.map(\.configuration.blockCount)
      for stitch in family.stitches {
        stitches[stitch.id] = stitch.route.id(names: family.names.map { anchors[$0]! }, depths: depths)
      }
    }

    /// What a tensor is called there.
    func source(of name: String) -> String {
      var parts = name.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
      if parts[0] == "stitches", parts.count > 1 { parts[1] = stitches[parts[1]] ?? parts[1] }
      for index in parts.indices.dropLast() where parts[index] == "anchors" {
        parts[index + 1] = anchors[parts[index + 1]] ?? parts[index + 1]
      }
      return parts.joined(separator: ".")
    }

    /// The id of the stitch that a tensor belongs to; `nil` for one that all share.
    static func stitch(_ name: String) -> String? {
      let parts = name.split(separator: ".")
      return parts.first == "stitches" && parts.count > 1 ? String(parts[1]) : nil
    }
  }
}

/// Why an adapter cannot be added to another family. The description is one line.
public enum AdapterTransferError: Error, Equatable, Sendable, CustomStringConvertible {
  /// An anchor of the other family is none of this one's, by name or by place.
  case noCounterpart(anchor: String, known: [String])
  /// What it adds to a weight has another size there.
  case shape(tensor: String, found: Int, expected: [Int])
  /// It holds what is no number.
  case notFinite(tensor: String)

  public var description: String {
    switch self {
    case .noCounterpart(let anchor, let known):
      "the anchor \(anchor) of the family to go to has no counterpart among \(known.joined(separator: ", ")); an adapter goes over where anchors agree in name or in number"
    case .shape(let tensor, let found, let expected):
      "\(tensor) has \(found) numbers, and there it would have to be \(expected.map(String.init).joined(separator: "×")); an adapter goes over where shapes agree: teach the other family anew"
    case .notFinite(let tensor): "its tensor \(tensor) holds what is no number; train it anew"
    }
  }
}
