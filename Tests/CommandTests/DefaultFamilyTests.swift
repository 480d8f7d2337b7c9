import Foundation
import LLaMAStitch
import Testing

/// What opens where no family is named, in the checkout.
@Suite struct DefaultFamilyTests {
  private static let checkout = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()
  private static let real = checkout.appending(path: "weights/smollm2")

  private static var isKept: Bool {
    FileManager.default.fileExists(atPath: real.appending(path: "family.json").path)
      && FileManager.default.fileExists(atPath: checkout.appending(path: "weights/tiny/family.json").path)
  }

  private static var isModelHere: Bool {
    guard isKept, let description = try? FamilyDescription.read(in: real) else { return false }
    return description.missing(in: real).allSatisfy { ModelShelf().has($0.model) }
  }

  /// The program where the checkout is.
  private func run(_ arguments: [String], input: String = "", withModels: Bool) throws -> StitchProcess.Outcome {
    var environment = ["STITCH_FAMILY": ""]
    for name in ["CACHE", "DATA"] where withModels {
      // As in the user's own shell: one that is empty counts as not set.
      environment["XDG_\(name)_HOME"] = ProcessInfo.processInfo.environment["XDG_\(name)_HOME"] ?? ""
    }
    return try StitchProcess.run(
      shell: "cd '\(Self.checkout.path)' && exec \"$0\" \"$@\"", arguments, input: Data(input.utf8),
      environment: environment)
  }

  @Test(.enabled(if: isKept, "weights/smollm2 is not there")) func withoutTheModel() throws {
    let chat = try run(["chat", "--plain", "--no-save"], input: "hello\n", withModels: false)
    #expect(chat.status == 0 && chat.text.contains("large · step"), "\(chat.text)\(chat.complaint)")
    let hints = chat.complaint.split(separator: "\n").filter { $0.contains("stitch models pull smollm2-135m") }
    #expect(hints.count == 1, "\(chat.complaint)")
    let named = try run(["ask", "hello", "--family", Self.real.path], withModels: false)
    #expect(named.status == 2 && named.output.isEmpty, "\(named.complaint)")
    #expect(named.complaint.contains("stitch models pull smollm2-135m") && named.complaint.contains(Self.real.path))
    let doctor = try run(["doctor"], withModels: false)
    #expect(doctor.text.contains("weights/tiny") && doctor.text.contains("stitch models pull smollm2-135m"))
  }

  @Test(.enabled(if: isModelHere, "weights/smollm2 or its model is not there")) func withTheModel() throws {
    let chat = try run(
      ["chat", "--plain", "--no-save", "--max-tokens", "12"],
      input: "Hello\n/stitch 1\nHow are you?\n", withModels: true)
    #expect(chat.status == 0 && chat.complaint.isEmpty, "\(chat.text)\(chat.complaint)")
    let stops = try Family(Self.real).stops.map(\.id)
    #expect(stops.count >= 8)
    for id in [stops[0], stops[stops.count - 1]] { #expect(chat.text.contains("[\(id) · "), "\(chat.text)") }
    // The upper end is the model as it was downloaded.
    func answer(_ named: [String]) throws -> String {
      let outcome = try run(["ask", "Why is the sky blue?", "--max-tokens", "16"] + named, withModels: true)
      #expect(outcome.status == 0, "\(outcome.complaint)")
      return outcome.text
    }
    let whole = try answer([])
    #expect(try !whole.isEmpty && whole == answer(["--model", "smollm2-135m"]))
  }
}
