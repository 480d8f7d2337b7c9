import FamilyFixture
import Foundation
import LLaMAStitch
import Support
import Testing
import Tokenizer

/// `stitch family build` and `stitch pretrain` with what cannot become a model.
@Suite struct BadInputBuildTests {
  @Test func anchors() throws {
    try Workspace.with { workspace in
      let large = workspace.directory.appending(path: "large")
      try workspace.makeModel("large", at: large)
      let calibration = workspace.directory.appending(path: "calibration.txt")
      try Data((0..<60).map { "the cat number \($0) sat on the mat and said hello" }.joined(separator: "\n\n").utf8)
        .write(to: calibration)
      func build(_ anchors: [URL], _ more: [String] = []) -> [String] {
        ["family", "build", "--calibration", calibration.path, "--output", workspace.output.path]
          + anchors.flatMap { ["--anchor", $0.path] } + (more.contains("--template") ? [] : ["--template", "tiny"])
          + more
      }
      let good = build([workspace.model, large])

      try workspace.expectRefusal(
        build([workspace.model, workspace.model]), ["cannot be stitched", "twice", "give each anchor once"])
      try workspace.expectRefusal(
        build([large, workspace.model]), ["model costs less than large", "give the cheapest first"])
      try workspace.expectRefusal(
        build([workspace.model, workspace.directory.appending(path: "none")]),
        ["none", "no such file", "check the path"])
      let named = workspace.directory.appending(path: "a b@c")
      try FileManager.default.copyItem(at: large, to: named)
      // Any name of a directory will do.
      #expect(try workspace.run(build([workspace.model, named])).status == 0)
      #expect(try Family(workspace.output).names == ["model", "a_b_c"])
      try FileManager.default.removeItem(at: workspace.output)

      let tokenizer = large.appending(path: "tokenizer.model")
      try workspace.restoring(tokenizer) {
        let other = try SentencePieceTrainer(
          vocabularySize: 300, controlSymbols: ["<|system|>", "<|user|>", "<|assistant|>"]
        )
        .train(["other words make other pieces, of course they do", "and some more of them"])
        try Data(other).write(to: tokenizer)
        try workspace.expectRefusal(
          good, [large.path, workspace.model.path, "different tokenizers", "share one tokenizer.model"])
      }
      // The same tokenizer, and another number of rows.
      let padded = workspace.directory.appending(path: "padded")
      try RandomFamily.writeAnchor(at: padded, vocabularySize: RandomFamily.vocabularySize + 32)
      try FileManager.default.copyItem(at: tokenizer, to: padded.appending(path: "tokenizer.model"))
      try workspace.expectRefusal(
        build([workspace.model, padded]), ["vocabulary of 352", "one of 320", "same tokenizer"])

      for (option, value) in [
        ("--template", "chatty"), ("--window", "0"), ("--stops", "0"),
        ("--judged-tokens", "3"), ("--move-weight", "-1"), ("--move-weight", "nan"), ("--window", "99999999999"),
        ("--fit-steps", "-1"),
        ("--ridge", "nan"),
        ("--quantize", "i32"), ("--threads", "0"), ("--threads", "1000000000"), ("--calibration-tokens", "0"),
      ] {
        try workspace.expectRefusal(
          build([workspace.model, large], option == "--template" ? [option, value] : ["\(option)=\(value)"]),
          [option == "--template" ? "template" : option, value])
      }
      try workspace.expectRefusal(build([workspace.model, large], ["--joint-steps", "1"]), ["--joint-data"])

      try workspace.restoring(calibration) {
        for (content, parts) in [
          (Data(), ["no usable"]), (Data("\n \n".utf8), ["no usable"]),
          (Data([0x41, 0xFF, 0xFE]), ["not UTF-8", "in UTF-8"]),
          (Data("{\"text\": 3}\n".utf8), ["no usable", "line 1"]), (Data("[1, 2".utf8), ["begins like a JSON array"]),
        ] {
          try content.write(to: calibration)
          try workspace.expectRefusal(good, [calibration.path] + parts)
        }
        try FileManager.default.removeItem(at: calibration)
        try workspace.expectRefusal(good, [calibration.path, "no such file"])
      }

      try expectNoOverwriting(good, workspace)
      #expect(try workspace.run(good).status == 0)
    }
  }

  /// An output that exists, be it what it may, and one that cannot be made.
  private func expectNoOverwriting(_ command: [String], _ workspace: Workspace) throws {
    let output = workspace.output
    try FileManager.default.createDirectory(at: output, withIntermediateDirectories: false)
    try workspace.expectRefusal(command, [output.path, "exists already", "name another directory"])
    try FileManager.default.removeItem(at: output)
    try Data("precious".utf8).write(to: output)
    try workspace.expectRefusal(command, [output.path, "exists already"])
    try FileManager.default.removeItem(at: output)
    try FileManager.default.createSymbolicLink(atPath: output.path, withDestinationPath: "nowhere")
    try workspace.expectRefusal(command, [output.path, "exists already"])
    try FileManager.default.removeItem(at: output)
    let place = command.firstIndex(of: "--output")! + 1
    for (path, part) in [
      (workspace.text.path + "/below", "not a directory"), ("/proc/output", "cannot create"),
      ("/proc/none/output", "cannot create"),
    ] {
      var command = command
      command[place] = path
      try workspace.expectRefusal(command, [path, part])
    }
  }

  @Test func pretraining() throws {
    try Workspace.with { workspace in
      let plan = workspace.directory.appending(path: "plan.yaml")
      let data = workspace.directory.appending(path: "data.txt")
      try Data((0..<40).map { "hello number \($0), how are you?" }.joined(separator: "\n\n").utf8).write(to: data)
      let fields: [String: String] = [
        "hiddenSize": "32", "intermediateSize": "64", "blockCount": "1", "headCount": "2", "contextLength": "32",
        "tokens": "256", "tokensPerStep": "32", "learningRate": "0.001", "seed": "1",
      ]
      func write(_ fields: [String: String]) throws {
        try Data(fields.map { "\($0.key): \($0.value)\n" }.sorted().joined().utf8).write(to: plan)
      }
      let command = [
        "pretrain", "--config", plan.path, "--data", data.path, "--tokenizer",
        workspace.model.appending(path: "tokenizer.model").path, "--output", workspace.output.path,
      ]
      try workspace.expectRefusal(command, [plan.path, "no such file", "check the path"])
      try write(fields)
      let checkpoint = workspace.directory.appending(path: "checkpoint")
      let lock = try FileLock(of: checkpoint)
      try workspace.expectRefusal(
        command + ["--checkpoint", checkpoint.path], [checkpoint.path, "in use by another run", "wait"])
      withExtendedLifetime(lock) {}
      for name in fields.keys.sorted() {
        try write(fields.filter { $0.key != name })
        try workspace.expectRefusal(command, [plan.path, "“\(name)” is missing", "stitch pretrain --help"])
        try write(fields.merging([name: "many"]) { $1 })
        try workspace.expectRefusal(command, [plan.path, "“\(name)”", "wrong kind", "stitch pretrain --help"])
      }
      for (name, value) in [
        ("headCount", "3"), ("headCount", "0"), ("headCount", "32"), ("keyValueHeadCount", "3"), ("hiddenSize", "-32"),
        ("intermediateSize", "0"), ("blockCount", "0"), ("blockCount", "9000000000"), ("contextLength", "1"),
        ("contextLength", "4000000000"), ("tokens", "0"), ("tokens", "9000000000000000000"), ("tokensPerStep", "0"),
        ("tokensPerStep", "9000000000000000000"), ("learningRate", "0"), ("learningRate", ".nan"), ("ropeTheta", "0"),
        ("tokensAtOnce", "0"), ("warmupSteps", "-1"), ("weightDecay", "-1"),
      ] {
        try write(fields.merging([name: value]) { $1 })
        try workspace.expectRefusal(command, [plan.path, name, "correct the plan"])
      }
      try write(fields.merging(["hiddenSize": "65536", "intermediateSize": "1048576", "blockCount": "1024"]) { $1 })
      try workspace.expectRefusal(command, [plan.path, "GB of memory", "correct the plan"])
      try write(fields.merging(["keyValueHeads": "1"]) { $1 })
      try workspace.expectRefusal(command, [plan.path, "no field “keyValueHeads”"])
      for text in ["", "hello", "- 1\n- 2\n", "a: [", "\t{", "a: &a [*a, *a]", String(repeating: "[", count: 3000)] {
        try Data(text.utf8).write(to: plan)
        try workspace.expectRefusal(command, [plan.path, "stitch pretrain --help"])
      }
      try Data([0x61, 0xFF]).write(to: plan)
      try workspace.expectRefusal(command, [plan.path, "UTF-8"])

      try write(fields)
      for (option, value) in [("--threads", "0"), ("--type", "i32"), ("--checkpoint-interval", "0")] {
        try workspace.expectRefusal(command + [option, value], [option, value])
      }
      try workspace.restoring(data) {
        for (content, part) in [
          (Data(), "no usable"), (Data([0xFF]), "not UTF-8"), (Data("{\"messages\": []}\n".utf8), "no usable"),
        ] {
          try content.write(to: data)
          try workspace.expectRefusal(command, [data.path, part])
        }
      }
      try expectNoOverwriting(command, workspace)
      // A checkpoint that is none is neither used nor replaced.
      let notes = workspace.directory.appending(path: "notes.txt")
      try Data("precious notes".utf8).write(to: notes)
      try workspace.expectRefusal(
        command + ["--checkpoint", notes.path], [notes.path, "cannot be resumed", "delete it"], lines: 2)
      #expect(try workspace.run(command).status == 0)
    }
  }
}
