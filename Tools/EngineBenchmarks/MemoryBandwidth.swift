import CKernels
import CMemory
import Foundation
import LLaMAStitch
import Support

/// How fast this machine reads memory: the limit of decoding, which reads every weight once per token.
public final class MemoryBandwidth {
  private let buffer: FloatBuffer
  private let pool: ComputePool
  private let read: @Sendable (Team) -> Void

  /// - Parameter bytes: much more than the caches hold.
  public init(bytes: Int = 1 << 30, pool: ComputePool) {
    let buffer = FloatBuffer(count: bytes / 4)
    buffer.preferHugePages()
    // Pages that were never written are one page of zeros.
    buffer.vector.fill(1)
    self.buffer = buffer
    self.pool = pool
    read = { team in
      let share = team.share(of: bytes / 4, unit: 128)
      _ = cm_read_memory(buffer.base + share.lowerBound, 4 * share.count / 512 * 512)
    }
  }

  /// Bytes per second with all threads of the pool: the median of some passes.
  public func bytesPerSecond(passes: Int = 5) -> Double {
    let seconds = (0..<max(1, passes)).map { _ in
      let start = ContinuousClock.now
      pool.runTeam(pool.threads, read)
      return (ContinuousClock.now - start) / .seconds(1)
    }
    return Double(4 * buffer.count) / median(seconds)
  }
}
