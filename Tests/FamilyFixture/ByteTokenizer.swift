import Foundation
import Tokenizer

/// The plainest tokenizer there is: every byte is a token, control tokens come after them. Nothing is put before a text,
/// and a space is a byte like any other.
public struct ByteTokenizer: Tokenizer {
  /// `<s>` and `</s>` first.
  public let controlSymbols: [String]

  public init(roles: [String] = ["<|system|>", "<|user|>", "<|assistant|>"], addsBosToken: Bool = true) {
    self.addsBosToken = addsBosToken
    controlSymbols = ["<s>", "</s>"] + roles
  }

  public var source: String { "bytes" }
  public var files: [String: Data] { ["symbols.txt": Data(controlSymbols.joined(separator: "\n").utf8)] }
  public func isSame(as other: any Tokenizer) -> Bool {
    (other as? ByteTokenizer)?.controlSymbols == controlSymbols
  }

  public var vocabularySize: Int { 256 + controlSymbols.count }
  public var bosToken: Int? { 256 }
  public let addsBosToken: Bool
  public var eosToken: Int? { 257 }
  public var unknownToken: Int? { nil }
  public var padToken: Int? { nil }
  public var spaceToken: Int? { 0x20 }
  public func isControl(_ token: Int) -> Bool { (256..<vocabularySize).contains(token) }

  public func piece(_ token: Int) throws(TokenizerError) -> String {
    guard (0..<vocabularySize).contains(token) else {
      throw .tokenOutOfRange(token, vocabularySize: vocabularySize)
    }
    return token < 256 ? String(UnicodeScalar(UInt8(token))) : controlSymbols[token - 256]
  }

  public func token(forPiece piece: String) -> Int? {
    if let index = controlSymbols.firstIndex(of: piece) { return 256 + index }
    let scalars = Array(piece.unicodeScalars)
    return scalars.count == 1 && scalars[0].value < 256 ? Int(scalars[0].value) : nil
  }

  public func encode(bytes: [UInt8], joining: TextJoining) -> [Int] {
    ((joining == .space ? [0x20] : []) + bytes).map(Int.init)
  }

  public func encode(pieces: [TextPiece], joining: TextJoining) -> [Int] {
    let symbols = controlSymbols.enumerated().map { (Array($0.element.utf8), 256 + $0.offset) }
    return SpecialTokenFinder(symbols).parts(of: pieces).flatMap { part in
      switch part {
      case .token(let token): [token]
      case .text(let text): text.map(Int.init)
      }
    }
  }

  public func encodeApart(_ character: UInt8, joining: TextJoining) -> [Int] {
    encode(bytes: [character], joining: joining)
  }

  public func bytes(of token: Int, isAtStart: inout Bool) throws(TokenizerError) -> [UInt8]? {
    guard (0..<vocabularySize).contains(token) else {
      throw .tokenOutOfRange(token, vocabularySize: vocabularySize)
    }
    if token >= 256 { return nil }
    isAtStart = false
    return [UInt8(token)]
  }
}
