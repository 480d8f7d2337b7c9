import ChatEngine
import Foundation
import LLaMAStitch
import Support
import Tokenizer

/// `stitch export`: an anchor of a family, as adapted, for other programs.
public struct ExportJob {
  public enum Format: String, Sendable, CaseIterable {
    /// A model directory for transformers, low-rank updates merged into the weights.
    case huggingFace = "hf"
    /// A file for llama.cpp, merged likewise.
    case gguf
    /// The low-rank updates and biases alone, for PEFT over the anchor's own weights.
    case peft
  }

  public var family: URL
  /// `nil`: the largest anchor.
  public var stitch: String?
  public var adapter: AdapterChoice
  public var format: Format
  public var output: URL
  /// How weights are stored; if absent, as they are, F32 where an adapter changed them.
  public var elementType: ElementType?

  public init(
    family: URL, stitch: String?, adapter: AdapterChoice, format: Format, output: URL, elementType: ElementType? = nil
  ) {
    self.family = family
    self.stitch = stitch
    self.adapter = adapter
    self.format = format
    self.output = output
    self.elementType = elementType
  }

  /// - Returns: a line about what was written.
  /// - Throws: `FamilyError`, `EngineError`, `FileError`, `GGUFError`: nothing is written then.
  public func run() throws -> String {
    try NewDirectory.check(output)
    let text = try TextFamily(family)
    let adapter = try text.adapter(adapter, store: text.adapterStore(root: UserDirectories.data))
    let id = stitch ?? text.family.names.last!
    if format == .peft {
      guard let adapter else { throw EngineError.nothingToExport(family: family.path) }
      guard let anchor = text.family.names.firstIndex(of: id) else {
        throw FamilyError.notAnAnchor(id: try text.stitch(id).id, anchors: text.family.names)
      }
      let base = try text.family.place(ofAnchor: anchor).standardizedFileURL.path
      try PEFTAdapter(text.family, stitch: id, adapter: adapter, base: base).write(to: output)
      return "wrote the adapter of \(id), step \(adapter.step), to \(output.path); its base is \(base)"
    }
    let anchor = try MergedAnchor(text.family, stitch: id, adapter: adapter)
    let type = elementType ?? (anchor.isChanged ? .f32 : anchor.elementType ?? .f32)
    let template = try text.template.source(text.tokenizer)
    switch format {
    case .gguf:
      try anchor.writeGGUF(
        to: output, name: "\(text.family.description.name) \(id)", elementType: type,
        vocabulary: GGUFTokenizer.metadata(of: text.tokenizer, for: output)
          + (template.map { [(name: "tokenizer.chat_template", value: .text($0))] } ?? []))
    case .huggingFace, .peft:
      var files = text.tokenizer.files
      if let template { files["chat_template.jinja"] = Data(template.utf8) }
      try anchor.write(to: output, elementType: type, files: files)
    }
    let step = adapter.map { ", adapter of step \($0.step) merged" } ?? ""
    return "wrote \(id)\(step), in \(type.rawValue), to \(output.path)"
  }
}
