import Foundation
import LLaMAStitch
import Synchronization
import Testing

@Suite struct ExitTests {
  private static let products = Atomic(0)

  /// A chat that is told to end while it trains: once the process exits nobody multiplies, for OpenBLAS is taken down before
  /// the threads are.
  @Test func aProcessEndsWhileItsThreadsMultiply() async {
    await #expect(processExitsWith: .exitCode(3)) {
      // What is registered first comes last.
      atexit {
        let before = ExitTests.products.load(ordering: .relaxed)
        usleep(50_000)
        // Each thread may have counted one more before it waits.
        if ExitTests.products.load(ordering: .relaxed) > before + 4 { _exit(4) }
      }
      try LinearAlgebra.load()
      for _ in 0..<4 {
        Thread.detachNewThread {
          let buffers = (0..<3).map { _ in FloatBuffer(count: 128 * 128) }
          let matrices = buffers.map { $0.matrix(rows: 128, columns: 128) }
          while true {
            ExitTests.products.wrappingAdd(1, ordering: .relaxed)
            LinearAlgebra.multiply(matrices[0], matrices[1], into: matrices[2])
          }
        }
      }
      while ExitTests.products.load(ordering: .relaxed) < 100 { usleep(1000) }
      exit(3)
    }
  }
}
