import ChatEngine
import Conversations
import Foundation

/// Does what `update` asks of the engine, in tasks; what comes of it goes into the queue.
package final class EffectRunner {
  private let backend: any ChatBackend
  private let queue: ActionQueue
  private var replyTask: Task<Void, Never>?
  private var otherTasks: [Task<Void, Never>] = []
  /// Commands to training run one after the other, in the order they were given.
  private let commands: AsyncStream<Effect>.Continuation
  private let conversations: ConversationEffects

  private let script: RecordedScriptFile?

  /// - Parameter script: where a script is recorded.
  package init(
    backend: any ChatBackend, queue: ActionQueue, saving: ConversationSaving? = nil, script: RecordedScriptFile? = nil
  ) {
    self.script = script
    self.backend = backend
    self.queue = queue
    conversations = ConversationEffects(saving, queue: queue)
    let commandStream = AsyncStream<Effect>.makeStream()
    commands = commandStream.continuation
    let stream = commandStream.stream
    otherTasks.append(
      Task.detached {
        for await command in stream { await EffectRunner.perform(command, backend: backend, queue: queue) }
      })
  }

  deinit {
    conversations.end()
    commands.finish()
    replyTask?.cancel()
    for task in otherTasks { task.cancel() }
  }

  /// Effects on the terminal and on the loop are not for here; they are ignored.
  package func run(_ effect: Effect) {
    let backend = self.backend
    let queue = self.queue
    switch effect {
    case .load:
      otherTasks.append(
        Task.detached {
          do {
            queue.push(.loaded(try await backend.load()))
          } catch {
            queue.push(.loadFailed("\(error)"))
            return
          }
          for await status in backend.trainingStatus() { queue.push(.training(status)) }
        })
      otherTasks.append(Task.detached { for await status in backend.cacheStatus() { queue.push(.cache(status)) } })
    case .describe:
      otherTasks.append(Task.detached { queue.push(.described(try? await backend.load())) })
    case .listLessons: otherTasks.append(Task.detached { queue.push(.lessons(await backend.lessons())) })
    case .completePath(let line):
      otherTasks.append(
        Task.detached {
          let lessons = await backend.lessons().map(\.name)
          let result = PathCompletion.complete(line, lessons: lessons)
          queue.push(.completed(line: line, to: result.line, choices: result.choices))
        })
    case .startReply(let id, let messages, let stitch, let options):
      let before = replyTask
      replyTask = Task.detached(priority: .userInitiated) {
        // A reply that is being stopped ends before the next begins.
        await before?.value
        var isOver = false
        for await event in backend.reply(to: messages, stitch: stitch, options: options) {
          isOver = event.isLast
          queue.push(.reply(id: id, event))
        }
        // What was asked of this reply since its last event, to go on with it, is not over.
        if !isOver { queue.push(.replyEnded(id: id)) }
      }
    case .stopReply:
      let running = replyTask
      otherTasks.append(
        Task.detached(priority: .userInitiated) {
          await backend.stopReply()
          // The stream of a cancelled consumer ends without its last event: leave time for that to arrive.
          try? await Task.sleep(for: .milliseconds(250))
          running?.cancel()
        })
    case .startTraining, .pauseTraining, .resumeTraining, .saveTraining, .stopTraining, .undoAdapter,
      .putTrainingAway, .restoreAdapter:
      commands.yield(effect)
    case .record, .attachConversation, .listConversations, .openConversation, .export: conversations.run(effect)
    case .recordScript(let text):
      do { try script?.append(text) } catch { queue.push(.recordingFailed("\(error)")) }
    case .suspend, .redraw, .setScreen, .copy, .editDraft, .quit: break
    }
  }

  private static func perform(_ command: Effect, backend: any ChatBackend, queue: ActionQueue) async {
    switch command {
    case .startTraining(let file, let steps):
      let path = file.hasPrefix("~/") ? NSHomeDirectory() + file.dropFirst(1) : file
      do {
        try await backend.startTraining(dataFile: path, steps: steps)
      } catch {
        queue.push(.trainingRefused("\(error)"))
      }
    case .pauseTraining: await backend.pauseTraining()
    case .resumeTraining: await backend.resumeTraining()
    case .saveTraining: await backend.saveTraining()
    case .stopTraining: await backend.stopTraining()
    case .restoreAdapter(let adapter):
      do {
        try await backend.useAdapter(adapter)
        queue.push(.adapterRestored(adapter, failure: nil))
      } catch {
        queue.push(.adapterRestored(adapter, failure: "\(error)"))
      }
    case .undoAdapter: queue.push(.adapterUndone(await backend.undoAdapter()))
    case .putTrainingAway:
      await backend.stopTraining()
      queue.push(.trainingPutAway)
    default: break
    }
  }
}
