import Foundation
import Support

/// Writes what makes a family of anchors that are already in their places: stitching layers, tokenizer, description.
struct FamilyWriter {
  var name: String
  var chatTemplate: String
  /// For `family.json`: how base weights are stored.
  var quantization: String
  var routes: [Route]
  /// Of the anchors, cheapest first.
  var names: [String]
  var depths: [Int]
  /// How the stitching layers are stored.
  var layerType: ElementType

  /// Where an anchor lies in a family directory.
  static func place(of name: String) -> String { "anchors/\(name)" }

  /// - Parameter tokenizer: bytes of `tokenizer.model`.
  /// - Throws: `FileError`, `SafetensorsError`.
  func write(_ layers: [Route: FittedLayer], tokenizer: Data, to directory: URL) throws {
    let described = try names.map { name in
      let place = Self.place(of: name)
      return FamilyDescription.Anchor(
        name: name, directory: place,
        sha256: try Self.hash(directory.appendingPathComponent("\(place)/\(ModelDirectory.weightsName)")))
    }
    var writer = SafetensorsWriter(metadata: ["format": "stitch-layers-1"])
    for (route, layer) in layers {
      let id = route.id(names: names, depths: depths)
      writer.add(
        "stitches.\(id).weight", shape: [layer.weight.rows, layer.weight.columns], as: layerType, layer.weight.dense)
      writer.add("stitches.\(id).bias", shape: [layer.bias.count], layer.bias)
    }
    let stitches = directory.appendingPathComponent(FamilyDescription.stitchesName)
    try writer.write(to: stitches)
    try AtomicFile.write(tokenizer, to: directory.appendingPathComponent(FamilyDescription.tokenizerName))
    try FamilyDescription(
      format: FamilyDescription.currentFormat, name: name, anchors: described, routes: routes,
      quantization: quantization, chatTemplate: chatTemplate,
      tokenizerSHA256: SHA256.hexadecimal(of: Array(tokenizer)), stitchesSHA256: try Self.hash(stitches), stops: nil
    ).write(in: directory)
  }

  private static func hash(_ file: URL) throws -> String {
    SHA256.hexadecimal(of: try MappedFile(file).bytes)
  }
}
