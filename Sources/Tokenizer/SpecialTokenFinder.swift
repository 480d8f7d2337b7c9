/// Special tokens by their spelling, found in text that may name them.
public struct SpecialTokenFinder: Sendable {
  /// Spellings that begin with a byte, the longest first.
  private var spellings: [UInt8: [(bytes: [UInt8], token: Int)]] = [:]

  /// - Parameter tokens: tokens by their spelling; empty spellings are left out.
  public init(_ tokens: [(spelling: [UInt8], token: Int)]) {
    for (spelling, token) in tokens {
      guard let first = spelling.first else { continue }
      spellings[first, default: []].append((spelling, token))
    }
    for first in spellings.keys { spellings[first]!.sort { $0.bytes.count > $1.bytes.count } }
  }

  /// What pieces consist of, put together: text between special tokens, and those.
  public func parts(of pieces: [TextPiece]) -> [Part] {
    var parts: [Part] = []
    var text: [UInt8] = []
    for piece in pieces {
      if piece.recognizesSpecialTokens {
        find(in: Array(piece.text.utf8), &parts, &text)
      } else {
        text += piece.text.utf8
      }
    }
    if !text.isEmpty { parts.append(.text(text)) }
    return parts
  }

  /// What a text consists of, whoever wrote it.
  func parts(of bytes: [UInt8]) -> [Part] {
    if spellings.isEmpty { return bytes.isEmpty ? [] : [.text(bytes)] }
    var parts: [Part] = []
    var text: [UInt8] = []
    find(in: bytes, &parts, &text)
    if !text.isEmpty { parts.append(.text(text)) }
    return parts
  }

  private func find(in bytes: [UInt8], _ parts: inout [Part], _ text: inout [UInt8]) {
    var index = 0
    while index < bytes.count {
      guard let found = spellings[bytes[index]]?.first(where: { bytes[index...].starts(with: $0.bytes) }) else {
        text.append(bytes[index])
        index += 1
        continue
      }
      if !text.isEmpty { parts.append(.text(text)) }
      text = []
      parts.append(.token(found.token))
      index += found.bytes.count
    }
  }

  public enum Part: Sendable, Equatable {
    /// Never empty.
    case text([UInt8])
    case token(Int)
  }
}
