import ChatEngine
import Forms
import LLaMAStitch
import Support

/// What a request for text asks, read and checked; what it begins with aside.
struct GenerationCall: Sendable {
  enum Kind: Sendable { case chat, completion }

  var kind: Kind
  var model: String
  var sampling: SamplingOptions
  /// `nil`: until the model ends the text, or the context is full.
  var maxTokens: Int?
  var stops: [String]
  /// Texts for each prompt.
  var choices: Int
  /// How many of the likeliest tokens to tell of; `nil`: no probabilities at all.
  var alternatives: Int?
  /// What the reply is to look like.
  var form: FormSource?
  var isStreamed: Bool
  var includesUsage: Bool

  private static let mostChoices = 16
  static let mostAlternatives = 20

  /// - Parameters:
  ///   - defaults: what holds where the request says nothing.
  ///   - seed: where it gives none.
  /// - Throws: `APIError`.
  init(_ fields: RequestFields, kind: Kind, defaults: SamplingOptions, seed: UInt64) throws(APIError) {
    self.kind = kind
    guard let model = try fields.string("model") else {
      throw .invalid("model", "the model is missing; GET /v1/models lists those there are")
    }
    self.model = model
    try Self.refuseUnknown(fields)
    sampling = defaults
    if let value = try fields.number("temperature", 0...2) { sampling.temperature = value }
    if let value = try fields.number("top_p", 0...1) { sampling.topP = max(value, .leastNormalMagnitude) }
    if let value = try fields.number("min_p", 0...1) { sampling.minP = value }
    if let value = try fields.integer("top_k", -1...1_000_000) { sampling.topK = max(0, value) }
    if let value = try fields.number("repetition_penalty", 0.1...10) { sampling.repetitionPenalty = value }
    // Any whole number is a seed.
    let given = try fields.integer("seed", Int.min...Int.max)
    sampling.seed = given.map { UInt64(bitPattern: Int64($0)) } ?? seed
    maxTokens = try fields.integer("max_tokens", 0...Int.max)
    if let newer = try fields.integer("max_completion_tokens", 0...Int.max) { maxTokens = newer }
    if kind == .completion && maxTokens == nil { maxTokens = 16 }
    stops = try fields.strings("stop", atMost: 16)
    choices = try fields.integer("n", 1...Self.mostChoices) ?? 1
    switch kind {
    case .chat:
      let alternatives = try fields.integer("top_logprobs", 0...Self.mostAlternatives)
      self.alternatives = try fields.flag("logprobs") ? alternatives ?? 0 : nil
      if self.alternatives == nil && alternatives ?? 0 > 0 {
        throw .invalid("top_logprobs", "top_logprobs needs logprobs: true")
      }
    case .completion: alternatives = try fields.integer("logprobs", 0...Self.mostAlternatives)
    }
    form = try Self.form(fields)
    isStreamed = try fields.flag("stream")
    includesUsage = fields["stream_options"]?.object?["include_usage"]?.bool ?? false
    if fields["stream_options"] != nil && !isStreamed {
      throw .invalid("stream_options", "stream_options goes with stream: true only")
    }
  }

  /// What would change the reply is not passed over in silence.
  private static func refuseUnknown(_ fields: RequestFields) throws(APIError) {
    func isEmpty(_ value: JSONValue) -> Bool { value.array?.isEmpty ?? value.object?.isEmpty ?? (value.string == "") }
    func isZero(_ value: JSONValue) -> Bool { value.double == 0 }
    for name in ["tools", "functions"] {
      try fields.refuse(name, unless: isEmpty, "describe what is wanted in a message")
    }
    try fields.refuse("logit_bias", unless: isEmpty, "leave it out")
    try fields.refuse("suffix", unless: isEmpty, "leave it out")
    for name in ["presence_penalty", "frequency_penalty"] {
      try fields.refuse(name, unless: isZero, "use repetition_penalty")
    }
    try fields.refuse("echo", unless: { $0 == .bool(false) }, "put the prompt before the reply yourself")
    try fields.refuse("best_of", unless: { $0.integer == 1 }, "use n")
    try fields.refuse("modalities", unless: { $0.array == ["text"] }, "replies are text")
  }

  /// `response_format`, or `grammar`, in GBNF.
  private static func form(_ fields: RequestFields) throws(APIError) -> FormSource? {
    let format = try fields.format()
    if let grammar = try fields.string("grammar") {
      if format != nil { throw .invalid("grammar", "grammar and response_format exclude one another") }
      return .grammar(grammar)
    }
    return format
  }

  /// How one of the choices is drawn: the first with the seed itself, the others with seeds made of it.
  func sampling(ofChoice choice: Int) -> SamplingOptions {
    var sampling = sampling
    if choice > 0 {
      var seeds = SeededGenerator(seed: sampling.seed, stream: UInt64(choice))
      sampling.seed = seeds.next()
    }
    return sampling
  }
}
