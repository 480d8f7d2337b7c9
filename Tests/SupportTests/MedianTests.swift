import Support
import Testing

@Suite struct MedianTests {
  @Test func theMiddleOne() {
    #expect(median([3, 1, 2]) == 2 && median([0.5]) == 0.5)
    #expect(median([4, 1, 3, 2]) == 3)
    #expect(median([Double]()) == 0 && median([9, 8, 7].dropFirst()) == 8)
  }
}
