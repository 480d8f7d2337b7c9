import Support

/// What can be wrong with a family. The description is one line: cause, file, remedy.
public enum FamilyError: Error, Equatable, Sendable, CustomStringConvertible {
  /// There is no such directory, or it is not a family.
  case notAFamily(path: String, cause: String)
  /// `family.json` or another part does not make sense.
  case damaged(file: String, cause: String)
  /// A part named in `family.json` is missing.
  case missingPart(file: String, family: String)
  /// A file is not the one that the family was made with.
  case tampered(files: [String], family: String)
  /// A path in `family.json` leads out of the directory.
  case outside(path: String, family: String)
  /// A model that is not the one a family without weights was made of.
  case otherModel(model: String, family: String, wanted: FamilyDescription.Model, known: KnownModel?)
  /// The model that a family without weights was made of is not on this machine. `known` is how one gets it.
  case modelNotHere(FamilyDescription.Model, family: String, known: KnownModel?)
  /// An adapter that was trained on another family.
  case foreignAdapter(file: String, family: String)
  /// No stitch has this id.
  case unknownStitch(id: String, family: String, nearest: String?)
  /// An adapter of scales, which PEFT's files have no place for.
  case notLowRank(stitch: String)
  /// An adapter that is no change of weights cannot leave the family; `what` of it is none.
  case runsBeside(stitch: String, what: String)
  /// A stitch of two models where a single one is needed.
  case notAnAnchor(id: String, anchors: [String])
  /// Anchors that cannot be one family.
  case unstitchable(cause: String)

  public var description: String { oneLine(text) }

  private var text: String {
    switch self {
    case .notAFamily(let path, let cause):
      "\(path) is not a family: \(cause); make one with `stitch family build`"
    case .damaged(let file, let cause): "\(file) is damaged: \(cause); build or copy the family again"
    case .missingPart(let file, let family):
      "\(file) is missing, which \(family)/family.json names; copy the family again, whole"
    case .tampered(let files, let family):
      "\(files.joined(separator: " or ")) was changed after \(family) was made: the SHA-256 is not the one in family.json; copy the family again from a source you trust"
    case .outside(let path, let family):
      "“\(path)” in \(family)/family.json leads outside the family; use a family from a source you trust"
    case .otherModel(let model, let family, let wanted, let known):
      "\(model) is not the model that \(family) was made of, which is \(wanted.name) with SHA-256 \(wanted.sha256.prefix(12))…; \(Self.remedy(known))"
    case .modelNotHere(let model, let family, let known):
      "\(family) is kept without the weights of \(model.name), which are not here (a file with SHA-256 \(model.sha256.prefix(12))…); \(Self.remedy(known))"
    case .foreignAdapter(let file, let family):
      "\(file) was trained on another family than \(family); choose the adapter or the family that fits"
    case .unknownStitch(let id, let family, let nearest):
      "\(family) has no stitch “\(id)”; \(nearest.map { "did you mean \($0)? " } ?? "")`stitch family show` lists them"
    case .notLowRank(let stitch):
      "the adapter of \(stitch) has scales and norms, which PEFT's low-rank adapters have no place for; export the merged model"
    case .runsBeside(let stitch, let what):
      "the adapter of \(stitch) has \(what), which no change of weights can replace; export with --adapter none, or an adapter without one"
    case .notAnAnchor(let id, let anchors):
      "“\(id)” is made of two models, which no other program runs; export an anchor: \(anchors.joined(separator: ", "))"
    case .unstitchable(let cause): "these anchors cannot be stitched: \(cause)"
    }
  }

  /// How one comes to the model of a family without weights.
  private static func remedy(_ known: KnownModel?) -> String {
    known.map { "get it (\($0.sizeText)) with '\($0.command)'" }
      ?? "open that very file once, as with 'stitch ask --model FILE.gguf', and it is found"
  }
}
