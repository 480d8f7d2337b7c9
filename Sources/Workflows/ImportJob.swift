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
  /// What is written down of where it came from, if anything.
  var origin: ModelOrigin?

  public init(file: URL, output: URL, elementType: ElementType? = nil) {
    self.file = file
    self.output = output
    self.elementType = elementType
  }

  /// Whether a path is meant as a GGUF file, by its name or by how the file begins.
  public static func isGGUF(_ url: URL) -> Bool {
    if url.pathExtension.lowercased() == "gguf" { return true }
    // What cannot be read is none, nor is what waits for a writer.
    do {
      let type = try FileManager.default.attributesOfItem(atPath: url.resolvingSymlinksInPath().path)[.type]
      guard type as? FileAttributeType == .typeRegular else { return false }
      let file = try FileHandle(forReadingFrom: url)
      defer { file.closeFile() }
      return try file.read(upToCount: 4) == Data("GGUF".utf8)
    } catch { return false }
  }

  /// - Parameter progress: told how many of all bytes are written.
  /// - Throws: `GGUFError`, `FileError`, `TokenizerError`: nothing is written then.
  public func run(progress: (_ done: Int, _ all: Int) -> Void = { _, _ in }) throws {
    try NewDirectory.check(output)
    let model = try GGUFModel(file)
    let tokenizer = try GGUFTokenizer.read(from: model.file)
    try tokenizer.checkFits(model.configuration, model: file.path)
    var files = tokenizer.files
    if let template = model.file.metadata["tokenizer.chat_template"]?.text {
      files["chat_template.jinja"] = Data(template.utf8)
    }
    if let defaults = try model.generationDefaults() { files[GenerationDefaults.fileName] = try defaults.json }
    if let origin { files[ModelOrigin.fileName] = try origin.json }
    try model.write(to: output, elementType: elementType, files: files, progress: progress)
  }
}
