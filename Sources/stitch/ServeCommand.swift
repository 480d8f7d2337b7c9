import ArgumentParser
import ChatEngine
import Foundation
import Glibc
import ServeOptions

/// `stitch serve`: starts the server, a program of its own.
struct ServeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "serve", abstract: "Serve a family over OpenAI's API: its sizes are the models.",
    discussion: """
      Chat, completions and the list of models are below /v1, /health says whether it is up, /metrics what it does. \
      Many replies are made at once, and each is the same as if it were alone. Only this machine is served unless --host \
      and --key-file say otherwise.
      """)

  @OptionGroup var options: ServeOptions

  static let program = "stitch-serve"

  func run() throws {
    guard let file = Self.file else { throw ServeError.notBuilt }
    // What was read here is read there again; whatever precedes the command's name was for this program.
    let arguments = CommandLine.arguments.drop { $0 != "serve" }.dropFirst()
    var strings = ([file.path] + arguments).map { strdup($0) } + [nil]
    execv(file.path, &strings)
    throw ServeError.cannotStart(file: file.path, cause: String(cString: strerror(errno)))
  }

  /// Beside this program.
  private static var file: URL? {
    let file = FamilyLocator.thisExecutable?.deletingLastPathComponent().appendingPathComponent(program)
    return file.flatMap { FileManager.default.isExecutableFile(atPath: $0.path) ? $0 : nil }
  }
}

/// Why the server does not start. The description is one line: cause and remedy.
enum ServeError: Error, CustomStringConvertible {
  case notBuilt
  case cannotStart(file: String, cause: String)

  var description: String {
    switch self {
    case .notBuilt: "the server is not built; build and start it with `make serve` in the checkout"
    case .cannotStart(let file, let cause): "cannot start \(file): \(cause); build it anew with `make serve`"
    }
  }
}
