// swift-tools-version: 6.1
import PackageDescription

/// Language settings shared by every Swift target.
let swiftSettings: [SwiftSetting] = [
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("MemberImportVisibility"),
]

let package = Package(
  name: "stitch",
  products: [
    .executable(name: "stitch", targets: ["stitch"]),
    .executable(name: "tiny-corpus", targets: ["tiny-corpus"]),
    .executable(name: "esta-study", targets: ["esta-study"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
  ],
  targets: [
    // C shims, one reason each.
    .target(name: "CKernels"),
    .target(name: "COpenBLAS", linkerSettings: [.linkedLibrary("dl")]),
    .target(
      name: "CSentencePiece", linkerSettings: [.linkedLibrary("sentencepiece"), .linkedLibrary("sentencepiece_train")]),
    .target(name: "CTerminal", linkerSettings: [.linkedLibrary("ncursesw"), .linkedLibrary("tinfo")]),

    // text → tokens → blocks → logits → text
    .target(name: "Tokenizer", dependencies: ["CSentencePiece"], swiftSettings: swiftSettings),
    .target(name: "LLaMAStitch", dependencies: ["CKernels", "COpenBLAS"], swiftSettings: swiftSettings),
    .target(name: "ChatEngine", dependencies: ["Tokenizer", "LLaMAStitch"], swiftSettings: swiftSettings),
    .target(
      name: "ChatScript",
      dependencies: ["ChatEngine", "LLaMAStitch", .product(name: "Yams", package: "Yams")],
      swiftSettings: swiftSettings),
    .target(
      name: "ChatTUI", dependencies: ["ChatEngine", "ChatScript", "Figures", "CTerminal"], swiftSettings: swiftSettings),
    .executableTarget(
      name: "stitch",
      dependencies: [
        "Tokenizer", "LLaMAStitch", "ChatEngine", "ChatScript", "ChatTUI", "Figures",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
        .product(name: "Yams", package: "Yams"),
      ],
      swiftSettings: swiftSettings),

    // Charts as SVG.
    .target(name: "Figures", swiftSettings: swiftSettings),

    // The corpus of the default family.
    .target(name: "TinyCorpus", swiftSettings: swiftSettings),
    .executableTarget(
      name: "tiny-corpus",
      dependencies: [
        "TinyCorpus", .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      swiftSettings: swiftSettings),

    // ESTA measured against what it replaces.
    .target(
      name: "Study",
      dependencies: ["LLaMAStitch", "Figures", .product(name: "Yams", package: "Yams")],
      swiftSettings: swiftSettings),
    .executableTarget(
      name: "esta-study",
      dependencies: ["Study", "ChatEngine", .product(name: "ArgumentParser", package: "swift-argument-parser")],
      swiftSettings: swiftSettings),

    // Random families for tests.
    .target(
      name: "FamilyFixture", dependencies: ["LLaMAStitch", "Tokenizer"], path: "Tests/FamilyFixture",
      swiftSettings: swiftSettings),
    .testTarget(
      name: "TokenizerTests", dependencies: ["Tokenizer"], resources: [.copy("Fixtures")],
      swiftSettings: swiftSettings),
    // Counts allocations of the test program.
    .target(name: "AllocationCount", path: "Tests/AllocationCount"),
    .testTarget(
      name: "LLaMAStitchTests", dependencies: ["LLaMAStitch", "CKernels", "AllocationCount"],
      resources: [.copy("Fixtures")], swiftSettings: swiftSettings),
    .testTarget(
      name: "ChatEngineTests", dependencies: ["ChatEngine", "LLaMAStitch", "Tokenizer", "FamilyFixture"],
      swiftSettings: swiftSettings),
    .testTarget(name: "ChatScriptTests", dependencies: ["ChatScript", "ChatEngine"], swiftSettings: swiftSettings),
    .testTarget(
      name: "ChatTUITests", dependencies: ["ChatTUI", "ChatScript"], exclude: ["Golden"], swiftSettings: swiftSettings),
    .testTarget(
      name: "CommandTests", dependencies: ["ChatTUI", "LLaMAStitch", "Tokenizer", "FamilyFixture"],
      swiftSettings: swiftSettings),
    .testTarget(name: "FiguresTests", dependencies: ["Figures"], swiftSettings: swiftSettings),
    .testTarget(
      name: "StudyTests", dependencies: ["FamilyFixture", "LLaMAStitch"], exclude: ["quick.yaml"],
      swiftSettings: swiftSettings),
    .testTarget(name: "TinyCorpusTests", dependencies: ["TinyCorpus"], swiftSettings: swiftSettings),
  ]
)
