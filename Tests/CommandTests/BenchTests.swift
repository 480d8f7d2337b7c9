import Foundation
import Testing

/// Benchmarks through the program: what they say, never how fast it was.
@Suite struct BenchTests {
  private struct Speeds: Decodable {
    struct Row: Decodable {
      var `case`: String
      var type: String?
      var prompt: Int?
      var tokens_per_second: Double
      var weight_bytes_per_token: Int?
      var memory_share: Double?
      var adapter_time: Double?
    }
    var memory_bytes_per_second: Double
    var results: [Row]
  }

  @Test func inference() throws {
    try StitchProcess.withTemporaryDirectory { directory in
      let arguments = [
        "bench", "--suite", "infer", "--shape", "large", "--type", "q8_0", "--prompt", "8", "--prompt", "20", "--reply",
        "4",
        "--rounds", "1", "--lora-rank", "4", "--work", directory.path, "--json",
      ]
      func left() throws -> [String] { try FileManager.default.contentsOfDirectory(atPath: directory.path) }
      let outcome = try StitchProcess.run(arguments)
      #expect(outcome.status == 0, "\(outcome.complaint)")
      let report = try JSONDecoder().decode(Speeds.self, from: outcome.output)
      #expect(report.memory_bytes_per_second > 0)
      #expect(
        report.results.map(\.case) == ["prefill", "prefill", "decode"] && report.results.map(\.prompt) == [8, 20, 8])
      #expect(report.results.allSatisfy { $0.type == "q8_0" && $0.tokens_per_second > 0 })
      // 3.7 million parameters with 8½ bits each, but for the embedding.
      let bytes = try #require(report.results[2].weight_bytes_per_token)
      #expect((3_600_000...4_000_000).contains(bytes))
      #expect(try #require(report.results[2].memory_share) > 0)
      #expect(try #require(report.results[2].adapter_time) > 0)
      #expect(try left().isEmpty)
      #expect(try StitchProcess.run(arguments + ["--keep"]).status == 0)
      #expect(try left() == ["large-q8_0"])
    }
  }

  @Test func aRandomGGUF() throws {
    try StitchProcess.withTemporaryDirectory { directory in
      let file = directory.appending(path: "random.gguf")
      let outcome = try StitchProcess.run(["bench", "--write-gguf", file.path, "--shape", "large", "--type", "bf16"])
      #expect(outcome.status == 0 && outcome.output.isEmpty, "\(outcome.complaint)")
      #expect(try Data(contentsOf: file).prefix(4) == Data("GGUF".utf8))
    }
  }

  @Test func wrongOptions() throws {
    for (arguments, part) in [
      (["--suite", "slider", "--shape", "7B"], "7B+13B"), (["--suite", "train", "--shape", "1.1B"], "134M"),
      (["--suite", "start", "--shape", "small"], "--family"), (["--rounds", "0"], "--rounds"),
      (["--suite", "speculation", "--shape", "small", "--right", "1.5"], "--right"),
      (["--suite", "speculation", "--shape", "small", "--accepted", "1.5"], "--accepted"),
      (["--suite", "infer", "--type", "q5_1"], "q4_0"), (["--write-gguf", "x.gguf"], "--shape"),
      (["--suite", "memory", "--family", "a", "--shape", "small"], "--family"),
      (["--suite", "slider", "--family", "/nowhere"], "/nowhere"),
    ] {
      let outcome = try StitchProcess.run(["bench"] + arguments)
      #expect(outcome.status == 2 && outcome.complaint.contains(part), "\(arguments): \(outcome.complaint)")
      #expect(outcome.complaint.split(separator: "\n").count == 1)
    }
  }

  @Test func families() throws {
    try StitchProcess.withTemporaryDirectory { directory in
      for suite in ["slider", "memory"] {
        let outcome = try StitchProcess.run([
          "bench", "--suite", suite, "--shape", "small", "--tokens", "16", "--rounds", "1", "--work", directory.path,
          "--json",
        ])
        #expect(outcome.status == 0, "\(outcome.complaint)")
        let report = try #require(try JSONSerialization.jsonObject(with: outcome.output) as? [String: Any])
        #expect(report["suite"] as? String == suite && report["family"] as? String == "small Q8_0")
      }
      #expect(try FileManager.default.contentsOfDirectory(atPath: directory.path).isEmpty)
    }
  }

  /// Options that got a better name are known by their old one, and no longer shown.
  @Test(arguments: [
    (["bench", "--suite", "speculation", "--shape", "small"], "--right", "--accepted"),
    (["adapt", "--family", "/nowhere", "--data", "/nowhere"], "--tokens-at-once", "--tokens-per-micro-batch"),
  ]) func oldNames(arguments: [String], old: String, new: String) throws {
    for name in [old, new] {
      let outcome = try StitchProcess.run(arguments + [name, "-7"])
      #expect(outcome.status == 2 && !outcome.complaint.contains("Unknown option"), "\(outcome.complaint)")
    }
    let help = try StitchProcess.run([arguments[0], "--help"]).text
    #expect(help.contains("\(new) ") && !help.contains("\(old) "))
  }

  /// The names that documents and scripts read, whatever the code calls them.
  @Test func drafts() throws {
    try StitchProcess.withTemporaryDirectory { directory in
      for name in ["--right", "--accepted"] {
        let outcome = try StitchProcess.run([
          "bench", "--suite", "speculation", "--shape", "small", "--tokens", "8", "--reply", "8", "--rounds", "1", name,
          "0.5", "--work", directory.path, "--json",
        ])
        #expect(outcome.status == 0, "\(outcome.complaint)")
        let report = try #require(try JSONSerialization.jsonObject(with: outcome.output) as? [String: Any])
        #expect(report["suite"] as? String == "speculation")
        for row in try #require(report["results"] as? [[String: Any]]) {
          #expect(
            Set(row.keys) == ["stitch", "right", "plain_tokens_per_second", "guessing_tokens_per_second", "ratio"])
          #expect(row["right"] as? Double == 0.5)
        }
      }
    }
  }
}
