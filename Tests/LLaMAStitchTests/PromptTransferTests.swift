import Foundation
import LLaMAStitch
import Support
import Testing

/// PANDA: how alike two tasks are, and a teacher that reads another prompt, or is of another width.
@Suite struct PromptTransferTests {
  private static func family(in folder: TemporaryFolder, _ name: String, widths: [Int]) throws -> Family {
    let place = folder.url.appendingPathComponent(name)
    try FileManager.default.createDirectory(at: place, withIntermediateDirectories: true)
    let anchors = try zip(["small", "large"], widths).enumerated().map { index, shape in
      let configuration = RandomModel.configuration(hidden: shape.1, blocks: 2 + index)
      let directory = try RandomModel.write(
        configuration, weights: RandomModel.weights(configuration, seed: UInt64(index + shape.1)),
        to: place.appendingPathComponent(shape.0))
      return FamilyBuilder.Anchor(name: shape.0, directory: directory)
    }
    return try FamilyBuilder(
      anchors, options: .init(name: name, chatTemplate: "tiny"), pool: ComputePool(threads: 2)
    ).build(
      calibration: RandomModel.tokens(40, length: 20), tokenizer: ["tokenizer": Data("x".utf8)],
      output: place.appendingPathComponent("family"))!
  }

  /// An adapter with a random soft prompt.
  private static func taught(_ family: Family, length: Int) throws -> Adapter {
    let trainer = try UpdateTests.trainer(family, .dept, steps: 1, length: length)
    FiniteDifferences.randomise(trainer.store)
    return trainer.snapshot()
  }

  private static func logits(_ network: Network, _ tokens: [Int32]) throws -> [[Double]] {
    let logits = try InferenceSession(network: network, pool: ComputePool(threads: 1)).evaluate(
      tokens.map(Int.init), logits: .all)
    return (0..<logits.rows).map { logits.row($0).array.map(Double.init) }
  }

  /// Cross-entropy and weight · the mean square of the difference of logits, from what both networks reply; the teacher reads
  /// a longer prompt and is wider.
  @Test(arguments: [Float(0.25), 2]) func theLossIsTheFormula(weight: Float) throws {
    let folder = try TemporaryFolder()
    let (wide, narrow) = (
      try Self.family(in: folder, "wide", widths: [24, 40]), try Self.family(in: folder, "narrow", widths: [16, 24])
    )
    let teacher = wide.network(wide.route(ofAnchor: 1), adapter: try Self.taught(wide, length: 5))
    let trainer = try UpdateTests.trainer(narrow, .dept, steps: 1)
    FiniteDifferences.randomise(trainer.store)
    let adapter = trainer.snapshot()
    let rule = try Backpropagation(store: trainer.store, pool: ComputePool(threads: 2))
    let batch = FiniteDifferences.batch
    for stitch in narrow.stitches {
      let student = narrow.network(stitch.route, adapter: adapter)
      var (expected, count) = (0.0, 0)
      for example in ESTATrainerTests.examples(12) {
        let (taught, found) = (try Self.logits(teacher, example.tokens), try Self.logits(student, example.tokens))
        for place in 1..<example.tokens.count where example.lossMask[place] {
          let (row, other) = (found[place - 1], taught[place - 1])
          let top = row.max()!
          let sum = log(row.reduce(0) { $0 + exp($1 - top) }) + top
          let squares = zip(row, other).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
          expected += sum - row[Int(example.tokens[place])] + Double(weight) * squares / Double(row.count)
          count += 1
        }
      }
      let loss = rule.loss(
        trainer.trainingNetwork(stitch.route), batch, teacher: Teacher(teacher, .logits(weight: weight)))
      #expect(abs(loss - expected / Double(count)) < 1e-4 * expected / Double(count), "\(stitch.id)")
      let replies = rule.loss(trainer.trainingNetwork(stitch.route), batch)
      #expect(loss > replies * 1.05, "\(stitch.id): \(loss), \(replies)")
      let nobody = rule.loss(
        trainer.trainingNetwork(stitch.route), batch, teacher: Teacher(teacher, .logits(weight: 0)))
      #expect(abs(nobody - replies) < 1e-6 * replies)
      // A network that teaches itself has nothing to add.
      let itself = rule.loss(
        trainer.trainingNetwork(stitch.route), batch, teacher: Teacher(student, .logits(weight: weight)))
      #expect(abs(itself - replies) < 1e-5 * replies)
    }
  }

  /// Along a random direction of each parameter the loss changes as the gradient says.
  @Test func finiteDifferences() throws {
    let folder = try TemporaryFolder()
    let (wide, narrow) = (
      try Self.family(in: folder, "wide", widths: [24, 40]), try Self.family(in: folder, "narrow", widths: [16, 24])
    )
    let teacher = Teacher(
      wide.network(wide.route(ofAnchor: 1), adapter: try Self.taught(wide, length: 5)), .logits(weight: 0.5))
    let trainer = try UpdateTests.trainer(narrow, .dept, steps: 1)
    FiniteDifferences.randomise(trainer.store)
    let rule = try Backpropagation(store: trainer.store, pool: ComputePool(threads: 2))
    let batch = FiniteDifferences.batch
    for stitch in narrow.stitches {
      let network = trainer.trainingNetwork(stitch.route)
      let alone = rule.gradients(network, batch).gradients
      let gradients = rule.gradients(network, batch, teacher: teacher).gradients
      #expect(gradients.count == network.parameters.count && !gradients.isEmpty)
      for index in network.parameters {
        let name = trainer.store.parameters[index].name
        let gradient = try #require(gradients[name])
        let values = trainer.store.value(index)
        let before = values.array
        var random = SeededGenerator(seed: UInt64(index + 1))
        let direction = before.map { _ -> Float in random.unit() < 0.5 ? 1 : -1 }
        func loss(_ step: Float) -> Double {
          values.copy(from: zip(before, direction).map { $0 + step * $1 })
          defer { values.copy(from: before) }
          return rule.loss(trainer.trainingNetwork(stitch.route), batch, teacher: teacher)
        }
        let measured = (loss(3e-3) - loss(-3e-3)) / 6e-3
        let expected = zip(gradient, direction).reduce(0.0) { $0 + Double($1.0 * $1.1) }
        #expect(abs(measured - expected) < 2e-3 + 0.02 * abs(expected), "\(stitch.id) \(name)")
        #expect(relativeDifference(gradient, alone[name]!) > 1e-3, "\(stitch.id) \(name)")
      }
    }
  }

  /// One prompt read twice is one task; another prompt is another; what is at right angles is unlike.
  @Test func similarity() throws {
    let folder = try TemporaryFolder()
    let family = try Self.family(in: folder, "one", widths: [24, 40])
    let adapter = try Self.taught(family, length: 3)
    let texts = RandomModel.tokens(5, length: 9).map { $0.map(Int.init) }
    func embedding(_ adapter: Adapter?, threads: Int = 2) throws -> TaskEmbedding {
      try TaskEmbedding(
        family.network(family.route(ofAnchor: 1), adapter: adapter), texts: texts, pool: ComputePool(threads: threads))
    }
    let one = try embedding(adapter)
    #expect(one.values.count == 40)
    #expect(try embedding(adapter, threads: 1) == one)
    #expect(abs(one.similarity(to: one) - 1) < 1e-12)
    let other = try embedding(nil).similarity(to: one)
    #expect(other < 0.99 && other > -1, "\(other)")
    #expect(other == one.similarity(to: try embedding(nil)))
    let (east, north) = (TaskEmbedding(values: [2, 0]), TaskEmbedding(values: [0, 3]))
    #expect(east.similarity(to: north) == 0)
    #expect(Teacher.weight(0.1, similarity: east.similarity(to: north)) == 0)
    #expect(Teacher.weight(0.1, similarity: 1) == 0.1 && Teacher.weight(0.1, similarity: -0.5) == 0)
    #expect(east.similarity(to: TaskEmbedding(values: [-1, 0])) == -1)
    #expect(east.similarity(to: TaskEmbedding(values: [0, 0])) == 0)
  }

  /// Without the prompt it is what it came on top of, or nothing.
  @Test func withoutAPrompt() throws {
    let folder = try TemporaryFolder()
    let family = try Self.family(in: folder, "one", widths: [16, 24])
    #expect(try Self.taught(family, length: 3).withoutPrompt(in: family) == nil)
    let below = try ESTATrainerTests.trainer(family, steps: 1).snapshot()
    let both = try UpdateTests.trainer(family, .dept, steps: 1, adapter: below).snapshot()
    let rest = try #require(both.withoutPrompt(in: family))
    #expect(rest.options == below.options && rest.parameterCount == below.parameterCount)
    for name in family.layout(below.options).declarations.map(\.name) {
      #expect(rest.values(name) == below.values(name))
    }
  }
}
