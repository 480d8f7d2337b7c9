import ArgumentParser
import LLaMAStitch

/// How keys and values are kept: shared by the commands that make replies.
struct CacheOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "How keys and values are kept: f32, or f16 in half the memory, where a reply may differ in a token now and then (default: f32).",
      valueName: "type"))
  var cache: CacheType?
}

extension CacheType: ExpressibleByArgument {}
