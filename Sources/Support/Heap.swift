import CMemory

/// The C library's heap.
public enum Heap {
  /// Lets all threads share one heap. Of its own accord the C library gives each of a program's first threads one, and what
  /// they leave free in theirs adds up over hours of lessons and replies, while no thread allocates much at a time. To be
  /// called before there are threads.
  public static func share() { cm_share_heap() }

  /// Gives what is free in whole pages back to the system: after much was freed.
  public static func trim() { cm_trim_heap() }
}
