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
  public init(_ url: URL) throws {
    self.url = url
    let file = try MappedFile(url)
    func damaged(_ cause: String) -> SafetensorsError { .damaged(file: url.path, cause: cause) }

    guard file.count >= 8 else {
      throw damaged("it has \(file.count) bytes, too few for the length of a header")
    }
    let declared = UInt64(littleEndian: file.base.loadUnaligned(as: UInt64.self))
    guard declared <= UInt64(Self.longestHeader) else {
      throw damaged("its header claims \(declared) bytes, more than \(Self.longestHeader)")
    }
    let headerLength = Int(declared)
    guard headerLength <= file.count - 8 else {
      throw damaged("it is cut short: the header needs \(headerLength) bytes, \(file.count - 8) are there")
    }
    let header: JSONValue
    do {
      header = try JSONValue(utf8: UnsafeRawBufferPointer(start: file.base + 8, count: headerLength))
    } catch {
      throw damaged("header: \(error)")
    }
    guard let entries = header.object else { throw damaged("the header is \(header.kind), not an object") }

    let data = file.bytes.slice(8 + headerLength..<file.count)
    var metadata: [String: String] = [:]
    var tensors: [String: Tensor] = [:]
    var ranges: [(range: Range<Int>, name: String)] = []
    if let entry = entries["__metadata__"] {
      guard let pairs = entry.object else { throw damaged("“__metadata__” is not an object") }
      for (key, value) in pairs {
        guard let text = value.string else { throw damaged("metadata “\(key)” is not a string") }
        metadata[key] = text
      }
    }
    for (name, entry) in entries.sorted(by: { $0.key < $1.key }) where name != "__metadata__" {
      let layout: Layout
      do {
        layout = try Layout(entry, quantization: metadata[Self.typeKey(name)])
      } catch {
        throw damaged("tensor “\(name)”: \(error.cause)")
      }
      guard layout.range.upperBound <= data.count else {
        throw damaged(
          "tensor “\(name)” ends at byte \(layout.range.upperBound) of \(data.count): the file is cut short or its offsets are wrong"
        )
      }
      tensors[name] = Tensor(
        name: name, type: layout.type, shape: layout.shape, bytes: data.slice(layout.range))
      ranges.append((layout.range, name))
    }

    ranges.sort {
      ($0.range.lowerBound, $0.range.upperBound, $0.name)
        < ($1.range.lowerBound, $1.range.upperBound, $1.name)
    }
    var end = 0
    for (range, name) in ranges {
      if range.lowerBound < end { throw damaged("tensor “\(name)” overlaps another one") }
      if range.lowerBound > end {
        throw damaged("\(range.lowerBound - end) bytes before tensor “\(name)” belong to no tensor")
      }
      end = range.upperBound
    }
    if end != data.count { throw damaged("\(data.count - end) bytes at its end belong to no tensor") }
    self.metadata = metadata
    self.tensors = tensors
  }

  /// The tensor of this name.
  /// - Throws: `SafetensorsError.missingTensor`.
  public func tensor(_ name: String) throws(SafetensorsError) -> Tensor {
    guard let tensor = tensors[name] else { throw .missingTensor(file: url.path, name: name) }
    return tensor
  }

  /// The entry of one tensor in a header.
  private struct Layout {
    struct Problem: Error { let cause: String }

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
      let known = [ElementType.q8_0, .q4_0]
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
