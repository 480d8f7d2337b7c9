import Foundation
import LLaMAStitch
import Tokenizer

/// How an adapted family is taught something more: a small data set in a few minutes on two cores.
public enum LessonSettings {
  /// Optimiser steps where nobody says how many: as many as the small default family needs, and the fewer the more a token
  /// costs, for larger models learn in fewer steps and take longer for each.
  /// - Parameter flopsPerToken: of the dearest stitch.
  public static func steps(flopsPerToken: Double) -> Int {
    Int(min(Double(most), max(Double(least), Double(most) * smallFlops / max(1, flopsPerToken))))
  }

  private static let most = 3700
  /// Enough for facts: SmolLM2-135M had learned those of `weights/lessons` after 100.
  private static let least = 150
  /// Of the dearest stitch of weights/tiny.
  private static let smallFlops = 7.3e6

  /// Part of the loss that is the divergence from the teacher, where there is one; the rest is that of the replies.
  public static let distillationShare: Float = 0.9

  /// - Parameter steps: how many optimiser steps to take.
  public static func adaptation(steps: Int) -> AdaptationSettings {
    AdaptationSettings(
      // What the slider offers; each stop has a bin to itself, for each must learn the lesson.
      stitches: .stops, steps: steps,
      // Most of them rehearse what the family knows.
      tokensPerStep: 768,
      // Pulled back to what it was, the family forgets less.
      optimizer: OptimizerSettings(
        learningRate: 3e-3, warmupSteps: min(50, max(1, steps / 10)), finalShare: 0.02, startDecay: 1),
      // The small networks, which learn more slowly and take less time, get more of the steps.
      sampler: .init(bins: 10_000, warmup: min(100, steps / 10), costExponent: 0.6))
  }
}

/// A data file made ready to be learnt by a family: examples, and a line about what was left out.
struct Lesson {
  let examples: [TrainingExample]
  /// What the family is not to forget meanwhile.
  let rehearsal: [TrainingExample]
  /// What was left out and the first reason; empty where everything is used.
  let note: String

  /// - Parameter distills: whether the dearest anchor teaches, which has something to say of texts as well.
  /// - Throws: `DataError`, `TokenizerError`.
  init(_ file: URL, for text: TextFamily, distills: Bool = false) throws {
    let data = try DataFile(file)
    let texts = data.records.count { if case .text = $0 { true } else { false } }
    guard distills || texts < data.records.count else {
      throw DataError.noReplies(file: file.path, isPlain: data.sources.allSatisfy { $0.format == .plainText })
    }
    let found = try TrainingText.examples(
      data, tokenizer: text.tokenizer, template: text.template, contextLength: text.contextLength,
      textLength: distills ? Self.microBatch : nil)
    guard !found.examples.isEmpty else {
      throw DataError.allTooLong(file: file.path, contextLength: text.contextLength)
    }
    examples = found.examples
    // Who learns from the dearest anchor learns what it knows.
    rehearsal = distills ? [] : try Rehearsal.examples(of: text)
    var notes: [String] = []
    if let first = data.skipped.first {
      notes.append("\(Self.count(data.skipped.count, "record")) skipped, the first at \(first)")
    }
    if texts > 0 && !distills { notes.append("\(Self.count(texts, "text")) without a reply left out") }
    if found.toolTurns > 0 { notes.append("\(Self.count(found.toolTurns, "turn")) of tools left out") }
    if found.tooLong > 0 {
      notes.append("\(Self.count(found.tooLong, "example")) longer than \(text.contextLength) tokens left out")
    }
    note = notes.joined(separator: "; ")
  }

  private static func count(_ number: Int, _ noun: String) -> String { "\(number) \(noun)\(number == 1 ? "" : "s")" }

  /// Few tokens at once, so that a reply never waits for long.
  private static let microBatch = 384

  static func settings(steps: Int, from adapter: Adapter?, distills: Bool) -> AdaptationSettings {
    var settings = LessonSettings.adaptation(steps: steps)
    settings.tokensPerMicroBatch = microBatch
    if distills {
      settings.distillationShare = LessonSettings.distillationShare
      // There is nothing to go back to: the others are to become what the dearest anchor is.
      settings.optimizer.startDecay = 0
    }
    if let adapter { settings.options = adapter.options }
    // Another order than in the run before.
    settings.seed = UInt64(1 + (adapter?.step ?? 0))
    return settings
  }
}

/// The data files in `lessons`, beside a family's directory.
struct LessonFolder {
  private let directory: URL

  init(beside family: URL) {
    directory = family.standardizedFileURL.deletingLastPathComponent().appendingPathComponent("lessons")
  }

  /// By name; none where there is no such directory.
  var lessons: [LessonFile] {
    let files = (try? FileManager.default.contentsOfDirectory(at: directory, includingPropertiesForKeys: nil)) ?? []
    let here = URL(fileURLWithPath: FileManager.default.currentDirectoryPath).standardizedFileURL.path + "/"
    return files.filter { ["json", "jsonl"].contains($0.pathExtension) }
      .map { file in
        let path = file.standardizedFileURL.path
        return LessonFile(
          name: file.deletingPathExtension().lastPathComponent,
          file: path.hasPrefix(here) ? String(path.dropFirst(here.count)) : path)
      }
      .sorted { $0.name < $1.name }
  }

  /// What a user means: a file, or else a lesson by its name.
  func file(of name: String) -> URL {
    if !name.contains("/"), !FileManager.default.fileExists(atPath: name),
      let lesson = lessons.first(where: { $0.name == name || $0.file.hasSuffix("/" + name) })
    {
      return URL(fileURLWithPath: lesson.file)
    }
    return URL(fileURLWithPath: name)
  }
}
