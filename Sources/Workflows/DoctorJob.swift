import ChatEngine
import Foundation
import LLaMAStitch
import Support

/// `stitch doctor`: what this machine and this account have that the program needs, and what is missing.
public struct DoctorJob {
  /// One line of the report.
  public struct Finding: Encodable, Sendable {
    public enum Level: String, Encodable, Sendable {
      case good
      /// It works, but not as well as it could.
      case note
      /// Something cannot work.
      case bad
    }
    public var level: Level
    public var topic: String
    public var text: String

    public init(_ level: Level, _ topic: String, _ text: String) {
      self.level = level
      self.topic = topic
      self.text = text
    }
  }

  /// What `--family` names; `nil` for the default.
  public var family: String?
  public var terminal: Terminal

  /// What standard input and output are.
  public struct Terminal: Sendable {
    public var isTerminal: Bool
    public var name: String
    /// Whether ncurses has a description of it.
    public var isKnown: Bool
    public var colors: Int
    /// Whether the locale is one of UTF-8.
    public var isUTF8: Bool
    public var width: Int
    public var height: Int

    public init(
      isTerminal: Bool, name: String, isKnown: Bool, colors: Int, isUTF8: Bool, width: Int, height: Int
    ) {
      self.isTerminal = isTerminal
      self.name = name
      self.isKnown = isKnown
      self.colors = colors
      self.isUTF8 = isUTF8
      self.width = width
      self.height = height
    }
  }

  /// Whether Open MPI is there.
  public var hasOpenMPI: Bool

  public init(family: String?, terminal: Terminal, hasOpenMPI: Bool) {
    self.family = family
    self.terminal = terminal
    self.hasOpenMPI = hasOpenMPI
  }

  public func run() -> [Finding] {
    [processor(), kernels(), linearAlgebra(), processes(), memory()] + families() + folders() + leftovers()
      + terminalFindings()
  }

  private func processes() -> Finding {
    hasOpenMPI
      ? Finding(.good, "processes", "Open MPI, for training on many machines")
      : Finding(.note, "processes", "no Open MPI: training uses this machine alone (make setup-mpi installs it)")
  }

  private func leftovers() -> [Finding] {
    // What is remembered of files that are gone costs nobody anything.
    let items = Leftovers().find().filter { $0.kind != .digest }
    if items.isEmpty { return [] }
    let bytes = items.reduce(0) { $0 + $1.bytes }
    return [
      Finding(
        .note, "leftovers",
        "\(items.count) \(items.count == 1 ? "file" : "files") of runs that were killed, \(Self.size(bytes)): `stitch doctor --clean` removes them"
      )
    ]
  }

  private func terminalFindings() -> [Finding] {
    guard terminal.isTerminal else {
      return [.init(.note, "terminal", "standard input or output is none: chat would be line by line")]
    }
    var findings = [Finding(.good, "terminal", "\(terminal.name), \(terminal.width)×\(terminal.height)")]
    if !terminal.isKnown {
      findings.append(
        .init(
          .bad, "terminal",
          "ncurses does not know TERM=\(terminal.name): set TERM to a known one, such as xterm-256color"))
    }
    if !terminal.isUTF8 {
      findings.append(
        .init(.note, "terminal", "the locale is not UTF-8: set LC_ALL=C.UTF-8, or use `stitch chat --ascii`"))
    }
    if terminal.isKnown && terminal.colors < 8 {
      findings.append(.init(.note, "terminal", "no colours; everything is told by attributes and words too"))
    }
    if terminal.width < 40 || terminal.height < 12 {
      findings.append(.init(.note, "terminal", "small: panes go where there is no room"))
    }
    return findings
  }

  private func processor() -> Finding {
    let cores = SystemProcessors.allowed
    let lines = (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8))?.split(separator: "\n") ?? []
    func value(_ key: String) -> String? {
      lines.first { $0.hasPrefix(key) }.flatMap { $0.split(separator: ":", maxSplits: 1).last }
        .map { $0.trimmingCharacters(in: .whitespaces) }
    }
    // On AArch64 they are called features, and models have no names.
    let flags = Set((value("flags") ?? value("Features") ?? "").split(separator: " ").map(String.init))
    let features = [
      "avx2", "fma", "f16c", "avx512f", "avx512_vnni", "avx512_bf16", "avx_vnni", "amx_bf16", "asimd", "asimddp",
      "i8mm",
      "bf16",
    ].filter(flags.contains)
    let limit =
      SystemProcessors.limit.map { $0 < Double(cores) ? ", limited to the time of \(String(format: "%.2g", $0))" : "" }
      ?? ""
    let text =
      "\(value("model name") ?? "unknown"), \(cores) cores\(limit); \(features.isEmpty ? "no vector extensions" : features.joined(separator: " "))"
    return Finding(features.contains { ["avx2", "asimd"].contains($0) } ? .good : .note, "processor", text)
  }

  private func kernels() -> Finding {
    let name = InferenceKernels.best.name
    return Finding(
      name == "baseline" ? .note : .good, "inference",
      "\(name) kernels" + (name == "baseline" ? ", several times slower than on a processor with AVX2 or NEON" : ""))
  }

  private func linearAlgebra() -> Finding {
    do {
      try LinearAlgebra.load()
      return Finding(.good, "training", "OpenBLAS for \(LinearAlgebra.coreName)")
    } catch {
      return Finding(.bad, "training", "\(error)")
    }
  }

  private func memory() -> Finding {
    guard let available = SystemMemory.available else {
      return Finding(.note, "memory", "unknown: /proc/meminfo cannot be read")
    }
    return Finding(
      .good, "memory", "\(Self.size(available)) free of \(Self.size(SystemMemory.physical))")
  }

  private func families() -> [Finding] {
    do {
      let found = try FamilyLocator().find(family)
      let directory = found.directory
      try ModelStore().makeReady(directory)
      let text = try TextFamily(directory)
      let weights = text.family.anchors.reduce(0) { $0 + $1.network().byteCount }
      let cache =
        text.family.stitches.map {
          text.family.network($0.route, adapter: nil).cacheBytes(positions: text.contextLength)
        }.max() ?? 0
      let needed = weights + cache
      let fits = SystemMemory.available.map { needed <= $0 } ?? true
      let summary =
        "\(directory.path): \(text.family.stops.count) sizes, \(Self.size(weights)) of weights and \(Self.size(cache)) of cache for \(text.contextLength) tokens"
      return [
        Finding(
          fits ? .good : .bad, "family",
          summary
            + (fits ? "" : "; more than is free: close programs, or quantise it (stitch family build --quantize q4_0)"))
      ] + [found.hint].compactMap { $0.map { Finding(.note, "family", $0) } }
    } catch {
      return [Finding(.bad, "family", "\(error)")]
    }
  }

  private func folders() -> [Finding] {
    [
      ("conversations and adapters", UserDirectories.data), ("checkpoints", UserDirectories.cache),
      ("logs", UserDirectories.state),
    ].map {
      name, url in
      // The folder may not be there yet: what counts is the first one above it that is.
      var place = url
      while !FileManager.default.fileExists(atPath: place.path), place.path != "/" { place.deleteLastPathComponent() }
      let isWritable = FileManager.default.isWritableFile(atPath: place.path)
      let free = (try? place.resourceValues(forKeys: [.volumeAvailableCapacityKey]))?.volumeAvailableCapacity
      let text = "\(url.path) for \(name)" + (free.map { ", \(Self.size($0)) free" } ?? "")
      return Finding(
        isWritable ? .good : .bad, "folder", isWritable ? text : text + "; it cannot be written: check its permissions")
    }
  }

  /// As people read it.
  public static func size(_ bytes: Int) -> String {
    let units = ["bytes", "kB", "MB", "GB", "TB"]
    var value = Double(bytes)
    var unit = 0
    while value >= 999.5 && unit + 1 < units.count {
      value /= 1000
      unit += 1
    }
    return String(format: value < 9.95 && unit > 0 ? "%.1f" : "%.0f", value) + " " + units[unit]
  }
}
