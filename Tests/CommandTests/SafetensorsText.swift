import Foundation

/// A safetensors file taken apart, to be put together wrongly.
struct SafetensorsText {
  var header: [String: Any]
  var data: Data

  init(_ file: URL) throws {
    let bytes = try Data(contentsOf: file)
    let length = bytes.prefix(8).reversed().reduce(0) { $0 << 8 | Int($1) }
    header = try JSONSerialization.jsonObject(with: bytes.dropFirst(8).prefix(length)) as? [String: Any] ?? [:]
    data = bytes.dropFirst(8 + length)
  }

  /// Sets a field of a tensor's entry.
  mutating func set(_ tensor: String, _ field: String, to value: Any) {
    var entry = header[tensor] as? [String: Any] ?? [:]
    entry[field] = value
    header[tensor] = entry
  }

  func field(_ tensor: String, _ name: String) -> [Int] {
    (header[tensor] as? [String: Any])?[name] as? [Int] ?? []
  }

  /// - Parameter length: what the file claims as the length of its header, if not the truth.
  func write(to file: URL, length: UInt64? = nil) throws {
    try Self.write(JSONSerialization.data(withJSONObject: header, options: .sortedKeys), data, length: length, to: file)
  }

  static func write(_ header: Data, _ data: Data, length: UInt64? = nil, to file: URL) throws {
    let length = length ?? UInt64(header.count)
    let bytes = (0..<8).map { UInt8(truncatingIfNeeded: length >> (8 * $0)) }
    try (Data(bytes) + header + data).write(to: file)
  }
}
