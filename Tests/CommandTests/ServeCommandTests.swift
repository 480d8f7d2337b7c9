import FamilyFixture
import Foundation
import Support
import Testing

/// `stitch serve` as a program: what it refuses, and that it starts and ends.
@Suite struct ServeCommandTests {
  @Test func whatCannotBeServedIsSaidInALine() throws {
    try Workspace.with { workspace in
      let keys = workspace.directory.appending(path: "keys.txt")
      let short = workspace.directory.appending(path: "short.txt")
      try Data("# none\n\n".utf8).write(to: keys)
      try Data("abc\n".utf8).write(to: short)
      let family = ["--family", workspace.family.path, "--port", "0"]
      for (arguments, cause) in [
        (["--host", "0.0.0.0"], "give --key-file"), (["--host", "::"], "give --key-file"),
        (["--host", "elsewhere", "--key-file", keys.path], "holds no key"),
        (["--key-file", keys.path], "holds no key"),
        (["--key-file", short.path], "too short"), (["--key-file", "missing.txt"], "missing.txt cannot be read"),
        (["--parallel", "0"], "--parallel must be 1 … 256"), (["--cache", "f8"], "--cache must be f32 or f16"),
        (["--name", "a/b"], "--name must be"), (["--model", "x"], "--model does not go with --family"),
        (["--adapter", "x"], "“x” is no adapter"),
      ] {
        let outcome = try workspace.run(["serve"] + family + arguments)
        #expect(outcome.status == 2 && outcome.output.isEmpty, "\(arguments)\n\(outcome.complaint)")
        #expect(outcome.complaint.contains(cause), "\(arguments)\n\(outcome.complaint)")
        #expect(outcome.complaint.split(separator: "\n").count == 1, "\(outcome.complaint)")
      }
      let missing = try workspace.run(["serve", "--family", "missing"])
      #expect(missing.status == 2 && missing.complaint.contains("missing is not a family"))
    }
  }

  @Test func itServesUntilItIsToldToEnd() throws {
    try Workspace.with { workspace in
      // Two of them: the second one finds the port taken.
      let script = """
        exec 2>"$1/first"; "$0" serve --family "$1/family" --port 0 & first=$!
        for _ in $(seq 600); do grep -q /v1 "$1/first" && break; sleep 0.1; done
        port=$(sed -n 's|.*127.0.0.1:\\([0-9]*\\)/v1.*|\\1|p' "$1/first")
        exec 3<>"/dev/tcp/127.0.0.1/$port"
        printf 'GET /v1/models HTTP/1.1\\r\\nHost: localhost\\r\\nConnection: close\\r\\n\\r\\n' >&3
        cat <&3
        "$0" serve --family "$1/family" --port "$port" 2>"$1/second"; echo "second $?"
        kill -TERM "$first"; wait "$first"; echo "first $?"
        """
      let outcome = try StitchProcess.run(
        shell: script, [workspace.directory.path], environment: workspace.environment)
      #expect(outcome.text.contains("HTTP/1.1 200 OK") && outcome.text.contains("\"id\":\"family/small-large@2\""))
      #expect(outcome.text.contains("second 2\n"), "\(outcome.text)")
      #expect(outcome.text.hasSuffix("first 0\n"), "\(outcome.text)")
      let complaint = try String(contentsOf: workspace.directory.appending(path: "second"), encoding: .utf8)
      #expect(complaint.contains("Address already in use") && complaint.contains("choose another --port"))
    }
  }

  @Test func withoutTheServerItIsSaidHowToGetIt() throws {
    try StitchProcess.withTemporaryDirectory { directory in
      let outcome = try StitchProcess.run(
        shell: "cp \"$0\" '\(directory.path)/stitch' && '\(directory.path)/stitch' serve --family x", [])
      #expect(outcome.status == 2 && outcome.complaint.contains("`make serve`"), "\(outcome.complaint)")
    }
  }
}
