import Foundation
import Support

/// `generation_config.json`: how a model's makers would have it write, where nobody says otherwise.
public struct GenerationDefaults: Sendable, Equatable {
  public var sampling: SamplingOptions
  /// Tokens that end a text, beside those of `config.json`.
  public var endTokens: [Int]

  public static let fileName = "generation_config.json"

  public init(sampling: SamplingOptions, endTokens: [Int] = []) {
    self.sampling = sampling
    self.endTokens = endTokens
  }

  /// What a model's directory says; `nil` where it has no such file.
  /// - Parameter vocabularySize: end tokens from it on are impossible.
  /// - Throws: `FileError`, `CheckpointError.configuration`.
  public static func read(in directory: URL, vocabularySize: Int = .max) throws -> GenerationDefaults? {
    let file = directory.appendingPathComponent(fileName)
    return FileManager.default.fileExists(atPath: file.path) ? try read(file, vocabularySize: vocabularySize) : nil
  }

  /// What such a file says.
  ///
  /// As transformers has it, temperature and limits hold only with `do_sample`, and then 50 is the limit `top_k` where
  /// there is none; otherwise the most likely token is taken.
  /// - Parameter vocabularySize: end tokens from it on are impossible.
  /// - Throws: `FileError`, `CheckpointError.configuration`.
  public static func read(_ url: URL, vocabularySize: Int = .max) throws -> GenerationDefaults {
    let remedy = "correct it, or delete it to do without its defaults"
    func wrong(_ cause: String) -> CheckpointError { .configuration(file: url.path, cause: cause, remedy: remedy) }
    let document: JSONValue
    do { document = try JSONValue(utf8: MappedFile(url).bytes.data) } catch let error as JSONValue.SyntaxError {
      throw wrong("\(error)")
    }
    guard let members = document.object else { throw wrong("it is \(document.kind), not an object") }
    let fields = ConfigurationFields(members: members, file: url.path, remedy: remedy)
    func number(_ name: String, default fallback: Double) throws -> Double {
      guard fields.has(name), let value = members[name] else { return fallback }
      guard let number = value.double else { throw wrong("\(name) is \(value.kind), not a number") }
      return number
    }
    var sampling = SamplingOptions()
    sampling.repetitionPenalty = try number("repetition_penalty", default: 1)
    if try fields.flag("do_sample") {
      sampling.temperature = try number("temperature", default: 1)
      let topK = try number("top_k", default: 50)
      guard let whole = Int(exactly: topK) else { throw wrong("top_k is \(topK), not a whole number") }
      sampling.topK = whole
      sampling.topP = try number("top_p", default: 1)
      sampling.minP = try number("min_p", default: 0)
    }
    do { try sampling.validate() } catch { throw wrong("\(error)") }
    return GenerationDefaults(
      sampling: sampling, endTokens: try fields.tokens("eos_token_id", default: [], below: vocabularySize))
  }

  /// The text of a file that says the same.
  package var json: Data {
    get throws {
      struct File: Encodable {
        var doSample: Bool
        var temperature: Double?
        var topK: Int?
        var topP: Double?
        var minP: Double?
        var repetitionPenalty: Double
        var eosTokenId: [Int]?
      }
      let isSampled = sampling.temperature > 0
      let file = File(
        doSample: isSampled, temperature: isSampled ? sampling.temperature : nil, topK: isSampled ? sampling.topK : nil,
        topP: isSampled ? sampling.topP : nil, minP: isSampled ? sampling.minP : nil,
        repetitionPenalty: sampling.repetitionPenalty, eosTokenId: endTokens.isEmpty ? nil : endTokens)
      let encoder = JSONEncoder()
      encoder.keyEncodingStrategy = .convertToSnakeCase
      encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
      return try encoder.encode(file) + Data("\n".utf8)
    }
  }
}

// MARK: - GGUF

extension GGUFModel {
  /// What the metadata say of sampling (`general.sampling.…`); `nil` where they say nothing.
  /// - Throws: `GGUFError.damaged`.
  public func generationDefaults() throws(GGUFError) -> GenerationDefaults? {
    func value(_ name: String) -> Double? { file.metadata["general.sampling.\(name)"]?.double }
    guard let temperature = value("temp") else { return nil }
    let sampling = SamplingOptions(
      temperature: temperature, topK: value("top_k").flatMap { Int(exactly: $0) } ?? 0, topP: value("top_p") ?? 1,
      minP: value("min_p") ?? 0, repetitionPenalty: value("penalty_repeat") ?? 1)
    do { try sampling.validate() } catch {
      throw .damaged(file: file.url.path, cause: "its metadata's sampling makes no sense: \(error)")
    }
    return GenerationDefaults(sampling: sampling)
  }
}
