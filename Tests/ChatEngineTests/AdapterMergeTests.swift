import LLaMAStitch
import Testing
import Workflows

/// `stitch adapter merge`, beside what its command does.
@Suite struct AdapterMergeTests {
  /// What lessons are merged on has as much of each, however long they are.
  @Test func filesCountAlike() {
    func file(_ tokens: ClosedRange<Int32>) -> [TrainingExample] { tokens.map { TrainingExample(text: [0, $0]) } }
    let balanced = AdapterMergeJob.balanced([file(1...2), [], file(11...15)])
    #expect(balanced.map { $0.tokens[1] } == [1, 2, 1, 2, 1, 11, 12, 13, 14, 15])
    #expect(AdapterMergeJob.balanced([file(1...3)]).count == 3 && AdapterMergeJob.balanced([]).isEmpty)
  }
}
