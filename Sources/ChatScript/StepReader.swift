import ChatEngine
import Foundation

/// Reads one step: a group with the name of what it does, and `expect` where a reply comes of it.
struct StepReader {
  /// What paths are relative to.
  var folder: URL

  private static let actions = [
    "user", "stitch", "set", "system", "train", "wait", "regen", "compare", "command", "screen", "pause",
  ]

  func step(_ node: DocumentNode) throws(DocumentError) -> Script.Step {
    // A step without a value may be just its name.
    if case .scalar(let word) = node.value, word == "regen" { return Self.step(.regenerate, nil, node.place) }
    guard case .fields = node.value else {
      throw node.error("a step such as “user: Hello” expected, not \(node.kind)")
    }
    let fields = try FieldReader(node, known: Self.actions + ["expect"], kind: "step")
    let names = fields.names.filter { $0 != "expect" }
    guard let name = names.first else {
      throw node.error("a step does something: \(Self.actions.joined(separator: ", "))")
    }
    if names.count > 1, let place = fields.place(of: names[1]) {
      throw DocumentError(place, "a step does one thing; make “\(names[0])” and “\(names[1])” two steps")
    }
    let action = try action(name, fields[name]!)
    var expectation: Expectation?
    if let node = fields["expect"] {
      expectation = try ExpectationReader.expectation(node, folder: folder)
      switch action {
      case .user, .regenerate, .command: break
      default:
        if !expectation!.ignoresReply {
          throw node.error(
            "“\(name)” makes no one reply; expect “screen” of it, or move “expect” to “user”, “regen” or “command”")
        }
      }
    }
    return Self.step(action, expectation, node.place)
  }

  private static func step(_ action: Script.Action, _ expectation: Expectation?, _ place: Place) -> Script.Step {
    Script.Step(action: action, expectation: expectation, line: place.line, column: place.column)
  }

  private func action(_ name: String, _ node: DocumentNode) throws(DocumentError) -> Script.Action {
    switch name {
    case "user":
      let text = try node.text(name)
      if text.allSatisfy(\.isWhitespace) { throw node.error("user needs a text that is not empty") }
      return .user(text)
    case "stitch": return .stitch(try Self.stitch(node))
    case "set": return .set(try Self.settings(node))
    case "system": return .system(node.value == .null ? "" : try node.text(name))
    case "train":
      if case .scalar(let path) = node.value { return .train(data: resolvePath(path, in: folder), steps: nil) }
      let fields = try FieldReader(node, known: ["data", "steps", "distill"], kind: "field of train")
      guard let data = try fields.text("data") else { throw node.error("train needs “data”, a file to learn from") }
      return .train(
        data: resolvePath(data, in: folder), steps: try fields.integer("steps", in: 1...1_000_000),
        distills: try fields.bool("distill") ?? false)
    case "wait":
      guard try node.text(name) == "training" else { throw node.error("wait is for “training”") }
      return .waitForTraining
    case "regen":
      if case .scalar("true") = node.value { return .regenerate }
      guard node.value == .null else { throw node.error("regen takes no value") }
      return .regenerate
    case "compare":
      guard case .list(let list) = node.value, (2...3).contains(list.count) else {
        throw node.error("compare takes a list of two or three stitches, such as [small, large]")
      }
      var stitches: [String] = []
      for child in list { stitches.append(try Self.stitch(child)) }
      return .compare(stitches)
    case "command":
      let text = try node.text(name)
      guard text.first == "/", text.dropFirst().first?.isLetter == true else {
        throw node.error("command is what is typed after a slash, with it, such as “/clear”")
      }
      return .command(text)
    case "screen": return .screen(try Self.screen(node))
    default:
      guard let seconds = Double(try node.text(name)), (0...3600).contains(seconds) else {
        throw node.error("pause is a number of seconds from 0 to 3600")
      }
      return .pause(seconds: seconds)
    }
  }

  /// One word, because it is also typed as one.
  private static func stitch(_ node: DocumentNode) throws(DocumentError) -> String {
    let text = try node.text("stitch")
    guard !text.isEmpty, !text.contains(where: \.isWhitespace) else {
      throw node.error("a stitch is a name such as small-large@3, a number from 1, or auto")
    }
    return text
  }

  static func screen(_ node: DocumentNode) throws(DocumentError) -> ScreenSize {
    let fields = try FieldReader(node, known: ["width", "height"], kind: "field of screen")
    return ScreenSize(
      width: try fields.integer("width", in: 1...500) ?? ScreenSize.usual.width,
      height: try fields.integer("height", in: 1...200) ?? ScreenSize.usual.height)
  }

  static func settings(_ node: DocumentNode) throws(DocumentError) -> [SamplingSetting] {
    guard case .fields(let fields) = node.value else {
      throw node.error("set takes settings, such as {temperature: 0.7}")
    }
    var settings: [SamplingSetting] = []
    for field in fields { settings.append(try setting(field)) }
    return settings
  }

  private static func setting(_ field: DocumentNode.Field) throws(DocumentError) -> SamplingSetting {
    // Like everywhere in YAML, “false” is another word for “off”.
    let value = try field.value.text(field.name)
    do { return try SamplingSetting(name: field.name, value: value == "false" ? "off" : value) } catch {
      throw DocumentError(error.isUnknownName ? field.place : field.value.place, error.description)
    }
  }
}
