import ArgumentParser
import Forms
import Support

/// What a reply is to look like: shared by the commands that make one.
struct FormOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "A JSON schema, in a file or as it is: the reply is a JSON document that it allows. Say in the prompt what is wanted, too.",
      valueName: "schema"))
  var schema: String?

  @Option(
    help: ArgumentHelp("A grammar in GBNF, llama.cpp's notation: the reply is a text that it makes.", valueName: "file")
  )
  var grammar: String?

  @Flag(help: "The reply is a JSON object.")
  var jsonObject = false

  func validate() throws {
    if [schema != nil, grammar != nil, jsonObject].count(where: { $0 }) > 1 {
      throw ValidationError("--schema, --grammar and --json-object exclude one another")
    }
  }

  /// What was asked for, read and checked.
  func form() throws -> Grammar? {
    var name: String?
    let source: FormSource
    if let schema {
      if schema.first == "{" {
        source = .schema(schema)
      } else {
        name = schema
        source = .schema(try text(schema))
      }
    } else if let grammar {
      name = grammar
      source = .grammar(try text(grammar))
    } else if jsonObject {
      source = .jsonObject
    } else {
      return nil
    }
    do throws(FormError) { return try source.grammar() } catch {
      throw ValidationError("\(name.map { "\($0): " } ?? "")\(error)")
    }
  }

  private func text(_ path: String) throws -> String {
    try TextFile.read(path, atMost: FormSource.longest).text
  }
}
