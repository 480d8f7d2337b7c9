import Foundation

/// How a family comes to more sizes while one chats with it.
public enum FamilyGrowth: Sendable, Equatable {
  /// What is being done, in a few words.
  case progress(String)
  /// The family has its sizes from the next reply on; `ReplyBackend.load` describes it.
  case grown
  /// Why it has not: one line. The chat goes on as it was.
  case failed(String)
}

/// Makes another family of the one that is open, and returns its directory.
/// - Parameters:
///   - rest: to be called between parts of the work; blocks while a reply is made.
///   - note: hears what is done, in a few words.
public typealias FamilyGrower = @Sendable (_ rest: () -> Void, _ note: (String) -> Void) throws -> URL
