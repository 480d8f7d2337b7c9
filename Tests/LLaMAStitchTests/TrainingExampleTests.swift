import Testing

import LLaMAStitch

@Suite struct TrainingExampleTests {
  /// Where an example is cut, no target is lost and none is counted twice.
  @Test(arguments: [2, 3, 7, 19, 20, 21, 40])
  func piecesPredictEveryTokenOnce(length: Int) {
    let example = TrainingExample(tokens: Array(0..<20), lossMask: (0..<20).map { $0 % 3 != 1 })
    var targets: [Int32] = []
    for piece in example.pieces(ofAtMost: length) {
      #expect(piece.tokens.count <= length && piece.tokens.count > 1)
      var batch = PackedBatch()
      batch.append(piece.tokens, lossMask: piece.lossMask)
      targets += batch.targets.filter { $0 != PackedBatch.ignored }
    }
    #expect(targets == (1..<20).filter { $0 % 3 != 1 })
  }

  @Test func onlyPredictedTokensAfterTheFirstAreTargets() {
    #expect(!TrainingExample(tokens: [1, 2], lossMask: [true, false]).hasTargets)
    #expect(TrainingExample(tokens: [1, 2], lossMask: [false, true]).hasTargets)
    #expect(!TrainingExample(text: [1]).hasTargets)
  }
}
