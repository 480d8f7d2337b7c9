import Foundation
import Support
import Synchronization

/// A BPE tokenizer as `tokenizer.json` and GGUF's `gpt2` vocabularies describe it: byte-level (GPT-2's kind, as Llama 3,
/// SmolLM2 and Qwen2 have it), or SentencePiece's in another form.
///
/// Added tokens are taken out of the text, the rest is normalised and cut into words, a word begins as the symbols of its
/// bytes or characters, and neighbours are merged.
public final class BytePairTokenizer: Tokenizer {
  /// The name of the file in a model's directory.
  public static let fileName = "tokenizer.json"

  public let source: String
  public let vocabulary: BytePairVocabulary
  /// As they were read; if they were not, they are written when they are asked for.
  private let filesRead: [String: Data]?

  private let index: SpellingIndex
  private let isSpecial: [Bool]
  private let isAdded: [Bool]
  private let isByteLevel: Bool
  /// A scanner that cuts text as the steps of the vocabulary do.
  private let splitting: TextSplitting?
  /// The token of each byte, −1 where there is none: of byte-level vocabularies, which may lack some that their makers
  /// never met, or of the others' bytes.
  private let byteTokens: [Int32]
  private let merging: PairMerging
  private let addedTokens: SpecialTokenFinder
  /// Those that are looked for in normalised text.
  private let normalizedTokens: SpecialTokenFinder
  /// One for each thread that encodes at a time.
  private let memories = Mutex<[WordMemory]>([])

  /// - Parameters:
  ///   - source: where it came from, for messages.
  ///   - files: the files it was read from; if absent, they are written.
  /// - Throws: `TokenizerError.unusable`.
  public init(_ vocabulary: BytePairVocabulary, source: String, files: [String: Data]? = nil) throws(TokenizerError) {
    func unusable(_ cause: String) -> TokenizerError { .unusable(file: source, cause: cause) }
    guard vocabulary.added.count <= BytePairVocabulary.mostAdded else {
      throw unusable("it has \(vocabulary.added.count) added tokens, more than any model")
    }
    let index = SpellingIndex(vocabulary.tokens)
    if let token = index.duplicate { throw unusable("two of its tokens are “\(vocabulary.tokens[token])”") }
    var isSpecial = [Bool](repeating: false, count: vocabulary.tokens.count)
    var isAdded = isSpecial
    for added in vocabulary.added {
      guard vocabulary.tokens.indices.contains(added.token), vocabulary.tokens[added.token] == added.text else {
        throw unusable("the id \(added.token) of “\(added.text)” is another token's")
      }
      isSpecial[added.token] = added.isSpecial
      isAdded[added.token] = true
    }
    let isByteLevel = vocabulary.isByteLevel
    byteTokens = (0..<256).map { byte in
      let spelling = isByteLevel ? String(ByteAlphabet.scalars[byte]) : ByteFallback.token(of: UInt8(byte))
      return index.number(of: spelling).map(Int32.init) ?? -1
    }
    if isByteLevel, byteTokens[0x20] < 0 { throw unusable("it has no token for a space") }
    var merging = PairMerging(capacity: vocabulary.merges.count / 2)
    var results = MergeResults(index, of: vocabulary.tokens)
    let merges = vocabulary.merges
    for (rank, place) in stride(from: 0, to: merges.count, by: 2).enumerated() {
      let (first, second) = (merges.places[place], merges.places[place + 1])
      guard let left = index.number(of: merges.bytes, first), let right = index.number(of: merges.bytes, second),
        let result = results.next(merges.bytes, first, second)
      else { throw unusable("its merge \(rank) (“\(merges[place]) \(merges[place + 1])”) names no token") }
      merging.insert(left, right, rank: rank, result: result)
    }
    addedTokens = SpecialTokenFinder(
      vocabulary.added.filter { $0.isSpecial || !$0.isNormalized }.map { .init($0, spelling: Array($0.text.utf8)) })
    var normalized: [SpecialTokenFinder.Entry] = []
    var steps = PatternSteps(textLength: vocabulary.added.reduce(0) { $0 + $1.text.utf8.count })
    for added in vocabulary.added where !added.isSpecial && added.isNormalized {
      var scalars = Array(added.text.unicodeScalars)
      for normalizer in vocabulary.normalizers {
        scalars = try normalizer.apply(scalars, isContinuation: false, &steps)
      }
      normalized.append(.init(added, spelling: scalars.flatMap { Array(UTF8.encode($0) ?? .init()) }))
    }
    normalizedTokens = SpecialTokenFinder(normalized)
    self.index = index
    self.isSpecial = isSpecial
    self.isAdded = isAdded
    self.isByteLevel = isByteLevel
    self.merging = merging
    splitting = vocabulary.splitting
    self.vocabulary = vocabulary
    self.source = source
    filesRead = files
  }

  public var files: [String: Data] { filesRead ?? vocabulary.files }

  public func isSame(as other: any Tokenizer) -> Bool {
    (other as? BytePairTokenizer)?.vocabulary == vocabulary
  }
}

extension SpecialTokenFinder.Entry {
  fileprivate init(_ added: BytePairVocabulary.AddedToken, spelling: [UInt8]) {
    self.init(
      spelling: spelling, token: added.token, isSpecial: added.isSpecial, isSingleWord: added.isSingleWord,
      stripsLeft: added.stripsLeft, stripsRight: added.stripsRight)
  }
}

// MARK: - Vocabulary

extension BytePairTokenizer {
  public var vocabularySize: Int { vocabulary.tokens.count }
  public var bosToken: Int? { vocabulary.bosToken }
  public var addsBosToken: Bool { vocabulary.addsBosToken }
  public var eosToken: Int? { vocabulary.eosToken }
  public var unknownToken: Int? { vocabulary.unknownToken }
  public var padToken: Int? { vocabulary.padToken }
  public var spaceToken: Int? { isByteLevel ? Int(byteTokens[0x20]) : token(forPiece: mark) ?? token(forPiece: " ") }

  /// What stands for a space among characters.
  private var mark: String { "\u{2581}" }

  public func piece(_ token: Int) throws(TokenizerError) -> String {
    guard vocabulary.tokens.indices.contains(token) else {
      throw .tokenOutOfRange(token, vocabularySize: vocabularySize)
    }
    return vocabulary.tokens[token]
  }

  public func token(forPiece piece: String) -> Int? { index.number(of: piece) }
  public func isControl(_ token: Int) -> Bool { isSpecial.indices.contains(token) && isSpecial[token] }

  public func bytes(of token: Int, isAtStart: inout Bool) throws(TokenizerError) -> [UInt8]? {
    let piece = try piece(token)
    if isSpecial[token] { return nil }
    var bytes = vocabulary.decoder.bytes(of: piece, isVerbatim: isAdded[token])
    if isAtStart, vocabulary.decoder.stripsFirstSpace, bytes.first == UInt8(ascii: " ") { bytes.removeFirst() }
    isAtStart = false
    return bytes
  }
}

// MARK: - Text to tokens

extension BytePairTokenizer {
  /// Bytes that are no character are tokens of their own.
  public func encode(bytes: [UInt8], joining: TextJoining) throws(TokenizerError) -> [Int] {
    try encode(joining, textLength: bytes.count) { addedTokens.parts(of: bytes, &$0) }
  }

  public func encode(pieces: [TextPiece], joining: TextJoining) throws(TokenizerError) -> [Int] {
    try encode(
      joining == .space ? .start : joining, textLength: pieces.reduce(0) { $0 + $1.text.utf8.count }
    ) { addedTokens.parts(of: pieces, &$0) }
  }

  public func encodeApart(_ character: UInt8, joining: TextJoining) throws(TokenizerError) -> [Int] {
    let token = byteTokens[Int(character)]
    let prefix = isByteLevel ? joining == .space : joining != .continuation && putsSpaceBefore
    return (prefix ? [spaceToken] : []).compactMap(\.self)
      + (token >= 0 ? [Int(token)] : isByteLevel ? [] : try encode(bytes: [character], joining: .continuation))
  }

  /// Something like a space is put before a text.
  private var putsSpaceBefore: Bool {
    vocabulary.normalizers.contains { if case .prepend = $0 { true } else { false } }
      || vocabulary.preTokenizers.contains { step in
        switch step {
        case .byteLevel(let addsSpace, _): addsSpace
        case .metaspace(_, let prefix, _): prefix != .never
        default: false
        }
      }
  }

  private func encode(
    _ joining: TextJoining, textLength: Int, _ parts: (inout CharacterClasses) -> [SpecialTokenFinder.Part]
  ) throws(TokenizerError) -> [Int] {
    var memory = memories.withLock { $0.popLast() } ?? WordMemory()
    defer { memories.withLock { $0.append(memory) } }
    memory.steps = PatternSteps(textLength: textLength)
    var tokens: [Int] = joining == .space && !putsSpaceBefore ? [spaceToken].compactMap(\.self) : []
    var isFirst = true
    for part in parts(&memory.classes) {
      switch part {
      case .token(let token): tokens.append(token)
      case .text(let bytes):
        try append(bytes, isFirst: isFirst, isContinuation: isFirst && joining == .continuation, to: &tokens, &memory)
      }
      isFirst = false
    }
    return tokens
  }

  private func append(
    _ bytes: [UInt8], isFirst: Bool, isContinuation: Bool, to tokens: inout [Int], _ memory: inout WordMemory
  ) throws(TokenizerError) {
    var text = UTF8Text()
    var index = 0
    while index < bytes.count {
      let start = index
      index = text.read(bytes, from: index)
      // Whole characters are words as ever; the bytes between them stand apart.
      if index == start {
        appendWord(bytes[index...index], to: &tokens, &memory)
        index += 1
      } else if let splitting, normalizedTokens.isEmpty,
        vocabulary.normalizers.allSatisfy({ $0.leavesAlone(text.scalars) })
      {
        append(text, of: bytes, splitting, to: &tokens, &memory)
      } else {
        try append(
          text.scalars, isFirst: isFirst && start == 0, isContinuation: isContinuation || start > 0, to: &tokens,
          &memory)
      }
    }
  }

  /// By a scanner.
  private func append(
    _ text: UTF8Text, of bytes: [UInt8], _ splitting: TextSplitting, to tokens: inout [Int], _ memory: inout WordMemory
  ) {
    var word = 0
    for end in splitting.ends(of: text.scalars, &memory.classes) {
      appendWord(bytes[text.places[word]..<text.places[end]], to: &tokens, &memory)
      word = end
    }
  }

  /// Step by step, as the vocabulary says.
  private func append(
    _ text: [Unicode.Scalar], isFirst: Bool, isContinuation: Bool, to tokens: inout [Int], _ memory: inout WordMemory
  ) throws(TokenizerError) {
    var scalars = text
    for normalizer in vocabulary.normalizers {
      scalars = try normalizer.apply(scalars, isContinuation: isContinuation, &memory.steps)
    }
    guard !normalizedTokens.isEmpty else {
      return try appendNormalized(scalars, isFirst: isFirst, isContinuation: isContinuation, to: &tokens, &memory)
    }
    var isFirstPart = true
    for part in normalizedTokens.parts(of: Self.bytes(of: scalars), &memory.classes) {
      switch part {
      case .token(let token): tokens.append(token)
      case .text(let bytes):
        try appendNormalized(
          Array(String(decoding: bytes, as: UTF8.self).unicodeScalars), isFirst: isFirst && isFirstPart,
          isContinuation: isContinuation && isFirstPart, to: &tokens, &memory)
      }
      isFirstPart = false
    }
  }

  private func appendNormalized(
    _ scalars: [Unicode.Scalar], isFirst: Bool, isContinuation: Bool, to tokens: inout [Int], _ memory: inout WordMemory
  ) throws(TokenizerError) {
    if let splitting {
      let bytes = Self.bytes(of: scalars)
      var text = UTF8Text()
      _ = text.read(bytes, from: 0)
      return append(text, of: bytes, splitting, to: &tokens, &memory)
    }
    var cutter = WordCutter(scalars, isFirst: isFirst, isContinuation: isContinuation)
    for step in vocabulary.preTokenizers { try cutter.apply(step, &memory.classes, &memory.steps) }
    var bytes: [UInt8] = []
    for word in cutter.words {
      bytes.removeAll(keepingCapacity: true)
      for scalar in cutter.scalars[word] {
        if cutter.isInAlphabet {
          if let byte = ByteAlphabet.byte(of: scalar) { bytes.append(byte) }
        } else if scalar.value < 0x80 {
          bytes.append(UInt8(scalar.value))
        } else {
          bytes += UTF8.encode(scalar) ?? .init()
        }
      }
      appendWord(bytes[...], to: &tokens, &memory)
    }
  }

  private static func bytes(of scalars: [Unicode.Scalar]) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(scalars.count)
    for scalar in scalars {
      if scalar.value < 0x80 { bytes.append(UInt8(scalar.value)) } else { bytes += UTF8.encode(scalar) ?? .init() }
    }
    return bytes
  }

  private func appendWord(_ word: ArraySlice<UInt8>, to tokens: inout [Int], _ memory: inout WordMemory) {
    if isByteLevel, word.count == 1, case let token = byteTokens[Int(word[word.startIndex])], token >= 0 {
      return tokens.append(Int(token))
    }
    let isShort = word.count <= WordMemory.longest
    let hash = isShort ? word.shortHash : 0
    if isShort, memory.append(word, hash: hash, to: &tokens) { return }
    let merged = symbols(of: word)
    if isShort { memory.insert(word, hash: hash, merged) }
    for symbol in merged { tokens.append(Int(symbol)) }
  }

  private func symbols(of word: ArraySlice<UInt8>) -> [Int32] {
    if vocabulary.ignoresMerges,
      let token = index.number(of: isByteLevel ? ByteAlphabet.spelling(of: word) : Array(word)), !isSpecial[token]
    {
      return [Int32(token)]
    }
    var symbols = isByteLevel ? byteSymbols(of: word) : characterSymbols(of: Array(word))
    merging.merge(&symbols)
    return symbols
  }

  private func byteSymbols(of word: ArraySlice<UInt8>) -> [Int32] {
    var symbols: [Int32] = []
    symbols.reserveCapacity(word.count)
    var unknown = UnknownRun(vocabulary)
    for byte in word {
      let token = byteTokens[Int(byte)]
      if token >= 0 { unknown.end(&symbols) }
      if token >= 0 { symbols.append(token) } else { unknown.add(&symbols) }
    }
    unknown.end(&symbols)
    return symbols
  }

  private func characterSymbols(of word: [UInt8]) -> [Int32] {
    var symbols: [Int32] = []
    symbols.reserveCapacity(word.count)
    var unknown = UnknownRun(vocabulary)
    var place = 0
    while place < word.count {
      let length = UTF8Text.scalar(of: word, at: place)?.length ?? 1
      let character = place..<place + length
      place += length
      if let token = index.number(of: word, character), !isSpecial[token] {
        unknown.end(&symbols)
        symbols.append(Int32(token))
      } else if vocabulary.fallsBackToBytes, word[character].allSatisfy({ byteTokens[Int($0)] >= 0 }) {
        // As the reference does, before unknown characters that precede it.
        for byte in word[character] { symbols.append(byteTokens[Int(byte)]) }
      } else {
        unknown.add(&symbols)
      }
    }
    unknown.end(&symbols)
    return symbols
  }
}

/// Characters without a token, which may become one unknown token together.
private struct UnknownRun {
  private let token: Int32?
  private let isFused: Bool
  private var isOpen = false

  init(_ vocabulary: BytePairVocabulary) {
    token = vocabulary.unknownSymbol.map(Int32.init)
    isFused = vocabulary.fusesUnknown
  }

  mutating func add(_ symbols: inout [Int32]) {
    guard token != nil else { return }
    if !isFused { end(&symbols) }
    isOpen = true
  }

  mutating func end(_ symbols: inout [Int32]) {
    if isOpen, let token { symbols.append(token) }
    isOpen = false
  }
}
