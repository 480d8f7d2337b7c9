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
        sourceCount: bytes.count / type.size))
  }

  /// Writes the file: to a temporary one, flushed, renamed.
  /// - Throws: `StorageError`.
  public func write(to url: URL) throws {
    let ordered = entries.sorted { ($1.type.size, $0.name) < ($0.type.size, $1.name) }
    let header = try self.header(of: ordered, file: url.path)
    try AtomicFile.write(to: url) { file in
      var length = UInt64(header.count).littleEndian
      try withUnsafeBytes(of: &length) { try file.append($0) }
      try header.withUnsafeBytes { try file.append($0) }
      for entry in ordered {
        switch entry.source {
        case .bytes(let view): try view.withBytes { try file.append($0) }
        case .floats(let view):
          try Self.append(UnsafeBufferPointer(start: view.base, count: view.count), as: entry.type, to: file)
          withExtendedLifetime(view) {}
        case .array(let values):
          try values.withUnsafeBufferPointer { try Self.append($0, as: entry.type, to: file) }
        }
      }
    }
  }

  /// The header, padded with spaces so that the data starts at a multiple of 64 bytes.
  private func header(of ordered: [Entry], file: String) throws -> [UInt8] {
    var parts: [String] = []
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
      } else if !entry.type.isUsable {
        throw StorageError.unwritable(
          file: file, cause: "tensor “\(entry.name)” cannot be rounded to \(entry.type.rawValue)")
      }
      let end = offset + elements * entry.type.size
      let shape = entry.shape.map(String.init).joined(separator: ",")
      parts.append(
        "\(jsonString(entry.name)):{\"dtype\":\"\(entry.type.rawValue)\",\"shape\":[\(shape)],\"data_offsets\":[\(offset),\(end)]}"
      )
      offset = end
    }
    var bytes = Array("{\(parts.joined(separator: ","))}".utf8)
    while (bytes.count + 8) % 64 != 0 { bytes.append(UInt8(ascii: " ")) }
    return bytes
  }

  /// Converts and appends in pieces, so that a large tensor needs no second copy.
  private static func append(
    _ values: UnsafeBufferPointer<Float>, as type: ElementType, to file: borrowing FileAppender
  ) throws {
    if type == .f32 { return try file.append(UnsafeRawBufferPointer(values)) }
    let piece = 1 << 16
    var bits = [UInt16](repeating: 0, count: min(piece, values.count))
    var start = 0
    while start < values.count {
      let count = min(piece, values.count - start)
      for index in 0..<count {
        let value = values[start + index]
        bits[index] = (type == .bf16 ? bfloat16Bits(value) : float16Bits(value)).littleEndian
      }
      try bits.withUnsafeBytes { try file.append(UnsafeRawBufferPointer(rebasing: $0[..<(count * 2)])) }
      start += count
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
