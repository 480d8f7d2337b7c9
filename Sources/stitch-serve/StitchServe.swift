import ArgumentParser
import ChatEngine
import Foundation
import Glibc
import LLaMAStitch
import ServeOptions
import Serving
import Support
import WebServer
import Workflows

/// The server behind `stitch serve`, a program of its own: who only chats need not build what speaks HTTP.
@main
struct StitchServe: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "stitch-serve", abstract: "Serve a family over OpenAI's API: its sizes are the models.",
    version: "0.1.0")

  @OptionGroup var options: ServeOptions

  static func main() async {
    // A client that goes away ends no server.
    signal(SIGPIPE, SIG_IGN)
    MappedFile.reportLosses()
    do {
      let command = try parse()
      try InferenceKernels.check()
      TemporaryPaths.removeOnSignals()
      if try await !command.serve() { Glibc.exit(1) }
    } catch {
      if exitCode(for: error) == .success {
        print(fullMessage(for: error))
        Glibc.exit(EXIT_SUCCESS)
      }
      let line = exitCode(for: error) == .validationFailure ? message(for: error) : "\(error)"
      log("stitch serve: \(oneLine(line))")
      Glibc.exit(2)
    }
  }

  /// - Returns: whether no reply was cut off.
  private func serve() async throws -> Bool {
    Self.raiseDescriptorLimit()
    let keys = try options.keyFile.map(KeyFile.keys) ?? []
    let directory = try familyDirectory()
    let adapter = try options.adapter.map { try AdapterChoice($0) } ?? .own
    let family = try ServedFamily(directory, adapter: adapter, name: options.name ?? options.model.map(Self.name))
    let contextLength = min(family.text.contextLength, options.context ?? InferenceSession.longestUsualContext)
    var scheduling = Scheduler.Options(
      contextLength: contextLength, cacheType: options.cache == "f32" ? .f32 : .f16,
      cacheBytes: options.cacheMemory.map { $0 << 20 } ?? SystemMemory.physical / 4,
      networks: family.text.family.stitches.map { family.network(of: $0) },
      threads: options.threads ?? SystemProcessors.usable)
    scheduling.parallel = options.parallel
    scheduling.queue = options.queue
    let scheduler = Scheduler(scheduling, metrics: Metrics()) { family.network(of: $0) }
    let connections = ConnectionCount()
    let service = OpenAIService(
      family, scheduler: scheduler, contextLength: contextLength,
      access: AccessRules(keys: keys, origins: options.allowOrigin, isLocal: options.isLocal),
      speed: options.speed, makesEmbeddings: options.embeddings,
      connections: { connections.now })
    let server = try HTTPServer(
      host: options.address, port: options.port, limits: limits, complain: { APIError($0).response },
      answer: { await service.answer($0) })
    connections.count = { [unowned server] in server.connectionCount }
    let finishTime = options.finishTime
    TemporaryPaths.onFirstSignal {
      let count = server.requestCount
      if count > 0 {
        Self.log(
          "replies under way: \(count); they have \(finishTime.formatted()) s to end, once more ends them at once"
        )
      }
      server.finish(within: .seconds(finishTime))
    }
    let host = options.address.contains(":") ? "[\(options.address)]" : options.address
    Self.log(
      "\(family.name) at http://\(host):\(server.port)/v1, models \(family.models.map(\.name).joined(separator: ", ")); Ctrl-C ends it"
    )
    let isWhole = try await server.run()
    if !isWhole { Self.log("stitch serve: replies were cut off; give them more time with --finish-time") }
    return isWhole
  }

  private var limits: HTTPLimits {
    var limits = HTTPLimits()
    limits.connections = options.connections
    let seconds = Duration.seconds(options.timeout)
    limits.headTime = seconds
    (limits.bodyTime, limits.stallTime, limits.idleTime) = (seconds * 3, seconds * 3, seconds * 6)
    return limits
  }

  /// What is served, ready to be opened.
  private func familyDirectory() throws -> URL {
    let store = ModelStore()
    if let model = options.model { return try store.directory(of: model, asFamily: true) { _ in } }
    let directory = try FamilyLocator().locate(options.family)
    try store.makeReady(directory) { _ in }
    return directory
  }

  /// What a model is called: its file's name, or its own.
  private static func name(_ model: String) -> String {
    let url = URL(fileURLWithPath: model)
    return url.pathExtension.lowercased() == "gguf"
      ? url.deletingPathExtension().lastPathComponent : url.lastPathComponent
  }

  /// A connection is a descriptor; of those the system gives a program few unless it asks.
  private static func raiseDescriptorLimit() {
    var limit = rlimit()
    guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return }
    limit.rlim_cur = min(limit.rlim_max, 1 << 16)
    setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
  }

  private static func log(_ line: String) { FileHandle.standardError.write(Data("\(line)\n".utf8)) }
}
