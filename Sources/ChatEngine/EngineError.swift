/// What can go wrong between a family's directory and a reply. The description is one line: cause, file, remedy.
public enum EngineError: Error, Equatable, Sendable, CustomStringConvertible {
  /// No family was named, and none was found; `missing` is the command that brings the model which one would need.
  case noFamily(lookedIn: [String], missing: String?)
  /// What was named is not there, or holds no `family.json`.
  case notAFamily(path: String, cause: String)
  /// `family.json` asks for a chat template that this program does not know.
  case unknownTemplate(name: String, family: String, known: [String])
  /// The tokenizer has more pieces than the embedding has rows; `files` is what it is stored in, by name.
  case tokenizerDoesNotFit(tokenizer: String, files: String, pieces: Int, model: String, rows: Int)
  /// The last message alone, with the system prompt, is longer than the context.
  case promptTooLong(tokens: Int, contextLength: Int)
  /// The conversation is longer than the context, and nothing was to be left out.
  case conversationTooLong(messagesToDrop: Int)
  /// A reply was to be gone on with and held to a form, which the part that is there does not begin.
  case formOfContinuation
  /// The store has no snapshot for the family, or none whose hash begins like this.
  case noSnapshot(prefix: String?, store: String)
  /// More than one snapshot's hash begins like this.
  case ambiguousSnapshot(prefix: String, matches: [String])
  /// A name that is neither a hash nor one of the words for an adapter.
  case notAnAdapter(name: String)
  /// The family's own adapter was named, and it has none.
  case noOwnAdapter(family: String)
  /// Adapters that were to be mixed do not fit together; `adapter` is the one that does not.
  case cannotMix(adapter: String, cause: String)
  /// A snapshot's content is not what its name says.
  case damagedSnapshot(file: String)
  /// A reply was made with an adapter that could not be written to the store.
  case adapterNotKept(step: Int)
  /// A directory of the store or its lock could not be made.
  case storeUnusable(directory: String, cause: String)
  /// What was measured of a family cannot be read.
  case damagedFrontier(file: String)
  /// Nothing was measured of a family yet.
  case noFrontier(family: String)
  /// Stops were to be chosen by fewer texts than can tell a difference from chance, and no answers can be checked.
  case tooFewTexts(file: String, texts: Int, needed: Int)
  /// A family was to be measured by a model whose tokens are others.
  case otherTokenizer(model: String, family: String)
  /// An adapter was to be exported where there is none.
  case nothingToExport(family: String)
  case trainingIsRunning
  /// Sizes are being made of the model.
  case familyGrows
  /// A lesson was taught to the model that sizes were made of meanwhile.
  case taughtWhileGrowing
  /// Training or an adapter was asked for where replies come from a server.
  case needsLocalModel
  /// Training was asked for without a step.
  case noSteps(Int)

  public var description: String {
    switch self {
    case .noFamily(let places, let missing):
      "no model family found (looked at \(places.joined(separator: ", "))); \(missing.map { "get the model of the default one with '\($0)', " } ?? "")give one with --family DIRECTORY or STITCH_FAMILY, or make one with `stitch family build`"
    case .notAFamily(let path, let cause):
      "\(path) is not a family: \(cause); name a family's directory, or make one with `stitch family build`"
    case .unknownTemplate(let name, let family, let known):
      "\(family)/family.json asks for the chat template “\(name)”; this program knows \(known.joined(separator: ", ")): change the file or use a newer program"
    case .tokenizerDoesNotFit(let tokenizer, let files, let pieces, let model, let rows):
      "\(tokenizer) has \(pieces) pieces, but the embedding of \(model) has \(rows) rows; use the \(files) that belongs to the weights"
    case .promptTooLong(let tokens, let contextLength):
      "the message with what must precede it has \(tokens) tokens, the context \(contextLength) and a reply needs room too; shorten the message or the system prompt"
    case .conversationTooLong(let messages):
      "the conversation is longer than the context; leave out its oldest \(messages) messages, or allow that"
    case .formOfContinuation:
      "a reply that is gone on with cannot be held to a form; ask anew, or leave the form out"
    case .noSnapshot(let prefix?, let store):
      "no snapshot in \(store) has a hash that begins with “\(prefix)”; use `latest`, or leave --adapter out for the family's own"
    case .noSnapshot(nil, let store):
      "no snapshot in \(store) yet; train with /train, or leave --adapter out for the family's own"
    case .ambiguousSnapshot(let prefix, let matches):
      "“\(prefix)” fits the snapshots \(matches.map { String($0.prefix(12)) }.joined(separator: ", ")); give more of the hash"
    case .notAnAdapter(let name):
      "“\(name)” is no adapter; use latest, own, none, or the beginning of a snapshot's hash (at least 4 hexadecimal digits)"
    case .noOwnAdapter(let family):
      "\(family) has no adapter of its own; name a snapshot by the beginning of its hash"
    case .cannotMix(let adapter, let cause): "\(adapter) cannot be mixed in: \(cause)"
    case .damagedSnapshot(let file):
      "\(file) is damaged: its content does not have the hash in its name; delete it and use another snapshot"
    case .adapterNotKept(let step):
      "the adapter of step \(step) was never kept in a file; train again, or go on with the one in use"
    case .storeUnusable(let directory, let cause):
      "snapshots cannot be kept in \(directory): \(cause); check its permissions, or set XDG_DATA_HOME"
    case .damagedFrontier(let file):
      "\(file) is not a list of measured stitches; delete it or write it anew with `stitch frontier --write`"
    case .noFrontier(let family):
      "\(family) has no measurements to refresh; make them with `stitch frontier --data FILE --write`"
    case .tooFewTexts(let file, let texts, let needed):
      "\(file) has \(texts == 1 ? "one text" : "\(texts) texts"), too few to tell stops from one another; give \(needed) texts or replies at least, or questions with an “answer”"
    case .otherTokenizer(let model, let family):
      "\(model) and \(family) have different tokenizers, so what they find likely cannot be compared; give the model that the family was made of"
    case .nothingToExport(let family):
      "\(family) has no adapter; adapt it first with `stitch adapt`, or export its weights with --format hf"
    case .familyGrows: "the slider is being made; teach when it is there"
    case .taughtWhileGrowing:
      "the slider is made, but what was taught belongs to the model alone: start the chat again to have it"
    case .trainingIsRunning: "training is running already; stop it first"
    case .needsLocalModel:
      "that needs a model on this machine; open one with --family or --model"
    case .noSteps(let steps): "training needs at least 1 step, not \(steps)"
    }
  }
}
