import Support
import WebServer

/// Who may ask: with a key where there are keys, from other pages' scripts only where that is opened.
package struct AccessRules: Sendable {
  /// SHA-256 of the keys.
  private let keys: [[UInt8]]
  /// Pages whose scripts may ask; `*` for any.
  private let origins: [String]
  /// Whether only this machine is served: then a request must name it, so that no page gets in by a name of its own.
  private let isLocal: Bool

  /// - Parameter keys: none: anybody may ask.
  package init(keys: [String], origins: [String], isLocal: Bool) {
    self.keys = keys.map { Array(SHA256.hexadecimal(of: Array($0.utf8)).utf8) }
    self.origins = origins
    self.isLocal = isLocal
  }

  /// - Throws: `APIError`.
  func check(_ request: HTTPRequest, needsKey: Bool) throws(APIError) {
    if let origin = request.fields["origin"], allowedOrigin(origin) == nil, !isOwn(origin, request) {
      throw APIError(
        status: 403, message: "pages of \(oneLine(origin, limit: 100)) may not ask; open it with --allow-origin",
        code: "origin_not_allowed")
    }
    if keys.isEmpty {
      if isLocal, let host = request.fields["host"], !Self.isThisMachine(host) {
        throw APIError(
          status: 403, message: "without keys only this machine is served: ask for it as localhost or 127.0.0.1",
          code: "host_not_allowed")
      }
      return
    }
    if !needsKey { return }
    let given = Array(SHA256.hexadecimal(of: Array(Self.key(of: request).utf8)).utf8)
    // All keys and all of their bytes are looked at, whatever was given, so that time tells nothing.
    var isKnown = false
    for key in keys {
      var difference: UInt8 = 0
      for (one, other) in zip(key, given) { difference |= one ^ other }
      isKnown = difference == 0 || isKnown
    }
    if !isKnown { throw .wrongKey }
  }

  private static func key(of request: HTTPRequest) -> String {
    let value = request.fields["authorization"] ?? ""
    let words = value.split(separator: " ", maxSplits: 1)
    return words.count == 2 && words[0].lowercased() == "bearer"
      ? words[1].trimmingPrefix { $0 == " " }.description : ""
  }

  private static func isThisMachine(_ host: String) -> Bool {
    let name = host.hasPrefix("[") ? String(host.prefix { $0 != "]" }) + "]" : String(host.prefix { $0 != ":" })
    // A name that begins like an address is a name.
    let isAddress = name.utf8.allSatisfy { $0 == UInt8(ascii: ".") || (0x30...0x39).contains($0) }
    return ["localhost", "[::1]"].contains(name.lowercased()) || isAddress && name.hasPrefix("127.")
  }

  /// A page of this very server.
  private func isOwn(_ origin: String, _ request: HTTPRequest) -> Bool {
    request.fields["host"].map { origin == "http://\($0)" || origin == "https://\($0)" } ?? false
  }

  private func allowedOrigin(_ origin: String) -> String? {
    origins.contains("*") ? "*" : origins.contains(origin) ? origin : nil
  }

  /// What a page's script needs to be allowed to read the answer.
  func fields(for request: HTTPRequest) -> [(name: String, value: String)] {
    guard let origin = request.fields["origin"], let allowed = allowedOrigin(origin) else { return [] }
    return [("Access-Control-Allow-Origin", allowed), ("Vary", "Origin")]
  }

  /// The answer to a page that asks whether it may ask.
  func preflight(_ request: HTTPRequest) -> HTTPResponse {
    HTTPResponse(
      status: 204,
      fields: [
        ("Access-Control-Allow-Methods", "GET, POST, OPTIONS"),
        ("Access-Control-Allow-Headers", "Authorization, Content-Type"), ("Access-Control-Max-Age", "600"),
      ])
  }
}
