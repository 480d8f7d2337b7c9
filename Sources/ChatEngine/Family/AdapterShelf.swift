import Foundation
import LLaMAStitch
import Support

/// The adapters of a family by name, and mixes of two of them.
struct AdapterShelf {
  let text: TextFamily
  let store: AdapterStore

  /// All there are. A snapshot that cannot be read is left out: it is no choice.
  func entries() throws -> [AdapterEntry] {
    var entries = [AdapterEntry(name: "none")]
    if let own = try own() { entries.append(own) }
    for snapshot in try store.list() {
      do { entries.append(try entry(snapshot)) } catch { continue }
    }
    return entries
  }

  /// The entry that a name means.
  /// - Throws: `EngineError`, `FamilyError`, `FileError`, `SafetensorsError`.
  func entry(_ name: String) throws -> AdapterEntry {
    switch try AdapterChoice(name) {
    case .none: return AdapterEntry(name: "none")
    case .own:
      guard let own = try own() else { throw EngineError.noOwnAdapter(family: text.family.directory.path) }
      return own
    case .latest: return try entry(store.latest())
    case .snapshot(let prefix):
      // As a mix names the family's own.
      if let own = try own(), own.hash?.hasPrefix(prefix) == true { return own }
      return try entry(store.find(prefix))
    }
  }

  private func own() throws -> AdapterEntry? {
    guard let file = try text.family.ownAdapterFile().map(AdapterFile.init) else { return nil }
    let description = try file.describe()
    return AdapterEntry(name: "own", hash: file.hash, step: description.step, origin: description.origin)
  }

  private func entry(_ snapshot: AdapterStore.Snapshot) throws -> AdapterEntry {
    let description = try Adapter.describe(SafetensorsFile(snapshot.file))
    guard description.family == text.family.identity else {
      throw FamilyError.foreignAdapter(file: snapshot.file.path, family: text.family.directory.path)
    }
    return AdapterEntry(
      name: snapshot.hash, hash: snapshot.hash, step: description.step, saved: snapshot.date,
      origin: description.origin)
  }

  // MARK: Mixing

  /// The adapter that a mix comes to, and the hash of its file where it is one that there is.
  /// - Throws: what opening throws, `EngineError.cannotMix`.
  func mix(_ left: AdapterEntry, _ right: AdapterEntry, percent: Int) throws -> (adapter: Adapter?, hash: String?) {
    let shares = [(left, 100 - percent), (right, percent)].filter { $0.1 > 0 }
    if left == right || shares.count == 1, let only = shares.first?.0 { return (try open(only), only.hash) }
    return (
      try mix(
        shares.map { AdapterOrigin.Part($0.0.hash ?? "", weight: Float($0.1) / 100) }.filter { $0.adapter != "" }),
      nil
    )
  }

  /// The sum that a mix says it is.
  /// - Throws: what opening throws, `EngineError.cannotMix`.
  func mix(_ parts: [AdapterOrigin.Part]) throws -> Adapter? {
    if parts.isEmpty { return nil }
    let opened = try parts.map { part in
      guard let adapter = try open(entry(part.adapter)) else { throw EngineError.notAnAdapter(name: part.adapter) }
      return (adapter: adapter, weight: part.weight)
    }
    do {
      return try Adapter.merged(opened, in: text.family).made(of: AdapterOrigin(.sum, parts))
    } catch {
      throw EngineError.cannotMix(adapter: String(parts[error.index].adapter.prefix(8)), cause: "\(error)")
    }
  }

  private func open(_ entry: AdapterEntry) throws -> Adapter? {
    switch entry.name {
    case "none": nil
    case "own": try text.adapter(.own, store: store)
    default: try store.open(store.find(entry.name), for: text.family)
    }
  }
}
