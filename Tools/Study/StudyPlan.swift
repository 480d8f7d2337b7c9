import Foundation

/// One command of a study: a `stitch` process with a directory of its own.
struct Job: Equatable {
  /// What a command reads; its content decides whether an old result still holds.
  enum Input: Equatable {
    /// A file or a directory below the inputs.
    case path(String)
    /// Another job, by id, whose result is read.
    case job(String)
  }

  /// A word of the command line.
  enum Word: Equatable {
    case text(String)
    /// A path below the inputs.
    case input(String)
    /// A path below the study's own directory.
    case work(String)
  }

  /// The directory, relative to the study's.
  var id: String
  var words: [Word]
  var inputs: [Input]
  /// What the command writes besides standard output; it refuses to write over an old one.
  var product: String?
}

/// The jobs of a study. What they are does not depend on what was measured, except for which learning rate and
/// variant a method goes on with.
struct StudyPlan {
  let study: StudyFile

  static let outputName = "output.json"
  static let logName = "log.txt"
  static let curveName = "curve.jsonl"
  static let familyName = "family"

  /// What a method is run with.
  struct Setting: Equatable, Codable {
    var learningRate: Double
    var variant = StudyPlan.plain
  }

  /// The name of a method as it is, without a variant's options.
  static let plain = "plain"

  enum Split: String { case validation, test }

  // MARK: Families

  func family(_ name: String) -> StudyFile.FamilyPlan { study.families.first { $0.name == name }! }

  /// `nil` for a family that is there already.
  func build(_ name: String) -> Job? {
    let plan = family(name)
    guard let anchors = plan.anchors, let calibration = plan.calibration else { return nil }
    let id = "families/\(name)"
    var words: [Job.Word] = [.text("family"), .text("build")]
    for anchor in anchors { words += [.text("--anchor"), .work("\(id)/anchors/\(anchor.name)")] }
    words += [.text("--calibration"), .input(calibration), .text("--output"), .work("\(id)/\(Self.familyName)")]
    words += (plan.options ?? [:]).arguments.map(Job.Word.text)
    words += [.text("--threads"), .text(String(study.threads))]
    return Job(
      id: id, words: words, inputs: anchors.map { .path($0.path) } + [.path(calibration)], product: Self.familyName)
  }

  private func familyWord(_ name: String) -> Job.Word {
    family(name).path.map { .input($0) } ?? .work("families/\(name)/\(Self.familyName)")
  }

  private func familyInput(_ name: String) -> Job.Input {
    family(name).path.map { .path($0) } ?? .job("families/\(name)")
  }

  // MARK: Adaptation

  func adaptation(_ method: StudyFile.MethodPlan, _ setting: Setting, seed: UInt64) -> Job {
    adapt(
      id: "methods/\(method.name)/\(setting.variant)-lr\(Self.text(setting.learningRate))-seed\(seed)",
      family: method.family, options: options(method, setting), setting, seed: seed, steps: method.steps)
  }

  func adaptation(_ ablation: StudyFile.AblationPlan, _ setting: Setting) -> Job {
    let method = study.methods.first { $0.name == ablation.of }!
    return adapt(
      id: "ablations/\(ablation.name)", family: ablation.family ?? method.family,
      options: options(method, setting).merging(ablation.options ?? [:]) { $1 }, setting, seed: study.seeds[0],
      steps: method.steps)
  }

  private func options(_ method: StudyFile.MethodPlan, _ setting: Setting) -> [String: OptionValue] {
    let variant = method.variants?.first { $0.name == setting.variant }
    return method.options.merging(variant?.options ?? [:]) { $1 }
  }

  private func adapt(
    id: String, family: String, options: [String: OptionValue], _ setting: Setting, seed: UInt64, steps: Int?
  ) -> Job {
    let settings = [
      "--learning-rate": Self.text(setting.learningRate), "--seed": String(seed),
      "--steps": String(steps ?? study.steps),
      "--tokens-per-step": String(study.tokensPerStep), "--threads": String(study.threads),
      "--checkpoint-interval": String(study.checkpointInterval),
    ].sorted { $0.key < $1.key }.flatMap { [$0.key, $0.value] }
    var words: [Job.Word] = [.text("adapt"), .text("--family"), familyWord(family)]
    words += [.text("--data"), .input(study.data.adaptation)]
    words += (options.arguments + settings + ["--json"]).map(Job.Word.text)
    for (option, name) in [
      ("log", Self.curveName), ("checkpoint", "checkpoint.safetensors"), ("output", Self.familyName),
    ] {
      words += [.text("--\(option)"), .work("\(id)/\(name)")]
    }
    return Job(
      id: id, words: words, inputs: [familyInput(family), .path(study.data.adaptation)],
      product: Self.familyName)
  }

  static func text(_ number: Double) -> String { String(format: "%g", number) }

  // MARK: Measurement

  /// Measures the family that a job wrote.
  func measurement(of job: Job, _ split: Split, questions: Int) -> Job {
    measurement(
      id: "\(job.id)/\(split)-\(questions)", .work("\(job.id)/\(Self.familyName)"), .job(job.id), split, questions)
  }

  /// Measures a family before adaptation.
  func measurement(unadapted name: String) -> Job {
    let questions = study.questions.ablation
    return measurement(
      id: "unadapted/\(name)-\(questions)", familyWord(name), familyInput(name), .test, questions)
  }

  private func measurement(
    id: String, _ family: Job.Word, _ input: Job.Input, _ split: Split, _ questions: Int
  ) -> Job {
    let data = split == .test ? study.data.test : study.data.validation
    return Job(
      id: id,
      words: [
        .text("frontier"), .text("--family"), family, .text("--data"), .input(data), .text("--questions"),
        .text(String(questions)), .text("--threads"), .text(String(study.threads)), .text("--json"),
      ],
      inputs: [input, .path(data)])
  }

  // MARK: Order

  /// The settings a method's search tries besides those of its grid, once the best of the grid is known.
  func otherSettings(_ method: StudyFile.MethodPlan, best: Setting) -> [Setting] {
    (method.variants ?? []).map { Setting(learningRate: best.learningRate, variant: $0.name) }
  }

  func grid(_ method: StudyFile.MethodPlan) -> [Setting] {
    method.learningRates.map { Setting(learningRate: $0) }
  }

  /// How many jobs there are.
  var count: Int {
    var ids = Set(study.families.compactMap { build($0.name)?.id })
    for name in study.unadapted { ids.insert(measurement(unadapted: name).id) }
    for method in study.methods {
      let grid = grid(method)
      for setting in grid + otherSettings(method, best: grid[0]) {
        for job in search(method, setting) { ids.insert(job.id) }
      }
      for seed in study.seeds { for job in final(method, grid[0], seed: seed) { ids.insert(job.id) } }
    }
    for ablation in study.ablations {
      let method = study.methods.first { $0.name == ablation.of }!
      for job in jobs(of: ablation, grid(method)[0]) { ids.insert(job.id) }
      ids.insert(comparison(method, grid(method)[0]).id)
    }
    return ids.count
  }

  /// Adapts and measures on the validation split.
  func search(_ method: StudyFile.MethodPlan, _ setting: Setting) -> [Job] {
    let job = adaptation(method, setting, seed: study.seeds[0])
    return [job, validation(job)]
  }

  func validation(_ job: Job) -> Job { measurement(of: job, .validation, questions: study.questions.validation) }
  func test(_ job: Job) -> Job { measurement(of: job, .test, questions: study.questions.test) }

  /// Adapts with the chosen setting and measures on both splits.
  func final(_ method: StudyFile.MethodPlan, _ setting: Setting, seed: UInt64) -> [Job] {
    let job = adaptation(method, setting, seed: seed)
    return [job, validation(job), test(job)]
  }

  func jobs(of ablation: StudyFile.AblationPlan, _ setting: Setting) -> [Job] {
    let job = adaptation(ablation, setting)
    return [job, measurement(of: job, .test, questions: study.questions.ablation)]
  }

  /// The method on the questions that its ablations are asked.
  func comparison(_ method: StudyFile.MethodPlan, _ setting: Setting) -> Job {
    measurement(
      of: adaptation(method, setting, seed: study.seeds[0]), .test, questions: study.questions.ablation)
  }
}
