import ChatEngine
import Foundation
import LLaMAStitch
import Support
import Tokenizer

/// `stitch import`: a GGUF file in, a model directory with its tokenizer out.
public struct ImportJob {
  public var file: URL
  public var output: URL
  /// How weights are stored; if absent, as they are, those in types that models do not have as Q8_0.
  public var elementType: ElementType?

  public init(file: URL, output: URL, elementType: ElementType? = nil) {
    self.file = file
    self.output = output
    self.elementType = elementType
  }

  /// Whether a path is meant as a GGUF file.
  public static func isGGUF(_ url: URL) -> Bool { url.pathExtension.lowercased() == "gguf" }

  /// - Throws: `GGUFError`, `FileError`, `TokenizerError`: nothing is written then.
  public func run() throws {
    try NewDirectory.check(output)
    let model = try GGUFModel(file)
    let tokenizer = try GGUFTokenizer.read(from: model.file)
    try tokenizer.checkFits(model.configuration, model: file.path)
    try model.write(to: output, elementType: elementType, files: tokenizer.files)
  }
}
