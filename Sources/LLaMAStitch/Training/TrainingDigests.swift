import Foundation
import Support

/// Digests of what processes that train together must have in common.
extension SHA256 {
  /// Takes in a sequence and which of its tokens are to be learned.
  package mutating func update(_ tokens: [Int32], _ mask: [Bool]) {
    var bytes = Array("\(tokens.count)\n".utf8)
    bytes.reserveCapacity(bytes.count + 5 * tokens.count)
    for (token, isTarget) in zip(tokens, mask) {
      for shift in stride(from: 0, to: 32, by: 8) { bytes.append(UInt8(truncatingIfNeeded: token >> Int32(shift))) }
      bytes.append(isTarget ? 1 : 0)
    }
    update(bytes)
  }
}

extension ParameterStore {
  /// Names the values and what they are of.
  var digest: String {
    var hash = SHA256()
    for parameter in parameters { hash.update(Array("\(parameter.name) \(parameter.shape)\n".utf8)) }
    hash.update(values.vector.bytes)
    return hash.finish()
  }
}

extension TrainingExample {
  /// Names some examples.
  package static func digest(_ examples: [TrainingExample]) -> String {
    var hash = SHA256()
    for example in examples { hash.update(example.tokens, example.lossMask) }
    return hash.finish()
  }
}

extension Adapter {
  /// Names the values.
  package var digest: String {
    var hash = SHA256()
    for (name, tensor) in tensors.sorted(by: { $0.key < $1.key }) {
      hash.update(Array("\(name) \(tensor.rows) \(tensor.columns)\n".utf8))
      hash.update(tensor.dense.bytes)
    }
    return hash.finish()
  }
}

extension Family {
  /// Names the weights as they are in this machine's files: of anchors, stitching layers and healing. Files are hashed the
  /// first time.
  /// - Throws: `FileError`, `FamilyError`, `CheckpointError`.
  package func contentDigest() throws -> String {
    var files = try description.anchors.indices.flatMap { try ModelDirectory.files(in: place(ofAnchor: $0)) }
    if !description.isModel {
      files.append(directory.appendingPathComponent(FamilyDescription.stitchesName))
      if healing != nil { files.append(directory.appendingPathComponent(FamilyDescription.healingName)) }
    }
    let digests = try files.map { try ContentDigest.sha256(of: $0) }
    return SHA256.hexadecimal(of: Array(([identity] + digests).joined(separator: "\n").utf8))
  }
}
