import ChatEngine
import Conversations
import Foundation

/// How a chat keeps conversations.
public struct ConversationSaving: Sendable {
  public var store: ConversationStore
  /// Name and version, for the files.
  public var program: String
  /// Save this conversation. Saved ones can be opened all the same.
  public var isRecording = true

  public init(store: ConversationStore, program: String) {
    self.store = store
    self.program = program
  }
}

/// Does what `update` asks of saved conversations. Recording happens at once; all else in tasks.
struct ConversationEffects {
  private let saving: ConversationSaving?
  private let recorder: ConversationRecorder?
  private let library: ConversationLibrary?
  private let queue: ActionQueue

  init(_ saving: ConversationSaving?, queue: ActionQueue) {
    self.saving = saving
    self.queue = queue
    recorder = saving.map { saving in
      ConversationRecorder(store: saving.store, program: saving.program) { queue.push(.recorder($0)) }
    }
    library = saving.map { ConversationLibrary(store: $0.store) }
  }

  /// Releases the conversation's file.
  func end() { recorder?.attach(nil) }

  func run(_ effect: Effect) {
    switch effect {
    case .record(let records): recorder?.record(records)
    case .attachConversation(let id): recorder?.attach(id)
    case .listConversations(let query, let refreshes): list(query, refreshes: refreshes)
    case .openConversation(let prefix): open(prefix)
    case .export(let conversation, let file): export(conversation, to: file)
    default: break
    }
  }

  private func list(_ query: String, refreshes: Bool) {
    guard let library else {
      queue.push(.conversations(query: query, .init()))
      return
    }
    // Not in a task: of tasks for one letter after another, any may be the first to ask.
    library.find(query, refreshes: refreshes) { [queue] result in
      switch result {
      case .success(let listing): queue.push(.conversations(query: query, listing))
      case .failure(let error): queue.push(.conversations(query: query, .init(unreadable: ["\(error)"])))
      }
    }
  }

  private func open(_ prefix: String) {
    guard let recorder, let saving else {
      queue.push(.conversationRefused("no conversations are kept here"))
      return
    }
    Task.detached { [queue] in
      do {
        let id = try saving.store.find(prefix)
        if saving.isRecording {
          let (conversation, obstacle) = try recorder.prepare(id)
          queue.push(.conversationOpened(conversation, obstacle: obstacle))
        } else {
          queue.push(.conversationOpened(try saving.store.read(id), obstacle: nil))
        }
      } catch {
        queue.push(.conversationRefused("\(error)"))
      }
    }
  }

  private func export(_ conversation: SavedConversation, to file: String) {
    Task.detached { [queue, saving] in
      var conversation = conversation
      do {
        if let store = saving?.store, !conversation.id.isEmpty {
          let header = try store.header(conversation.id)
          (conversation.created, conversation.parent) = (header.created, header.parent)
        }
      } catch {
        // Deleted meanwhile: what was said is there all the same.
      }
      let path = file.hasPrefix("~/") ? NSHomeDirectory() + file.dropFirst(1) : file
      do {
        try ConversationExport.write(conversation, to: URL(fileURLWithPath: path))
        queue.push(.exported(file: file, failure: nil))
      } catch {
        queue.push(.exported(file: file, failure: "\(error)"))
      }
    }
  }
}
