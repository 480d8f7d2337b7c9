import ArgumentParser
import ChatEngine
import Foundation

/// Which family, and which of its networks: shared by the commands that run one.
struct FamilyOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "The family (default: $STITCH_FAMILY, then weights/tiny, then the one installed with the program).",
      valueName: "directory"))
  var family: String?

  @Option(
    help: ArgumentHelp(
      "The stitch to use, such as small or small-large@3; see 'stitch family show' (default: the best stop).",
      valueName: "id"))
  var stitch: String?

  @Option(
    help: ArgumentHelp(
      "Which adapter: own (the family's, the default), latest (of the snapshots that training made), none, or the beginning of a snapshot's hash.",
      valueName: "adapter"))
  var adapter: String?

  /// The family's directory.
  func directory() throws -> URL { try FamilyLocator().locate(family) }

  func adapterChoice() throws -> AdapterChoice { try adapter.map { try AdapterChoice($0) } ?? .own }

  /// The stitch that was named; `nil` for the best stop.
  var stitchID: String? { stitch == "auto" ? nil : stitch }

  /// Whether anything about a family was given.
  var isNamed: Bool { family != nil || stitch != nil || adapter != nil }
}
