import Foundation
import Support

/// Where a server with OpenAI's API is, and the key that it wants.
public struct ServerAddress: Sendable, Equatable {
  /// Up to what stands before `/models`: `http://127.0.0.1:8080/v1`.
  public let base: String
  /// For people: `127.0.0.1:8080`.
  public let name: String
  /// It is this machine.
  let isLocal: Bool
  /// What goes there can be read on its way.
  let isPlain: Bool
  let key: String?

  /// - Parameters:
  ///   - text: a URL; without a scheme `http`, and without a path `/v1`.
  ///   - keyFile: the path of a file with a key on a line of its own.
  /// - Throws: `ServerAddressError`.
  public init(_ text: String, keyFile: String? = nil) throws(ServerAddressError) {
    let whole = text.contains("://") ? text : "http://" + text
    func refused(_ cause: String) -> ServerAddressError {
      ServerAddressError(description: oneLine("“\(text)” is no address of a server: \(cause)", limit: 400))
    }
    guard let parts = URLComponents(string: whole), let scheme = parts.scheme?.lowercased(), let host = parts.host,
      !host.isEmpty, whole.utf8.allSatisfy({ (0x21...0x7E).contains($0) })
    else { throw refused("write it as http://127.0.0.1:8080") }
    guard ["http", "https"].contains(scheme) else { throw refused("it begins with http:// or https://") }
    if parts.user != nil || parts.password != nil {
      throw refused("a key does not belong in it; give --key-file FILE")
    }
    if parts.query != nil || parts.fragment != nil { throw refused("leave out what follows the path") }
    if let port = parts.port, !(1...65535).contains(port) { throw refused("\(port) is no port") }
    var path = parts.path
    while path.last == "/" { path.removeLast() }
    let bracketed = host.contains(":") && !host.hasPrefix("[") ? "[\(host)]" : host
    let authority = parts.port.map { "\(bracketed):\($0)" } ?? bracketed
    base = "\(scheme)://\(authority)\(path.isEmpty ? "/v1" : path)"
    name = authority
    isLocal = ["localhost", "[::1]", "::1"].contains(host.lowercased()) || host.hasPrefix("127.")
    isPlain = scheme == "http"
    key = try keyFile.map { path throws(ServerAddressError) in try Self.key(in: path) }
  }

  /// The first line of a file that is no remark.
  private static func key(in file: String) throws(ServerAddressError) -> String {
    let text: String
    do throws(TextFile.ReadingError) { text = try TextFile.read(file, atMost: 1 << 16).text } catch {
      throw ServerAddressError(description: "\(error)")
    }
    let lines = text.split(separator: "\n").map { $0.trimmingCharacters(in: .whitespaces) }
    guard let key = lines.first(where: { !$0.isEmpty && !$0.hasPrefix("#") }) else {
      throw ServerAddressError(description: oneLine("\(file) holds no key; write one on a line of its own"))
    }
    guard key.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
      throw ServerAddressError(
        description: oneLine("the key in \(file) has other than letters, digits and signs; check the file"))
    }
    return key
  }

  /// What is asked of it.
  func request(_ path: String, body: [UInt8]? = nil) -> WebRequest {
    var request = WebRequest(url: base + path, body: body, isLocal: isLocal)
    // Some servers want to be told before they take a long body, and others do not understand it.
    request.headers = ["Accept: application/json, text/event-stream", "User-Agent: stitch", "Expect:"]
    if body != nil { request.headers.append("Content-Type: application/json") }
    if let key { request.headers.append("Authorization: Bearer \(key)") }
    return request
  }
}

/// What is wrong with an address or a key. The description is one line: cause and remedy.
public struct ServerAddressError: Error, Equatable, Sendable, CustomStringConvertible {
  public var description: String
}
