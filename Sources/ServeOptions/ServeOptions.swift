import ArgumentParser

/// What `stitch serve` takes: the program that serves and the one that starts it read the same.
public struct ServeOptions: ParsableArguments {
  public init() {}

  @Option(
    help: ArgumentHelp(
      "The family (default: $STITCH_FAMILY, then weights/smollm2 if its model was pulled, then weights/tiny, then those installed with the program).",
      valueName: "directory"))
  public var family: String?

  @Option(
    help: ArgumentHelp(
      "A single model instead: a Hugging Face directory, a GGUF file, or a name from 'stitch models list'.",
      valueName: "model"))
  public var model: String?

  @Option(
    help: ArgumentHelp(
      "Which adapter: own (the family's, the default), latest (of the snapshots that training made), none, or the beginning of a snapshot's hash.",
      valueName: "adapter"))
  public var adapter: String?

  @Option(
    help: ArgumentHelp(
      "What the models are called before the slash (default: the directory's name).", valueName: "name"))
  public var name: String?

  @Option(
    help: ArgumentHelp(
      "The address to listen on; any but this machine's own needs --key-file.", valueName: "address"))
  public var host = "127.0.0.1"

  @Option(help: ArgumentHelp("The port to listen on; 0 is any that is free.", valueName: "n"))
  public var port: UInt16 = 8080

  @Option(
    help: ArgumentHelp(
      "A file with the keys that clients may use, one a line; without, all may ask.", valueName: "file"))
  public var keyFile: String?

  @Option(
    help: ArgumentHelp(
      "Let scripts of a web page ask, such as http://localhost:3000; * is any page. May be repeated.",
      valueName: "origin"))
  public var allowOrigin: [String] = []

  @Option(help: ArgumentHelp("Replies that are made at once.", valueName: "n"))
  public var parallel = 16

  @Option(help: ArgumentHelp("Replies that may wait; more are told to come again.", valueName: "n"))
  public var queue = 256

  @Option(
    help: ArgumentHelp("Longest conversation, in tokens (default: the model's, at most 4096).", valueName: "n"))
  public var context: Int?

  @Option(
    help: ArgumentHelp(
      "Memory for what is cached of conversations, in MiB (default: a quarter of this machine's).", valueName: "n"))
  public var cacheMemory: Int?

  @Option(
    help: ArgumentHelp(
      "How keys and values are kept: f16, or f32 in twice the memory, where replies are those of a chat without --cache f16 to the last token (default: f16).",
      valueName: "type"))
  public var cache: String?

  @Option(help: ArgumentHelp("Clients at once; more are sent away.", valueName: "n"))
  public var connections = 2048

  @Option(
    help: ArgumentHelp(
      "Seconds that the head of a request may take to come; thrice that its body, and a client that takes nothing of its reply; six times that one that asks nothing.",
      valueName: "seconds"))
  public var timeout = 10.0

  @Option(
    help: ArgumentHelp(
      "Seconds that replies under way may take to end when the server is told to (SIGTERM, Ctrl-C); told once more it ends at once.",
      valueName: "seconds"))
  public var finishTime = 30.0

  @Option(
    help: ArgumentHelp(
      "Tokens a second that each reply of the model NAME/auto is to have: the busier, the smaller.", valueName: "n"))
  public var speed = 20.0

  @Flag(help: "Make embeddings, too: the mean of a text's last hidden states.")
  public var embeddings = false

  @Option(help: ArgumentHelp("Threads to compute with; replies do not depend on it.", valueName: "n"))
  public var threads: Int?

  public func validate() throws {
    if model != nil && (family != nil || adapter != nil) {
      throw ValidationError("--model does not go with --family or --adapter")
    }
    func check(_ option: String, _ value: Int?, _ range: ClosedRange<Int>) throws {
      if let value, !range.contains(value) {
        throw ValidationError("\(option) must be \(range.lowerBound) … \(range.upperBound), not \(value)")
      }
    }
    try check("--parallel", parallel, 1...256)
    try check("--queue", queue, 0...100_000)
    try check("--connections", connections, 1...1_000_000)
    try check("--context", context, 16...(1 << 22))
    try check("--cache-memory", cacheMemory, 1...(1 << 30))
    try check("--threads", threads, 1...1024)
    if !(timeout >= 0.1 && timeout <= 3600) {
      throw ValidationError("--timeout must be 0.1 … 3600 seconds, not \(timeout)")
    }
    if !(finishTime >= 0 && finishTime <= 86_400) {
      throw ValidationError("--finish-time must be 0 … 86400 seconds, not \(finishTime)")
    }
    if !(speed > 0 && speed.isFinite) { throw ValidationError("--speed must be a positive number, not \(speed)") }
    if let cache, !["f32", "f16"].contains(cache) { throw ValidationError("--cache must be f32 or f16, not \(cache)") }
    if !isLocal && keyFile == nil {
      throw ValidationError(
        "--host \(host) lets other machines ask: give --key-file with the keys they are to use, or leave out --host")
    }
    if let name, name.isEmpty || !name.allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber || "._-".contains($0)) })
    {
      throw ValidationError("--name must be letters, digits, dots, dashes and underscores, not “\(name)”")
    }
  }

  /// The address to listen on, in numbers.
  public var address: String { host == "localhost" ? "127.0.0.1" : host }

  /// Whether only this machine can ask.
  public var isLocal: Bool { address == "::1" || address.hasPrefix("127.") }
}
