import Foundation
import LLaMAStitch
import Support
import Yams

/// What can be wrong with the file of a plan.
public struct PretrainingPlanError: Error, CustomStringConvertible {
  public let file: String
  public let cause: String

  public var description: String { "\(file): \(cause); see 'stitch pretrain --help' for the fields" }
}

extension PretrainingPlan {
  /// Reads a plan, a YAML file.
  /// - Throws: `PretrainingPlanError`, `FileError`.
  public init(file url: URL) throws {
    func malformed(_ cause: String) -> PretrainingPlanError { PretrainingPlanError(file: url.path, cause: cause) }
    let text = String(validating: try MappedFile(url).bytes.data, as: UTF8.self)
    guard let text else { throw malformed("it is not UTF-8 text") }
    let plan: PretrainingPlan
    let fields: [String: Anything]
    do {
      fields = try YAMLDecoder().decode([String: Anything].self, from: text)
      plan = try YAMLDecoder().decode(PretrainingPlan.self, from: text)
    } catch let error as DecodingError {
      throw malformed(Self.explain(error))
    } catch {
      throw malformed("it is not valid YAML")
    }
    // A field that is misspelt would go unnoticed where it may be absent.
    if let unknown = fields.keys.sorted().first(where: { !Self.fieldNames.contains($0) }) {
      throw malformed("there is no field “\(unknown)”")
    }
    self = plan
  }

  /// A value of any kind.
  private struct Anything: Decodable {
    init(from decoder: any Decoder) {}
  }

  private static func explain(_ error: DecodingError) -> String {
    switch error {
    case .keyNotFound(let key, _): "the field “\(key.stringValue)” is missing"
    case .typeMismatch(_, let context), .valueNotFound(_, let context), .dataCorrupted(let context):
      context.codingPath.last.map { "the field “\($0.stringValue)” has a value of the wrong kind" }
        ?? "it is not a list of fields in YAML"
    @unknown default: "it cannot be understood"
    }
  }
}
