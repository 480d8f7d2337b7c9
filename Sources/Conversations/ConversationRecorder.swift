import ChatEngine
import Foundation
import Support
import Synchronization

/// What a recorder has to say about itself.
public enum RecorderEvent: Sendable, Equatable {
  /// The conversation has a file of this id.
  case created(id: String)
  /// One line: nothing is saved for now. It is said once, and tried again with every record.
  case failed(String)
  /// What could not be saved is saved now.
  case recovered
}

/// Appends to the file of the conversation that is shown, as it happens.
///
/// Writing takes one call to the system, which copies into the system's memory: from then on the text survives the end
/// of this program. Waiting for the disk is left to a thread.
public final class ConversationRecorder: Sendable {
  private struct State {
    var file: ConversationFile?
    /// Of the file that is to be made for what is pending.
    var beginning: (family: FamilyReference?, parent: ConversationParent?)?
    /// What could not be written yet.
    var pending: [UInt8] = []
    var hasFailed = false
    /// The disk refused something after it was written; to say so once is enough.
    var hasRefused = false
    /// Opened, not yet attached.
    var prepared: ConversationFile?
  }

  public let store: ConversationStore
  private let program: String
  private let report: @Sendable (RecorderEvent) -> Void
  private let state = Mutex(State())
  private let flusher = WorkerThread(name: "stitch-save")

  /// - Parameters:
  ///   - program: name and version, for the files.
  ///   - report: called on the thread that records, or on the flushing one.
  public init(store: ConversationStore, program: String, report: @escaping @Sendable (RecorderEvent) -> Void) {
    self.store = store
    self.program = program
    self.report = report
  }

  /// Writes records to the file of the conversation; `begin` makes a new one.
  public func record(_ records: [ConversationRecord]) {
    let events = state.withLock { state in
      for record in records {
        if case .begin(let family, let parent) = record {
          state.file = nil
          state.pending = []
          state.beginning = (family, parent)
        } else if state.file != nil || state.beginning != nil {
          state.pending += ConversationLine.encode(record)
        }
      }
      return write(&state, flushes: records.contains(where: \.isMilestone))
    }
    for event in events { report(event) }
  }

  /// Opens a saved conversation, to be attached later: the one that is recorded goes on until then.
  /// - Returns: the conversation, and why it can be read only, if so: another program appends to it, or its file may
  ///   not be written. It cannot be attached then.
  /// - Throws: `ConversationError`.
  public func prepare(
    _ id: String
  ) throws(ConversationError) -> (conversation: SavedConversation, obstacle: ConversationError?) {
    do throws(ConversationError) {
      let (file, conversation) = try ConversationFile.open(id, in: store, flusher: flusher)
      state.withLock { $0.prepared = file }
      return (conversation, nil)
    } catch {
      switch error {
      case .inUse, .unwritable: return (try store.read(id), error)
      default: throw error
      }
    }
  }

  /// From now on records belong to the conversation that was prepared; `nil`: to none until the next `begin`.
  public func attach(_ id: String?) {
    state.withLock { state in
      state.file = state.prepared?.id == id ? state.prepared : nil
      state.prepared = nil
      state.beginning = nil
      state.pending = []
    }
  }

  private func write(_ state: inout State, flushes: Bool) -> [RecorderEvent] {
    var events: [RecorderEvent] = []
    do throws(ConversationError) {
      if state.file == nil, let beginning = state.beginning {
        let file = try newFile()
        let header = ConversationLine.header(
          id: file.id, created: Date(), program: program, family: beginning.family, parent: beginning.parent)
        state.file = file
        state.beginning = nil
        state.pending = header + state.pending
        events.append(.created(id: file.id))
        flushDirectory()
      }
      guard let file = state.file else { return events }
      try file.append(&state.pending)
      if flushes { flush(file) }
      if state.hasFailed { events.append(.recovered) }
      state.hasFailed = false
    } catch {
      if !state.hasFailed { events.append(.failed("\(error)")) }
      state.hasFailed = true
    }
    return events
  }

  private func newFile() throws(ConversationError) -> ConversationFile {
    while true {
      let id = ConversationStore.newID(Date())
      // The same letters in the same second.
      if FileManager.default.fileExists(atPath: store.file(id).path) { continue }
      return try ConversationFile(new: id, in: store, flusher: flusher)
    }
  }

  /// Has the disk take the name of a new file.
  private func flushDirectory() {
    flusher.perform { [self] in
      do throws(FileError) { try AtomicFile.flushDirectory(store.directory) } catch { refused("\(error)") }
    }
  }

  /// Has the disk take what was written.
  private func flush(_ file: ConversationFile) {
    // Without the file itself, which is to give its lock back as soon as it is done with. Its descriptor is closed by
    // the same thread, later.
    flusher.perform { [self, descriptor = file.descriptor, path = file.path] in
      if fsync(descriptor) != 0 { refused("\(ConversationError.unwritable(path, code: errno))") }
    }
  }

  private func refused(_ message: String) {
    let isNew = state.withLock { state in
      defer { state.hasRefused = true }
      return !state.hasRefused
    }
    if isNew { report(.failed(message)) }
  }
}
