import Foundation

/// What training has cost.
public struct TrainingCost: Sendable, Equatable, Codable {
  /// Tokens that went through the network in optimiser steps.
  public var tokens = 0
  /// Time in steps and in fitting stitching layers, without measuring and checkpoints.
  public var trainingSeconds = 0.0
  /// Time of the whole run.
  public var wallSeconds = 0.0
  /// Processor time of the whole run, all threads.
  public var cpuSeconds = 0.0
  /// Largest resident set of the process.
  public var peakMemoryBytes = 0

  public init() {}
}

/// What the process has used since it began.
struct ProcessUsage {
  var cpuSeconds: Double
  var peakMemoryBytes: Int

  static var now: ProcessUsage {
    var usage = rusage()
    getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
    func seconds(_ time: timeval) -> Double { Double(time.tv_sec) + Double(time.tv_usec) * 1e-6 }
    return ProcessUsage(
      cpuSeconds: seconds(usage.ru_utime) + seconds(usage.ru_stime),
      peakMemoryBytes: Int(usage.ru_maxrss) * 1024)  // Linux counts in KiB
  }
}
