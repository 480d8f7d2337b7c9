import LLaMAStitch

/// One stop of the slider, cheapest first.
public struct Stop: Sendable, Equatable, Identifiable {
  /// The stitch's stable name: `small`, `large`, `small-large@3`.
  public var id: String
  /// For people: `small[0..<2] → large[3..<8]`.
  public var route: String
  /// 0 where they are not known; so are the next two.
  public var parameters: Int
  /// FLOPs per token at zero context, head included.
  public var flopsPerToken: Double
  public var weightBytes: Int
  public var importance: Double?
  /// Measured quality in 0…1 (exact match on held-out questions), if it was measured.
  public var quality: Double?
  /// The share of held-out positions, 0…1, where its most likely token is that of the largest, if it was measured.
  public var agreement: Double?
  /// Measured mean loss (nats per token) on held-out text, if it was measured.
  public var loss: Double?
  /// Decoding speed, measured with the family and perhaps on another machine, if known.
  public var tokensPerSecond: Double?

  public init(
    id: String, route: String, parameters: Int, flopsPerToken: Double, weightBytes: Int,
    importance: Double? = nil, quality: Double? = nil, agreement: Double? = nil, loss: Double? = nil,
    tokensPerSecond: Double? = nil
  ) {
    self.id = id
    self.route = route
    self.parameters = parameters
    self.flopsPerToken = flopsPerToken
    self.weightBytes = weightBytes
    self.importance = importance
    self.quality = quality
    self.agreement = agreement
    self.loss = loss
    self.tokensPerSecond = tokensPerSecond
  }
}

/// What a single model is, and takes, in words that the chat shows.
public struct ModelFacts: Sendable, Equatable {
  /// What the chat template is called.
  public var template: String
  public var weightBytes: Int
  /// Of a KV cache that is full.
  public var cacheBytes: Int

  public init(template: String, weightBytes: Int, cacheBytes: Int) {
    self.template = template
    self.weightBytes = weightBytes
    self.cacheBytes = cacheBytes
  }
}

/// What is known of a family once it is loaded.
public struct FamilySummary: Sendable, Equatable {
  public var name: String
  public var stops: [Stop]
  public var contextLength: Int
  /// Whether it can be taught, and mixed with what it was taught.
  public var learns = true
  /// Where it is computed, if not here: a server's host and port. Its own name, where that has other models than a family's.
  public var server: String?
  /// Of a family of one; `nil` for others.
  public var model: ModelFacts?
  /// Steps of adaptation in the adapter now in use; `nil` without an adapter.
  public var adapterStep: Int?
  /// SHA-256 of that adapter, if it is kept in a file.
  public var adapterHash: String?
  /// Steps of the adapter that quality and loss of the stops were measured with; `nil`: without one.
  public var measuredStep: Int?
  /// Lines to show once: what about the family could not be read, what does not quite hold.
  public var notes: [String]

  public init(
    name: String, stops: [Stop], contextLength: Int, adapterStep: Int?, adapterHash: String? = nil,
    measuredStep: Int? = nil,
    notes: [String] = []
  ) {
    self.adapterHash = adapterHash
    self.name = name
    self.stops = stops
    self.contextLength = contextLength
    self.adapterStep = adapterStep
    self.measuredStep = measuredStep
    self.notes = notes
  }
}

/// An adapter as stamps and conversations name it; without a step there is none.
public struct AdapterReference: Sendable, Equatable, Codable {
  /// Steps of adaptation.
  public var step: Int?
  /// SHA-256 of its file; `nil` for one that was never kept.
  public var hash: String?
  /// What it was made of, where it was made of others.
  public var origin: AdapterOrigin?

  public init(step: Int?, hash: String?, origin: AdapterOrigin? = nil) {
    self.step = step
    self.hash = hash
    self.origin = origin
  }
}
