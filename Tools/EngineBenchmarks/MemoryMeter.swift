import Foundation

/// What the parts of a long run take: wall time, and the memory of the process, looked at every 50 ms.
///
/// `@unchecked Sendable`: everything that changes is touched under `lock`.
final class MemoryMeter: @unchecked Sendable {
  /// One part of the run.
  struct Part: Sendable {
    var name: String
    var seconds = 0.0
    /// Highest memory without a file behind it, in bytes: what must fit.
    var anonymousBytes = 0
    /// Highest resident memory, in bytes, with the pages of mapped files that happened to be there.
    var residentBytes = 0
  }

  private let lock = NSLock()
  private var parts: [Part] = []
  private var start = ContinuousClock.now
  private var isRunning = true

  init() {
    let thread = Thread { [weak self] in
      while self?.look() == true { Thread.sleep(forTimeInterval: 0.05) }
    }
    thread.start()
  }

  /// Ends the part before and begins the next.
  func begin(_ name: String) {
    look()
    lock.withLock {
      endPart()
      parts.append(Part(name: name))
      start = .now
    }
    look()
  }

  /// Ends the last part.
  func finish() -> [Part] {
    look()
    return lock.withLock {
      endPart()
      isRunning = false
      return parts
    }
  }

  private func endPart() {
    if !parts.isEmpty { parts[parts.count - 1].seconds = (ContinuousClock.now - start) / .seconds(1) }
  }

  @discardableResult
  private func look() -> Bool {
    let now = Self.status()
    return lock.withLock {
      guard isRunning else { return false }
      if !parts.isEmpty {
        parts[parts.count - 1].anonymousBytes = max(parts[parts.count - 1].anonymousBytes, now["RssAnon"] ?? 0)
        parts[parts.count - 1].residentBytes = max(parts[parts.count - 1].residentBytes, now["VmRSS"] ?? 0)
      }
      return true
    }
  }

  /// The sizes in `/proc/self/status`, in bytes; none on systems without it.
  static func status() -> [String: Int] {
    guard let text = try? String(contentsOfFile: "/proc/self/status", encoding: .utf8) else { return [:] }
    var sizes: [String: Int] = [:]
    for line in text.split(separator: "\n") where line.hasSuffix(" kB") {
      let words = line.split(whereSeparator: { $0 == ":" || $0 == "\t" || $0 == " " })
      if words.count == 3, let size = Int(words[1]) { sizes[String(words[0])] = 1024 * size }
    }
    return sizes
  }
}
