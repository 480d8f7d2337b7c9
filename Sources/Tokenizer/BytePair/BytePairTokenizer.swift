import Foundation
import Support
import Synchronization

/// A byte-level BPE tokenizer: of GPT-2's kind, as Llama 3, SmolLM2 and Qwen2 have it.
///
/// Text is cut into words (`TextSplitting`), a word begins as its bytes, and neighbours are merged, the pair with the lowest
/// rank first, the leftmost of equals.
public final class BytePairTokenizer: Tokenizer {
  /// The name of the file in a model's directory.
  public static let fileName = "tokenizer.json"
  /// The name of the file beside it that says which tokens begin and end a text.
  static let configurationName = "tokenizer_config.json"

  public let source: String
  public let vocabulary: BytePairVocabulary
  public let files: [String: Data]

  /// The token of each byte. Vocabularies lack some that their makers never met: those are left out of text.
  private let byteTokens: [Int?]
  /// What tokens spell; empty for special ones.
  private let spellings: [[UInt8]]
  private let ids: [String: Int]
  private let isSpecial: [Bool]
  /// Rank and result of merging two tokens.
  private let merges: [Pair: Merge]
  /// Whole words that are tokens, where merges do not count for them.
  private let wholeWords: [[UInt8]: Int]
  private let addedTokens: SpecialTokenFinder
  private let ordinaryAddedTokens: SpecialTokenFinder
  /// One for each thread that encodes at a time.
  private let memories = Mutex<[Memory]>([])
  private static let mostKnown = 1 << 15
  private static let longestKnown = 32

  /// What was met before.
  private struct Memory: Sendable {
    var classes = CharacterClasses()
    /// Words that were encoded.
    var words: [[UInt8]: [Int32]] = [:]
  }

  private struct Pair: Hashable {
    var left: Int32
    var right: Int32

    func hash(into hasher: inout Hasher) {
      hasher.combine(UInt64(UInt32(bitPattern: left)) << 32 | UInt64(UInt32(bitPattern: right)))
    }
  }

  private struct Merge {
    var rank: Int32
    var token: Int32
  }

  /// - Parameters:
  ///   - source: where it came from, for messages.
  ///   - files: the files it was read from; if absent, they are written.
  /// - Throws: `TokenizerError.unusable`.
  public init(_ vocabulary: BytePairVocabulary, source: String, files: [String: Data]? = nil) throws(TokenizerError) {
    func unusable(_ cause: String) -> TokenizerError { .unusable(file: source, cause: cause) }
    guard vocabulary.added.count <= BytePairVocabulary.mostAdded else {
      throw unusable("it has \(vocabulary.added.count) added tokens, more than any model")
    }
    var ids: [String: Int] = [:]
    ids.reserveCapacity(vocabulary.tokens.count)
    for (token, text) in vocabulary.tokens.enumerated() where !text.isEmpty {
      guard ids.updateValue(token, forKey: text) == nil else { throw unusable("two of its tokens are “\(text)”") }
    }
    var isSpecial = [Bool](repeating: false, count: vocabulary.tokens.count)
    var isAdded = isSpecial
    for added in vocabulary.added {
      guard vocabulary.tokens.indices.contains(added.token), vocabulary.tokens[added.token] == added.text else {
        throw unusable("the id \(added.token) of “\(added.text)” is another token's")
      }
      isSpecial[added.token] = added.isSpecial
      isAdded[added.token] = true
    }
    spellings = vocabulary.tokens.enumerated().map { token, text in
      isSpecial[token] ? [] : isAdded[token] ? Array(text.utf8) : ByteAlphabet.bytes(of: text) ?? Array(text.utf8)
    }
    byteTokens = ByteAlphabet.scalars.map { ids[String($0)] }
    guard byteTokens[0x20] != nil else { throw unusable("it has no token for a space") }
    var merges: [Pair: Merge] = [:]
    merges.reserveCapacity(vocabulary.merges.count)
    for (rank, merge) in vocabulary.merges.enumerated() {
      // No token holds a space: it is spelled Ġ.
      let parts = merge.utf8.split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false)
      guard parts.count == 2, let left = ids[String(Substring(parts[0]))], let right = ids[String(Substring(parts[1]))],
        let token = ids[String(Substring(parts[0])) + String(Substring(parts[1]))]
      else { throw unusable("its merge \(rank) (“\(merge)”) names no token") }
      let pair = Pair(left: Int32(left), right: Int32(right))
      if merges[pair] == nil { merges[pair] = Merge(rank: Int32(rank), token: Int32(token)) }
    }
    var wholeWords: [[UInt8]: Int] = [:]
    if vocabulary.ignoresMerges {
      wholeWords.reserveCapacity(vocabulary.tokens.count)
      for token in vocabulary.tokens.indices where !isAdded[token] && !spellings[token].isEmpty {
        wholeWords[spellings[token]] = token
      }
    }
    func finder(_ tokens: [BytePairVocabulary.AddedToken]) -> SpecialTokenFinder {
      SpecialTokenFinder(tokens.map { (Array($0.text.utf8), $0.token) })
    }
    addedTokens = finder(vocabulary.added)
    ordinaryAddedTokens = finder(vocabulary.added.filter { !$0.isSpecial })
    self.ids = ids
    self.isSpecial = isSpecial
    self.merges = merges
    self.wholeWords = wholeWords
    self.vocabulary = vocabulary
    self.source = source
    self.files = files ?? vocabulary.files
  }

  public func isSame(as other: any Tokenizer) -> Bool {
    (other as? BytePairTokenizer)?.vocabulary == vocabulary
  }
}

// MARK: - Vocabulary

extension BytePairTokenizer {
  public var vocabularySize: Int { vocabulary.tokens.count }
  public var bosToken: Int? { vocabulary.bosToken }
  public var eosToken: Int? { vocabulary.eosToken }
  public var unknownToken: Int? { vocabulary.unknownToken }
  public var padToken: Int? { vocabulary.padToken }
  public var spaceToken: Int? { byteTokens[0x20] }

  public func piece(_ token: Int) throws(TokenizerError) -> String {
    guard vocabulary.tokens.indices.contains(token) else {
      throw .tokenOutOfRange(token, vocabularySize: vocabularySize)
    }
    return vocabulary.tokens[token]
  }

  public func token(forPiece piece: String) -> Int? { ids[piece] }
  public func isControl(_ token: Int) -> Bool { isSpecial.indices.contains(token) && isSpecial[token] }

  public func bytes(of token: Int, isAtStart: inout Bool) throws(TokenizerError) -> [UInt8]? {
    guard spellings.indices.contains(token) else { throw .tokenOutOfRange(token, vocabularySize: vocabularySize) }
    if isSpecial[token] { return nil }
    isAtStart = false
    return spellings[token]
  }
}

// MARK: - Text to tokens

extension BytePairTokenizer {
  /// Bytes that are no character are tokens of their own.
  public func encode(bytes: [UInt8], joining: TextJoining) -> [Int] {
    var tokens = joining == .space ? [spaceToken].compactMap(\.self) : []
    withMemory { memory in
      for part in ordinaryAddedTokens.parts(of: bytes) { append(part, to: &tokens, &memory) }
    }
    return tokens
  }

  public func encode(pieces: [TextPiece], joining: TextJoining) -> [Int] {
    var tokens: [Int] = []
    withMemory { memory in
      for part in addedTokens.parts(of: pieces) {
        switch part {
        case .token(let token): tokens.append(token)
        // What somebody wrote may hold added tokens that are not special, as any text may.
        case .text(let bytes):
          for part in ordinaryAddedTokens.parts(of: bytes) { append(part, to: &tokens, &memory) }
        }
      }
    }
    return tokens
  }

  public func encodeApart(_ character: UInt8, joining: TextJoining) -> [Int] {
    (joining == .space ? [spaceToken] : []).compactMap(\.self) + [byteTokens[Int(character)]].compactMap(\.self)
  }

  private func withMemory(_ body: (inout Memory) -> Void) {
    var memory = memories.withLock { $0.popLast() } ?? Memory()
    body(&memory)
    memories.withLock { $0.append(memory) }
  }

  private func append(_ part: SpecialTokenFinder.Part, to tokens: inout [Int], _ memory: inout Memory) {
    switch part {
    case .token(let token): tokens.append(token)
    case .text(let bytes):
      if let text = String(validating: bytes, as: UTF8.self) {
        return append(Array(text.unicodeScalars), to: &tokens, &memory)
      }
      // Whole characters are words as ever; the bytes between them stand apart.
      var decoder = UTF8Runs(bytes)
      while let run = decoder.next() {
        switch run {
        case .text(let scalars): append(scalars, to: &tokens, &memory)
        case .byte(let byte): appendWord([byte], to: &tokens, &memory)
        }
      }
    }
  }

  private func append(_ scalars: [Unicode.Scalar], to tokens: inout [Int], _ memory: inout Memory) {
    var start = 0
    for end in vocabulary.splitting.ends(of: scalars, &memory.classes) {
      var word: [UInt8] = []
      for scalar in scalars[start..<end] {
        if scalar.value < 128 { word.append(UInt8(scalar.value)) } else { word += Array(UTF8.encode(scalar)!) }
      }
      appendWord(word, to: &tokens, &memory)
      start = end
    }
  }

  private func appendWord(_ word: [UInt8], to tokens: inout [Int], _ memory: inout Memory) {
    if word.count == 1 { return tokens += [byteTokens[Int(word[0])]].compactMap(\.self) }
    if let token = wholeWords[word] { return tokens.append(token) }
    guard word.count <= Self.longestKnown else { return tokens += mergedLong(word) }
    if let known = memory.words[word] { return tokens += known.map(Int.init) }
    let merged = mergedShort(word)
    if memory.words.count >= Self.mostKnown { memory.words.removeAll(keepingCapacity: true) }
    memory.words[word] = merged
    tokens += merged.map(Int.init)
  }

  private func mergedShort(_ word: [UInt8]) -> [Int32] {
    var parts = word.compactMap { byteTokens[Int($0)].map(Int32.init) }
    while parts.count > 1 {
      var best: (index: Int, merge: Merge)?
      for index in 0..<parts.count - 1 {
        guard let merge = merges[Pair(left: parts[index], right: parts[index + 1])] else { continue }
        if best.map({ merge.rank < $0.merge.rank }) ?? true { best = (index, merge) }
      }
      guard let best else { break }
      parts[best.index] = best.merge.token
      parts.remove(at: best.index + 1)
    }
    return parts
  }

  /// The same for words of any length: candidates wait in a heap, parts are a linked list.
  private func mergedLong(_ word: [UInt8]) -> [Int] {
    struct Candidate: Comparable {
      var rank: Int32
      var left: Int32
      var token: Int32
      /// What stood there when the candidate was found.
      var pair: Pair
      static func < (a: Candidate, b: Candidate) -> Bool { (a.rank, a.left) < (b.rank, b.left) }
      static func == (a: Candidate, b: Candidate) -> Bool { (a.rank, a.left) == (b.rank, b.left) }
    }
    var parts = word.compactMap { byteTokens[Int($0)].map(Int32.init) }
    if parts.isEmpty { return [] }
    var next = (1...parts.count).map { Int32($0) }
    var previous = (0..<parts.count).map { Int32($0 - 1) }
    var heap = BinaryHeap<Candidate>()
    func candidate(_ left: Int) -> Candidate? {
      guard left >= 0, Int(next[left]) < parts.count else { return nil }
      let pair = Pair(left: parts[left], right: parts[Int(next[left])])
      guard let merge = merges[pair] else { return nil }
      return Candidate(rank: merge.rank, left: Int32(left), token: merge.token, pair: pair)
    }
    for left in parts.indices { if let found = candidate(left) { heap.insert(found) } }
    while let best = heap.removeLeast() {
      let left = Int(best.left)
      // A part that was merged away is −1.
      guard parts[left] == best.pair.left, Int(next[left]) < parts.count, parts[Int(next[left])] == best.pair.right
      else {
        continue
      }
      let right = Int(next[left])
      parts[left] = best.token
      parts[right] = -1
      next[left] = next[right]
      if Int(next[left]) < parts.count { previous[Int(next[left])] = Int32(left) }
      if let found = candidate(left) { heap.insert(found) }
      if let found = candidate(Int(previous[left])) { heap.insert(found) }
    }
    return parts.compactMap { $0 < 0 ? nil : Int($0) }
  }
}

/// A heap with its least element on top.
private struct BinaryHeap<Element: Comparable> {
  private var elements: [Element] = []

  mutating func insert(_ element: Element) {
    elements.append(element)
    var index = elements.count - 1
    while index > 0 {
      let parent = (index - 1) / 2
      if elements[parent] <= elements[index] { break }
      elements.swapAt(parent, index)
      index = parent
    }
  }

  mutating func removeLeast() -> Element? {
    guard let least = elements.first else { return nil }
    let last = elements.removeLast()
    if elements.isEmpty { return least }
    elements[0] = last
    var index = 0
    while true {
      var smallest = index
      for child in [2 * index + 1, 2 * index + 2] where child < elements.count && elements[child] < elements[smallest] {
        smallest = child
      }
      if smallest == index { return least }
      elements.swapAt(index, smallest)
      index = smallest
    }
  }
}

/// Bytes as stretches of whole characters, and bytes that belong to none.
private struct UTF8Runs {
  enum Run {
    case text([Unicode.Scalar])
    case byte(UInt8)
  }

  private let bytes: [UInt8]
  private var index = 0

  init(_ bytes: [UInt8]) { self.bytes = bytes }

  mutating func next() -> Run? {
    guard index < bytes.count else { return nil }
    var scalars: [Unicode.Scalar] = []
    while index < bytes.count {
      guard let (scalar, length) = scalar(at: index) else { break }
      scalars.append(scalar)
      index += length
    }
    if !scalars.isEmpty { return .text(scalars) }
    defer { index += 1 }
    return .byte(bytes[index])
  }

  private func scalar(at start: Int) -> (Unicode.Scalar, Int)? {
    for length in 1...4 where start + length <= bytes.count {
      if let text = String(validating: bytes[start..<start + length], as: UTF8.self),
        let scalar = text.unicodeScalars.first
      {
        return (scalar, length)
      }
    }
    return nil
  }
}
