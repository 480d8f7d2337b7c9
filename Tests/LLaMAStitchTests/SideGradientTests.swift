import Foundation
import LLaMAStitch
import Support
import Testing

/// Losses and gradients of side networks against PyTorch with transformers' own layers, in double precision
/// (make_side_gradients.py).
@Suite struct SideGradientTests {
  @Test(arguments: SideKind.allCases) func againstPyTorch(kind: SideKind) throws {
    let fixture = try GradientFixture()
    let (store, network) = try fixture.beside(kind)
    let trainer = try Backpropagation(store: store, pool: ComputePool(threads: 2))
    let (loss, gradients) = trainer.gradients(network, fixture.batch(masked: true))
    struct Case: Decodable {
      var losses: [String: Double]
    }
    let expected = try JSONDecoder().decode(
      Case.self, from: Data(contentsOf: fixture.folder.appendingPathComponent("../side/case.json")))
    #expect(abs(loss - expected.losses[kind.rawValue]!) < 1e-5)
    #expect(gradients.count == store.parameters.count)
    try fixture.expect(gradients, in: "../side/\(kind.rawValue)-gradients")
  }
}

extension GradientFixture {
  /// The route of the fixture with frozen weights, and a side network that is trained.
  func beside(_ kind: SideKind) throws -> (ParameterStore, Network) {
    let values = try file("../side/\(kind.rawValue)")
    let store = ParameterStore(
      values.tensors.values.sorted { $0.name < $1.name }
        .map { .init($0.name, shape: $0.shape, decays: $0.shape.count > 1) })
    for tensor in values.tensors.values {
      store.value(store.index(of: tensor.name)!).copy(from: tensor.floats())
    }
    let route = Route(from: 0, exit: 1, to: 1, entry: 1, depth: 3)
    let layout = AdapterLayout(
      names: ["small", "large"], configurations: ["small", "large"].map { models[$0]!.configuration }, routes: [route],
      options: AdapterOptions(side: SideOptions(kind: kind, reduction: 1, interval: 1)))
    let layer = try file("stitches")
    let weight = FloatBuffer(try layer.tensor("stitches.small-large@1.weight").floats()).matrix(rows: 24, columns: 16)
    let bias = FloatBuffer(try layer.tensor("stitches.small-large@1.bias").floats()).vector
    let assembler = Assembler(
      anchors: [try Self.floats(of: models["small"]!), try Self.floats(of: models["large"]!)],
      layers: [route: [Projection(weight: WeightMatrix(weight), bias: WeightVector(bias))]])
    return (store, assembler.assemble(route, layout, trained: store))
  }
}
