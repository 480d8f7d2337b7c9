import Foundation

/// The end of a program that lacks what it cannot do without.
package enum Shortage {
  /// Says so in a line and ends the process as one that could not run.
  package static func end(_ what: String, remedy: String) -> Never {
    FileHandle.standardError.write(Data("stitch: \(what); \(remedy)\n".utf8))
    exit(2)
  }
}
