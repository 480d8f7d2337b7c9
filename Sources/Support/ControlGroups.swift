import Foundation

/// What the control groups of this process (a container's, a service's, a batch job's) leave it of processors and memory.
package struct ControlGroups {
  /// Seconds of processor time in a second; `nil` where nothing limits them.
  package let processors: Double?
  /// Bytes of memory in all; `nil` where nothing limits them.
  package let memory: Int?
  /// Bytes of them that are not used, or hold what could be read from files again.
  package let memoryLeft: Int?

  /// - Parameter root: where the system's files are found.
  package init(root: String = "") {
    let mounts = Mount.all(root: root)
    let groups = (Self.text("\(root)/proc/self/cgroup") ?? "").split(separator: "\n").compactMap(Membership.init)
    func directories(of controller: String) -> [(directory: String, isUnified: Bool)] {
      mounts.filter { $0.has(controller) }.flatMap { mount in
        groups.filter { $0.has(controller, isUnified: mount.isUnified) }.flatMap { group in
          mount.directories(of: group).map { ("\(root)\($0)", mount.isUnified) }
        }
      }
    }
    processors =
      directories(of: "cpu").compactMap { directory, isUnified in
        isUnified ? Self.quota("\(directory)/cpu.max") : Self.oldQuota(directory)
      }.min()

    let limits = directories(of: "memory").compactMap { directory, isUnified -> (limit: Int, left: Int)? in
      let names =
        isUnified
        ? ("memory.max", "memory.current", "inactive_file")
        : ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
      // Without a limit there is “max”, or a number beyond all memory.
      guard let limit = Self.number("\(directory)/\(names.0)"), limit < 1 << 60 else { return nil }
      let used = Self.number("\(directory)/\(names.1)") ?? 0
      let files = Self.field(names.2, of: "\(directory)/memory.stat") ?? 0
      return (limit, max(0, limit - max(0, used - files)))
    }
    memory = limits.map(\.limit).min()
    memoryLeft = limits.map(\.left).min()
  }

  /// “QUOTA PERIOD” in microseconds, or “max PERIOD”.
  private static func quota(_ file: String) -> Double? {
    let parts = (text(file) ?? "").split(whereSeparator: \.isWhitespace).map { Double($0) }
    guard parts.count == 2, let quota = parts[0], let period = parts[1], period > 0 else { return nil }
    return quota / period
  }

  private static func oldQuota(_ directory: String) -> Double? {
    guard let quota = number("\(directory)/cpu.cfs_quota_us"), quota > 0,
      let period = number("\(directory)/cpu.cfs_period_us"), period > 0
    else { return nil }
    return Double(quota) / Double(period)
  }

  private static func number(_ file: String) -> Int? {
    text(file).flatMap { Int($0.trimmingCharacters(in: .whitespacesAndNewlines)) }
  }

  /// A line “NAME NUMBER” of a file.
  private static func field(_ name: String, of file: String) -> Int? {
    for line in (text(file) ?? "").split(separator: "\n") {
      let words = line.split(separator: " ")
      if words.count == 2, words[0] == name { return Int(words[1]) }
    }
    return nil
  }

  fileprivate static func text(_ file: String) -> String? {
    do { return try String(contentsOfFile: file, encoding: .utf8) } catch { return nil }
  }
}

/// A line of /proc/self/cgroup: “NUMBER:CONTROLLERS:PATH”, the unified hierarchy's without controllers.
private struct Membership {
  var controllers: [Substring]
  var path: String

  init?(_ line: Substring) {
    let parts = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
    guard parts.count == 3 else { return nil }
    controllers = parts[1].split(separator: ",")
    path = String(parts[2])
  }

  func has(_ controller: String, isUnified: Bool) -> Bool {
    isUnified ? controllers.isEmpty : controllers.contains { $0 == controller }
  }
}

/// A place where a hierarchy of control groups can be seen, or a part of it.
private struct Mount {
  var isUnified: Bool
  /// The group that is seen at `point`.
  var root: String
  var point: String
  var options: [Substring]

  static func all(root: String) -> [Mount] {
    (ControlGroups.text("\(root)/proc/self/mountinfo") ?? "").split(separator: "\n").compactMap { line in
      // “… ROOT POINT OPTIONS … - TYPE SOURCE OPTIONS”
      let halves = line.split(separator: " ").split(separator: "-", maxSplits: 1)
      guard halves.count == 2, halves[0].count >= 5, let type = halves[1].first, let options = halves[1].last,
        type == "cgroup" || type == "cgroup2"
      else { return nil }
      let before = Array(halves[0])
      return Mount(
        isUnified: type == "cgroup2", root: String(before[3]), point: String(before[4]),
        options: options.split(separator: ","))
    }
  }

  func has(_ controller: String) -> Bool { isUnified || options.contains { $0 == controller } }

  /// The group's directory and those above it: all of their limits hold.
  func directories(of group: Membership) -> [String] {
    var path = group.path
    if root != "/", path == root || path.hasPrefix(root + "/") { path.removeFirst(root.count) }
    // What is above what can be seen: only its end is.
    var names = path.split(separator: "/").map(String.init)
    if names.contains("..") { names = [] }
    return (0...names.count).reversed().map { count in
      point + names[..<count].map { "/" + $0 }.joined()
    }
  }
}
