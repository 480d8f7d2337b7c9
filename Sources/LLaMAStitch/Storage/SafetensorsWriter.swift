import Foundation

/// Writes a safetensors file, tensor by tensor, atomically.
///
/// The bytes depend only on what was added, not on the order of adding: tensors lie by element size (larger first,
/// which keeps all of them aligned), then by name.
public struct SafetensorsWriter {
  private enum Source {
    case floats(VectorView)
    case array([Float])
    case bytes(ByteView)
    case pieces((Int, VectorView) -> Void)
  }

  private struct Entry {
    let name: String
    let shape: [Int]
    let type: ElementType
    let source: Source
    let sourceCount: Int
  }

  private let metadata: [String: String]
  private var entries: [Entry] = []

  /// - Parameter metadata: text pairs kept in the header.
  public init(metadata: [String: String] = ["format": "pt"]) {
    self.metadata = metadata
  }

  /// Adds floats, rounded to `type` (F32, BF16 or F16) when they are written.
  public mutating func add(_ name: String, shape: [Int], as type: ElementType = .f32, _ values: VectorView) {
    entries.append(
      Entry(name: name, shape: shape, type: type, source: .floats(values), sourceCount: values.count))
  }

  /// Adds floats, rounded to `type` (F32, BF16 or F16) when they are written.
  public mutating func add(_ name: String, shape: [Int], as type: ElementType = .f32, _ values: [Float]) {
    entries.append(
      Entry(name: name, shape: shape, type: type, source: .array(values), sourceCount: values.count))
  }

  /// Adds elements that already have their type, unchanged.
  public mutating func add(_ name: String, shape: [Int], type: ElementType, bytes: ByteView) {
    entries.append(
      Entry(
        name: name, shape: shape, type: type, source: .bytes(bytes),
        sourceCount: bytes.count / type.size * type.blockLength))
  }

  /// Adds floats that are made when they are written, a piece at a time, and rounded to `type`.
  /// - Parameter fill: writes the floats from an index on into a piece; both are multiples of 32, but for the end.
  public mutating func add(
    _ name: String, shape: [Int], as type: ElementType, fill: @escaping (_ start: Int, _ piece: VectorView) -> Void
  ) {
    entries.append(
      Entry(name: name, shape: shape, type: type, source: .pieces(fill), sourceCount: shape.reduce(1, *)))
  }

  /// Adds elements of one type that are converted to another when they are written.
  mutating func add(_ name: String, shape: [Int], as type: ElementType, converting bytes: ByteView, _ from: ElementType) {
    if type == from { return add(name, shape: shape, type: type, bytes: bytes) }
    add(name, shape: shape, as: type) { start, piece in
      bytes.widen(start..<start + piece.count, from, into: piece)
    }
  }

  /// Writes the file: to a temporary one, flushed, renamed.
  /// - Throws: `StorageError`.
  public func write(to url: URL) throws {
    func alignment(_ entry: Entry) -> Int { entry.type.isQuantized ? 1 : entry.type.size }
    let ordered = entries.sorted { (alignment($1), $0.name) < (alignment($0), $1.name) }
    let header = try self.header(of: ordered, file: url.path)
    try AtomicFile.write(to: url) { file in
      var length = UInt64(header.count).littleEndian
      try withUnsafeBytes(of: &length) { try file.append($0) }
      try header.withUnsafeBytes { try file.append($0) }
      for entry in ordered {
        switch entry.source {
        case .bytes(let view): try view.withBytes { try file.append($0) }
        case .floats(let view):
          try Self.append(UnsafeBufferPointer(start: view.base, count: view.count), of: entry, to: file)
          withExtendedLifetime(view) {}
        case .array(let values):
          try values.withUnsafeBufferPointer { try Self.append($0, of: entry, to: file) }
        case .pieces(let fill): try Self.append(fill, of: entry, to: file)
        }
      }
    }
  }

  /// The header, padded with spaces so that the data starts at a multiple of 64 bytes.
  private func header(of ordered: [Entry], file: String) throws -> [UInt8] {
    var parts: [String] = []
    var metadata = metadata
    for entry in ordered where entry.type.isQuantized {
      metadata[SafetensorsFile.typeKey(entry.name)] = entry.type.rawValue
    }
    if !metadata.isEmpty {
      let pairs = metadata.sorted { $0.key < $1.key }
        .map { "\(jsonString($0.key)):\(jsonString($0.value))" }
      parts.append("\"__metadata__\":{\(pairs.joined(separator: ","))}")
    }
    var names: Set<String> = ["__metadata__"]
    var offset = 0
    for entry in ordered {
      guard names.insert(entry.name).inserted else {
        throw StorageError.unwritable(file: file, cause: "two tensors are called “\(entry.name)”")
      }
      let elements = entry.shape.reduce(1, *)
      guard entry.shape.allSatisfy({ $0 >= 0 }), entry.sourceCount == elements else {
        throw StorageError.unwritable(
          file: file,
          cause: "tensor “\(entry.name)” has shape \(entry.shape) but \(entry.sourceCount) values")
      }
      if case .bytes = entry.source {
      } else if !entry.type.isUsable && !entry.type.isQuantized {
        throw StorageError.unwritable(
          file: file, cause: "tensor “\(entry.name)” cannot be rounded to \(entry.type.rawValue)")
      }
      if entry.type.isQuantized, entry.shape.count != 2 || entry.shape[1] % entry.type.blockLength != 0 {
        throw StorageError.unwritable(
          file: file,
          cause: "tensor “\(entry.name)” of shape \(entry.shape) is not a matrix of whole \(entry.type.rawValue) blocks")
      }
      let end = offset + entry.type.byteCount(elements)
      // What the format has no type for is bytes; the metadata says what they are.
      let sizes = entry.type.isQuantized ? [entry.shape[0], entry.type.byteCount(entry.shape[1])] : entry.shape
      let type = entry.type.isQuantized ? ElementType.u8 : entry.type
      let shape = sizes.map(String.init).joined(separator: ",")
      parts.append(
        "\(jsonString(entry.name)):{\"dtype\":\"\(type.rawValue)\",\"shape\":[\(shape)],\"data_offsets\":[\(offset),\(end)]}"
      )
      offset = end
    }
    var bytes = Array("{\(parts.joined(separator: ","))}".utf8)
    while (bytes.count + 8) % 64 != 0 { bytes.append(UInt8(ascii: " ")) }
    return bytes
  }

  /// Floats that are converted at a time, whole blocks of every type: a large tensor needs no second copy.
  private static let pieceLength = 1 << 16

  /// Converts and appends.
  private static func append(
    _ values: UnsafeBufferPointer<Float>, of entry: Entry, to file: borrowing FileAppender
  ) throws {
    if entry.type == .f32 { return try file.append(UnsafeRawBufferPointer(values)) }
    var bits = [UInt16](repeating: 0, count: (entry.type.byteCount(min(pieceLength, values.count)) + 1) / 2)
    var start = 0
    while start < values.count {
      let count = min(pieceLength, values.count - start)
      if entry.type.isQuantized {
        let piece = UnsafeBufferPointer(rebasing: values[start..<start + count])
        guard bits.withUnsafeMutableBytes({ VectorView.quantize(piece, to: entry.type, at: $0.baseAddress!) }) else {
          throw StorageError.unwritable(
            file: file.path,
            cause: "tensor “\(entry.name)” has values that are not finite or too large for \(entry.type.rawValue)")
        }
      } else {
        for index in 0..<count {
          let value = values[start + index]
          bits[index] = (entry.type == .bf16 ? bfloat16Bits(value) : float16Bits(value)).littleEndian
        }
      }
      try bits.withUnsafeBytes {
        try file.append(UnsafeRawBufferPointer(rebasing: $0[..<entry.type.byteCount(count)]))
      }
      start += count
    }
  }

  /// Appends floats that are made a piece at a time.
  private static func append(
    _ fill: (Int, VectorView) -> Void, of entry: Entry, to file: borrowing FileAppender
  ) throws {
    let buffer = FloatBuffer(count: min(pieceLength, entry.sourceCount))
    var start = 0
    while start < entry.sourceCount {
      let piece = buffer.vector(offset: 0, count: min(pieceLength, entry.sourceCount - start))
      fill(start, piece)
      try append(UnsafeBufferPointer(start: piece.base, count: piece.count), of: entry, to: file)
      start += piece.count
    }
  }
}

/// `text` as a JSON string, quotes included.
func jsonString(_ text: String) -> String {
  var result = "\""
  for scalar in text.unicodeScalars {
    switch scalar {
    case "\"": result += "\\\""
    case "\\": result += "\\\\"
    case "\u{0}"..<"\u{20}":
      let code = String(scalar.value, radix: 16)
      result += "\\u" + String(repeating: "0", count: 4 - code.count) + code
    default: result.unicodeScalars.append(scalar)
    }
  }
  return result + "\""
}
