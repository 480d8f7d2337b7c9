import Foundation
import Support

/// A safetensors file, checked completely before anything is read from it, and mapped into memory.
///
/// Format: 8 bytes with the length of the header (little endian), the header as JSON, then the bytes of all tensors
/// without holes. See https://huggingface.co/docs/safetensors.
///
/// The format has no quantised types. A matrix in one is kept as bytes, `[rows, bytes of a row]`, in panels (see
/// `ElementType`), and the metadata names its type and layout under `type:` and its name; here it has that type and its
/// shape in elements.
public struct SafetensorsFile: Sendable {
  /// One tensor of a file: where it lies and what it is.
  public struct Tensor: Sendable {
    public let name: String
    public let type: ElementType
    public let shape: [Int]
    /// The elements, row-major or in panels, not necessarily aligned. They keep the mapping alive.
    public let bytes: ByteView

    public var elementCount: Int { shape.reduce(1, *) }

    /// The values as floats, copied. F32, F16, BF16 and quantised types only.
    public func floats() -> [Float] { type.isQuantized ? WeightMatrix(self).floats() : bytes.floats(type) }
  }

  /// No header of a real file is longer; the reference implementation has the same limit.
  static let longestHeader = 100_000_000

  /// The metadata key under which a tensor's quantised type is named.
  static func typeKey(_ name: String) -> String { "type:" + name }

  /// What the metadata call a quantised type in panels.
  static func typeName(_ type: ElementType) -> String { "\(type.rawValue) in panels of \(WeightMatrix.panelRows)" }

  public let url: URL
  public let metadata: [String: String]
  public let tensors: [String: Tensor]

  /// - Throws: `FileError`, `SafetensorsError`: the file cannot be opened, is cut short, or its header contradicts itself.
  public init(_ url: URL) throws { try self.init(MappedFile(url)) }

  /// The same of a file that is mapped already: who knows its bytes reads just those, even if it is replaced meanwhile.
  /// - Throws: `SafetensorsError`.
  public init(_ file: MappedFile) throws {
    let url = file.url
    self.url = url
    do { (metadata, tensors) = try Self.read(file.bytes) } catch {
      throw SafetensorsError.damaged(file: url.path, cause: error.cause)
    }
  }

  private struct Problem: Error { let cause: String }

  private static func read(_ bytes: ByteView) throws(Problem) -> ([String: String], [String: Tensor]) {
    let (entries, data) = try readHeader(bytes)
    let metadata = try readMetadata(entries)
    let layouts = try readLayouts(entries, metadata, byteCount: data.count)
    try checkCoverage(layouts, byteCount: data.count)
    var tensors: [String: Tensor] = [:]
    for (name, layout) in layouts {
      tensors[name] = Tensor(name: name, type: layout.type, shape: layout.shape, bytes: data.slice(layout.range))
    }
    return (metadata, tensors)
  }

  /// The header's entries, and the bytes behind it.
  private static func readHeader(_ bytes: ByteView) throws(Problem) -> (entries: [String: JSONValue], data: ByteView) {
    guard bytes.count >= 8 else {
      throw Problem(cause: "it has \(bytes.count) bytes, too few for the length of a header")
    }
    let declared = bytes.integer(UInt64.self, at: 0)
    guard declared <= UInt64(longestHeader) else {
      throw Problem(cause: "its header claims \(declared) bytes, more than \(longestHeader)")
    }
    let length = Int(declared)
    guard length <= bytes.count - 8 else {
      throw Problem(cause: "it is cut short: the header needs \(length) bytes, \(bytes.count - 8) are there")
    }
    let header: JSONValue
    do { header = try JSONValue(utf8: bytes.slice(8..<8 + length).data) } catch {
      throw Problem(cause: "header: \(error)")
    }
    guard let entries = header.object else { throw Problem(cause: "the header is \(header.kind), not an object") }
    return (entries, bytes.slice(8 + length..<bytes.count))
  }

  private static let metadataKey = "__metadata__"

  private static func readMetadata(_ entries: [String: JSONValue]) throws(Problem) -> [String: String] {
    guard let entry = entries[metadataKey] else { return [:] }
    guard let pairs = entry.object else { throw Problem(cause: "“\(metadataKey)” is not an object") }
    var metadata: [String: String] = [:]
    for (key, value) in pairs {
      guard let text = value.string else { throw Problem(cause: "metadata “\(key)” is not a string") }
      metadata[key] = text
    }
    return metadata
  }

  /// Where each tensor lies, all of them inside the file.
  private static func readLayouts(
    _ entries: [String: JSONValue], _ metadata: [String: String], byteCount: Int
  ) throws(Problem) -> [(name: String, layout: Layout)] {
    var layouts: [(name: String, layout: Layout)] = []
    for (name, entry) in entries.sorted(by: { $0.key < $1.key }) where name != metadataKey {
      let layout: Layout
      do { layout = try Layout(entry, quantization: metadata[typeKey(name)]) } catch {
        throw Problem(cause: "tensor “\(name)”: \(error.cause)")
      }
      guard layout.range.upperBound <= byteCount else {
        throw Problem(
          cause:
            "tensor “\(name)” ends at byte \(layout.range.upperBound) of \(byteCount): the file is cut short or its offsets are wrong"
        )
      }
      layouts.append((name, layout))
    }
    return layouts
  }

  /// That every byte belongs to exactly one tensor.
  private static func checkCoverage(_ layouts: [(name: String, layout: Layout)], byteCount: Int) throws(Problem) {
    var end = 0
    let ordered = layouts.sorted {
      ($0.layout.range.lowerBound, $0.layout.range.upperBound, $0.name)
        < ($1.layout.range.lowerBound, $1.layout.range.upperBound, $1.name)
    }
    for (name, layout) in ordered {
      let range = layout.range
      if range.lowerBound < end { throw Problem(cause: "tensor “\(name)” overlaps another one") }
      if range.lowerBound > end {
        throw Problem(cause: "\(range.lowerBound - end) bytes before tensor “\(name)” belong to no tensor")
      }
      end = range.upperBound
    }
    if end != byteCount { throw Problem(cause: "\(byteCount - end) bytes at its end belong to no tensor") }
  }

  /// The tensor of this name.
  /// - Throws: `SafetensorsError.missingTensor`.
  public func tensor(_ name: String) throws(SafetensorsError) -> Tensor {
    guard let tensor = tensors[name] else { throw .missingTensor(file: url.path, name: name) }
    return tensor
  }

  /// The entry of one tensor in a header.
  private struct Layout {
    let type: ElementType
    let shape: [Int]
    let range: Range<Int>

    init(_ entry: JSONValue, quantization: String?) throws(Problem) {
      guard let fields = entry.object else { throw Problem(cause: "its entry is not an object") }
      guard let typeName = fields["dtype"]?.string else { throw Problem(cause: "it has no dtype") }
      guard let type = ElementType(rawValue: typeName), !type.isQuantized else {
        throw Problem(cause: "unknown dtype “\(typeName)”")
      }
      guard let sizes = fields["shape"]?.array else { throw Problem(cause: "it has no shape") }
      var shape: [Int] = []
      var byteCount = type.size
      for size in sizes {
        guard case .integer(let size) = size, size >= 0 else {
          throw Problem(cause: "its shape is not a list of counts")
        }
        shape.append(size)
        let (product, overflow) = byteCount.multipliedReportingOverflow(by: size)
        if overflow { throw Problem(cause: "its shape is impossibly large") }
        byteCount = product
      }
      guard let offsets = fields["data_offsets"]?.array, offsets.count == 2,
        case .integer(let begin) = offsets[0], case .integer(let end) = offsets[1],
        begin >= 0, end >= begin
      else { throw Problem(cause: "its data_offsets are not a range of bytes") }
      guard end - begin == byteCount else {
        throw Problem(
          cause: "shape \(shape) of \(typeName) needs \(byteCount) bytes, data_offsets give \(end - begin)")
      }
      range = begin..<end
      guard let quantization else {
        self.type = type
        self.shape = shape
        return
      }
      let known = [ElementType.q8_0, .q4_0, .q4_1]
      guard let quantized = known.first(where: { SafetensorsFile.typeName($0) == quantization }) else {
        let names = known.map { "“\(SafetensorsFile.typeName($0))”" }.joined(separator: " and ")
        throw Problem(
          cause: """
            it is quantised as “\(quantization)”, this program knows \(names): import the model or build the family anew, or \
            remove it if a benchmark made it
            """)
      }
      guard type == .u8, shape.count == 2, shape[1] % quantized.size == 0 else {
        throw Problem(
          cause:
            "shape \(shape) of \(typeName) is not a matrix of whole \(quantization) blocks of \(quantized.size) bytes")
      }
      self.type = quantized
      self.shape = [shape[0], shape[1] / quantized.size * quantized.blockLength]
    }
  }
}

// MARK: - Errors

/// What can be wrong with a safetensors file. The description is one line: cause, file, remedy.
public enum SafetensorsError: Error, Equatable, Sendable, CustomStringConvertible {
  /// The file is not the safetensors file it should be.
  case damaged(file: String, cause: String)
  /// The file has no tensor of this name.
  case missingTensor(file: String, name: String)
  /// A tensor cannot be written as asked.
  case unwritable(file: String, cause: String)

  public var description: String {
    switch self {
    case .damaged(let file, let cause):
      oneLine("\(file) is not a usable safetensors file: \(cause); download or write it again")
    case .missingTensor(let file, let name):
      oneLine("\(file) has no tensor “\(name)”; check that it belongs to this model and is complete")
    case .unwritable(let file, let cause):
      oneLine("cannot write \(file): \(cause); give every tensor its own name and all its values")
    }
  }
}
