import ChatEngine
import Foundation
import LLaMAStitch
import Support
import Tokenizer
import WebServer

/// OpenAI's API over a family.
package final class OpenAIService: Sendable {
  let family: ServedFamily
  let scheduler: Scheduler
  let metrics: Metrics
  private let access: AccessRules
  private let forms: ReplyForms
  private let contextLength: Int
  /// Tokens a second that the model holds whose size goes by the load.
  private let speed: Double
  /// Whether texts are made vectors of, too.
  private let makesEmbeddings: Bool
  /// Prompts are read on a thread of their own.
  private let reading = WorkerThread(name: "stitch-prompts")
  /// How many clients are connected, for those who watch the server.
  private let connections: @Sendable () -> Int

  package init(
    _ family: ServedFamily, scheduler: Scheduler, contextLength: Int, access: AccessRules, speed: Double = 20,
    makesEmbeddings: Bool = false, connections: @escaping @Sendable () -> Int = { 0 }
  ) {
    self.family = family
    self.scheduler = scheduler
    self.contextLength = contextLength
    self.speed = speed
    self.makesEmbeddings = makesEmbeddings
    self.access = access
    forms = ReplyForms(family.text.tokenizer)
    self.connections = connections
    metrics = scheduler.metrics
  }

  // MARK: Routes

  package func answer(_ request: HTTPRequest) async -> HTTPResponse {
    var response: HTTPResponse
    let route = Self.route(of: request.path)
    do {
      if request.method == "OPTIONS" {
        response = access.preflight(request)
      } else {
        try access.check(request, needsKey: !Self.openRoutes.contains(route))
        response = try await answer(request, route: route)
      }
    } catch let error as APIError { response = error.response } catch is CancellationError {
      // Nobody reads it: the client has gone.
      response = HTTPResponse(status: 499)
    } catch {
      response = APIError.internalError("\(error)").response
    }
    response.fields += access.fields(for: request)
    metrics.requestAnswered(route, status: response.status)
    return response
  }

  private static let modelsPath = "/v1/models/"
  /// Whether it is up is no secret, and the page tells nothing.
  private static let openRoutes = ["/health", "/", "/page.js"]

  /// The route of a path, of which there are few: paths themselves are the clients'.
  private static func route(of path: String) -> String {
    if path.hasPrefix(modelsPath) { return "/v1/models/{model}" }
    let known = [
      "/", "/page.js", "/health", "/metrics", "/v1/models", "/v1/chat/completions", "/v1/completions", "/v1/embeddings",
    ]
    return known.contains(path) ? path : "other"
  }

  private func answer(_ request: HTTPRequest, route: String) async throws -> HTTPResponse {
    switch (route, request.method) {
    case ("/", "GET"), ("/page.js", "GET"): return Page.response(route)
    case ("/health", "GET"), ("/health", "HEAD"):
      return HTTPResponse(
        json: .object([
          "status": "ok", "running": .integer(metrics.running), "waiting": .integer(metrics.waiting),
        ]))
    case ("/metrics", "GET"):
      return HTTPResponse(
        text: metrics.text(connections: connections()), type: "text/plain; version=0.0.4; charset=utf-8")
    case ("/v1/models", "GET"):
      return HTTPResponse(
        json: .object(["object": "list", "data": .array((family.models + [automatic]).map(document))]))
    case ("/v1/models/{model}", "GET"):
      let name = String(request.path.dropFirst(Self.modelsPath.count))
      if name == family.automatic { return HTTPResponse(json: document(automatic)) }
      return HTTPResponse(json: document(.init(name: name, stitch: try family.stitch(named: name))))
    case ("/v1/chat/completions", "POST"): return try await generate(request, .chat)
    case ("/v1/completions", "POST"): return try await generate(request, .completion)
    case ("/v1/embeddings", "POST"): return try await embed(request)
    case ("other", _):
      throw APIError(
        status: 404,
        message:
          "there is nothing at \(oneLine(request.path, limit: 100)); try /v1/models, /v1/chat/completions, /v1/completions, /health or /metrics",
        code: "not_found")
    default:
      throw APIError(
        status: 405, message: "\(oneLine(request.method, limit: 20)) is not what \(route) answers",
        code: "method_not_allowed")
    }
  }

  /// The stop that would be taken now.
  private var automatic: ServedFamily.Listed {
    .init(name: family.automatic, stitch: scheduler.load.stop(of: family.text.family.stops, tokensPerSecond: speed))
  }

  private func document(_ model: ServedFamily.Listed) -> JSONValue {
    let stitch = model.stitch
    return .object([
      "id": .string(model.name), "object": "model", "created": .integer(family.created), "owned_by": "stitch",
      "context_length": .integer(contextLength),
      "stitch": .object(stitchDocument(stitch)),
    ])
  }

  /// What a slider shows of a stitch; of a stop with what was measured of it.
  private func stitchDocument(_ stitch: Stitch) -> [String: JSONValue] {
    var document: [String: JSONValue] = [
      "id": .string(stitch.id), "route": .string(stitch.routeText), "parameters": .integer(stitch.parameters),
      "flops_per_token": .integer(stitch.flopsPerToken), "weight_bytes": .integer(stitch.weightBytes),
    ]
    if let step = family.adapter?.step { document["adapter_step"] = .integer(step) }
    guard let stop = family.stops.first(where: { $0.id == stitch.id }) else { return document }
    if let step = family.measuredStep { document["measured_step"] = .integer(step) }
    let measured = [
      ("importance", stop.importance), ("quality", stop.quality), ("agreement", stop.agreement), ("loss", stop.loss),
      ("tokens_per_second", stop.tokensPerSecond),
    ]
    for case (let name, let value?) in measured where value.isFinite { document[name] = .number(value) }
    return document
  }

  // MARK: Embeddings

  private func embed(_ request: HTTPRequest) async throws -> HTTPResponse {
    guard makesEmbeddings else {
      throw APIError(
        status: 404, message: "this server makes no embeddings; start it with --embeddings", code: "not_found")
    }
    let (call, stitch) = try await reading.run { [self] in try readEmbeddings(request) }
    var vectors: [[Float]] = []
    for text in call.texts {
      try Task.checkCancellation()
      do { vectors.append(try await scheduler.embed(text, stitch: stitch)) } catch let error as Overloaded {
        throw APIError.overloaded(error)
      }
    }
    return HTTPResponse(json: call.document(vectors))
  }

  /// On the thread for prompts.
  private func readEmbeddings(_ request: HTTPRequest) throws(APIError) -> (EmbeddingCall, Stitch) {
    let fields = try RequestFields(request.body)
    let call = try EmbeddingCall(fields, reader: PromptReader(text: family.text, contextLength: contextLength))
    if call.model == family.automatic {
      throw .invalid(
        "model",
        "\(call.model) changes its size by itself, and embeddings of different sizes do not compare; name a size")
    }
    let stitch = try family.stitch(named: call.model)
    try EmbeddingCall.check(fields, width: family.text.family.anchors[stitch.route.end].configuration.hiddenSize)
    return (call, stitch)
  }

  // MARK: Text

  /// What was asked, ready to be computed.
  private struct Prepared: Sendable {
    var call: GenerationCall
    var texts: [TextRequest]
    var choices: [ChoiceText]
    /// Of all prompts, each counted once.
    var promptTokens: Int
    var client: String
  }

  private func generate(_ request: HTTPRequest, _ kind: GenerationCall.Kind) async throws -> HTTPResponse {
    let start = ContinuousClock.now
    let prepared = try await reading.run { [self] in try prepare(request, kind) }
    let order: TextOrder
    do { order = try scheduler.order(prepared.texts, client: prepared.client) } catch {
      throw APIError.overloaded(error)
    }
    let prefix = kind == .chat ? "chatcmpl-" : "cmpl-"
    let reply = Reply(
      order: order, scheduler: scheduler, start: start, promptTokens: prepared.promptTokens,
      documents: ReplyDocuments(
        call: prepared.call, id: prefix + UUID().uuidString.replacing("-", with: "").lowercased(),
        created: Int(Date().timeIntervalSince1970), fingerprint: family.fingerprint, tokenizer: family.text.tokenizer),
      choices: prepared.choices)
    guard prepared.call.isStreamed else { return HTTPResponse(json: try await reply.whole()) }
    return HTTPResponse(
      status: 200,
      fields: [
        ("Content-Type", "text/event-stream; charset=utf-8"), ("Cache-Control", "no-cache"),
        // Proxies are to pass each piece on.
        ("X-Accel-Buffering", "no"),
      ],
      body: .streamed { try await reply.stream(to: $0) })
  }

  /// On the thread for prompts.
  private func prepare(_ request: HTTPRequest, _ kind: GenerationCall.Kind) throws(APIError) -> Prepared {
    let fields = try RequestFields(request.body)
    var call = try GenerationCall(
      fields, kind: kind, defaults: family.defaults, seed: UInt64.random(in: 0...UInt64.max))
    let stitch: Stitch
    if call.model == family.automatic {
      stitch = automatic.stitch
      // The reply says what made it.
      call.model = "\(family.name)/\(stitch.id)"
    } else {
      stitch = try family.stitch(named: call.model)
    }
    let reader = PromptReader(text: family.text, contextLength: contextLength)
    let prompts = kind == .chat ? [try reader.chat(fields)] : try reader.completion(fields)
    do { try call.sampling.validate() } catch { throw .invalid(nil, "\(error)") }
    let form: ReplyForm?
    do { form = try call.form.map { try forms.form($0) } } catch {
      throw .invalid(fields["grammar"] == nil ? "response_format" : "grammar", "\(error)")
    }
    var prepared = Prepared(
      call: call, texts: [], choices: [], promptTokens: prompts.reduce(0) { $0 + $1.tokens.count },
      client: try fields.string("user") ?? request.client)
    for prompt in prompts {
      for choice in 0..<call.choices {
        prepared.texts.append(
          TextRequest(
            stitch: stitch, prompt: prompt.tokens,
            options: GenerationOptions(
              maxTokens: call.maxTokens ?? contextLength, stopTokens: family.text.stopTokens,
              sampling: call.sampling(ofChoice: choice), vocabularySize: family.text.tokenizer.vocabularySize,
              form: form),
            alternatives: call.alternatives))
        do {
          prepared.choices.append(
            try ChoiceText(prompt, tokenizer: family.text.tokenizer, stops: call.stops))
        } catch { throw .invalid("prompt", "\(error)") }
      }
    }
    return prepared
  }
}
