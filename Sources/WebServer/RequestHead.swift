import Foundation

/// A request line and header fields, read strictly: what two readers could take differently is refused (RFC 9112).
struct RequestHead: Sendable, Equatable {
  var method: String
  var path: String
  /// HTTP/1.1, otherwise 1.0.
  var isCurrent: Bool
  var fields = HTTPFields()

  /// How a body's length is known.
  enum BodyLength: Sendable, Equatable {
    case bytes(Int)
    case chunked
  }

  let bodyLength: BodyLength

  /// Whether another request may follow.
  var keepsAlive: Bool {
    let options = fields.list("connection")
    return isCurrent ? !options.contains("close") : options.contains("keep-alive")
  }

  /// - Parameter bytes: up to the empty line, without it.
  init(_ bytes: ArraySlice<UInt8>) throws(HTTPProtocolError) {
    var lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).map {
      $0.last == UInt8(ascii: "\r") ? $0.dropLast() : $0
    }[...]
    let words = (lines.popFirst() ?? []).split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false)
    guard words.count == 3, !words[0].isEmpty, words[0].allSatisfy(Self.isTokenByte) else {
      throw HTTPProtocolError(400, "the request line is not “METHOD target HTTP/1.1”")
    }
    method = String(decoding: words[0], as: UTF8.self).uppercased()
    switch String(decoding: words[2], as: UTF8.self) {
    case "HTTP/1.1": isCurrent = true
    case "HTTP/1.0": isCurrent = false
    default: throw HTTPProtocolError(505, "HTTP/1.1 is spoken here")
    }
    path = try Self.path(words[1])
    for line in lines {
      guard let colon = line.firstIndex(of: UInt8(ascii: ":")), colon > line.startIndex,
        line[..<colon].allSatisfy(Self.isTokenByte)
      else { throw HTTPProtocolError(400, "a header field is not “name: value”") }
      let value = line[(colon + 1)...]
      guard value.allSatisfy({ $0 >= 0x20 && $0 != 0x7F || $0 == 0x09 }) else {
        throw HTTPProtocolError(400, "a header field holds a control character")
      }
      fields.append(
        String(decoding: line[..<colon], as: UTF8.self), HTTPFields.trimmed(String(decoding: value, as: UTF8.self)[...])
      )
    }
    bodyLength = try Self.bodyLength(fields)
    if isCurrent && fields.values("host").count != 1 {
      throw HTTPProtocolError(400, "there must be one Host field")
    }
  }

  private static func path(_ target: ArraySlice<UInt8>) throws(HTTPProtocolError) -> String {
    guard target.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
      throw HTTPProtocolError(400, "the target holds what must be percent-encoded")
    }
    var text = String(decoding: target, as: UTF8.self)[...]
    // The absolute form, which proxies are sent.
    if let scheme = text.range(of: "://"), !text.hasPrefix("/") {
      text = text[scheme.upperBound...].drop { $0 != "/" && $0 != "?" }
      if text.isEmpty || text.first == "?" { text = "/" + text }
    }
    let path = text.prefix { $0 != "?" && $0 != "#" }
    guard path.hasPrefix("/") || path == "*", let decoded = path.removingPercentEncoding, !decoded.contains("\0") else {
      throw HTTPProtocolError(400, "the target is no path")
    }
    return decoded
  }

  private static func bodyLength(_ fields: HTTPFields) throws(HTTPProtocolError) -> BodyLength {
    let lengths = fields.values("content-length")
    let codings = fields.list("transfer-encoding")
    if fields.values("transfer-encoding").isEmpty {
      guard let first = lengths.first else { return .bytes(0) }
      guard lengths.allSatisfy({ $0 == first }), !first.isEmpty, first.utf8.allSatisfy({ (0x30...0x39).contains($0) })
      else { throw HTTPProtocolError(400, "Content-Length is not one number") }
      return .bytes(Int(first) ?? .max)
    }
    guard lengths.isEmpty else {
      throw HTTPProtocolError(400, "Content-Length and Transfer-Encoding do not go together")
    }
    guard codings == ["chunked"] else { throw HTTPProtocolError(501, "the only Transfer-Encoding known is chunked") }
    return .chunked
  }

  private static func isTokenByte(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
    default: "!#$%&'*+-.^_`|~".utf8.contains(byte)
    }
  }
}
