import Support
import WebServer

/// What a request is refused for, in OpenAI's form.
package struct APIError: Error, Equatable {
  package var status: Int
  /// One line: cause and remedy.
  package var message: String
  package var type = "invalid_request_error"
  package var parameter: String?
  package var code: String?
  package var retryAfter: Duration?

  static func invalid(_ parameter: String?, _ message: String, code: String? = nil) -> APIError {
    APIError(status: 400, message: message, parameter: parameter, code: code)
  }

  static func unsupported(_ parameter: String, _ message: String) -> APIError {
    invalid(parameter, message, code: "unsupported_parameter")
  }

  static func unknownModel(_ name: String, known: [String]) -> APIError {
    APIError(
      status: 404,
      message: "there is no model “\(oneLine(name, limit: 100))”; there are \(known.joined(separator: ", "))",
      parameter: "model", code: "model_not_found")
  }

  static func contextLengthExceeded(_ parameter: String, tokens: Int, contextLength: Int) -> APIError {
    invalid(
      parameter,
      "This model's maximum context length is \(contextLength) tokens. However, your prompt has \(tokens) tokens, and a reply needs room too. Please reduce the length of the prompt.",
      code: "context_length_exceeded")
  }

  static func overloaded(_ error: Overloaded) -> APIError {
    APIError(
      status: 429,
      message: "\(error.waiting) texts wait already; try again in \(error.retryAfter.components.seconds) s",
      type: "rate_limit_error", code: "rate_limit_exceeded", retryAfter: error.retryAfter)
  }

  static let wrongKey = APIError(
    status: 401, message: "the key is missing or wrong; send one of the server's as “Authorization: Bearer KEY”",
    type: "authentication_error", code: "invalid_api_key")

  static func internalError(_ message: String) -> APIError {
    APIError(status: 500, message: message, type: "server_error")
  }

  init(
    status: Int, message: String, type: String = "invalid_request_error", parameter: String? = nil,
    code: String? = nil, retryAfter: Duration? = nil
  ) {
    self.status = status
    self.message = message
    self.type = type
    self.parameter = parameter
    self.code = code
    self.retryAfter = retryAfter
  }

  /// What is wrong with a request as HTTP.
  package init(_ error: HTTPProtocolError) {
    self.init(
      status: error.status, message: error.reason,
      type: error.status == 503 ? "server_error" : "invalid_request_error",
      retryAfter: error.status == 503 ? .seconds(1) : nil)
  }

  var document: JSONValue {
    .object([
      "error": .object([
        "message": .string(message), "type": .string(type), "param": parameter.map { .string($0) } ?? .null,
        "code": code.map { .string($0) } ?? .null,
      ])
    ])
  }

  package var response: HTTPResponse {
    var response = HTTPResponse(json: document, status: status)
    if let retryAfter { response.fields.append(("Retry-After", "\(retryAfter.components.seconds)")) }
    if status == 401 { response.fields.append(("WWW-Authenticate", "Bearer")) }
    return response
  }
}

extension HTTPResponse {
  init(json document: JSONValue, status: Int = 200) {
    self.init(
      status: status, fields: [("Content-Type", "application/json")], body: .whole(document.utf8 + [UInt8(ascii: "\n")])
    )
  }

  init(text: String, type: String = "text/plain; charset=utf-8") {
    self.init(status: 200, fields: [("Content-Type", type)], body: .whole(Array(text.utf8)))
  }
}
