import Foundation

/// Progress of training on standard error: a line that rewrites itself on a terminal, a line now and then elsewhere
/// (so that logs stay readable and can be searched).
final class ProgressMeter {
  private let onTerminal = isatty(STDERR_FILENO) == 1
  private let start = Date()
  private var firstStep: Int?
  private var smoothed: Double?
  private var shown = false
  private var lastWork: Date?

  /// A line for people.
  func note(_ line: String) {
    end()
    Console.log(Console.harmless(line) + "\n")
  }

  /// Ends a line that was to change still.
  func end() {
    if shown && onTerminal { write("\n") }
    shown = false
  }

  /// How much of something is done: in a terminal a line that changes, elsewhere one when it begins.
  func share(_ line: String, _ done: Int, of all: Int) {
    guard onTerminal else {
      if done == 0 { note(line) }
      return
    }
    write("\r\u{1B}[K" + Console.harmless(line) + (done == 0 ? "" : "  \(100 * done / max(1, all)) %"))
    shown = done < all || done == 0
    if !shown { write("\n") }
  }

  /// How far work is: in a terminal a line that changes, elsewhere one now and then.
  func work(_ line: String) {
    if onTerminal {
      write("\r\u{1B}[K" + Console.harmless(line))
      shown = true
    } else if Date().timeIntervalSince(lastWork ?? .distantPast) >= 30 {
      lastWork = Date()
      note(line)
    }
  }

  func update(
    step: Int, of total: Int, loss: Double, heldOutLoss: Double?, tokensPerSecond: Double, extra: String = ""
  ) {
    if firstStep == nil { firstStep = step - 1 }
    smoothed = smoothed.map { 0.98 * $0 + 0.02 * loss } ?? loss
    let done = step - firstStep!
    let left = Date().timeIntervalSince(start) / Double(done) * Double(total - step)
    var line =
      "step \(step)/\(total)  loss \(Self.fixed(smoothed!, 4))  \(Int(tokensPerSecond)) tok/s  \(Self.time(left)) left"
    if let heldOutLoss { line += "  held out \(Self.fixed(heldOutLoss, 4))" }
    line += extra
    if onTerminal {
      write("\r\u{1B}[K" + line)
      shown = true
      if heldOutLoss != nil || step == total {
        write("\n")
        shown = false
      }
    } else if heldOutLoss != nil || step % 50 == 0 || step == total || done == 1 {
      write(line + "\n")
    }
  }

  private func write(_ text: String) { Console.log(text) }

  static func fixed(_ value: Double, _ digits: Int) -> String {
    String(format: "%.\(digits)f", value)
  }

  static func time(_ seconds: Double) -> String {
    let whole = Int(max(0, seconds.isFinite ? seconds : 0))
    return whole >= 3600
      ? "\(whole / 3600) h \(whole / 60 % 60) min" : whole >= 60 ? "\(whole / 60) min \(whole % 60) s" : "\(whole) s"
  }
}
