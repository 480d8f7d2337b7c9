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
    case rows(ByteView, (Int) -> Int)
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

  /// Adds rows that already have their type, in another order.
  /// - Parameter order: which row of `bytes` comes at a place.
  mutating func add(_ name: String, shape: [Int], type: ElementType, rows bytes: ByteView, order: @escaping (Int) -> Int) {
    entries.append(
      Entry(
        name: name, shape: shape, type: type, source: .rows(bytes, order),
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
        case .rows(let view, let order):
          let rowBytes = view.count / max(1, entry.shape[0])
          for row in 0..<entry.shape[0] {
            let start = order(row) * rowBytes
            try view.slice(start..<start + rowBytes).withBytes { try file.append($0) }
          }
        case .floats(let view):
          try FloatEncoder(entry.type, tensor: entry.name)
            .append(UnsafeBufferPointer(start: view.base, count: view.count), to: file)
          withExtendedLifetime(view) {}
        case .array(let values):
          try values.withUnsafeBufferPointer { try FloatEncoder(entry.type, tensor: entry.name).append($0, to: file) }
        case .pieces(let fill):
          try FloatEncoder(entry.type, tensor: entry.name).append(count: entry.sourceCount, to: file, fill)
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
      let isConverted = switch entry.source {
      case .bytes, .rows: false
      case .floats, .array, .pieces: true
      }
      if isConverted && !entry.type.isUsable && !entry.type.isQuantized {
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
