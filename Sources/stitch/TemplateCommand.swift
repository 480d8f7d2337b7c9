import ArgumentParser
import Foundation
import Support
import Tokenizer
import Workflows

/// `stitch template`: what a chat template makes of messages.
struct TemplateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "template", abstract: "Print the prompt that a chat template makes of messages.",
    discussion: """
      Messages are JSON as OpenAI and transformers have it: a list of them, or an object with messages and, if need be, \
      tools, add_generation_prompt (true unless it says otherwise), bos_token, eos_token and what else the template looks at.

      Example: echo '[{"role": "user", "content": "Hello"}]' | stitch template --model weights/tiny
      """)

  @Option(help: ArgumentHelp("A template in Jinja.", valueName: "file"))
  var template: String?

  @Option(
    help: ArgumentHelp(
      "The model or family whose template it is: a directory, a GGUF file, or a name from 'stitch models list'.",
      valueName: "model"))
  var model: String?

  @Option(help: ArgumentHelp("The messages (default: standard input).", valueName: "file"))
  var messages: String?

  @Option(help: ArgumentHelp("A JSON list of tools, for messages that bring none.", valueName: "file"))
  var tools: String?

  @Flag(help: "One JSON document a line in, one a line out: its text, or the error.")
  var lines = false

  func validate() throws {
    if (template == nil) == (model == nil) { throw ValidationError("give either --template or --model") }
  }

  func run() throws {
    let render = try renderer()
    let tools = try tools.map { try Self.read($0) }
    let input = try messages.map { try Self.read($0) } ?? Console.readStandardInput()
    guard lines else {
      return try Console.write(text: render(TemplateRequest(utf8: input, tools: tools)))
    }
    for line in input.split(separator: UInt8(ascii: "\n")) where !line.allSatisfy({ $0 == 0x20 || $0 == 0x0D }) {
      let result: Line
      do { result = Line(text: try render(TemplateRequest(utf8: line, tools: tools))) } catch {
        result = Line(error: "\(error)")
      }
      let encoder = JSONEncoder()
      encoder.outputFormatting = .withoutEscapingSlashes
      try Console.write(jsonText: encoder.encode(result) + Data("\n".utf8))
    }
  }

  private struct Line: Encodable {
    var text: String?
    var error: String?
  }

  private func renderer() throws -> (TemplateRequest) throws -> String {
    if let model {
      let (template, tokenizer) = try ModelStore().template(of: model)
      return { try template.text(of: $0, tokenizer: tokenizer) }
    }
    let file = template ?? ""
    let template = try JinjaTemplate(String(decoding: Self.read(file), as: UTF8.self), file: file)
    return { try template.text(of: $0) }
  }

  private static func read(_ file: String) throws -> [UInt8] {
    Array(try MappedFile(URL(fileURLWithPath: file)).bytes.data)
  }
}
