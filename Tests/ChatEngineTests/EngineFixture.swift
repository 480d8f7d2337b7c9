import ChatEngine
import FamilyFixture
import Foundation
import LLaMAStitch

/// A random family in a directory of its own, with a place for snapshots and data files; removed at the end.
final class EngineFixture: Sendable {
  let root: URL
  let family: URL

  init(contextLength: Int = 128) throws {
    root = FileManager.default.temporaryDirectory.appendingPathComponent("stitch-engine-\(UUID().uuidString)")
    family = root.appendingPathComponent("family")
    try FileManager.default.createDirectory(at: root, withIntermediateDirectories: true)
    try RandomFamily.make(at: family, contextLength: contextLength)
  }

  deinit { try? FileManager.default.removeItem(at: root) }

  var data: URL { root.appendingPathComponent("data") }

  func backend(adapter: AdapterChoice = .own, gate: Gate? = nil, prefetches: Bool = false) -> FamilyBackend {
    var options = FamilyBackend.Options(family: family)
    options.adapter = adapter
    options.dataDirectory = data
    options.threads = 2
    options.prefetches = prefetches
    if let gate { options.beforeText = { gate.pass() } }
    return FamilyBackend(options)
  }

  func file(_ name: String, _ content: String) throws -> URL {
    let url = root.appendingPathComponent(name)
    try Data(content.utf8).write(to: url)
    return url
  }

  func lesson() throws -> String { try file("lesson.jsonl", RandomFamily.lesson()).path }

  /// Every file of the family with its content.
  func familyContents() throws -> [String: Data] {
    var contents: [String: Data] = [:]
    for path in try FileManager.default.subpathsOfDirectory(atPath: family.path) {
      let url = family.appendingPathComponent(path)
      var isDirectory = ObjCBool(false)
      _ = FileManager.default.fileExists(atPath: url.path, isDirectory: &isDirectory)
      contents[path] = isDirectory.boolValue ? Data() : try Data(contentsOf: url)
    }
    return contents
  }
}

/// Lets so many pieces of a reply pass and holds the next one until it is opened.
final class Gate: @unchecked Sendable {
  // `@unchecked Sendable`: `left` and `isOpen` are read and written with `condition` locked.
  private let condition = NSCondition()
  private var left: Int
  private var isOpen = false

  init(after pieces: Int) { left = pieces }

  func pass() {
    condition.withLock {
      left -= 1
      while left < 0 && !isOpen { condition.wait() }
    }
  }

  func open() {
    condition.withLock {
      isOpen = true
      condition.broadcast()
    }
  }
}

/// All that a reply's stream delivered.
struct CollectedReply {
  var started: (stitch: String, adapterStep: Int?)?
  var trimmed: Int?
  var text = ""
  var pieces = 0
  var stamp: ReplyStamp?
  var failure: ReplyFailure?

  init(_ events: AsyncStream<ReplyEvent>, each: (Int) async -> Void = { _ in }) async {
    for await event in events {
      switch event {
      case .started(let stitch, let step, _, _): started = (stitch, step)
      case .trimmed(let count): trimmed = count
      case .waiting: break
      case .text(let more):
        text += more
        pieces += 1
        await each(pieces)
      case .finished(let stamp): self.stamp = stamp
      case .failed(let failure): self.failure = failure
      }
    }
  }
}

extension ChatMessage {
  static func user(_ text: String) -> ChatMessage { ChatMessage(role: .user, content: text) }
  static func assistant(_ text: String) -> ChatMessage { ChatMessage(role: .assistant, content: text) }
  static func system(_ text: String) -> ChatMessage { ChatMessage(role: .system, content: text) }
}

extension FamilyBackend {
  /// Waits until the state of training is as wanted, at most a minute.
  func status(_ isWanted: @escaping @Sendable (TrainingStatus) -> Bool) async -> TrainingStatus? {
    await withTaskGroup(of: TrainingStatus?.self) { group in
      group.addTask { [self] in
        for await status in trainingStatus() where isWanted(status) { return status }
        return nil
      }
      group.addTask {
        try? await Task.sleep(for: .seconds(60))
        return nil
      }
      defer { group.cancelAll() }
      return await group.next() ?? nil
    }
  }
}
