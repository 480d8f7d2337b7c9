import Foundation

/// Threads of the system, for work that must know whether one was started: Foundation's do not say.
package enum NativeThread {
  /// Starts a thread that ends with `body`.
  /// - Parameter name: what the system calls it.
  /// - Returns: 0, or the system's reason for refusing one.
  package static func start(
    name: String, stackSize: Int = 4 << 20, _ body: @escaping @Sendable () -> Void
  ) -> Int32 {
    let attributes = UnsafeMutablePointer<pthread_attr_t>.allocate(capacity: 1)
    pthread_attr_init(attributes)
    defer {
      pthread_attr_destroy(attributes)
      attributes.deallocate()
    }
    pthread_attr_setstacksize(attributes, stackSize)
    pthread_attr_setdetachstate(attributes, Int32(PTHREAD_CREATE_DETACHED))
    let work = Unmanaged.passRetained(Work(name: name, body: body))
    var thread = pthread_t()
    let reason = pthread_create(
      &thread, attributes,
      { work in
        let work = Unmanaged<Work>.fromOpaque(work!).takeRetainedValue()
        Thread.current.name = work.name
        work.body()
        return nil
      }, work.toOpaque())
    if reason != 0 { work.release() }
    return reason
  }

  /// The same of a thread that the program cannot do without: where it is refused, a line says so and the program ends.
  package static func startOrEnd(
    name: String, stackSize: Int = 4 << 20, _ body: @escaping @Sendable () -> Void
  ) {
    let reason = start(name: name, stackSize: stackSize, body)
    if reason == 0 { return }
    Shortage.end(
      "the system refuses another thread: \(String(cString: strerror(reason)).lowercased())",
      remedy: "raise its limits (ulimit -u, ulimit -v, a container's pids)")
  }

  private final class Work: Sendable {
    let name: String
    let body: @Sendable () -> Void

    init(name: String, body: @escaping @Sendable () -> Void) {
      self.name = name
      self.body = body
    }
  }
}
