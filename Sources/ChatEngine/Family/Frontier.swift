import Foundation
import LLaMAStitch
import Support

/// `frontier.json`: what the stitches of a family were measured to cost and to be worth.
public struct Frontier: Sendable, Codable, Equatable {
  /// What is written now. Format 1 had less: what is `nil` in what was read was not measured.
  public static let currentFormat = 2

  public struct Measurement: Sendable, Codable, Equatable {
    public var id: String
    public var route: String
    /// Parameters of the network, adapter included.
    public var parameters: Int
    /// At zero context, head included, without the adapter: what cost means everywhere.
    public var flopsPerToken: Int
    /// The same with the adapter's low-rank updates.
    public var adaptedFlopsPerToken: Int?
    /// Bytes of all weights used, adapter included.
    public var weightBytes: Int
    /// Bytes of weights read to decode one token: all but the embedding, of which it is one row.
    public var weightBytesPerToken: Int?
    /// Bytes of keys and values read besides, at the full context.
    public var cacheBytesPerToken: Int?
    /// Bytes that a chat with this stitch alone keeps: weights, and the cache of the full context.
    public var memoryBytes: Int?
    /// Decoding speed when measured, of one reply at a time; 0 where it was not.
    public var tokensPerSecond: Double
    /// Mean loss of the reference answers and the texts, nats per token.
    public var loss: Double
    /// exp(loss); `nil` too where that is beyond all numbers.
    public var perplexity: Double?
    /// Share of the questions answered exactly; `nil` where no answer can be checked.
    public var exactMatch: Double?
    /// Exact match by kind of question.
    public var byKind: [String: Double]
    /// Whether it is one of the slider's stops.
    public var isStop: Bool
    /// Of a stop, how it compares with the next cheaper one.
    public var againstCheaperStop: Comparison?
    /// The share of the tokens of answers and texts where the most likely one is the dearest anchor's.
    public var agreement: Double?
    /// KL(dearest anchor ‖ stitch), the mean over those tokens, nats.
    public var divergence: Double?
    /// Loss, agreement and divergence by kind.
    public var textsByKind: [String: TextMeasure]?
    /// A 1 for each question answered exactly, a 0 for each other one. Not kept in the family.
    public var right: String?
    /// At how many tokens of each answer or text it agrees. Not kept in the family.
    public var agreeing: [Int]?

    package init(
      id: String, route: String, parameters: Int, flopsPerToken: Int, adaptedFlopsPerToken: Int? = nil,
      weightBytes: Int, weightBytesPerToken: Int? = nil, cacheBytesPerToken: Int? = nil, memoryBytes: Int? = nil,
      tokensPerSecond: Double, loss: Double, perplexity: Double? = nil, exactMatch: Double? = nil,
      byKind: [String: Double], isStop: Bool, againstCheaperStop: Comparison? = nil, agreement: Double? = nil,
      divergence: Double? = nil, textsByKind: [String: TextMeasure]? = nil, right: String? = nil,
      agreeing: [Int]? = nil
    ) {
      self.id = id
      self.route = route
      self.parameters = parameters
      self.flopsPerToken = flopsPerToken
      self.adaptedFlopsPerToken = adaptedFlopsPerToken
      self.weightBytes = weightBytes
      self.weightBytesPerToken = weightBytesPerToken
      self.cacheBytesPerToken = cacheBytesPerToken
      self.memoryBytes = memoryBytes
      self.tokensPerSecond = tokensPerSecond
      self.loss = loss
      self.perplexity = perplexity
      self.exactMatch = exactMatch
      self.byKind = byKind
      self.isStop = isStop
      self.againstCheaperStop = againstCheaperStop
      self.agreement = agreement
      self.divergence = divergence
      self.textsByKind = textsByKind
      self.right = right
      self.agreeing = agreeing
    }

    /// Which questions were right.
    public var isRight: [Bool]? { right.map { $0.utf8.map { $0 == UInt8(ascii: "1") } } }
    /// Time of a token, in milliseconds; `nil` where it was not measured.
    public var millisecondsPerToken: Double? { tokensPerSecond > 0 ? 1000 / tokensPerSecond : nil }
  }

  /// What a stitch makes of the tokens of some texts: means over them.
  public struct TextMeasure: Sendable, Codable, Equatable {
    /// How many tokens there are.
    public var tokens: Int
    public var loss: Double
    public var agreement: Double
    public var divergence: Double

    /// `nil` of no tokens.
    package init?(_ sum: TextScore) {
      guard sum.positions > 0 else { return nil }
      tokens = sum.positions
      loss = sum.loss / Double(tokens)
      agreement = Double(sum.agreeing) / Double(tokens)
      divergence = sum.divergence / Double(tokens)
    }
  }

  /// Two stops on the same questions; where no reply is right or wrong, on the same texts.
  public struct Comparison: Sendable, Codable, Equatable {
    /// The cheaper stop.
    public var stop: String
    /// Questions that only the more expensive stop got right, and only the cheaper; or texts in which the more expensive
    /// one agrees more often with the dearest anchor, and less often.
    public var gained: Int
    public var lost: Int
    /// Two-sided, by `McNemarTest` or `SignFlipTest`.
    public var pValue: Double
  }

  /// `nil` in format 1.
  public var format: Int?
  /// Name of the file the questions and texts came from.
  public var data: String
  /// How many questions and texts there are, and how many of each kind.
  public var questions: Int
  public var kinds: [String: Int]?
  /// How many tokens of answers and texts were predicted.
  public var tokens: Int?
  /// Steps of the adapter in use; `nil` without one.
  public var adapterStep: Int?
  /// The full context: positions of the cache in `cacheBytesPerToken` and `memoryBytes`.
  public var contextLength: Int?
  /// How many threads the speed was measured with.
  public var threads: Int?
  /// The dearest anchor, which agreement and divergence are measured by.
  public var reference: String?
  /// Scale and reference point of the hypervolumes.
  public var hypervolumeScale: Hypervolume?
  /// What all measured stitches dominate, and what the stops do, by exact match; `nil` where there is none.
  public var hypervolume: Double?
  public var stopsHypervolume: Double?
  /// Cheapest first.
  public var stitches: [Measurement]

  package init(
    format: Int? = nil, data: String, questions: Int, kinds: [String: Int]? = nil, tokens: Int? = nil,
    adapterStep: Int? = nil, contextLength: Int? = nil, threads: Int? = nil, reference: String? = nil,
    hypervolumeScale: Hypervolume? = nil, hypervolume: Double? = nil, stopsHypervolume: Double? = nil,
    stitches: [Measurement]
  ) {
    self.format = format
    self.data = data
    self.questions = questions
    self.kinds = kinds
    self.tokens = tokens
    self.adapterStep = adapterStep
    self.contextLength = contextLength
    self.threads = threads
    self.reference = reference
    self.hypervolumeScale = hypervolumeScale
    self.hypervolume = hypervolume
    self.stopsHypervolume = stopsHypervolume
    self.stitches = stitches
  }

  /// The stops worth having: what a cheaper stop dominates by more than noise is left out (`StopChoice`).
  /// - Parameters:
  ///   - all: choose among all measured stitches instead of those marked as stops.
  ///   - minimum: how many to have if that can be.
  ///   - level: the p value below which a stop is worse than a cheaper one.
  /// - Returns: `nil` where nothing says which answers were right, nor at how many tokens of each of enough texts a stitch
  ///   agrees.
  public func worthwhileStops(amongAll all: Bool = false, minimum: Int = 1, level: Double = 0.05) -> [String]? {
    let measured = stitches.filter { all || $0.isStop }
    let candidates = measured.compactMap { stitch in
      stitch.isRight.map { StopChoice.Candidate(id: stitch.id, isRight: $0) }
    }
    if !candidates.isEmpty { return StopChoice.stops(candidates, minimum: minimum, level: level) }
    let agreeing = measured.compactMap { stitch in
      stitch.agreeing.map {
        StopChoice.AgreeingCandidate(id: stitch.id, agreeing: $0, isReference: stitch.id == reference)
      }
    }
    guard let texts = agreeing.first?.agreeing.count, texts >= StopChoice.fewestTexts else { return nil }
    return StopChoice.stops(byAgreement: agreeing, minimum: minimum, level: level)
  }

  /// The same measurements with these stops marked and compared.
  public func marked(stops: some Collection<String>) -> Frontier {
    var copy = self
    var cheaper: Measurement?
    for index in copy.stitches.indices {
      let isStop = stops.contains(copy.stitches[index].id)
      copy.stitches[index].isStop = isStop
      copy.stitches[index].againstCheaperStop = nil
      guard isStop else { continue }
      let stitch = copy.stitches[index]
      if let cheaper, let first = cheaper.isRight, let second = stitch.isRight {
        let test = McNemarTest(first, second)
        copy.stitches[index].againstCheaperStop = Comparison(
          stop: cheaper.id, gained: test.gained, lost: test.lost, pValue: test.pValue)
      } else if let cheaper, let first = cheaper.agreeing, let second = stitch.agreeing {
        let test = SignFlipTest(first, second)
        copy.stitches[index].againstCheaperStop = Comparison(
          stop: cheaper.id, gained: test.gained, lost: test.lost, pValue: test.pValue)
      }
      cheaper = copy.stitches[index]
    }
    copy.hypervolume = copy.dominated { _ in true }
    copy.stopsHypervolume = copy.dominated { $0.isStop }
    return copy
  }

  private func dominated(_ isCounted: (Measurement) -> Bool) -> Double? {
    let counted = stitches.filter(isCounted)
    let networks = counted.compactMap { stitch in
      stitch.exactMatch.map { (flopsPerToken: Double(stitch.flopsPerToken), quality: $0) }
    }
    return networks.isEmpty ? nil : hypervolumeScale?(networks)
  }

  /// Reads the measurements of a family; `nil` where there are none.
  /// - Throws: `EngineError.damagedFrontier`.
  public static func read(of family: Family) throws(EngineError) -> Frontier? {
    let file = family.directory.appendingPathComponent(FamilyDescription.frontierName)
    guard FileManager.default.fileExists(atPath: file.path) else { return nil }
    guard let data = try? Data(contentsOf: file), let frontier = try? JSONDecoder().decode(Frontier.self, from: data),
      frontier.stitches.allSatisfy({
        (0...1).contains($0.exactMatch ?? 0) && (0...1).contains($0.agreement ?? 0) && $0.loss.isFinite
          && $0.tokensPerSecond >= 0
      })
    else { throw .damagedFrontier(file: file.path) }
    return frontier
  }

  public var json: Data {
    get throws {
      let encoder = JSONEncoder()
      encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
      return try encoder.encode(self) + Data("\n".utf8)
    }
  }

  /// Writes `frontier.json` into the family.
  public func write(to family: Family) throws {
    var kept = self
    for index in kept.stitches.indices { (kept.stitches[index].right, kept.stitches[index].agreeing) = (nil, nil) }
    try AtomicFile.write(kept.json, to: family.directory.appendingPathComponent(FamilyDescription.frontierName))
  }
}

extension Family {
  /// The share of positions where a stitch's most likely token is the dearest anchor's: as the family's measurements have
  /// it, else as the search for routes measured it, 0…1.
  public func agreement(of stitch: Stitch, _ frontier: Frontier?) -> Double? {
    let measured = frontier?.stitches.first { $0.id == stitch.id }?.agreement
    return (measured ?? description.agreement?[stitch.id]).flatMap { (0...1).contains($0) ? $0 : nil }
  }
}
