import ArgumentParser
import RemoteChat

/// A server elsewhere that makes the replies.
struct ServerOption: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Chat with a server that has OpenAI's API, such as 'stitch serve' elsewhere: its models are the slider's stops.",
      valueName: "url"))
  var server: String?

  @Option(
    help: ArgumentHelp("A file with the key that the server wants, on a line of its own.", valueName: "file"),
    completion: .file())
  var keyFile: String?

  func check(with family: FamilyOptions, _ single: ModelOption) throws {
    if server == nil && keyFile != nil { throw ValidationError("--key-file goes with --server") }
    if server != nil && (family.family != nil || family.adapter != nil || single.model != nil) {
      throw ValidationError("--server does not go with --family, --adapter or --model")
    }
  }

  /// Where it is; `nil` where none is named.
  func address() throws -> ServerAddress? {
    try server.map { text throws(ServerAddressError) in try ServerAddress(text, keyFile: keyFile) }
  }
}
