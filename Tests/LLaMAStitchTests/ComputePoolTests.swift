import Foundation
import LLaMAStitch
import Synchronization
import Testing

@Suite struct ComputePoolTests {
  private final class Counters: Sendable {
    let values: Mutex<[Int]>
    init(_ count: Int) { values = Mutex([Int](repeating: 0, count: count)) }
  }

  @Test func everyPieceRunsOnce() {
    let pool = ComputePool(threads: 4)
    for parts in [0, 1, 2, 3, 17, 200] {
      for _ in 0..<50 {
        let counters = Counters(parts)
        pool.run(parts: parts) { part in counters.values.withLock { $0[part] += 1 } }
        #expect(counters.values.withLock { $0 } == [Int](repeating: 1, count: parts))
      }
    }
  }

  @Test func callersTakeTurns() {
    let pool = ComputePool(threads: 3)
    let counters = Counters(1)
    let done = DispatchSemaphore(value: 0)
    for _ in 0..<4 {
      Thread {
        for _ in 0..<200 { pool.run(parts: 5) { _ in counters.values.withLock { $0[0] += 1 } } }
        done.signal()
      }.start()
    }
    for _ in 0..<4 { done.wait() }
    #expect(counters.values.withLock { $0[0] } == 4 * 200 * 5)
  }

  @Test func afterItsEndTheCallerWorksAlone() {
    let pool = ComputePool(threads: 3)
    pool.stop()
    let counters = Counters(4)
    pool.run(parts: 4) { part in counters.values.withLock { $0[part] += 1 } }
    #expect(counters.values.withLock { $0 } == [1, 1, 1, 1])
  }

  @Test func threadsEndWithTheirPool() throws {
    func named() throws -> Int {
      try FileManager.default.contentsOfDirectory(atPath: "/proc/self/task").filter {
        (try? String(contentsOfFile: "/proc/self/task/\($0)/comm", encoding: .utf8))?.hasPrefix("ends-") ?? false
      }.count
    }
    var pool: ComputePool? = ComputePool(threads: 4, name: "ends")
    pool?.run(parts: 8) { _ in }
    pool = nil
    for _ in 0..<200 where try named() > 0 { Thread.sleep(forTimeInterval: 0.01) }
    #expect(try named() == 0)
  }

  @Test func anIdlePoolCostsNothing() throws {
    let pool = ComputePool(threads: 4, name: "idle")
    pool.run(parts: 8) { _ in }
    Thread.sleep(forTimeInterval: 0.05)
    func ticks() throws -> Int {
      try FileManager.default.contentsOfDirectory(atPath: "/proc/self/task").reduce(0) { total, task in
        guard let text = try? String(contentsOfFile: "/proc/self/task/\(task)/stat", encoding: .utf8),
          text.contains("(idle-")
        else { return total }
        let fields = text[text.lastIndex(of: ")")!...].split(separator: " ")
        return total + Int(fields[12])! + Int(fields[13])!
      }
    }
    let before = try ticks()
    Thread.sleep(forTimeInterval: 0.3)
    #expect(try ticks() - before <= 1)
    withExtendedLifetime(pool) {}
  }
}
