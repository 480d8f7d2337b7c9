import ArgumentParser
import ChatEngine
import ChatTUI
import ChatTerminal
import Foundation
import Workflows

struct Doctor: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Say what of this machine the program can use, and what is missing.",
    discussion: "Exit code 1 if something cannot work.")

  @Option(help: ArgumentHelp("The family to look at (default as for chat).", valueName: "directory"))
  var family: String?
  @Flag(help: "Print one JSON document.") var json = false

  func run() throws {
    let findings = DoctorJob(family: family).run() + terminal
    if json {
      try Console.write(json: findings)
    } else {
      let marks: [DoctorJob.Finding.Level: String] = [.good: "ok  ", .note: "note", .bad: "BAD "]
      try Console.write(text: findings.map { "\(marks[$0.level]!)  \($0.topic): \($0.text)\n" }.joined())
    }
    if findings.contains(where: { $0.level == .bad }) { throw ExitCode(1) }
  }

  private var terminal: [DoctorJob.Finding] {
    let abilities = TerminalAbilities.now
    guard abilities.isTerminal else {
      return [.init(.note, "terminal", "standard input or output is none: chat would be line by line")]
    }
    var findings = [DoctorJob.Finding(.good, "terminal", "\(abilities.name), \(abilities.width)×\(abilities.height)")]
    if !abilities.isKnown {
      findings.append(
        .init(
          .bad, "terminal",
          "ncurses does not know TERM=\(abilities.name): set TERM to a known one, such as xterm-256color"))
    }
    if !abilities.isUTF8 {
      findings.append(
        .init(.note, "terminal", "the locale is not UTF-8: set LC_ALL=C.UTF-8, or use `stitch chat --ascii`"))
    }
    if abilities.isKnown && abilities.colors < 8 {
      findings.append(.init(.note, "terminal", "no colours; everything is told by attributes and words too"))
    }
    if abilities.width < 40 || abilities.height < 12 {
      findings.append(.init(.note, "terminal", "small: panes go where there is no room"))
    }
    return findings
  }
}
