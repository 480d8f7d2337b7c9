import ArgumentParser
import ChatEngine
import Foundation
import LLaMAStitch
import Workflows

extension AdapterCommand {
  struct Transfer: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "transfer",
      abstract: "Add what a family was taught to another one whose anchors have the same shapes.",
      discussion: """
        For the next version of a family, or one with other routes: what the adapter adds to the weights is added there. Nothing \
        is trained; sizes that the family it comes from does not have begin with what all share.
        """)
    @Argument(help: "The adapter.") var adapter: String
    @OptionGroup var place: Place
    @Option(help: ArgumentHelp("The family to add it to.", valueName: "directory")) var to: String
    @Flag(help: "One JSON document on standard output.") var json = false

    func run() throws {
      let (text, store) = try place.open()
      let other = try TextFamily(FamilyOptions.directory(of: to))
      let (moved, bare) = try AdapterTransferJob(adapter, of: text, to: other).run(store: store)
      if !bare.isEmpty { Console.log("new sizes, which begin with what all share: \(bare.joined(separator: ", "))\n") }
      try AdapterCommand.save(moved, in: other.adapterStore(), json: json)
    }
  }
}
