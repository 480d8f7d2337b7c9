import CCurl
import Synchronization

/// A request to a web server.
struct WebRequest: Sendable {
  var url: String
  /// Lines such as `Accept: text/plain`.
  var headers: [String] = []
  /// `nil`: a GET.
  var body: [UInt8]?
  /// The server is on this machine, so that no proxy is asked for it.
  var isLocal = false
  /// Seconds without a byte after which the answer is given up.
  var patience = 300
}

/// What an answer begins with.
struct WebResponseHead: Sendable, Equatable {
  var status = 0
  /// By names in small letters.
  var fields: [String: String] = [:]

  /// A line of the head. A line that begins an answer does so anew: one of 1xx may precede it.
  mutating func take(_ line: String) {
    if line.hasPrefix("HTTP/") {
      fields = [:]
      status = line.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
    } else if let colon = line.firstIndex(of: ":") {
      let value = line[line.index(after: colon)...].drop { $0 == " " || $0 == "\t" }
      fields[line[..<colon].lowercased()] = String(value)
    }
  }
}

/// Why an answer did not come, or not to its end.
enum WebError: Error, Equatable {
  case cancelled
  /// libcurl is not here; why.
  case noLibrary(String)
  /// libcurl's code and words.
  case failed(code: Int32, reason: String)
}

/// One request on a connection of its own, over libcurl. The one wrapper of CCurl.
///
/// `@unchecked Sendable`: the pointer never changes; libcurl's functions are called by the thread of `perform` alone, but
/// for waking it, which any may do.
final class WebTransfer: @unchecked Sendable {
  private let transfer: OpaquePointer

  /// - Throws: `WebError.noLibrary`, `WebError.failed` where there is no memory.
  init(_ request: WebRequest) throws(WebError) {
    if ccu_load() != 0 { throw .noLibrary(String(cString: ccu_error())) }
    let made = withArrayOfCStrings(request.headers) { headers in
      request.url.withCString { url in
        let body = request.body ?? []
        return body.withUnsafeBufferPointer { bytes in
          let none = [UInt8](repeating: 0, count: 1)
          return none.withUnsafeBufferPointer { one in
            ccu_make(
              url, headers, request.headers.count, request.body == nil ? nil : bytes.baseAddress ?? one.baseAddress,
              body.count, request.isLocal ? 1 : 0, 10_000, request.patience)
          }
        }
      }
    }
    guard let made else { throw .failed(code: 27, reason: "there is no memory for a request") }
    transfer = made
  }

  deinit { ccu_free(transfer) }

  /// Ends it at once; whatever was to come does not.
  func cancel() { ccu_cancel(transfer) }

  private struct Receiver {
    var head = WebResponseHead()
    var body: (WebResponseHead, [UInt8]) -> Bool
  }

  /// Does the request. Blocks.
  /// - Parameter body: takes the answer's bytes as they come, and says whether more is wanted.
  /// - Returns: the head.
  /// - Throws: `WebError`; `cancelled` also where no more was wanted.
  func perform(_ body: @escaping (WebResponseHead, [UInt8]) -> Bool) throws(WebError) -> WebResponseHead {
    var receiver = Receiver(body: body)
    let code = withUnsafeMutablePointer(to: &receiver) { context in
      ccu_perform(
        transfer, context,
        { context, bytes, count in
          let text = String(decoding: UnsafeBufferPointer(start: bytes, count: count), as: UTF8.self)
          context!.assumingMemoryBound(to: Receiver.self).pointee.head.take(
            String(text.prefix { $0 != "\r\n" && $0 != "\n" && $0 != "\r" }))
          return 0
        },
        { context, bytes, count in
          let receiver = context!.assumingMemoryBound(to: Receiver.self)
          let isWanted = receiver.pointee.body(
            receiver.pointee.head, Array(UnsafeBufferPointer(start: bytes, count: count)))
          return isWanted ? 0 : 1
        })
    }
    if code < 0 { throw .cancelled }
    if code > 0 { throw .failed(code: code, reason: String(cString: ccu_reason(transfer))) }
    return receiver.head
  }
}

/// Strings as C has a list of them.
private func withArrayOfCStrings<Result>(
  _ strings: [String], _ body: (UnsafePointer<UnsafePointer<CChar>?>) -> Result
) -> Result {
  func add(_ pointers: [UnsafePointer<CChar>?], _ rest: ArraySlice<String>) -> Result {
    guard let first = rest.first else {
      return (pointers + [nil]).withUnsafeBufferPointer { body($0.baseAddress!) }
    }
    return first.withCString { add(pointers + [$0], rest.dropFirst()) }
  }
  return add([], strings[...])
}
