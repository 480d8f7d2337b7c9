import LLaMAStitch
import Testing

@Suite struct FloatBufferTests {
  /// On the heap and in pages of the system's.
  @Test(arguments: [100, 100_000]) func clearedFloatsAreZeroAndTheOthersStay(count: Int) {
    for range in [0..<count, 1..<count - 1, 17..<18, count / 3..<count / 2, count..<count] {
      let buffer = FloatBuffer(count: count)
      buffer.vector.fill(1)
      buffer.clear(range)
      #expect((0..<count).allSatisfy { buffer[$0] == (range.contains($0) ? 0 : 1) }, "\(range) of \(count)")
      buffer.vector.fill(2)
      #expect(buffer.vector.array.allSatisfy { $0 == 2 })
    }
  }
}
