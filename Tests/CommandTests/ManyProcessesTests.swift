import Foundation
import Support
import Testing

/// Training divided between processes ends in the bytes of training by one.
@Suite(.enabled(if: Mpirun.isHere, "Open MPI's mpirun is not installed"), .serialized) struct ManyProcessesTests {
  private func adapt(_ workspace: Workspace, steps: Int = 12) -> [String] {
    [
      "adapt", "--family", workspace.family.path, "--data", workspace.lesson.path, "--steps", "\(steps)",
      "--tokens-per-step", "256", "--tokens-per-micro-batch", "64", "--rank", "2", "--seed", "3",
    ]
  }

  private func weights(_ output: URL) throws -> Data {
    try Data(contentsOf: output.appending(path: "esta.safetensors"))
  }

  @Test func bytesDependNeitherOnProcessesNorOnThreads() throws {
    try Workspace.with { workspace in
      let alone = workspace.directory.appending(path: "alone")
      #expect(try workspace.run(adapt(workspace) + ["--output", alone.path]).status == 0)
      for (processes, threads) in [(1, 1), (1, 3), (2, 1), (3, 1), (4, 2), (8, 1)] {
        let output = workspace.directory.appending(path: "\(processes)-\(threads)")
        let outcome = try Mpirun.run(
          processes, adapt(workspace) + ["--threads", "\(threads)", "--output", output.path, "--json"], workspace)
        #expect(outcome.status == 0, "\(outcome.complaint)")
        #expect(try weights(output) == weights(alone), "\(processes) processes, \(threads) threads")
        // One of them speaks.
        #expect(outcome.complaint.matches(of: #/wrote /#).count == 1)
        #expect(try JSONSerialization.jsonObject(with: outcome.output) is [String: Any])
      }
    }
  }

  @Test func otherMethodsAndAdaptersToGoOnFrom() throws {
    try Workspace.with { workspace in
      for (name, options) in [
        ("sn-net", ["--method", "sn-net"]), ("lora", ["--method", "lora-per-anchor"]), ("distill", ["--distill"]),
      ] {
        let base = [
          "adapt", "--family", workspace.family.path, "--data", workspace.lesson.path, "--steps", "6",
          "--tokens-per-step", "128", "--tokens-per-micro-batch", "64",
        ]
        let outputs = [1, 3].map { workspace.directory.appending(path: "\(name)-\($0)") }
        #expect(try workspace.run(base + options + ["--output", outputs[0].path]).status == 0)
        let outcome = try Mpirun.run(3, base + options + ["--threads", "1", "--output", outputs[1].path], workspace)
        #expect(outcome.status == 0, "\(outcome.complaint)")
        let trees = try outputs.map { output in
          try FileManager.default.subpathsOfDirectory(atPath: output.path).filter { $0.hasSuffix(".safetensors") }
            .sorted().map { try Data(contentsOf: output.appending(path: $0)) }
        }
        #expect(trees[0] == trees[1] && !trees[0].isEmpty, "\(name)")
      }
    }
  }

  @Test func pretraining() throws {
    try Workspace.with { workspace in
      let plan = try workspace.pretrainingPlan(tokens: 2000, perStep: 100, atOnce: 25)
      let command = [
        "pretrain", "--config", plan.path, "--data", workspace.lesson.path, "--tokenizer",
        workspace.model.appending(path: "tokenizer.model").path,
      ]
      let outputs = [1, 3].map { workspace.directory.appending(path: "model-\($0)") }
      #expect(try workspace.run(command + ["--output", outputs[0].path]).status == 0)
      let outcome = try Mpirun.run(3, command + ["--threads", "1", "--output", outputs[1].path], workspace)
      #expect(outcome.status == 0, "\(outcome.complaint)")
      let weights = try outputs.map { try Data(contentsOf: $0.appending(path: "model.safetensors")) }
      #expect(weights[0] == weights[1])
    }
  }

  @Test func generation() throws {
    try Workspace.with { workspace in
      // More than are made between two meetings of three processes.
      let command = [
        "generate", "--family", workspace.family.path, "--count", "60", "--batch", "2", "--max-tokens", "8", "--seed",
        "4",
      ]
      let outputs = [1, 3].map { workspace.directory.appending(path: "texts-\($0).jsonl") }
      #expect(try workspace.run(command + ["--output", outputs[0].path]).status == 0)
      let outcome = try Mpirun.run(3, command + ["--output", outputs[1].path, "--json"], workspace)
      #expect(outcome.status == 0, "\(outcome.complaint)")
      #expect(outcome.complaint.matches(of: #/wrote /#).count == 1)
      #expect(try JSONSerialization.jsonObject(with: outcome.output) is [String: Any])
      #expect(try Data(contentsOf: outputs[0]) == Data(contentsOf: outputs[1]))
    }
  }

  @Test func frontier() throws {
    try Workspace.with { workspace in
      let command = ["frontier", "--family", workspace.family.path, "--data", workspace.lesson.path, "--no-speeds"]
      let answers = [1, 3].map { workspace.directory.appending(path: "answers-\($0).jsonl") }
      let alone = try workspace.run(command + ["--json", "--answers", answers[0].path])
      #expect(alone.status == 0, "\(alone.complaint)")
      let outcome = try Mpirun.run(3, command + ["--json", "--answers", answers[1].path], workspace)
      #expect(outcome.status == 0, "\(outcome.complaint)")
      #expect(outcome.output == alone.output && !outcome.output.isEmpty)
      #expect(try Data(contentsOf: answers[0]) == Data(contentsOf: answers[1]))
    }
  }

  /// Of four processes one is killed: the others end, one line says how to go on, and two can.
  @Test func aProcessThatDiesEndsTheJobAndFewerGoOn() throws {
    try Workspace.with { workspace in
      let alone = workspace.directory.appending(path: "alone")
      #expect(try workspace.run(adapt(workspace, steps: 400) + ["--output", alone.path]).status == 0)
      let checkpoint = workspace.directory.appending(path: "checkpoint.safetensors")
      let command =
        adapt(workspace, steps: 400)
        + ["--output", workspace.output.path, "--checkpoint", checkpoint.path, "--checkpoint-interval", "10"]
      let complaint = workspace.directory.appending(path: "complaint")
      try Data().write(to: complaint)
      let job = workspace.process([])
      job.executableURL = URL(filePath: try #require(Mpirun.path))
      job.arguments = ["-q", "-n", "4", StitchProcess.executable.path] + command + ["--threads", "1"]
      job.environment = StitchProcess.environment.merging(workspace.environment) { $1 }
        .merging(Mpirun.environment) { $1 }
      job.standardError = try FileHandle(forWritingTo: complaint)
      try job.run()
      while job.isRunning, !FileManager.default.fileExists(atPath: checkpoint.path) {
        Thread.sleep(forTimeInterval: 0.01)
      }
      let processes = try StitchProcess.run(
        shell: "exec pgrep -P \(job.processIdentifier) --newest stitch", [], environment: [:])
      let victim = try #require(Int32(processes.text.trimmingCharacters(in: .whitespacesAndNewlines)))
      #expect(kill(victim, SIGKILL) == 0)
      job.waitUntilExit()
      #expect(job.terminationStatus != 0)
      let said = try String(contentsOf: complaint, encoding: .utf8)
      let lines = said.split(separator: "\n").filter { $0.hasPrefix("stitch: ") }
      #expect(lines.count == 1 && lines.first?.contains("goes on from \(checkpoint.path)") == true, "\(said)")
      #expect(!FileManager.default.fileExists(atPath: workspace.output.path))

      let rest = try Mpirun.run(2, command + ["--threads", "1"], workspace)
      #expect(rest.status == 0, "\(rest.complaint)")
      #expect(rest.complaint.contains("going on from"))
      #expect(try weights(workspace.output) == weights(alone))
      #expect(!FileManager.default.fileExists(atPath: checkpoint.path))
    }
  }

  /// Processes that would not train the same are told so before anything is written.
  @Test func disagreementsAreRefused() throws {
    try Workspace.with { workspace in
      let other = workspace.directory.appending(path: "other.jsonl")
      let text = try String(contentsOf: workspace.lesson, encoding: .utf8)
      try Data(text.split(separator: "\n").dropFirst().joined(separator: "\n").utf8).write(to: other)
      let family = workspace.directory.appending(path: "changed")
      try FileManager.default.copyItem(at: workspace.family, to: family)
      let tensors = family.appending(path: "anchors/large/model.safetensors")
      var bytes = try Data(contentsOf: tensors)
      let digest = SHA256.hexadecimal(of: Array(bytes))
      bytes[bytes.count - 2] ^= 1
      try bytes.write(to: tensors)
      // A sound family, of other weights.
      try workspace.replace(
        digest, by: SHA256.hexadecimal(of: Array(bytes)), in: family.appending(path: "family.json"))
      let program = workspace.directory.appending(path: "stitch-changed")
      try FileManager.default.copyItem(at: StitchProcess.executable, to: program)
      let handle = try FileHandle(forWritingTo: program)
      try handle.seekToEnd()
      try handle.write(contentsOf: Data([0]))
      try handle.close()

      let usual = adapt(workspace) + ["--threads", "1", "--output", workspace.output.path]
      func replacing(_ old: String, by new: String) -> [String] { usual.map { $0 == old ? new : $0 } }
      let before = try workspace.snapshot()
      let cases: [(arguments: [String], parts: [String])] = [
        (replacing(workspace.lesson.path, by: other.path), ["another set of examples", "the same data files"]),
        (replacing(workspace.family.path, by: family.path), ["another family", "give every machine the same"]),
        (usual + ["--rank", "3"], ["another set of options", "the same command"]),
        (replacing(workspace.lesson.path, by: "/nowhere.jsonl"), ["/nowhere.jsonl", "(process 1 of 2, on "]),
      ]
      for (arguments, parts) in cases {
        let outcome = try Mpirun.run([(1, usual), (1, arguments)], workspace)
        #expect(outcome.status == 2, "\(outcome.complaint)")
        #expect(outcome.complaints.count == 1, "\(outcome.complaint)")
        for part in parts { #expect(outcome.complaints.first?.contains(part) == true, "\(outcome.complaint)") }
      }
      let environment = workspace.environment.merging(Mpirun.environment) { $1 }
      let mixed = try StitchProcess.run(
        shell: "exec '\(Mpirun.path ?? "")' -q -n 1 \"$0\" \"$@\" : -n 1 '\(program.path)' \"$@\"", usual,
        environment: environment)
      #expect(mixed.status == 2 && mixed.complaints.count == 1, "\(mixed.complaint)")
      #expect(mixed.complaints.first?.contains("another program") == true, "\(mixed.complaint)")
      let kept = workspace.home.path
      #expect(
        try workspace.snapshot().filter { !kept.hasSuffix("/" + $0.key.prefix { $0 != "/" }) }
          == before.filter { !kept.hasSuffix("/" + $0.key.prefix { $0 != "/" }) })
    }
  }

  @Test func whatCannotBeDividedIsRefused() throws {
    try Workspace.with { workspace in
      let score = try Mpirun.run(2, ["score", workspace.text.path, "--model", workspace.model.path], workspace)
      #expect(score.status == 2 && score.complaints.count == 1, "\(score.complaint)")
      #expect(score.complaints.first?.contains("stitch score runs in one process") == true)
      let usage = try Mpirun.run(2, ["adapt", "--nonsense"], workspace)
      #expect(usage.status == 2 && usage.complaints.count == 1, "\(usage.complaint)")
      // One process may do anything.
      #expect(
        try Mpirun.run(1, ["score", workspace.text.path, "--model", workspace.model.path], workspace).status == 0)
    }
  }
}

/// What is said where there is no Open MPI, or another MPI.
@Suite struct MissingMPITests {
  private func expect(_ environment: [String: String], _ parts: [String]) throws {
    try Workspace.with { workspace in
      let adapt = ["adapt", "--family", workspace.family.path, "--data", workspace.lesson.path]
      let outcome = try StitchProcess.run(
        adapt, environment: workspace.environment.merging(environment) { $1 })
      #expect(outcome.status == 2)
      #expect(outcome.complaint.split(separator: "\n").count == 1, "\(outcome.complaint)")
      for part in parts { #expect(outcome.complaint.contains(part), "\(outcome.complaint)") }
    }
  }

  @Test func whereThereIsNoOpenMPI() throws {
    try StitchProcess.withTemporaryDirectory { directory in
      for name in ["libmpi.so.40", "libmpi.so"] {
        try Data("no library".utf8).write(to: directory.appending(path: name))
      }
      try expect(
        [
          "OMPI_COMM_WORLD_RANK": "0", "OMPI_COMM_WORLD_SIZE": "2", "OMPI_COMM_WORLD_LOCAL_RANK": "0",
          "LD_LIBRARY_PATH": directory.path,
        ], ["several processes need Open MPI", "could not be loaded", "libopenmpi3", "make setup-mpi"])
    }
  }

  @Test func otherLaunchersAreNamed() throws {
    try expect(["PMI_RANK": "0", "PMI_SIZE": "2"], ["started by MPICH", "mpirun.openmpi", "make setup-mpi"])
    try expect(["MV2_COMM_WORLD_RANK": "0"], ["started by MVAPICH2"])
    try expect(["PMI_RANK": "0", "I_MPI_RANK_CMD": "x"], ["started by Intel MPI"])
  }
}
