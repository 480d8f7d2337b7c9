import Foundation
import LLaMAStitch
import Support
import Synchronization
import Tokenizer

/// The engine behind a chat: a family on disk, replies on one thread, adaptation on another.
///
/// Replies are made one after the other on a thread of their own, with a compute pool of their own; nothing blocks the
/// caller or Swift's cooperative pool. Training waits while a reply is made. An adapter is taken into use between
/// replies only, so that a reply's stamp is true for all of it.
public final class FamilyBackend: ChatBackend {
  /// What to open and how.
  public struct Options: Sendable {
    public var family: URL
    public var adapter: AdapterChoice = .own
    /// A stitch that gets a stop of its own even where the family's stops leave it out.
    public var stitch: String?
    /// Where snapshots go, below `adapters/`.
    public var dataDirectory = UserDirectories.data
    /// Whether snapshots are written there. Without, what was learned is in use until the program ends.
    public var keepsSnapshots = true
    /// Whether a reply goes on from what the one before left in the cache. It makes no difference but to time.
    public var reusesCache = true
    /// How keys and values are kept.
    public var cacheType = CacheType.f32
    /// Whether, between replies, the caches of the last stop's neighbours are filled with what was said, and all of them
    /// anew where the adapter changed. It makes no difference but to time.
    public var prefetches = false
    /// Makes more sizes of the family, in the background.
    public var grower: FamilyGrower?
    /// Threads for replies, and as many for training.
    public var threads = SystemProcessors.usable

    /// Called on the engine's thread before each piece of text: with it, tests hold a reply where they want it.
    package var beforeText: (@Sendable () -> Void)?

    public init(family: URL) { self.family = family }
  }

  private struct Loaded {
    var text: TextFamily
    var summary: FamilySummary
    var maker: ReplyMaker
  }

  private let options: Options
  private let worker = WorkerThread(name: "stitch-reply")
  /// Texts are counted on a thread of their own: a reply may take long.
  private let reading = WorkerThread(name: "stitch-texts")
  private let adapters = AdapterInUse()
  private let control = TrainingControl()
  /// Where the making of more sizes rests while a reply is made.
  private let growing = TrainingControl()
  private let hasBegunToGrow = Atomic(false)
  private let board: StatusBoard
  private let caches = Newest(CacheStatus())
  private let loaded = Mutex<Loaded?>(nil)
  /// Of the replies that are made or wait.
  private let cancellations = Mutex<[CancellationFlag]>([])

  public init(_ options: Options) {
    self.options = options
    board = StatusBoard(adapters: adapters)
  }

  // MARK: Loading

  public func load() async throws -> FamilySummary {
    var summary = try await worker.run { [self] in try open().summary }
    let adapter = adapters.current.reference
    (summary.adapterStep, summary.adapterHash) = (adapter.step, adapter.hash)
    return summary
  }

  /// `Family.identity` of the family, once it is loaded.
  public var identity: String? { loaded.withLock { $0?.text.family.identity } }

  /// Opens the family, the first time. On the reply thread only.
  private func open() throws -> Loaded {
    if let loaded = loaded.withLock({ $0 }) { return loaded }
    let text = try TextFamily(options.family)
    // A number counts the stops; more may come.
    if options.grower == nil, let wanted = options.stitch, !(1...text.family.stops.count).contains(Int(wanted) ?? 0) {
      _ = try text.stitch(wanted)
    }
    return try take(text, options.adapter)
  }

  /// Replies are of this family from now on.
  private func take(_ text: TextFamily, _ choice: AdapterChoice) throws -> Loaded {
    let (adapter, hash) = try text.namedAdapter(choice, store: text.adapterStore(root: options.dataDirectory))
    adapters.begin(with: adapter, hash: hash)
    let loaded = Loaded(
      text: text, summary: summary(text, adapter),
      maker: ReplyMaker(text, threads: options.threads, cacheType: options.cacheType, reusesCache: options.reusesCache))
    self.loaded.withLock { $0 = loaded }
    return loaded
  }

  // MARK: Texts

  public func tokens(of text: String) async throws -> TokenCount {
    let family = try await opened()
    return TokenCount(try await reading.run { try family.tokenizer.encode(text).count })
  }

  public func beginning(of text: String, tokens: Int) async throws -> String {
    let family = try await opened()
    return try await reading.run { try family.tokenizer.beginning(of: text, tokens: tokens) }
  }

  /// The family, which is opened if need be.
  private func opened() async throws -> TextFamily {
    if let loaded = loaded.withLock({ $0 }) { return loaded.text }
    return try await worker.run { [self] in try open().text }
  }

  // MARK: More sizes

  public func growth() -> AsyncStream<FamilyGrowth> {
    let (stream, continuation) = AsyncStream<FamilyGrowth>.makeStream()
    guard let grower = options.grower, !hasBegunToGrow.exchange(true, ordering: .relaxed), growing.begin() else {
      continuation.finish()
      return stream
    }
    BackgroundThread.start(name: "stitch-grow") { [self] in
      let result = Result { try grower({ _ = growing.next() }, { continuation.yield(.progress($0)) }) }
      // Between replies.
      worker.perform { [self] in
        do {
          let text = try TextFamily(result.get())
          if adapters.current.adapter != nil { throw EngineError.taughtWhileGrowing }
          _ = try take(text, .own)
          continuation.yield(.grown)
        } catch { continuation.yield(.failed("\(error)")) }
        growing.ended()
        continuation.finish()
        adapterChanged()
      }
    }
    return stream
  }

  private func summary(_ text: TextFamily, _ adapter: Adapter?) -> FamilySummary {
    let (stops, frontier, problem) = text.describedStops(adapter: adapter, and: options.stitch)
    var notes = problem.map { [$0] } ?? []
    if options.adapter != .own && frontier != nil {
      notes.append("quality was measured with the family's own adapter, which is not the one in use")
    }
    var summary = FamilySummary(
      name: text.family.description.name, stops: stops, contextLength: text.contextLength,
      adapterStep: adapter?.step, measuredStep: text.measuredStep(frontier, adapter),
      notes: notes)
    if text.family.anchors.count == 1, text.family.stitches.count == 1 {
      let network = text.family.network(text.bestStop.route, adapter: nil)
      summary.model = ModelFacts(
        template: text.template.name, weightBytes: network.byteCount,
        cacheBytes: network.cacheBytes(positions: text.contextLength, from: 0, type: options.cacheType))
    }
    return summary
  }

  // MARK: Replies

  public func reply(
    to messages: [ChatMessage], stitch: String, options: ReplyOptions
  ) -> AsyncStream<ReplyEvent> {
    let (stream, continuation) = AsyncStream<ReplyEvent>.makeStream()
    let cancellation = CancellationFlag()
    continuation.onTermination = { if case .cancelled = $0 { cancellation.cancel() } }
    cancellations.withLock { $0.append(cancellation) }
    // Training makes room from now on, not only when the reply's turn comes.
    control.replyBegins()
    growing.replyBegins()
    worker.perform { [self] in
      do {
        let loaded: Loaded
        do { loaded = try open() } catch { throw ReplyFailure.cannotLoad(message: "\(error)") }
        let adapter = settleAdapter(loaded)
        control.waitForRest()
        growing.waitForRest()
        var stamp = try loaded.maker.make(
          messages, stitch: stitch, options: options, adapter: adapter, cancellation: cancellation
        ) {
          if case .text = $0 { self.options.beforeText?() }
          continuation.yield($0)
        }
        stamp.adapterHash = adapter.hash
        stamp.adapterOrigin = adapter.adapter?.origin
        continuation.yield(.finished(stamp))
      } catch {
        continuation.yield(.failed(ReplyFailure(error)))
      }
      cancellations.withLock { $0.removeAll { $0 === cancellation } }
      control.replyEnds()
      growing.replyEnds()
      continuation.finish()
    }
    prefetch()
    return stream
  }

  /// Fills the caches wherever a piece is missing, while no reply is wanted.
  private func prefetch() {
    guard options.prefetches else { return }
    worker.performWhenIdle { [weak self] in
      guard let self, let loaded = loaded.withLock({ $0 }) else { return false }
      // What cannot be prefetched fails when a reply needs it, and says why.
      guard let status = try? loaded.maker.prefetch(adapters.current) else {
        caches.publish { $0.isPrefilling = false }
        return false
      }
      caches.publish { $0 = status }
      return true
    }
  }

  /// All that was cached is void.
  private func adapterChanged() {
    caches.publish { $0 = CacheStatus(isPrefilling: options.prefetches) }
    prefetch()
  }

  public func cacheStatus() -> AsyncStream<CacheStatus> { caches.stream() }

  public func cancelReply() async {
    cancellations.withLock { $0.forEach { $0.cancel() } }
  }

  // MARK: Training

  public func lessons() async -> [LessonFile] { LessonFolder(beside: options.family).lessons }

  public func startTraining(dataFile: String, steps: Int, distills: Bool) async throws {
    guard steps > 0 else { throw EngineError.noSteps(steps) }
    let text = try await worker.run { [self] in try open().text }
    let file = LessonFolder(beside: options.family).file(of: dataFile)
    if growing.isRunning { throw EngineError.familyGrows }
    guard control.begin() else { throw EngineError.trainingIsRunning }
    try await TrainingRun(
      text: text, file: file, steps: steps, distills: distills, threads: options.threads,
      adapters: adapters, store: options.keepsSnapshots ? text.adapterStore(root: options.dataDirectory) : nil,
      control: control, board: board,
      adapterChanged: { [weak self] in self?.adapterChanged() }
    ).start()
  }

  public func pauseTraining() async {
    if control.setPaused(true) { board.publish { if $0.phase == .running { $0.phase = .paused } } }
  }

  public func resumeTraining() async {
    if control.setPaused(false) { board.publish { if $0.phase == .paused { $0.phase = .running } } }
  }

  public func saveTraining() async {
    await withCheckedContinuation { control.save($0) }
  }

  public func endTraining() async {
    board.publish { if $0.phase == .running || $0.phase == .paused { $0.phase = .ending } }
    await withCheckedContinuation { control.end($0) }
  }

  public func useAdapter(_ reference: AdapterReference) async throws {
    let isAnother = try await worker.run { [self] in
      let text = try open().text
      if adapters.current.reference == reference { return false }
      let store = text.adapterStore(root: options.dataDirectory)
      adapters.take(try text.adapter(reference, store: store), hash: reference.hash)
      return true
    }
    board.publish { _ in }
    if isAnother { adapterChanged() }
  }

  public func undoAdapter() async -> String {
    guard let current = adapters.undo() else { return "there is no earlier adapter to go back to" }
    // What the last run said of its adapter holds no longer.
    board.publish { if $0.phase == .finished || $0.phase == .idle { $0.message = "" } }
    adapterChanged()
    let what =
      switch (current.adapter, current.hash) {
      case (let adapter?, let hash?): "the adapter of step \(adapter.step) (\(hash.prefix(8)))"
      case (let adapter?, nil): "the adapter of step \(adapter.step)"
      case (nil, _): "the family without an adapter"
      }
    return "\(what) is in use again from the next reply on"
  }

  public func trainingStatus() -> AsyncStream<TrainingStatus> { board.stream() }

  // MARK: Mixing

  private func shelf(_ text: TextFamily) -> AdapterShelf {
    AdapterShelf(text: text, store: text.adapterStore(root: options.dataDirectory))
  }

  public func adapters() async throws -> [AdapterEntry] {
    try await worker.run { [self] in try shelf(open().text).entries() }
  }

  public func mixAdapters(_ mix: AdapterMix) async throws -> AdapterMixed {
    let (mixed, isAnother) = try await worker.run { [self] in
      let shelf = shelf(try open().text)
      let (left, right) = (try shelf.entry(mix.left), try shelf.entry(mix.right))
      let before = adapters.current.reference
      let (adapter, hash) = try shelf.mix(left, right, percent: min(100, max(0, mix.percent)))
      let reference = AdapterReference(step: adapter?.step, hash: hash, origin: adapter?.origin)
      // One that a reply was made with has a hash by now.
      let isAnother = before != reference && !(hash == nil && before.origin != nil && before.origin == reference.origin)
      if isAnother { adapters.take(adapter, hash: hash, isTrial: true) }
      return (AdapterMixed(left: left, right: right, reference: adapters.current.reference), isAnother)
    }
    if isAnother {
      board.publish { _ in }
      adapterChanged()
    }
    return mixed
  }

  /// What the next reply is made with: a mix is kept as soon as something is said with it.
  private func settleAdapter(_ loaded: Loaded) -> AdapterInUse.Current {
    var current = adapters.current
    guard current.isTrial else { return current }
    if options.keepsSnapshots, current.hash == nil, let adapter = current.adapter {
      // Where it cannot be kept the reply is made all the same, and says what it was made of.
      do { current.hash = try loaded.text.adapterStore(root: options.dataDirectory).save(adapter).hash } catch {
        board.publish { $0.message = "the mix is in use, but not kept: \(error)" }
      }
    }
    adapters.settle(current)
    board.publish { _ in }
    return current
  }
}
