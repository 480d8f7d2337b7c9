import Foundation
import LLaMAStitch

/// Finds the family to use where none is named.
///
/// The order: the one that was named; `$STITCH_FAMILY`; below the current directory `weights/smollm2`, then `weights/tiny`;
/// then the same of what was installed beside the program. A family that is kept without weights is passed over where its
/// models are not at hand.
public struct FamilyLocator: Sendable {
  /// Of the variable that names a family.
  public static let variable = "STITCH_FAMILY"
  private static let defaultPaths = ["weights/smollm2", "weights/tiny"]

  private let environment: [String: String]
  private let currentDirectory: URL
  private let executable: URL?
  private let shelf: ModelShelf

  /// - Parameters:
  ///   - executable: the program's file, links resolved; by default this process's.
  ///   - shelf: the models at hand.
  public init(
    environment: [String: String] = ProcessInfo.processInfo.environment,
    currentDirectory: URL = URL(fileURLWithPath: FileManager.default.currentDirectoryPath),
    executable: URL? = Self.thisExecutable, shelf: ModelShelf = ModelShelf()
  ) {
    self.environment = environment
    self.currentDirectory = currentDirectory
    self.executable = executable
    self.shelf = shelf
  }

  /// Whether the environment names one.
  public static var isNamedInEnvironment: Bool {
    ProcessInfo.processInfo.environment[variable].map { !$0.isEmpty } ?? false
  }

  /// The file of the running program.
  public static var thisExecutable: URL? {
    let path = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
    return path.map { URL(fileURLWithPath: $0) } ?? Bundle.main.executableURL?.resolvingSymlinksInPath()
  }

  // MARK: Looking

  /// A family, and what would be better.
  public struct Found: Sendable, Equatable {
    public var directory: URL
    /// The model that a family was passed over for, and that can be pulled.
    public var missing: KnownModel?

    public init(_ directory: URL, missing: KnownModel? = nil) {
      self.directory = directory
      self.missing = missing
    }

    /// For people: how to come to the family that was passed over.
    public var hint: String? {
      missing.map { "This is the small family. A real chat model is one command away: \($0.command) (\($0.sizeText))." }
    }
  }

  /// - Parameter explicit: what the user named; no other place is looked at then.
  /// - Throws: `EngineError.noFamily`, `EngineError.notAFamily`.
  public func locate(_ explicit: String? = nil) throws(EngineError) -> URL { try find(explicit).directory }

  /// The same, with what was passed over.
  /// - Throws: `EngineError.noFamily`, `EngineError.notAFamily`.
  public func find(_ explicit: String? = nil) throws(EngineError) -> Found {
    let named = explicit ?? environment[Self.variable].flatMap { $0.isEmpty ? nil : $0 }
    if let named {
      let directory = URL(fileURLWithPath: named, relativeTo: currentDirectory).absoluteURL
      guard FamilyDescription.isFamily(directory) else {
        let exists = FileManager.default.fileExists(atPath: directory.path)
        throw .notAFamily(
          path: named, cause: exists ? "it has no readable family.json" : "there is no such directory")
      }
      return Found(directory)
    }
    var missing: KnownModel?
    let places = self.places
    for place in places where FamilyDescription.isFamily(place) {
      let absent = FamilyDescription.missingModels(in: place).filter { !shelf.has($0) }
      if absent.isEmpty { return Found(place, missing: missing) }
      missing = missing ?? absent.lazy.compactMap { KnownModel.ofFile(sha256: $0.sha256) }.first
    }
    throw .noFamily(lookedIn: ["$\(Self.variable)"] + places.map(\.path), missing: missing?.command)
  }

  /// Where the default family may be, in the order of looking.
  private var places: [URL] {
    var bases = [currentDirectory]
    if let directory = executable?.deletingLastPathComponent() {
      bases += [directory, directory.deletingLastPathComponent().appendingPathComponent("share/stitch")]
      // A program that runs from its build folder belongs to the checkout around it.
      let parts = directory.pathComponents
      if let build = parts.firstIndex(of: ".build") {
        bases.append(parts[1..<build].reduce(URL(fileURLWithPath: "/")) { $0.appendingPathComponent($1) })
      }
    }
    var seen: Set<String> = []
    return bases.flatMap { base in Self.defaultPaths.map { base.appendingPathComponent($0).standardizedFileURL } }
      .filter { seen.insert($0.path).inserted }
  }
}
