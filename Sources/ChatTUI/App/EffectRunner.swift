import ChatEngine
import Conversations
import Foundation
import Synchronization

/// Does what `update` asks of the engine, in tasks; what comes of it goes into the queue. Everything that `update` waits
/// for is answered, also where it fails.
package final class EffectRunner {
  private let backend: any ChatBackend
  private let queue: ActionQueue
  private var reply: RunningReply?
  private let tasks = RunningTasks()
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
    let (stream, continuation) = AsyncStream<Effect>.makeStream()
    commands = continuation
    tasks.start { for await command in stream { await EffectRunner.perform(command, backend: backend, queue: queue) } }
  }

  deinit {
    conversations.end()
    commands.finish()
    reply?.task.cancel()
    tasks.cancel()
  }

  /// Tasks under way beside a reply: those that last as long as the runner, and effects that are not done yet.
  package var taskCount: Int { tasks.count }

  /// Effects on the terminal and on the loop are not for here; they are ignored.
  package func run(_ effect: Effect) {
    let backend = self.backend
    let queue = self.queue
    switch effect {
    case .load:
      tasks.start {
        do {
          queue.push(.loaded(try await backend.load()))
        } catch {
          queue.push(.loadFailed("\(error)"))
          return
        }
        for await status in backend.trainingStatus() { queue.push(.training(status)) }
        if !Task.isCancelled { queue.push(.trainingFellSilent) }
      }
      tasks.start { for await status in backend.cacheStatus() { queue.push(.cache(status)) } }
      tasks.start { for await growth in backend.growth() { queue.push(.growth(growth)) } }
    case .describe:
      tasks.start {
        do {
          queue.push(.described(try await backend.load()))
        } catch {
          // What was known of the family is as good as before.
          queue.push(.described(nil))
        }
      }
    case .listAdapters:
      tasks.start {
        do { queue.push(.adapters(try await backend.adapters())) } catch { queue.push(.adaptersRefused("\(error)")) }
      }
    case .listLessons: tasks.start { queue.push(.lessons(await backend.lessons())) }
    case .completePath(let line):
      tasks.start {
        let lessons = await backend.lessons().map(\.name)
        let result = PathCompletion.complete(line, lessons: lessons)
        queue.push(.completed(line: line, to: result.line, choices: result.choices))
      }
    case .readFiles(let words, let purpose):
      tasks.start {
        var readings: [FileReading] = []
        for word in words { readings.append(await FileReading(of: word, purpose, backend: backend)) }
        queue.push(.filesRead(purpose, readings))
      }
    case .cutFiles(let files, let tokens, let message):
      tasks.start {
        queue.push(.filesCut(await AttachedFile.fitting(files, tokens: tokens, backend: backend), message: message))
      }
    case .startReply(let id, let messages, let stitch, let options):
      let before = reply
      let cancellation = CancellationFlag()
      let task = Task.detached(priority: .userInitiated) {
        await before?.waitForEnd()
        if cancellation.isCancelled {
          queue.push(.replyEnded(id: id))
          return
        }
        let events = backend.reply(to: messages, stitch: stitch, options: options)
        // A cancellation since then did not find this reply.
        if cancellation.isCancelled { await backend.cancelReply() }
        var isOver = false
        for await event in events {
          isOver = event.isLast
          queue.push(.reply(id: id, event))
        }
        // What was asked of this reply since its last event, to go on with it, is not over.
        if !isOver { queue.push(.replyEnded(id: id)) }
      }
      reply = RunningReply(task: task, cancellation: cancellation)
    case .cancelReply:
      guard let running = reply, !running.cancellation.isCancelled else { return }
      running.cancellation.cancel()
      // The stream is read on: its last event says how the reply ended.
      reply?.cancelling = Task.detached(priority: .userInitiated) { await backend.cancelReply() }
    case .startTraining, .pauseTraining, .resumeTraining, .saveTraining, .endTraining, .undoAdapter,
      .putTrainingAway, .restoreAdapter, .mixAdapters:
      commands.yield(effect)
    case .record, .attachConversation, .listConversations, .openConversation, .export: conversations.run(effect)
    case .recordScript(let text):
      do { try script?.append(text) } catch { queue.push(.recordingFailed("\(error)")) }
    case .suspend, .redraw, .setScreen, .copy, .editDraft, .quit: break
    }
  }

  private static func perform(_ command: Effect, backend: any ChatBackend, queue: ActionQueue) async {
    switch command {
    case .startTraining(let file, let steps, let distills):
      let path = file.hasPrefix("~/") ? NSHomeDirectory() + file.dropFirst(1) : file
      do {
        try await backend.startTraining(dataFile: path, steps: steps, distills: distills)
      } catch {
        queue.push(.trainingRefused("\(error)"))
      }
    case .pauseTraining: await backend.pauseTraining()
    case .resumeTraining: await backend.resumeTraining()
    case .saveTraining: await backend.saveTraining()
    case .endTraining: await backend.endTraining()
    case .restoreAdapter(let adapter):
      do {
        try await backend.useAdapter(adapter)
        queue.push(.adapterRestored(adapter, failure: nil))
      } catch {
        queue.push(.adapterRestored(adapter, failure: "\(error)"))
      }
    case .mixAdapters(let mix):
      do {
        queue.push(.mixed(mix, try await backend.mixAdapters(mix)))
      } catch {
        queue.push(.mixRefused("\(error)"))
      }
    case .undoAdapter: queue.push(.adapterUndone(await backend.undoAdapter()))
    case .putTrainingAway:
      await backend.endTraining()
      queue.push(.trainingPutAway)
    default: break
    }
  }
}

/// The reply asked for last.
private struct RunningReply {
  let task: Task<Void, Never>
  let cancellation: CancellationFlag
  /// Tells the engine of the cancellation.
  var cancelling: Task<Void, Never>?

  /// Waits until its stream has ended, and until the engine has done what was asked of this one: it must not meet the
  /// next. Of one that was cancelled nobody wants to see more then, so it holds nothing up if its stream does not end.
  func waitForEnd() async {
    await cancelling?.value
    if cancellation.isCancelled { task.cancel() }
    await task.value
  }
}

/// Tasks that are under way. One that has ended is forgotten.
private final class RunningTasks: Sendable {
  private struct State {
    var tasks: [Int: Task<Void, Never>] = [:]
    var started = 0
  }

  private let state = Mutex(State())

  var count: Int { state.withLock { $0.tasks.count } }

  func start(_ body: @escaping @Sendable () async -> Void) {
    state.withLock { state in
      state.started += 1
      // It cannot end before it is noted: for that it needs the lock.
      let id = state.started
      state.tasks[id] = Task.detached { [weak self] in
        await body()
        self?.state.withLock { _ = $0.tasks.removeValue(forKey: id) }
      }
    }
  }

  func cancel() {
    for task in state.withLock({ $0.tasks.values }) { task.cancel() }
  }
}
