// swift-tools-version: 6.1
import PackageDescription

/// Language settings shared by every Swift target.
let swiftSettings: [SwiftSetting] = [
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("MemberImportVisibility"),
]

let argumentParser = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")
let flyingSocks = Target.Dependency.product(name: "FlyingSocks", package: "FlyingFox")
let csv = Target.Dependency.product(name: "SwiftCSV", package: "SwiftCSV")
let yams = Target.Dependency.product(name: "Yams", package: "Yams")

let package = Package(
  name: "stitch",
  products: [
    .executable(name: "stitch", targets: ["stitch"]),
    .executable(name: "stitch-serve", targets: ["stitch-serve"]),
    .executable(name: "tiny-corpus", targets: ["tiny-corpus"]),
    .executable(name: "esta-study", targets: ["esta-study"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
    .package(url: "https://github.com/swhitty/FlyingFox", from: "0.27.1"),
    .package(url: "https://github.com/swiftcsv/SwiftCSV", from: "0.10.0"),
  ],
  targets: [
    // C shims, one reason each.
    .target(name: "CKernels"),
    .target(name: "CCurl", linkerSettings: [.linkedLibrary("dl")]),
    .target(name: "CMemory"),
    .target(name: "COniguruma", linkerSettings: [.linkedLibrary("onig")]),
    .target(name: "COpenBLAS", linkerSettings: [.linkedLibrary("dl")]),
    .target(name: "COpenMPI", linkerSettings: [.linkedLibrary("dl")]),
    .target(
      name: "CSentencePiece", linkerSettings: [.linkedLibrary("sentencepiece"), .linkedLibrary("sentencepiece_train")]),
    .target(name: "CTerminal", linkerSettings: [.linkedLibrary("ncursesw"), .linkedLibrary("tinfo")]),
    .target(name: "CTextWidth"),

    // What knows nothing of models.
    .target(name: "Jinja", swiftSettings: swiftSettings),
    .target(name: "Support", dependencies: ["CMemory"], swiftSettings: swiftSettings),
    .target(name: "Figures", dependencies: ["Support"], swiftSettings: swiftSettings),
    .target(name: "Forms", dependencies: ["Support"], swiftSettings: swiftSettings),

    // text → tokens → blocks → logits → text
    .target(
      name: "Tokenizer", dependencies: ["COniguruma", "CSentencePiece", "Jinja", "Support"],
      swiftSettings: swiftSettings),
    .target(
      name: "LLaMAStitch", dependencies: ["CKernels", "CMemory", "COpenBLAS", "Support"], swiftSettings: swiftSettings),

    // Several processes as one.
    .target(
      name: "MessagePassing", dependencies: ["COpenMPI", "LLaMAStitch", "Support"], swiftSettings: swiftSettings),

    // Chatting with a family, what is kept of it, and work without a chat.
    .target(
      name: "ChatEngine", dependencies: ["Forms", "Tokenizer", "LLaMAStitch", "Support", csv],
      swiftSettings: swiftSettings),
    .target(
      name: "Conversations", dependencies: ["ChatEngine", "LLaMAStitch", "Support"], swiftSettings: swiftSettings),
    .target(
      name: "Workflows",
      dependencies: [
        "ChatEngine", "EngineBenchmarks", "Figures", "Forms", "Tokenizer", "LLaMAStitch", "Support", yams,
      ],
      swiftSettings: swiftSettings),

    // A server elsewhere as the engine behind a chat.
    .target(
      name: "RemoteChat", dependencies: ["CCurl", "ChatEngine", "Forms", "Support"], swiftSettings: swiftSettings),

    // The user interface: what happens, then how it shows, then a real terminal.
    .target(
      name: "ChatScript", dependencies: ["ChatEngine", "Conversations", "Forms", "Support", yams],
      swiftSettings: swiftSettings),
    .target(
      name: "ChatTUI", dependencies: ["ChatEngine", "Conversations", "ChatScript", "Support", "CTextWidth"],
      swiftSettings: swiftSettings),
    .target(
      name: "Settings",
      dependencies: ["ChatTUI", "ChatScript", "ChatEngine", "Conversations", "LLaMAStitch", "Support"],
      swiftSettings: swiftSettings),
    .target(
      name: "ChatReplay", dependencies: ["ChatTUI", "ChatScript", "ChatEngine", "Conversations", "Forms", "Support"],
      swiftSettings: swiftSettings),
    .target(
      name: "ChatTerminal", dependencies: ["ChatTUI", "ChatScript", "ChatEngine", "CTerminal"],
      swiftSettings: swiftSettings),

    // The command line.
    .target(name: "ServeOptions", dependencies: [argumentParser], swiftSettings: swiftSettings),
    .executableTarget(
      name: "stitch",
      dependencies: [
        "Support", "Tokenizer", "LLaMAStitch", "ChatEngine", "Conversations", "Workflows", "ChatScript", "ChatTUI",
        "Settings", "ChatReplay", "ChatTerminal", "EngineBenchmarks", "Forms", "MessagePassing",
        "RemoteChat", "ServeOptions", argumentParser,
      ],
      swiftSettings: swiftSettings),

    // The server, a product of its own: HTTP, OpenAI's API over the engine, a program.
    .target(name: "WebServer", dependencies: [flyingSocks], swiftSettings: swiftSettings),
    .target(
      name: "Serving", dependencies: ["WebServer", "ChatEngine", "Forms", "Tokenizer", "LLaMAStitch", "Support"],
      swiftSettings: swiftSettings),
    .executableTarget(
      name: "stitch-serve",
      dependencies: [
        "Serving", "WebServer", "ServeOptions", "Workflows", "ChatEngine", "LLaMAStitch", "Support", argumentParser,
      ],
      swiftSettings: swiftSettings),

    // Tools: benchmarks of the engine, the study behind the results, the corpus of the default family.
    .target(
      name: "EngineBenchmarks",
      dependencies: ["ChatEngine", "Tokenizer", "LLaMAStitch", "CKernels", "CMemory", "Support"],
      path: "Tools/EngineBenchmarks", swiftSettings: swiftSettings),
    .target(
      name: "Study", dependencies: ["LLaMAStitch", "Figures", "Support", yams], path: "Tools/Study",
      swiftSettings: swiftSettings),
    .executableTarget(
      name: "esta-study", dependencies: ["Study", "ChatEngine", "Support", argumentParser], path: "Tools/esta-study",
      swiftSettings: swiftSettings),
    .target(name: "TinyCorpus", dependencies: ["Support"], path: "Tools/TinyCorpus", swiftSettings: swiftSettings),
    .executableTarget(
      name: "tiny-corpus", dependencies: ["TinyCorpus", "Support", argumentParser], path: "Tools/tiny-corpus",
      swiftSettings: swiftSettings),

    // Tests, one folder a target; random families for them, and a count of allocations.
    .target(
      name: "FamilyFixture", dependencies: ["LLaMAStitch", "Tokenizer", "Support"], path: "Tests/FamilyFixture",
      swiftSettings: swiftSettings),
    .target(name: "AllocationCount", path: "Tests/AllocationCount"),
    // What fuzzers call, and the tests that replay their corpus.
    .target(
      name: "FuzzTargets",
      dependencies: [
        "ChatEngine", "ChatScript", "ChatTUI", "Conversations", "FamilyFixture", "Forms", "Jinja", "LLaMAStitch",
        "RemoteChat", "Serving", "Settings", "Support", "Tokenizer", "WebServer", "Workflows",
      ],
      path: "Tests/FuzzTargets", swiftSettings: swiftSettings),
    .testTarget(
      name: "FuzzTests", dependencies: ["FuzzTargets"], exclude: ["Corpus", "Dictionaries"],
      swiftSettings: swiftSettings),
    .testTarget(
      name: "JinjaTests", dependencies: ["Jinja"], exclude: ["expressions.jsonl"], swiftSettings: swiftSettings),
    .testTarget(name: "FormsTests", dependencies: ["Forms", "Support"], swiftSettings: swiftSettings),
    .testTarget(name: "SupportTests", dependencies: ["Support"], swiftSettings: swiftSettings),
    .testTarget(
      name: "TokenizerTests", dependencies: ["Tokenizer", "FamilyFixture", "Support"], exclude: ["Fixtures"],
      swiftSettings: swiftSettings),
    .testTarget(
      name: "LLaMAStitchTests",
      dependencies: ["LLaMAStitch", "EngineBenchmarks", "CKernels", "AllocationCount", "Support"],
      resources: [.copy("Fixtures")], swiftSettings: swiftSettings),
    .testTarget(
      name: "ChatEngineTests",
      dependencies: [
        "ChatEngine", "Conversations", "Workflows", "LLaMAStitch", "Tokenizer", "FamilyFixture", "Support",
      ],
      swiftSettings: swiftSettings),
    .testTarget(
      name: "ChatScriptTests", dependencies: ["ChatScript", "ChatEngine", "Conversations", "Forms"],
      swiftSettings: swiftSettings),
    .testTarget(
      name: "ChatTUITests",
      dependencies: ["ChatTUI", "ChatReplay", "ChatTerminal", "ChatScript", "Conversations", "ChatEngine", "Support"],
      exclude: ["Golden"], swiftSettings: swiftSettings),
    .testTarget(
      name: "CommandTests", dependencies: ["ChatTUI", "LLaMAStitch", "Tokenizer", "FamilyFixture", "Support"],
      exclude: ["Fixtures"],
      swiftSettings: swiftSettings),
    .testTarget(
      name: "ServingTests",
      dependencies: ["Serving", "ChatEngine", "Tokenizer", "FamilyFixture", "Support"],
      swiftSettings: swiftSettings),
    .testTarget(
      name: "RemoteChatTests", dependencies: ["RemoteChat", "WebServer", "ChatEngine", "Forms", "Support"],
      swiftSettings: swiftSettings),
    .testTarget(name: "FiguresTests", dependencies: ["Figures"], swiftSettings: swiftSettings),
    .testTarget(
      name: "StudyTests", dependencies: ["FamilyFixture", "LLaMAStitch", "Support"], exclude: ["quick.yaml"],
      swiftSettings: swiftSettings),
    .testTarget(name: "TinyCorpusTests", dependencies: ["TinyCorpus", "Support"], swiftSettings: swiftSettings),
  ]
)

// `make fuzz` alone builds the program around the targets: its `main` is the fuzzer's.
if Context.environment["STITCH_FUZZ"] != nil {
  package.products.append(.executable(name: "stitch-fuzz", targets: ["stitch-fuzz"]))
  package.targets.append(
    .executableTarget(
      name: "stitch-fuzz", dependencies: ["FuzzTargets"], path: "Tests/stitch-fuzz",
      swiftSettings: swiftSettings + [.unsafeFlags(["-parse-as-library"])],
      linkerSettings: [.unsafeFlags(["-use-ld=lld"])]))
}

// `scripts/sanitize.sh` alone: the C under sanitizers, the Swift as it is. What takes the compiler minutes is left out.
if let kinds = Context.environment["STITCH_SANITIZE_C"] {
  let checks = [
    "-O1", "-fsanitize=\(kinds)", "-fno-sanitize=null,object-size,pointer-overflow", "-fno-omit-frame-pointer",
    "-mllvm", "-asan-instrumentation-with-call-threshold=0",
  ]
  for target in package.targets {
    switch target.type {
    case .executable, .test:
      target.linkerSettings =
        (target.linkerSettings ?? []) + [.unsafeFlags(["-Xclang-linker", "-fsanitize=\(kinds)"])]
    default:
      if target.swiftSettings != nil { continue }
      target.cSettings = [.unsafeFlags(checks)]
      target.cxxSettings = [.unsafeFlags(checks)]
    }
  }
}
