import Foundation

/// Writes the parts of a GGUF file one by one, wrong ones too.
struct GGUFBytes {
  var data = Data()
  mutating func put<Number: FixedWidthInteger>(_ number: Number) {
    withUnsafeBytes(of: number.littleEndian) { data.append(contentsOf: $0) }
  }
  mutating func put(_ text: String) {
    put(UInt64(text.utf8.count))
    data.append(contentsOf: text.utf8)
  }
  init(version: UInt32 = 3, tensors: UInt64 = 0, values: UInt64 = 0) {
    data.append(contentsOf: "GGUF".utf8)
    put(version)
    put(tensors)
    put(values)
  }
  /// A tensor's description.
  mutating func tensor(_ name: String, _ sizes: [UInt64], type: UInt32 = 0, start: UInt64 = 0) {
    put(name)
    put(UInt32(sizes.count))
    for size in sizes { put(size) }
    put(type)
    put(start)
  }
  /// Pads to the beginning of the data, and adds so many bytes of it.
  mutating func content(_ count: Int) {
    data.append(Data(count: (32 - data.count % 32) % 32 + count))
  }
}
