import Foundation
import Support

/// A GGUF file, its header checked completely before anything is read from it, and mapped into memory.
///
/// Format, versions 2 and 3, little endian: magic, version, counts, metadata, tensor descriptions, then the data of the
/// tensors, each at a multiple of the alignment. See https://github.com/ggml-org/ggml/blob/master/docs/gguf.md.
public struct GGUFFile: Sendable {
  /// One tensor: where it lies and what it is.
  public struct Tensor: Sendable {
    public let name: String
    public let type: GGUFTensorType
    /// Rows before columns, as everywhere here; the file has it the other way round.
    public let shape: [Int]
    let bytes: ByteView

    var columns: Int { shape.last ?? 1 }

    /// The values as floats, copied.
    public func floats() -> [Float] {
      let floats = FloatBuffer(count: shape.reduce(1, *))
      bytes.widen(0..<floats.count, type, into: floats.vector)
      return floats.vector.array
    }
  }

  public let url: URL
  public let metadata: [String: GGUFValue]
  public let tensors: [String: Tensor]

  /// - Throws: `FileError`, `SafetensorsError`, `GGUFError`: the file cannot be opened, is cut short, has an unsupported type, or its
  ///   header contradicts itself.
  public init(_ url: URL) throws {
    self.url = url
    let file = try MappedFile(url)
    do {
      (metadata, tensors) = try Self.read(file.bytes)
    } catch let problem as GGUFReader.Problem {
      throw GGUFError.damaged(file: url.path, cause: problem.cause)
    } catch let problem as UnsupportedType {
      throw GGUFError.unsupportedType(file: url.path, tensor: problem.tensor, type: problem.type)
    }
  }

  private struct UnsupportedType: Error {
    let tensor: String
    let type: String
  }

  private static func read(_ bytes: ByteView) throws -> ([String: GGUFValue], [String: Tensor]) {
    typealias Problem = GGUFReader.Problem
    var reader = GGUFReader(bytes)
    guard bytes.count >= 24, try reader.integer(UInt32.self) == 0x4655_4747 else {
      throw Problem(cause: "it does not begin with “GGUF”")
    }
    let version = try reader.integer(UInt32.self)
    guard version == 2 || version == 3 else {
      throw Problem(cause: "it has version \(version) (or is big endian); versions 2 and 3 can be read")
    }
    let tensorCount = try reader.count("tensors", unit: 24)
    let valueCount = try reader.count("values", unit: 13)
    var metadata: [String: GGUFValue] = [:]
    for _ in 0..<valueCount {
      let name = try reader.name()
      guard metadata.updateValue(try reader.value(), forKey: name) == nil else {
        throw Problem(cause: "it names “\(name)” twice")
      }
    }
    var described: [(name: String, type: GGUFTensorType, shape: [Int], start: UInt64, size: Int)] = []
    for _ in 0..<tensorCount {
      let name = try reader.name()
      let dimensions = try reader.integer(UInt32.self)
      guard (1...4).contains(dimensions) else {
        throw Problem(cause: "tensor “\(name)” has \(dimensions) dimensions")
      }
      var sizes: [Int] = []
      var elements = 1
      for _ in 0..<dimensions {
        guard let size = Int(exactly: try reader.integer(UInt64.self)), size > 0 else {
          throw Problem(cause: "tensor “\(name)” has an impossible shape")
        }
        let (product, overflow) = elements.multipliedReportingOverflow(by: size)
        // No element takes less than a quarter of a byte.
        guard !overflow, product / 4 <= bytes.count else {
          throw Problem(cause: "tensor “\(name)” is larger than the file")
        }
        elements = product
        sizes.append(size)
      }
      let number = try reader.integer(UInt32.self)
      let start = try reader.integer(UInt64.self)
      guard let type = GGUFTensorType(rawValue: number) else {
        throw UnsupportedType(tensor: name, type: GGUFTensorType.name(of: number))
      }
      guard sizes[0] % type.blockLength == 0 else {
        throw Problem(cause: "the rows of tensor “\(name)” are no whole blocks")
      }
      described.append((name, type, sizes.reversed(), start, elements / type.blockLength * type.blockBytes))
    }
    let alignment = metadata["general.alignment"].map(\.integer) ?? 32
    guard let alignment, alignment > 0, alignment <= 1 << 20, alignment & (alignment - 1) == 0 else {
      throw Problem(cause: "its alignment is not a power of two")
    }
    let origin = (reader.offset + alignment - 1) / alignment * alignment
    var tensors: [String: Tensor] = [:]
    for tensor in described {
      guard let start = Int(exactly: tensor.start), start % alignment == 0, origin <= bytes.count,
        start <= bytes.count - origin, tensor.size <= bytes.count - origin - start
      else {
        throw Problem(cause: "tensor “\(tensor.name)” lies outside the file: it is cut short, or its offsets are wrong")
      }
      let view = bytes.slice(origin + start..<origin + start + tensor.size)
      let entry = Tensor(name: tensor.name, type: tensor.type, shape: tensor.shape, bytes: view)
      guard tensors.updateValue(entry, forKey: tensor.name) == nil else {
        throw Problem(cause: "it has two tensors “\(tensor.name)”")
      }
    }
    return (metadata, tensors)
  }
}

/// What can be wrong with a GGUF file. The description is one line: cause, file, remedy.
public enum GGUFError: Error, Equatable, Sendable, CustomStringConvertible {
  /// The file is no whole GGUF file.
  case damaged(file: String, cause: String)
  /// The file is sound, but holds no model that can be run here.
  case unsupported(file: String, cause: String, remedy: String)
  /// A tensor is stored in a type that is not read.
  case unsupportedType(file: String, tensor: String, type: String)

  public var description: String {
    switch self {
    case .damaged(let file, let cause):
      oneLine("\(file) is not a usable GGUF file: \(cause); download or convert it again")
    case .unsupported(let file, let cause, let remedy): oneLine("\(file): \(cause); \(remedy)")
    case .unsupportedType(let file, let tensor, let type):
      oneLine(
        "\(file): tensor “\(tensor)” is \(type), which is not read; use a file in F32, F16, BF16, Q8_0, Q4_0, Q4_K, Q5_K or Q6_K"
      )
    }
  }
}
