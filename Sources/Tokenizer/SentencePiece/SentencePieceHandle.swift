import CSentencePiece

/// Owns a model of the C++ library. The only file of this module that touches C memory.
///
/// `@unchecked Sendable`: `model` is set once in `init`, freed once in `deinit`, and every function called on it in
/// between is documented by the shim as safe to call from several threads at once.
final class SentencePieceHandle: @unchecked Sendable {
  enum PieceKind: Int32 {
    case normal = 0, unknown, control, unused, byte
  }

  private let model: OpaquePointer

  /// - Throws: `.notAModel` with the library's reason.
  init(_ bytes: [UInt8], file: String) throws(TokenizerError) {
    var model: OpaquePointer?
    var reason = ErrorText()
    let status = csp_load(bytes, bytes.count, &model, &reason.bytes, reason.bytes.count)
    guard status == CSP_OK, let model else { throw .notAModel(file: file, reason: reason.text) }
    self.model = model
  }

  deinit { csp_free(model) }

  var pieceCount: Int { Int(csp_piece_count(model)) }
  var unknown: Int? { Self.token(csp_unknown_id(model)) }
  var bos: Int? { Self.token(csp_bos_id(model)) }
  var eos: Int? { Self.token(csp_eos_id(model)) }
  var pad: Int? { Self.token(csp_pad_id(model)) }

  /// The UTF-8 of a piece, `nil` outside the vocabulary.
  func piece(_ id: Int) -> [UInt8]? {
    guard let id = Int32(exactly: id) else { return nil }
    var count = 0
    guard let bytes = csp_piece(model, id, &count) else { return nil }
    return Array(UnsafeBufferPointer(start: bytes, count: count))
  }

  /// `nil` outside the vocabulary.
  func kind(_ id: Int) -> PieceKind? {
    Int32(exactly: id).flatMap { PieceKind(rawValue: csp_piece_kind(model, $0)) }
  }

  /// The id of a piece, or the unknown piece's.
  func id(ofPiece piece: [UInt8]) -> Int? { Self.token(csp_piece_id(model, piece, piece.count)) }

  /// `nil` if the library refuses.
  func encode(_ text: [UInt8]) -> [Int]? {
    var ids: UnsafeMutablePointer<Int32>?
    var count = 0
    let status = csp_encode(model, text, text.count, &ids, &count)
    guard status == CSP_OK, let ids else { return nil }
    defer { csp_release(ids) }
    return UnsafeBufferPointer(start: ids, count: count).map(Int.init)
  }

  private static func token(_ id: Int32) -> Int? { id < 0 ? nil : Int(id) }
}

extension SentencePieceHandle {
  struct TrainingOptions {
    var vocabularySize: Int
    var maximumPieceLength: Int
    var splitsDigits: Bool
    var byteFallback: Bool
    var characterCoverage: Double
  }

  /// Trains a model and returns it serialised.
  ///
  /// - Throws: `.untrainable` with the library's reason.
  static func train(
    sentences: some Sequence<String>, controlSymbols: [String], userSymbols: [String],
    options: TrainingOptions
  ) throws(TokenizerError) -> [UInt8] {
    let options = csp_train_options(
      vocabulary_size: Int32(clamping: options.vocabularySize),
      maximum_piece_length: Int32(clamping: options.maximumPieceLength),
      split_digits: options.splitsDigits ? 1 : 0,
      byte_fallback: options.byteFallback ? 1 : 0,
      character_coverage: options.characterCoverage)
    var model: UnsafeMutablePointer<UInt8>?
    var count = 0
    var reason = ErrorText()
    let status = PackedStrings(sentences).withCStrings { sentences in
      PackedStrings(controlSymbols).withCStrings { controlSymbols in
        PackedStrings(userSymbols).withCStrings { userSymbols in
          csp_train(
            sentences, controlSymbols, userSymbols, options, &model, &count, &reason.bytes,
            reason.bytes.count)
        }
      }
    }
    defer { csp_release(model) }
    guard status == CSP_OK, let model else { throw .untrainable(reason: reason.text) }
    return Array(UnsafeBufferPointer(start: model, count: count))
  }
}

/// Strings one behind the other, as the shim takes them.
private struct PackedStrings {
  private var bytes: [UInt8] = []
  private var ends: [Int] = []

  init(_ strings: some Sequence<String>) {
    for string in strings {
      bytes += string.utf8
      ends.append(bytes.count)
    }
  }

  func withCStrings<Result>(_ body: (csp_strings) -> Result) -> Result {
    // A final element keeps the base addresses from being NULL.
    (bytes + [0]).withUnsafeBufferPointer { bytes in
      (ends + [0]).withUnsafeBufferPointer { padded in
        body(csp_strings(bytes: bytes.baseAddress!, ends: padded.baseAddress!, count: ends.count))
      }
    }
  }
}

/// Room for the library's reason of a failure.
private struct ErrorText {
  var bytes = [CChar](repeating: 0, count: 1024)

  /// One line, never empty.
  var text: String {
    let characters = bytes.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
    let line = String(decoding: characters, as: UTF8.self)
      .split(whereSeparator: \.isNewline).joined(separator: " ")
    // "src/file.cc(660) [condition] reason": what is for its developers goes.
    let reason = line.firstRange(of: "] ").map { line[$0.upperBound...] } ?? line[...]
    return reason.isEmpty ? "the library gives no reason" : String(reason)
  }
}
