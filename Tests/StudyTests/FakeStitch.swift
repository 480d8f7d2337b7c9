import Foundation
import Testing

/// A stand-in for `stitch` that takes the study's commands and answers at once, so that a study runs in a second. What
/// it answers follows from the settings: a higher learning rate is better up to 0.002, biases are worth a tenth.
struct FakeStitch {
  let directory: URL
  var program: URL { directory.appending(path: "stitch") }
  var inputs: URL { directory.appending(path: "inputs") }
  var work: URL { directory.appending(path: "work") }
  /// One line for every command that ran.
  var calls: [String] {
    get throws {
      let file = directory.appending(path: "calls")
      guard FileManager.default.fileExists(atPath: file.path) else { return [] }
      return try String(contentsOf: file, encoding: .utf8).split(separator: "\n").map(String.init)
    }
  }

  /// Makes the program and inputs that the quick study names.
  static func with(_ body: (FakeStitch) throws -> Void) throws {
    let directory = FileManager.default.temporaryDirectory.appending(path: "study-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: directory) }
    let fake = FakeStitch(directory: directory)
    try Data(script.utf8).write(to: fake.program)
    try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: fake.program.path)
    for folder in ["family", "anchors/small"] {
      let url = fake.inputs.appending(path: folder)
      try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
      try Data("x".utf8).write(to: url.appending(path: "file"))
    }
    for file in ["adapt.jsonl", "questions.jsonl"] { try Data("x".utf8).write(to: fake.inputs.appending(path: file)) }
    try body(fake)
  }

  /// A command that contains this text fails; `nil` for none.
  func fail(_ text: String?) throws { try set("fail", text) }
  /// A command that contains this text hangs.
  func hang(_ text: String?) throws { try set("hang", text) }

  private func set(_ name: String, _ text: String?) throws {
    let file = directory.appending(path: name)
    if let text { try Data(text.utf8).write(to: file) } else { try FileManager.default.removeItem(at: file) }
  }

  private static let script = """
    #!/bin/bash
    here="$(dirname "$0")"
    echo "$*" >> "$here/calls"
    if [ -e "$here/fail" ] && [[ "$*" == *"$(cat "$here/fail")"* ]]; then echo "stitch: told to fail" >&2; exit 2; fi
    if [ -e "$here/hang" ] && [[ "$*" == *"$(cat "$here/hang")"* ]]; then exec sleep 600; fi
    value() { local next=; for word in "$@"; do if [ -n "$next" ]; then echo "$word"; return; fi; [ "$word" = "$name" ] && next=1; done; }
    option() { name="$1"; shift; value "$@"; }
    case "$1" in
    family) mkdir -p "$(option --output "$@")";;
    adapt)
      output="$(option --output "$@")"
      mkdir "$output" || exit 2
      rate="$(option --learning-rate "$@")"
      quality=50
      [ "$rate" = 0.002 ] && quality=60
      [[ "$*" == *--no-stitch-biases* ]] && quality=$((quality - 10))
      [[ "$*" == *sn-net* ]] && quality=$((quality - 5))
      echo $((quality + $(option --seed "$@"))) > "$output/quality"
      parameters=100
      seconds=1
      if [[ "$*" == *sn-net* ]]; then parameters=2000; seconds=4; fi
      printf '{"step":3,"tokens":9,"seconds":%s,"heldOutLoss":2,"stitchLoss":2}\\n{"step":6,"tokens":18,"seconds":%s,"heldOutLoss":1,"stitchLoss":1}\\n' $seconds $((seconds * 2)) > "$(option --log "$@")"
      echo "{\\"trainable_parameters\\":$parameters,\\"stored_bytes\\":$((parameters * 4)),\\"tokens\\":18,\\"training_seconds\\":$((seconds * 2)),\\"method\\":\\"x\\"}";;
    frontier)
      family="$(option --family "$@")"
      quality=20
      [ -e "$family/quality" ] && quality="$(cat "$family/quality")"
      if [[ "$family" == *families/self* ]]; then
        ids="first 1 0 true,first-second@1 1 0 false,second 1 0 true"
      else
        ids="small 100 -10 true,small-large@1 150 -5 false,large 200 0 true"
      fi
      echo '{"stitches":['
      comma=
      IFS=, ; for row in $ids; do
        IFS=' ' read -r id cost less stop <<< "$row"
        route="$id"
        [[ "$id" == *@* ]] && route="a → b"
        printf '%s{"id":"%s","route":"%s","parameters":%s,"flopsPerToken":%s,"exactMatch":0.%s,"loss":0.5,"isStop":%s}' "$comma" "$id" "$route" "$cost" "$cost" $((quality + less)) "$stop"
        comma=,
      done
      echo ']}';;
    esac
    """
}
