import Foundation

/// A terminal for a program's output, without a screen: what is written to it can be read byte for byte. What is not
/// read makes the writer wait, so a program cannot run far ahead of its reader.
final class PseudoTerminal {
  struct Failure: Error {}

  /// The program's side.
  let handle: FileHandle
  private let master: Int32

  // Linux's TIOCSPTLCK and TIOCGPTN, which `unlockpt` and `ptsname` stand for where those can be called.
  private static let setLock: UInt = 0x4004_5431
  private static let getNumber: UInt = 0x8004_5430

  init() throws {
    master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC)
    var unlocked: Int32 = 0
    var number: Int32 = 0
    guard master >= 0, ioctl(master, Self.setLock, &unlocked) == 0, ioctl(master, Self.getNumber, &number) == 0 else {
      throw Failure()
    }
    let slave = open("/dev/pts/\(number)", O_RDWR | O_NOCTTY | O_CLOEXEC)
    guard slave >= 0 else { throw Failure() }
    handle = FileHandle(fileDescriptor: slave, closeOnDealloc: true)
  }

  deinit { close(master) }

  /// What comes next; `nil` once nobody has the other side open any more.
  func read() throws -> Data? {
    var chunk = [UInt8](repeating: 0, count: 4096)
    let count = Foundation.read(master, &chunk, chunk.count)
    return count > 0 ? Data(chunk[..<count]) : nil
  }

  /// Starts a program and closes this process's copy of its side.
  func start(_ process: Process) throws {
    try process.run()
    try handle.close()
  }
}
