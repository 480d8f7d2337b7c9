import Foundation
import Support

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

  /// Adds elements that already have their type, and their layout where that is quantised, unchanged.
  public mutating func add(_ name: String, shape: [Int], type: ElementType, bytes: ByteView) {
    entries.append(
      Entry(
        name: name, shape: shape, type: type, source: .bytes(bytes),
        sourceCount: bytes.count / type.size * type.blockLength))
  }

  /// Adds rows that already have their type, in another order. Quantised ones lie block after block, as GGML has them,
  /// and are laid out in panels.
  /// - Parameter order: which row of `bytes` comes at a place.
  mutating func add(
    _ name: String, shape: [Int], type: ElementType, rows bytes: ByteView, order: @escaping (Int) -> Int
  ) {
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

  /// Adds a tensor whose elements are converted to another type when they are written.
  mutating func add(_ tensor: SafetensorsFile.Tensor, as type: ElementType) {
    if type == tensor.type { return add(tensor.name, shape: tensor.shape, type: type, bytes: tensor.bytes) }
    let matrix = tensor.type.isQuantized ? WeightMatrix(tensor) : nil
    add(tensor.name, shape: tensor.shape, as: type) { start, piece in
      let elements = start..<start + piece.count
      if let matrix {
        matrix.dequantize(elements: elements, into: piece)
      } else {
        tensor.bytes.dequantize(elements, tensor.type, into: piece)
      }
    }
  }

  /// Writes the file: to a temporary one, flushed, renamed.
  /// - Parameter progress: told after each tensor how many of all bytes are written.
  /// - Throws: `FileError`, `SafetensorsError`.
  public func write(to url: URL, progress: (_ done: Int, _ all: Int) -> Void = { _, _ in }) throws {
    func alignment(_ entry: Entry) -> Int { entry.type.isQuantized ? 1 : entry.type.size }
    let ordered = entries.sorted { (alignment($1), $0.name) < (alignment($0), $1.name) }
    let header = try self.header(of: ordered, file: url.path)
    let all = ordered.reduce(0) { $0 + $1.type.byteCount($1.sourceCount) }
    var done = 0
    try AtomicFile.write(to: url) { file in
      var length = UInt64(header.count).littleEndian
      try withUnsafeBytes(of: &length) { try file.append($0) }
      try header.withUnsafeBytes { try file.append($0) }
      for entry in ordered {
        switch entry.source {
        case .bytes(let view): try view.withBytes { try file.append($0) }
        case .rows(let view, let order):
          try Self.append(view, order, entry, to: file)
        case .floats(let view):
          try encoder(entry)
            .append(UnsafeBufferPointer(start: view.base, count: view.count), to: file)
          withExtendedLifetime(view) {}
        case .array(let values):
          try values.withUnsafeBufferPointer { try encoder(entry).append($0, to: file) }
        case .pieces(let fill):
          try encoder(entry).append(count: entry.sourceCount, to: file, fill)
        }
        done += entry.type.byteCount(entry.sourceCount)
        progress(done, all)
      }
    }
  }

  private func encoder(_ entry: Entry) -> FloatEncoder {
    FloatEncoder(entry.type, tensor: entry.name, panelColumns: entry.type.isQuantized ? entry.shape[1] : nil)
  }

  /// Appends rows in another order, a panel at a time where they are quantised.
  private static func append(_ rows: ByteView, _ order: (Int) -> Int, _ entry: Entry, to file: FileAppender) throws {
    let count = entry.shape[0], rowBytes = rows.count / max(1, count)
    var block: [UInt8] = [], panel = [UInt8](repeating: 0, count: WeightMatrix.panelRows * rowBytes)
    for start in stride(from: 0, to: count, by: WeightMatrix.panelRows) {
      let some = start..<min(start + WeightMatrix.panelRows, count)
      block.removeAll(keepingCapacity: true)
      for row in some {
        let first = order(row) * rowBytes
        rows.slice(first..<first + rowBytes).withBytes { block.append(contentsOf: $0) }
      }
      try block.withUnsafeBytes { block in
        guard entry.type.isQuantized else { return try file.append(block) }
        try panel.withUnsafeMutableBytes { panel in
          WeightMatrix.packPanels(
            block.baseAddress!, count: some.count, columns: entry.shape[1], type: entry.type, into: panel.baseAddress!)
          try file.append(UnsafeRawBufferPointer(rebasing: panel[..<block.count]))
        }
      }
    }
  }

  /// The header, padded with spaces so that the data starts at a multiple of 64 bytes.
  private func header(of ordered: [Entry], file: String) throws -> [UInt8] {
    var parts: [String] = []
    var metadata = metadata
    for entry in ordered where entry.type.isQuantized {
      metadata[SafetensorsFile.typeKey(entry.name)] = SafetensorsFile.typeName(entry.type)
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
        throw SafetensorsError.unwritable(file: file, cause: "two tensors are called “\(entry.name)”")
      }
      let elements = entry.shape.reduce(1, *)
      guard entry.shape.allSatisfy({ $0 >= 0 }), entry.sourceCount == elements else {
        throw SafetensorsError.unwritable(
          file: file,
          cause: "tensor “\(entry.name)” has shape \(entry.shape) but \(entry.sourceCount) values")
      }
      let isConverted =
        switch entry.source {
        case .bytes, .rows: false
        case .floats, .array, .pieces: true
        }
      if isConverted && !entry.type.isUsable && !entry.type.isQuantized {
        throw SafetensorsError.unwritable(
          file: file, cause: "tensor “\(entry.name)” cannot be rounded to \(entry.type.rawValue)")
      }
      if entry.type.isQuantized, entry.shape.count != 2 || entry.shape[1] % entry.type.blockLength != 0 {
        throw SafetensorsError.unwritable(
          file: file,
          cause: "tensor “\(entry.name)” of shape \(entry.shape) is not a matrix of whole \(entry.type.rawValue) blocks"
        )
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
