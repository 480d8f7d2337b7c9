import Foundation
import LLaMAStitch

/// Finds the family to use where none is named.
///
/// The order: the one that was named; `$STITCH_FAMILY`; `weights/tiny` below the current directory; what was installed
/// beside the program.
public struct FamilyLocator: Sendable {
  /// Of the variable that names a family.
  public static let variable = "STITCH_FAMILY"
  private static let defaultPath = "weights/tiny"

  private let environment: [String: String]
  private let currentDirectory: URL
  private let executable: URL?

  /// - Parameter executable: the program's file, links resolved; by default this process's.
  public init(
    environment: [String: String] = ProcessInfo.processInfo.environment,
    currentDirectory: URL = URL(fileURLWithPath: FileManager.default.currentDirectoryPath),
    executable: URL? = Self.thisExecutable
  ) {
    self.environment = environment
    self.currentDirectory = currentDirectory
    self.executable = executable
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

  /// - Parameter explicit: what the user named; no other place is looked at then.
  /// - Throws: `EngineError.noFamily`, `EngineError.notAFamily`.
  public func locate(_ explicit: String? = nil) throws(EngineError) -> URL {
    let named = explicit ?? environment[Self.variable].flatMap { $0.isEmpty ? nil : $0 }
    if let named {
      let directory = URL(fileURLWithPath: named, relativeTo: currentDirectory).absoluteURL
      guard Self.holdsFamily(directory) else {
        let exists = FileManager.default.fileExists(atPath: directory.path)
        throw .notAFamily(
          path: named, cause: exists ? "it has no readable family.json" : "there is no such directory")
      }
      return directory
    }
    let places = self.places
    if let found = places.first(where: Self.holdsFamily) { return found }
    throw .noFamily(lookedIn: ["$\(Self.variable)"] + places.map(\.path))
  }

  /// Where the default family may be, in the order of looking.
  var places: [URL] {
    var places = [currentDirectory.appendingPathComponent(Self.defaultPath)]
    if let directory = executable?.deletingLastPathComponent() {
      places.append(directory.appendingPathComponent(Self.defaultPath))
      places.append(
        directory.deletingLastPathComponent().appendingPathComponent("share/stitch").appendingPathComponent(
          Self.defaultPath))
      // A program that runs from its build folder belongs to the checkout around it.
      let parts = directory.pathComponents
      if let build = parts.firstIndex(of: ".build") {
        let checkout = parts[1..<build].reduce(URL(fileURLWithPath: "/")) { $0.appendingPathComponent($1) }
        places.append(checkout.appendingPathComponent(Self.defaultPath))
      }
    }
    var seen: Set<String> = []
    return places.map(\.standardizedFileURL).filter { seen.insert($0.path).inserted }
  }

  private static func holdsFamily(_ directory: URL) -> Bool {
    FamilyDescription.isFamily(directory)
  }
}
