import Serving
import Testing

@Suite struct FairQueueTests {
  private static func drained(_ queue: FairQueue<String>, where hasRoom: (String) -> Bool = { _ in true }) -> [String] {
    var queue = queue
    var order: [String] = []
    while let next = queue.takeFirst(where: hasRoom) { order.append(next) }
    return order
  }

  private static func queue() -> FairQueue<String> {
    var queue = FairQueue<String>()
    for element in ["a1", "a2", "a3", "a4", "b1", "c1", "b2"] { queue.append(element, of: String(element.prefix(1))) }
    return queue
  }

  @Test func whoAsksForManyDoesNotHoldUpOthers() {
    #expect(Self.drained(Self.queue()) == ["a1", "b1", "c1", "a2", "b2", "a3", "a4"])
    // Who asks again waits for those who have not had a turn.
    var queue = Self.queue()
    #expect(queue.takeFirst { _ in true } == "a1")
    queue.append("d1", of: "d")
    #expect(Self.drained(queue) == ["b1", "c1", "a2", "d1", "b2", "a3", "a4"])
  }

  @Test func whatHasNoRoomIsPassedOverAndKeepsItsTurn() {
    var queue = Self.queue()
    #expect(Self.drained(queue) { !$0.hasSuffix("1") } == ["a2", "b2", "a3", "a4"])
    #expect(queue.takeFirst { $0 == "b2" } == "b2")
    #expect(queue.count == 6 && queue.contains { $0 == "b1" } && !queue.contains { $0 == "b2" })
    #expect(queue.takeFirst { _ in false } == nil)
  }

  @Test func whatNobodyWaitsForIsTakenOut() {
    var queue = Self.queue()
    #expect(queue.removeAll { $0.hasPrefix("a") } == ["a1", "a2", "a3", "a4"])
    #expect(queue.count == 3 && Self.drained(queue) == ["b1", "c1", "b2"])
  }
}
