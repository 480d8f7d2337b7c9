import Support

/// Why a server does not do what it is asked. The description is one line: cause and remedy.
enum ServerError: Error, Equatable, CustomStringConvertible {
  /// libcurl is not on this machine; why.
  case noLibrary(String)
  /// Nobody answers there; libcurl's words, and what to do.
  case unreachable(String, reason: String, remedy: String)
  /// It answered in the middle of something else.
  case brokenOff(String, reason: String)
  /// What answers there has no models.
  case notAServer(String)
  /// An answer that is a refusal.
  case refused(String, status: Int, ServerReport)
  case cancelled

  init(_ server: ServerAddress, _ error: WebError) {
    switch error {
    case .cancelled: self = .cancelled
    case .noLibrary(let reason): self = .noLibrary(reason)
    case .failed(let code, let reason):
      switch code {
      // No such host, no connection, a connection that took too long.
      case 5, 6, 7, 28:
        self = .unreachable(server.base, reason: reason, remedy: "check that the server runs, and its address")
      case 35, 51, 58, 59, 60, 77, 83, 90, 91:
        self = .unreachable(server.base, reason: reason, remedy: "check its certificate, or whether it speaks https")
      case 1, 8:
        self = .unreachable(server.base, reason: reason, remedy: "is it a web server, and is it http or https?")
      default: self = .brokenOff(server.name, reason: reason)
      }
    }
  }

  init(_ server: ServerAddress, status: Int, report: ServerReport) {
    self = .refused(server.base, status: status, report)
  }

  var description: String {
    switch self {
    case .noLibrary(let reason):
      oneLine("libcurl, which speaks to servers, is missing: \(reason); install it (Debian: apt-get install curl)")
    case .unreachable(let base, let reason, let remedy):
      oneLine("cannot reach \(base): \(Self.lowercasingFirst(reason)); \(remedy)")
    case .brokenOff(let name, let reason): oneLine("\(name) broke off: \(Self.lowercasingFirst(reason))")
    case .notAServer(let base):
      "\(base)/models answers with what is no list of models; give the base address of a server with OpenAI's API"
    case .cancelled: "cancelled"
    case .refused(let base, 401, let report), .refused(let base, 403, let report):
      oneLine("\(base) wants a key, or another one: \(report.message); give it with --key-file FILE")
    case .refused(let base, 404, let report) where report.message.isEmpty:
      "\(base) is not there (404); give the base address of a server with OpenAI's API"
    case .refused(let base, 429, let report):
      oneLine("\(base) takes no more now (429): \(report.message)")
    case .refused(let base, let status, let report):
      oneLine("\(base) answers \(status)\(report.message.isEmpty ? "" : ": \(report.message)")")
    }
  }

  private static func lowercasingFirst(_ text: String) -> String { text.prefix(1).lowercased() + text.dropFirst() }
}
