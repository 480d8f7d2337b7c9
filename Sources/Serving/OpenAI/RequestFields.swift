import Forms
import Support

/// The members of a request's object, read with their types; `null` is as good as absent.
struct RequestFields {
  private let members: [String: JSONValue]
  private let body: [UInt8]

  /// - Throws: `APIError` for what is no JSON object.
  init(_ body: [UInt8]) throws(APIError) {
    let document: JSONValue
    do { document = try JSONValue(utf8: body) } catch { throw .invalid(nil, "the body is no JSON: \(error)") }
    guard let members = document.object else {
      throw .invalid(nil, "the body is \(document.kind); an object is expected")
    }
    self.members = members
    self.body = body
  }

  subscript(name: String) -> JSONValue? {
    guard let value = members[name], value != .null else { return nil }
    return value
  }

  func string(_ name: String) throws(APIError) -> String? {
    try read(name, "a string") { $0.string }
  }

  func flag(_ name: String) throws(APIError) -> Bool {
    try read(name, "true or false") { $0.bool } ?? false
  }

  func number(_ name: String, _ range: ClosedRange<Double>) throws(APIError) -> Double? {
    guard let value = try read(name, "a number", { $0.double }) else { return nil }
    guard range.contains(value) else {
      throw .invalid(name, "\(name) is \(value); choose a number from \(range.lowerBound) to \(range.upperBound)")
    }
    return value
  }

  func integer(_ name: String, _ range: ClosedRange<Int>) throws(APIError) -> Int? {
    guard let value = try read(name, "a whole number", { $0.integer }) else { return nil }
    guard range.contains(value) else {
      throw .invalid(name, "\(name) is \(value); choose a number from \(range.lowerBound) to \(range.upperBound)")
    }
    return value
  }

  /// The form that `response_format` asks for; `nil` for any text.
  func format() throws(APIError) -> FormSource? {
    let name = "response_format"
    guard let format = self[name] else { return nil }
    switch format.object?["type"]?.string {
    case "text": return nil
    case "json_object": return .jsonObject
    case "json_schema":
      // The order of a schema's names is that of the reply.
      let document: OrderedJSON
      do { document = try OrderedJSON(utf8: body) } catch { throw .invalid(nil, "the body is no JSON: \(error)") }
      guard let schema = document[name]?["json_schema"]?["schema"] else {
        throw .invalid(name, "response_format.json_schema.schema is missing")
      }
      return .schema(schema.text)
    default: throw .invalid(name, "response_format.type is text, json_object or json_schema")
    }
  }

  /// A string, or a list of them.
  func strings(_ name: String, atMost most: Int) throws(APIError) -> [String] {
    let strings = try read(name, "a string or a list of strings") { value in
      value.string.map { [$0] }
        ?? value.array.flatMap { list in
          let strings = list.compactMap(\.string)
          return strings.count == list.count ? strings : nil
        }
    }
    guard let strings else { return [] }
    guard strings.count <= most else {
      throw .invalid(name, "\(name) has \(strings.count) strings; at most \(most) go")
    }
    return strings
  }

  /// Refuses what would change the reply and is not known here, unless it asks for nothing.
  func refuse(_ name: String, unless asksForNothing: (JSONValue) -> Bool, _ instead: String) throws(APIError) {
    if let value = self[name], !asksForNothing(value) {
      throw .unsupported(name, "\(name) is not supported; \(instead)")
    }
  }

  private func read<Value>(
    _ name: String, _ kind: String, _ convert: (JSONValue) -> Value?
  ) throws(APIError) -> Value? {
    guard let value = self[name] else { return nil }
    guard let converted = convert(value) else {
      throw .invalid(name, "\(name) is \(value.kind); \(kind) is expected", code: "invalid_type")
    }
    return converted
  }
}
