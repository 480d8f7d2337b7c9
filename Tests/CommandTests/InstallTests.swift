import Foundation
import Testing

/// Man pages and completions as `make install` makes them, read by the programs that use them.
@Suite struct InstallTests {
  private static let manual = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().appending(path: "scripts/manual.py").path

  private static func has(_ programs: String...) -> Bool {
    programs.allSatisfy { name in
      ["/bin", "/usr/bin", "/usr/local/bin"].contains { FileManager.default.isExecutableFile(atPath: "\($0)/\(name)") }
    }
  }

  /// Runs a line of bash, in which `$0` is the program.
  private func shell(_ line: String) throws -> StitchProcess.Outcome { try StitchProcess.run(shell: line, []) }

  @Test(.enabled(if: has("python3", "groff"), "python3 or groff is not installed: man pages are not rendered"))
  func manPagesRender() throws {
    try StitchProcess.withTemporaryDirectory { directory in
      #expect(try shell("python3 '\(Self.manual)' \"$0\" '\(directory.path)'").status == 0)
      let pages = try FileManager.default.contentsOfDirectory(at: directory, includingPropertiesForKeys: nil).filter {
        $0.pathExtension == "1"
      }
      #expect(pages.count > 15)
      for page in pages {
        let outcome = try shell("groff -man -Tutf8 -ww '\(page.path)'")
        // Bold is either written twice or coloured.
        let text = outcome.text.replacing(/.\u{8}/, with: "").replacing(/\u{1B}\[[0-9;]*m/, with: "")
        #expect(outcome.status == 0 && outcome.complaint.isEmpty, "\(page.lastPathComponent): \(outcome.complaint)")
        for part in ["NAME", "SYNOPSIS", "EXIT STATUS"] {
          #expect(text.contains(part), "\(page.lastPathComponent): \(part)")
        }
        if page.lastPathComponent == "stitch-chat.1" { #expect(text.contains("--record-script file")) }
        // Characters beyond ASCII come out as themselves.
        if page.lastPathComponent == "stitch-replay.1" {
          #expect(text.contains("stitch replay scripts … [options]"), "\(text)")
        }
      }
    }
  }

  @Test func bashCompletes() throws {
    let outcome = try shell(
      """
      source <("$0" --generate-completion-script bash) && complete -p stitch &&
      COMP_WORDS=(stitch re) COMP_CWORD=1 COMP_LINE='stitch re' COMP_POINT=9 && _stitch stitch re stitch && echo "${COMPREPLY[@]}"
      """)
    #expect(
      outcome.status == 0 && outcome.complaint.isEmpty && outcome.text.contains("_stitch stitch\nreplay\n"),
      "\(outcome.text)\(outcome.complaint)")
  }

  @Test(.enabled(if: has("zsh"), "zsh is not installed: its completion is not loaded")) func zshCompletes() throws {
    try StitchProcess.withTemporaryDirectory { directory in
      let outcome = try shell(
        """
        cd '\(directory.path)' && "$0" --generate-completion-script zsh >_stitch && zsh -n _stitch &&
        zsh -fc 'fpath=($PWD $fpath); autoload -U compinit; compinit -u -D; print $_comps[stitch]; autoload +X _stitch && print loaded'
        """)
      #expect(
        outcome.status == 0 && outcome.complaint.isEmpty && outcome.text == "_stitch\nloaded\n",
        "\(outcome.text)\(outcome.complaint)")
    }
  }

  @Test(.enabled(if: has("fish"), "fish is not installed: its completion is not loaded")) func fishCompletes() throws {
    try StitchProcess.withTemporaryDirectory { directory in
      let outcome = try shell(
        """
        export HOME='\(directory.path)' && cd "$HOME" && "$0" --generate-completion-script fish >stitch.fish &&
        fish -N -c 'source stitch.fish; complete -C "stitch re"; complete -C "stitch chat --record"'
        """)
      #expect(outcome.status == 0 && outcome.complaint.isEmpty, "\(outcome.complaint)")
      #expect(outcome.text.hasPrefix("replay\t") && outcome.text.contains("--record-script\t"), "\(outcome.text)")
    }
  }
}
