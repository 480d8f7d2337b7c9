/// What a client asks.
public struct HTTPRequest: Sendable {
  /// In capitals: `GET`.
  public var method: String
  /// With what is percent-encoded decoded, without the query.
  public var path: String
  public var fields: HTTPFields
  public var body: [UInt8]
  /// The client's address.
  public var client: String
}

/// What is answered.
public struct HTTPResponse: Sendable {
  public enum Body: Sendable {
    case whole([UInt8])
    /// Written piece by piece; it ends when the function returns, and the connection is closed where that throws.
    case streamed(@Sendable (HTTPBodyWriter) async throws -> Void)
  }

  public var status: Int
  public var fields: [(name: String, value: String)]
  public var body: Body

  public init(status: Int, fields: [(name: String, value: String)] = [], body: Body = .whole([])) {
    self.status = status
    self.fields = fields
    self.body = body
  }
}

/// Takes the pieces of a body. A piece waits until the client has taken those before it.
public struct HTTPBodyWriter: Sendable {
  private let send: @Sendable ([UInt8]) async throws -> Void

  init(_ send: @escaping @Sendable ([UInt8]) async throws -> Void) { self.send = send }

  public func write(_ bytes: [UInt8]) async throws { if !bytes.isEmpty { try await send(bytes) } }
}

/// Header fields, whose names know no case.
public struct HTTPFields: Sendable, Equatable {
  private var pairs: [Pair] = []

  private struct Pair: Sendable, Equatable {
    let name: String
    let value: String
  }

  public init() {}

  mutating func append(_ name: String, _ value: String) { pairs.append(Pair(name: name.lowercased(), value: value)) }

  /// All values of a name, in the order they came.
  public func values(_ name: String) -> [String] {
    let name = name.lowercased()
    return pairs.filter { $0.name == name }.map(\.value)
  }

  /// The first value of a name.
  public subscript(name: String) -> String? { values(name).first }

  /// The elements of a comma-separated field, in small letters.
  func list(_ name: String) -> [String] {
    values(name).flatMap { $0.split(separator: ",") }.map { Self.trimmed($0).lowercased() }.filter { !$0.isEmpty }
  }

  /// Without blanks and tabs around it.
  static func trimmed(_ text: Substring) -> String {
    var text = text
    while text.first == " " || text.first == "\t" { text.removeFirst() }
    while text.last == " " || text.last == "\t" { text.removeLast() }
    return String(text)
  }
}

/// What is wrong with a request before anybody looks at what it asks. The connection ends with it.
public struct HTTPProtocolError: Error, Sendable, Equatable {
  public var status: Int
  /// One line for people.
  public var reason: String

  public init(_ status: Int, _ reason: String) {
    self.status = status
    self.reason = reason
  }
}

/// How large requests may be, and how long they may take.
public struct HTTPLimits: Sendable {
  /// Bytes of the request line and all fields.
  public var headBytes = 16 << 10
  public var bodyBytes = 1 << 20
  /// From a head's first byte to its last.
  public var headTime = Duration.seconds(10)
  public var bodyTime = Duration.seconds(30)
  /// Between requests.
  public var idleTime = Duration.seconds(60)
  /// So long a client may take nothing of what it is sent.
  public var stallTime = Duration.seconds(30)
  /// Clients at once; more are told so and sent away.
  public var connections = 2048

  public init() {}
}

enum HTTPStatus {
  static func phrase(_ status: Int) -> String {
    switch status {
    case 100: "Continue"
    case 200: "OK"
    case 204: "No Content"
    case 400: "Bad Request"
    case 401: "Unauthorized"
    case 403: "Forbidden"
    case 404: "Not Found"
    case 405: "Method Not Allowed"
    case 408: "Request Timeout"
    case 413: "Content Too Large"
    case 415: "Unsupported Media Type"
    case 417: "Expectation Failed"
    case 429: "Too Many Requests"
    case 431: "Request Header Fields Too Large"
    case 500: "Internal Server Error"
    case 501: "Not Implemented"
    case 503: "Service Unavailable"
    case 505: "HTTP Version Not Supported"
    default: "Status \(status)"
    }
  }
}
